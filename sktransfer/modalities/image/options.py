"""Options about images: parameters of the modality, and of its estimators."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

from sktransfer._compat.sklearn import Interval, StrOptions
from sktransfer.contracts import param, with_parameters
from sktransfer.images.augmentation import ImageAugmentation

__all__ = ["ImageOptions", "ImageParameters"]

_COUNT = Interval(Integral, 1, None, closed="left")


@with_parameters
class ImageParameters:
    """How images are read, and how they are changed at random in training."""

    image_size: int | None = param(
        default=None,
        type="int or None",
        constraint=[_COUNT, None],
        doc="Side of the square that the encoder reads, in pixels. None is the size that it was "
        "trained with; a smaller one is faster.",
    )
    augmentation: Any = param(
        default=None,
        type="ImageAugmentation or None",
        constraint=[ImageAugmentation, None],
        doc="How images are flipped, cut, turned and coloured at random in training. Blocks that "
        "train see each image anew in each epoch; what does not train sees ``n_views`` fixed views "
        "of it.",
    )
    on_bad_image: str = param(
        default="raise",
        type='{"raise", "skip"}',
        constraint=[StrOptions({"raise", "skip"})],
        doc='What to do with images that cannot be read. ``"raise"`` raises an error that names '
        'the first one. ``"skip"`` leaves them out of the training, with a warning that names '
        "them; an encoder gives NaN for their features, while predictions, which owe a row for "
        'each image, always raise. ``"skip"`` decodes all images once before, but files that stay '
        "as they are only once a process, however many fits there are.",
    )


@with_parameters
class ImageOptions(ImageParameters):
    """How estimators of images read them, and which backbone they have by default."""

    modality: ClassVar[str] = "image"
    _after: ClassVar[str] = "scoring"
    _doc_words: ClassVar[dict[str, str]] = {"inputs": "images"}

    backbone: Any = param(default="efficientnet-lite0", kw_only=False)
