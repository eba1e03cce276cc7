"""What estimators of images share: how images are read, and the parameters about it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import _num_samples

from sktransfer._warnings import warn_user
from sktransfer.estimators._modality import hand_on
from sktransfer.estimators._params import ImageOptions
from sktransfer.images.augmentation import ImageAugmentation
from sktransfer.images.validation import Pictures, check_pictures, unreadable
from sktransfer.plugins import Backbone

# Of the images that are left out, so many are named in the warning.
_NAMED = 3
_ADVICE = "Mend or remove it, or leave such images out of the training: on_bad_image='skip'."


class ImageInput(ImageOptions):
    """Images as the inputs of an estimator."""

    modality: ClassVar[str] = "image"

    def _validate_params(self) -> None:
        """Check parameters, with a hint for those who take the augmentation for a switch."""
        if not isinstance(self.augmentation, ImageAugmentation | None):
            raise InvalidParameterError(
                f"The 'augmentation' parameter of {type(self).__name__} must be an "
                "ImageAugmentation, such as ImageAugmentation(), or None. Got "
                f"{self.augmentation!r} instead."
            )
        super()._validate_params()  # type: ignore[misc]

    def _set_up_inputs(self, backbone: Backbone) -> None:
        """Hand on the size, and check what does not need the backbone."""
        size = None if self.image_size is None else int(self.image_size)
        hand_on(self, backbone, {"image_size": size})
        if self.augmentation is not None:
            self.augmentation._validate_params()

    def _read_new(self, X: Any, backbone: Backbone) -> Pictures:
        """Check images to be trained on."""
        if self.on_bad_image == "raise":
            return check_pictures(X, advice=_ADVICE)
        pictures = check_pictures(X)
        pictures.bad = unreadable(pictures)
        if len(pictures.bad) == len(pictures):
            raise ValueError(f"X has no image that can be read. {pictures.bad[0]}")
        if pictures.bad:
            warn_of_unreadable(pictures.bad, len(pictures), "left out")
        return pictures

    def _leave_out(self, inputs: Any, *columns: Any) -> tuple[Any, ...]:
        """Leave out images that cannot be read, with what belongs to them."""
        if not inputs.bad:
            return inputs, *columns
        good = [i for i in range(len(inputs)) if i not in inputs.bad]
        kept = Pictures([inputs[i] for i in good])
        kept.bad = inputs.bad

        def part(values: Any) -> Any:
            # What is of another length is left to the checks that say so.
            same = hasattr(values, "__len__") and _num_samples(values) == len(inputs)
            return _safe_indexing(values, good) if same else values

        return kept, *(part(values) for values in columns)

    def _read(self, X: Any, start: int = 0) -> Pictures:
        """Check images that a fitted estimator is given, the first of them the ``start``-th."""
        return check_pictures(X, start=start)

    def _check_same_kind(self, pictures: Pictures) -> None:
        """There is one kind."""

    def _variation(self) -> ImageAugmentation | None:
        return self.augmentation

    def _report_on_inputs(self, backbone: Backbone, X: Any, rows: list[Any]) -> dict[str, Any]:
        """Give fitted attributes about the training images."""
        return {"bad_images_": dict(X.bad)}

    def _examples(self, encoder: Any) -> list[Any]:
        """Give images of different shapes."""
        rng = np.random.default_rng(0)
        shapes = [(300, 400, 3), (64, 48, 3), (1, 1, 3), (224, 224, 3), (90, 30, 3)]
        return list(check_pictures([rng.integers(256, size=s, dtype=np.uint8) for s in shapes]))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags


def warn_of_unreadable(bad: dict[int, str], n: int, consequence: str) -> None:
    """Warn of images that cannot be read, and name the first of them."""
    named = "; ".join(list(bad.values())[:_NAMED]) + ("; ..." if len(bad) > _NAMED else "")
    warn_user(f"{len(bad)} of {n} images cannot be read; {consequence}: {named}")
