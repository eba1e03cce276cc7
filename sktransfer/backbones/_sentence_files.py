"""The settings that a model's files hold about how its states become one feature."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sktransfer.weights.files import read_json

POOLINGS = ("mean", "cls", "max", "pooler")


def sentence_settings(folder: Path) -> tuple[str, bool, int | None]:
    """Read pooling, normalisation and length from a model's sentence-transformers files."""
    modules = folder / "modules.json"
    if not modules.is_file():
        return "mean", False, None
    pooling, normalize = "mean", False
    for entry in read_json(modules, list):
        kind = str(entry.get("type", "")).rpartition(".")[2]
        if kind == "Pooling":
            config = read_json(folder / entry["path"] / "config.json", dict)
            pooling = _named_pooling(config, folder)
        elif kind == "Normalize":
            normalize = True
        elif kind != "Transformer":
            raise ValueError(
                f"{folder / 'modules.json'} asks for a {kind} module, which is not supported; "
                "pass pooling= and normalize= explicitly on a copy without modules.json."
            )
    length = None
    config_file = folder / "sentence_bert_config.json"
    if config_file.is_file():
        length = read_json(config_file, dict).get("max_seq_length")
    return pooling, normalize, length


def _named_pooling(config: Mapping[str, Any], folder: Path) -> str:
    named = {
        "pooling_mode_mean_tokens": "mean",
        "pooling_mode_cls_token": "cls",
        "pooling_mode_max_tokens": "max",
    }
    modes = [
        named.get(key, key) for key, on in config.items() if key.startswith("pooling_mode_") and on
    ]
    if isinstance(config.get("pooling_mode"), str):
        modes = [config["pooling_mode"]]
    if len(modes) != 1 or modes[0] not in POOLINGS:
        raise ValueError(
            f"The pooling {modes} that the files of {folder} ask for is not supported; "
            "pass pooling='mean', 'cls' or 'max'."
        )
    return modes[0]
