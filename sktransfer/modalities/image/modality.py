"""Pictures as inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO, Any, ClassVar

import numpy as np

from sktransfer._compat.sklearn import InvalidParameterError
from sktransfer.contracts import (
    Backbone,
    Encoder,
    FileFormats,
    Inputs,
    Modality,
    ShellOption,
    Truncation,
    Variation,
    with_parameters,
)
from sktransfer.images.augmentation import ImageAugmentation
from sktransfer.images.formats import IMAGES, suffixes_of_read
from sktransfer.images.validation import check_pictures, unreadable
from sktransfer.modalities.image.options import ImageParameters

__all__ = ["ImageModality"]

# Share of the variance of small copies that the plain baseline keeps.
_OF_VARIANCE = 0.95
_ADVICE = "Repair or remove it, or leave such images out of the training: on_bad_image='skip'."


@with_parameters
class ImageModality(ImageParameters, Modality):
    """Pictures, which are decoded as they are needed."""

    name: ClassVar[str] = "image"
    plural: ClassVar[str] = "images"
    default_backbone: ClassVar[str] = "efficientnet-lite0"
    hub_backbone: ClassVar[str] = "image-transformer"
    fitted_attributes: ClassVar[tuple[str, ...]] = ("bad_images_",)
    augmentations: ClassVar[tuple[str, ...]] = ("augmentation",)
    suffixes: ClassVar[frozenset[str]] = suffixes_of_read()
    options: ClassVar[tuple[ShellOption, ...]] = (
        ShellOption(
            "image_size",
            "Pixels of a side that a network of images reads.",
            int,
            minimum=1,
            shown_default="its own",
        ),
        ShellOption(
            "augmentation",
            "Flip, cut, turn and colour training images at random.",
            flag="--augment",
            make=ImageAugmentation,
        ),
        ShellOption(
            "on_bad_image",
            "Images that cannot be read: an error, or left out with a warning.",
            ("raise", "skip"),
            default="raise",
        ),
    )
    lenient: ClassVar[Mapping[str, Any]] = {"on_bad_image": "skip"}
    draws_worst: ClassVar[bool] = True

    @classmethod
    def formats(cls) -> FileFormats:
        """Tell files of images by their suffixes, those that Pillow was taught to read as well."""
        return IMAGES

    def check_options(self) -> None:
        """Check the augmentation; the error says how it is constructed, since True is no value."""
        if not isinstance(self.augmentation, ImageAugmentation | None):
            raise InvalidParameterError(
                "The 'augmentation' parameter must be an ImageAugmentation, such as "
                f"ImageAugmentation(), or None. Got {self.augmentation!r} instead."
            )
        if self.augmentation is not None:
            self.augmentation._validate_params()

    def validate(self, X: Any, *, start: int = 0) -> Inputs:
        """Check the types of images; nothing is decoded."""
        return check_pictures(X, start=start, missing=self.on_bad_image == "skip")

    def validate_fit(self, X: Any, backbone: Backbone, *, skip: bool = True) -> Inputs:
        """Check pictures that are trained on; those that cannot be decoded may be skipped."""
        skips = self.on_bad_image == "skip"
        if not skip:
            return check_pictures(X, missing=skips)
        if not skips:
            return check_pictures(X, advice=_ADVICE)
        pictures = check_pictures(X, missing=True)
        skipped = unreadable(pictures)
        if len(skipped) == len(pictures):
            raise ValueError(f"X has no image that can be read. {skipped[0]}")
        if not skipped:
            return pictures
        self.warn_of_skipped(skipped, len(pictures), "left out")
        kept = [i for i in range(len(pictures)) if i not in skipped]
        return Inputs([pictures[i] for i in kept], positions=kept, skipped=skipped)

    def unreadable(self, inputs: Inputs) -> dict[int, str]:
        """Decode pictures to find those that cannot be read, where these may be skipped."""
        return unreadable(inputs) if self.on_bad_image == "skip" else {}

    def backbone_params(self) -> dict[str, Any]:
        """Give the size, if it was set."""
        return {} if self.image_size is None else {"image_size": int(self.image_size)}

    def variation(self) -> Variation | None:
        """Give the augmentation."""
        return self.augmentation

    def report(
        self, inputs: Inputs, backbone: Backbone, truncation: Truncation | None
    ) -> dict[str, Any]:
        """Say which pictures were left out, and why."""
        return {"bad_images_": dict(inputs.skipped)}

    def examples(
        self, encoder: Encoder, backbone: Backbone, fitted: Mapping[str, Any]
    ) -> list[Any]:
        """Give pictures of different shapes."""
        rng = np.random.default_rng(0)
        shapes = [(300, 400, 3), (64, 48, 3), (1, 1, 3), (224, 224, 3), (90, 30, 3)]
        arrays = [rng.integers(256, size=shape, dtype=np.uint8) for shape in shapes]
        return list(check_pictures(arrays))

    def samples(self) -> list[Any]:
        """Give arrays of different heights."""
        return [
            np.random.RandomState(seed).randint(0, 256, size=(height, 24, 3)).astype(np.uint8)
            for seed, height in enumerate((24, 32, 24, 16, 48))
        ]

    def baseline(self, task: str = "classification") -> Any:
        """Make a support vector machine, or a ridge regression, of small copies' components."""
        from sklearn.decomposition import PCA
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.multiclass import OneVsRestClassifier
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import FunctionTransformer
        from sklearn.svm import SVC

        steps = [
            ("16x16 pixels", FunctionTransformer(small_pixels)),
            ("PCA", PCA(_OF_VARIANCE, random_state=0)),
        ]
        if task == "regression":
            return Pipeline([*steps, ("ridge regression", Ridge())])
        if task == "multilabel":
            each = LogisticRegression(max_iter=1000, class_weight="balanced")
            return Pipeline([*steps, ("a logistic regression a label", OneVsRestClassifier(each))])
        return Pipeline([*steps, ("support vector machine", SVC())])

    def draw_worst(
        self,
        X: Any,
        true: Sequence[Any],
        probabilities: Any,
        classes: Sequence[Any],
        file: IO[bytes],
    ) -> None:
        """Draw a contact sheet of the 24 most confident mistakes."""
        from sktransfer.images.sheets import draw_mistakes

        draw_mistakes(check_pictures(X), true, probabilities, classes).save(file, "PNG")

    def set_tags(self, tags: Any) -> None:
        """Declare that pictures are paths, or arrays of three dimensions."""
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True


def small_pixels(X: Any) -> np.ndarray:
    """Shrink pictures to 16 by 16 pixels, which are their features."""
    from sktransfer.images.decode import import_pillow

    Image = import_pillow()
    small = [
        np.asarray(Image.fromarray(picture.decoded()).resize((16, 16)), dtype=np.float32)
        for picture in check_pictures(X)
    ]
    return np.stack(small).reshape(len(small), -1) / 255.0
