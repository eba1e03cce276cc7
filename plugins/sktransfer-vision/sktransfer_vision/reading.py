"""How a model of transformers reads pictures: as its own files say."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["PictureReader", "processor_of", "usual_processor"]

_FILES = ("preprocessor_config.json", "processor_config.json")
# What a processor does to single colours, and nothing to where they are.
_COLOURS = ("do_rescale", "do_normalize", "do_convert_rgb", "include_top", "rescale_offset")
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CROP = 0.875
# What the numbers of two ways to compute them may differ by.
_TOLERANCE = 1e-5
# Says who wrote a file, and nothing about pictures.
_NOTES = ("transformers_version", "processor_class", "_processor_class", "auto_map")


def processor_of(folder: Path, image_size: int, trust_remote_code: bool) -> Any:
    """Load the image processor that a model's files describe.

    Parameters
    ----------
    folder : pathlib.Path
        The model's.
    image_size : int
        What is read where no file says it.
    trust_remote_code : bool
        Whether code that comes with the model may run.

    Returns
    -------
    processor : transformers.BaseImageProcessor
        By Pillow and NumPy.

    Raises
    ------
    ValueError
        If a file cannot be read, or asks for what torchvision alone can do.
    """
    from transformers import AutoImageProcessor

    if not _described(folder):
        warnings.warn(
            f"{folder} has no preprocessor_config.json, which says how the model reads pictures. "
            f"They are read as most networks of ImageNet do: the middle, {_CROP} of the shorter "
            f"side, at {image_size} pixels, less the mean {_MEAN}, divided by {_STD}. Features are "
            "poor if the model was trained in another way.",
            stacklevel=2,
        )
        return usual_processor(image_size)
    try:
        return AutoImageProcessor.from_pretrained(
            folder, backend="pil", local_files_only=True, trust_remote_code=trust_remote_code
        )
    except (ImportError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        if "torchvision" in str(error).lower():
            return _without_torchvision(folder, error)
        raise ValueError(f"How {folder} reads pictures cannot be told: {error}") from error


def usual_processor(image_size: int) -> Any:
    """Give what most networks of ImageNet read, for a model that says nothing.

    Parameters
    ----------
    image_size : int
        Pixels of a side.

    Returns
    -------
    processor : transformers.BaseImageProcessor
    """
    from transformers import BitImageProcessorPil

    return BitImageProcessorPil(
        size={"shortest_edge": int(image_size / _CROP)},
        crop_size={"height": image_size, "width": image_size},
        image_mean=list(_MEAN),
        image_std=list(_STD),
    )


# Sides of a picture, as multiples of the shorter one, beyond which nothing is read.
_LONGEST = 8


class PictureReader:
    """Picture to what a model reads.

    Where an image processor does to colours what a factor and a summand for each channel say, only
    the picture is cut and resized here, and rows are bytes.

    Parameters
    ----------
    processor : transformers.BaseImageProcessor
        By Pillow and NumPy.
    image_size : int or None
        Pixels of a side instead of what the processor says.

    Attributes
    ----------
    height, width : int
        Pixels of what is read.
    scale, offset : ndarray of float32 of shape (3,), or None
        What makes numbers of bytes; None where rows are numbers already.
    settings : dict
        All that features depend on, as JSON can hold it.

    Raises
    ------
    ValueError
        If pictures of different sizes would not become equal in size.
    """

    scale: np.ndarray | None = None
    offset: np.ndarray | None = None

    def __init__(self, processor: Any, image_size: int | None) -> None:
        if image_size is not None:
            processor = _resized(processor, image_size)
        self._processor = processor
        self._off = {name: False for name in _COLOURS if hasattr(processor, name)}
        wide, tall = _noise(48, 64), _noise(80, 56)
        whole = [self._run(picture) for picture in (wide, tall)]
        self.height, self.width = whole[0].shape[:2]
        if whole[0].shape != whole[1].shape or self.height == 0:
            raise ValueError(
                f"This model's files make pictures of {_described_shape(whole[0])} and of "
                f"{_described_shape(whole[1])} pixels of different ones, and a batch needs one "
                "size: pass image_size=224, or another one, for squares."
            )
        moved = [self._run(picture, **self._off) for picture in (wide, tall)]
        if all(rows.dtype == np.uint8 for rows in moved):
            black, white = (
                self._run(np.full((64, 64, 3), value, np.uint8))[self.height // 2, self.width // 2]
                for value in (0, 255)
            )
            scale = ((white.astype(float) - black) / 255).astype(np.float32)
            same = (
                np.allclose(rows * scale + black, numbers, rtol=_TOLERANCE, atol=_TOLERANCE)
                for rows, numbers in zip(moved, whole, strict=True)
            )
            if all(same):
                self.scale, self.offset = scale, black.astype(np.float32)
        said = {k: v for k, v in processor.to_dict().items() if k not in _NOTES}
        self.settings = json.loads(json.dumps(said, default=str))

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """Read a picture.

        Parameters
        ----------
        picture : ndarray of uint8 of shape (height, width, 3)
            Of any size.

        Returns
        -------
        row : ndarray of uint8 or float32 of shape (self.height, self.width, 3)
        """
        if getattr(self._processor, "do_center_crop", False):
            picture = _middle(picture)
        if self.scale is not None:
            return self._run(picture, **self._off)
        return self._run(picture).astype(np.float32)

    def _run(self, picture: np.ndarray, **settings: bool) -> np.ndarray:
        # Pictures of few pixels look as if channels came first.
        read = self._processor(
            images=[picture], return_tensors="np", input_data_format="channels_last", **settings
        )
        return np.ascontiguousarray(np.moveaxis(np.asarray(read["pixel_values"][0]), 0, 2))


def _middle(picture: np.ndarray) -> np.ndarray:
    """Cut off the far ends of a strip, which would be resized before they are cut off."""
    height, width, _ = picture.shape
    longest = _LONGEST * min(height, width)
    top, left = max(0, height - longest) // 2, max(0, width - longest) // 2
    return picture[top : top + longest, left : left + longest]


def _described(folder: Path) -> dict[str, Any]:
    """Read what a model's files say about pictures; empty where they say nothing."""
    for name in reversed(_FILES):
        path = folder / name
        if not path.is_file():
            continue
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is not valid JSON: {error}") from error
        if name == _FILES[0]:
            return dict(said)
        # What joins a tokenizer and an image processor may hold the second one, or not.
        if "image_processor" in said:
            return dict(said["image_processor"])
    return {}


def _without_torchvision(folder: Path, error: Exception) -> Any:
    from transformers import ViTImageProcessorPil

    said = _described(folder)
    kind = str(said.get("image_processor_type", "of an unknown kind"))
    if not kind.startswith("DINOv3ViTImageProcessor"):
        raise ValueError(
            f"{folder} has pictures read by {kind}, which needs torchvision, and that does not "
            "work beside a CPU build of torch. Take another model, or a copy of this one whose "
            "preprocessor_config.json names another image processor."
        ) from error
    # The same steps; colours are rounded to bytes after resizing instead of not at all.
    known = {k: v for k, v in said.items() if hasattr(ViTImageProcessorPil, k)}
    return ViTImageProcessorPil(**known, do_center_crop=said.get("do_center_crop", False))


def _resized(processor: Any, n: int) -> Any:
    """Give a processor that makes squares of n pixels as this one makes those of its size."""
    said = {k: v for k, v in processor.to_dict().items() if k not in _NOTES}
    said.pop("image_processor_type", None)
    size, crop = said.get("size") or {}, said.get("crop_size") or {}
    old = size.get("shortest_edge") or size.get("height")
    if old is None:
        raise ValueError(
            f"image_size cannot be set for this model, whose files resize to {dict(size)}; leave "
            "it out."
        )
    square = {"height": n, "width": n}
    crops = bool(said.get("do_center_crop"))
    # A crop keeps its share of what is resized.
    new = round(n * old / (crop.get("height") or old)) if crops else n
    if "shortest_edge" in size:
        said["size"] = {"shortest_edge": new}
        crops = crops or "crop_pct" not in said
    else:
        said["size"] = {"height": new, "width": new}
    said |= {"do_resize": True, "do_center_crop": crops, "crop_size": square}
    return type(processor)(**{k: v for k, v in said.items() if v is not None})


def _noise(height: int, width: int) -> np.ndarray:
    return np.random.RandomState(0).randint(0, 256, (height, width, 3)).astype(np.uint8)


def _described_shape(rows: np.ndarray) -> str:
    return f"{rows.shape[0]} x {rows.shape[1]}"
