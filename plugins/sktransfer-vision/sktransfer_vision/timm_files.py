"""VGG16 as timm keeps it, on the hub or in a folder: other names, and colours of another scale."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from sktransfer_vision.known import CONVOLUTIONS
from sktransfer_vision.weight_files import Weights, are_colours

__all__ = ["read_vgg16"]

_ARCHITECTURE = "vgg16"
_INTERPOLATION = "bilinear"


def read_vgg16(folder: Path) -> Weights:
    """Read the convolutions; the dense layers behind them, nine tenths of the file, are left there.

    The size and the crop that ``config.json`` names are parameters of the backbone here.

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
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON, or is damaged: {error}.") from error
    said = said if isinstance(said, dict) else {}
    if said.get("architecture") != _ARCHITECTURE:
        raise ValueError(
            f"{path} is of architecture {said.get('architecture')!r}; VGG16 reads timm's "
            f"{_ARCHITECTURE!r}, such as weights='timm/vgg16.tv_in1k'."
        )
    trained = said.get("pretrained_cfg")
    trained = trained if isinstance(trained, dict) else {}
    found = {name: _in_bytes(trained.get(name)) for name in ("mean", "std")}
    if not are_colours(found):
        raise ValueError(
            f"{path} has no pretrained_cfg with three numbers each as mean and std of red, green "
            "and blue, from 0 to 1, without which it is not known how the network reads colours."
        )
    how = trained.get("interpolation", _INTERPOLATION)
    if how != _INTERPOLATION:
        warnings.warn(
            f"{path} says that pictures were resized by {how!r} interpolation; here it is "
            f"{_INTERPOLATION!r}, so that features are close to those, but not the same.",
            UserWarning,
            stacklevel=2,
        )
    return {name: values[::-1] for name, values in found.items()}


def _in_bytes(values: Any) -> Any:
    """Give numbers from 0 to 1 in steps of a byte; None for anything else."""
    if not isinstance(values, list):
        return None
    if not all(type(value) in (int, float) and 0 <= value <= 1 for value in values):
        return None
    return [255.0 * value for value in values]
