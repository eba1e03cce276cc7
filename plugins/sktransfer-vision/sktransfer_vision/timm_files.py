"""VGG16 as timm keeps it, on the hub or in a folder: other names, and colours of another scale."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sktransfer_vision.known import CONVOLUTIONS
from sktransfer_vision.weight_files import Weights, are_colours

__all__ = ["read_vgg16"]

_ARCHITECTURE = "vgg16"


def read_vgg16(folder: Path) -> Weights:
    """Read the convolutions; the dense layers behind them, nine tenths of the file, are left there.

    Parameters
    ----------
    folder : pathlib.Path
        With ``config.json`` and ``model.safetensors``.

    Returns
    -------
    weights : Weights
        For blue, green and red, which is the order that our network reads.

    Raises
    ------
    FileNotFoundError
        If one of the files is not there.
    ValueError
        If they are those of another network, or damaged.
    """
    from safetensors import SafetensorError, safe_open

    settings, path = folder / "config.json", folder / "model.safetensors"
    for each in (settings, path):
        if not each.is_file():
            raise FileNotFoundError(
                f"There is no {each}. VGG16 reads a folder that has config.json and "
                "model.safetensors, as timm writes them; or a file of its own, which ends with "
                ".safetensors."
            )
    colours = _colours(settings)
    # Each convolution is followed by an activation, and the last of a stage by pooling as well.
    tensors, place = {}, 0
    try:
        with safe_open(path, "pt") as file:
            names = set(file.keys())
            for stage, n in enumerate(CONVOLUTIONS):
                for i in range(n):
                    for kind in ("weight", "bias"):
                        name = f"features.{place}.{kind}"
                        if name not in names:
                            raise ValueError(f"{path} holds no VGG16: it lacks {name!r}.")
                        tensors[f"block.{stage}.{2 * i}.{kind}"] = file.get_tensor(name)
                    place += 2
                place += 1
    except SafetensorError as error:
        raise ValueError(f"{path} is no safetensors file, or is damaged: {error}.") from error
    first = "block.0.0.weight"
    tensors[first] = tensors[first].flip(1).contiguous()
    return Weights(path, tensors, colours)


def _colours(path: Path) -> dict[str, list[float]]:
    """Give the mean and the deviation of blue, green and red, in steps of a byte."""
    try:
        said: Any = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON, or is damaged: {error}.") from error
    said = said if isinstance(said, dict) else {}
    if said.get("architecture") != _ARCHITECTURE:
        raise ValueError(
            f"{path} is of architecture {said.get('architecture')!r}; VGG16 reads timm's "
            f"{_ARCHITECTURE!r}, such as weights='timm/vgg16.tv_in1k'."
        )
    trained = said.get("pretrained_cfg")
    trained = trained if isinstance(trained, dict) else {}
    found = {name: trained.get(name) for name in ("mean", "std")}
    if not are_colours(found):
        raise ValueError(
            f"{path} has no pretrained_cfg with three numbers each as mean and std of red, green "
            "and blue, without which it is not known how the network reads colours."
        )
    return {name: [255.0 * value for value in reversed(values)] for name, values in found.items()}
