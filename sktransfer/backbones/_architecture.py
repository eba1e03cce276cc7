"""Read blocks from an architecture, and pooling and length from the files of a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from sktransfer.weights.files import read_json


def blocks_of(module: nn.Module) -> dict[str, list[str]]:
    """Group an encoder's parameters into embeddings and layers, input side first.

    The layers are the longest list of modules. Parameters before it, and embeddings anywhere,
    belong to ``embeddings``; parameters after it, such as a last normalisation, to the last layer.
    """
    names = [name for name, _ in module.named_parameters()]
    found = _named_layer_list(module)
    if found is None:
        return {"embeddings": names}
    stem, layers = found
    blocks: dict[str, list[str]] = {"embeddings": []}
    blocks |= {f"layer.{i}": [] for i in range(len(layers))}
    last = f"layer.{len(layers) - 1}"
    behind = False
    for name in names:
        if name.startswith(f"{stem}."):
            behind = True
            blocks["layer." + name[len(stem) + 1 :].split(".")[0]].append(name)
        else:
            blocks[last if behind and "embed" not in name else "embeddings"].append(name)
    return {block: members for block, members in blocks.items() if members}


def _named_layer_list(module: nn.Module) -> tuple[str, nn.ModuleList] | None:
    lists = [(name, m) for name, m in module.named_modules() if isinstance(m, nn.ModuleList)]
    return max(lists, key=lambda item: len(item[1])) if lists else None


def layer_list(module: nn.Module) -> tuple[nn.Module, str, nn.ModuleList] | None:
    """Return the module that holds the layers, their name in it, and the layers."""
    found = _named_layer_list(module)
    if found is None:
        return None
    parent, _, name = found[0].rpartition(".")
    return module.get_submodule(parent), name, found[1]


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
