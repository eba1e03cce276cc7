"""Random changes of training images that keep their labels."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import math
import sys
from numbers import Integral, Real
from types import CodeType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from sktransfer._compat.sklearn import Interval, StrOptions
from sktransfer.contracts import Plugin, Variation
from sktransfer.images.decode import check_pixels, import_pillow
from sktransfer.images.image import View

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from sktransfer.images.image import Picture

__all__ = ["ImageAugmentation"]

# Of erased rectangles: shares of the image's area, and heights as multiples of widths, as in the
# paper.
_AREA = (0.02, 0.4)
_ASPECT = (0.3, 1 / 0.3)
# Parameters that do not affect how one image is changed.
_NOT_OF_ONE = ("mixup", "n_views")


class _Draws(NamedTuple):
    """The draws of one call, uniform in [0, 1): always all of them, in this order."""

    flip_horizontally: float
    flip_vertically: float
    rotation: float
    shear: float
    zoom: float
    crop: float
    top: float
    left: float
    brightness: float
    contrast: float
    saturation: float
    erases: float
    erased_area: float
    erased_aspect: float
    erased_top: float
    erased_left: float
    noise: float


class _Window(NamedTuple):
    """The part of an image that a crop keeps."""

    top: int
    left: int
    height: int
    width: int


class ImageAugmentation(Plugin, Variation):
    """Flip, rotate, crop and colour training images at random, differently in each epoch.

    Choose changes that keep the labels: the mirror image of a digit 3 is not a 3. The defaults suit
    photographs. They flip and crop, as Kolesnikov et al. [1]_ do in all their fine-tuning; all
    other changes are off, since they may be wrong, such as rotated ships and green roses.

    Parameters
    ----------
    flip : {"horizontal", "vertical", "both"} or None, default="horizontal"
        Half of the images are mirrored: left to right, upside down, or each of the two. A mirrored
        photograph is as likely as the original. None suits texts, digits and everything else in
        which left and right differ.
    rotation : float, default=0.0
        Largest rotation to either side, in degrees, 0 to 180.
    shear : float, default=0.0
        Largest angle of upright lines to either side, in degrees, 0 to 45.
    zoom : float, default=0.0
        Images are scaled by a factor from ``1 - zoom`` to ``1 + zoom``, 0 to 0.5. They keep their
        number of pixels.
    crop : float, default=0.2
        Largest fraction of height and width that is cut off, the same of both, at a random place.
        0.2 keeps at least four fifths of each side, so that the object is seldom lost.
    color : float, default=0.0
        Brightness, contrast and saturation are each multiplied by a factor from ``1 - color`` to
        ``1 + color``, 0 to 1.
    erasing : float, default=0.0
        Probability that a rectangle is replaced by noise [2]_: 2 to 40 percent of the area, and
        0.3 to 3.3 times as high as wide.
    mixup : float, default=0.0
        Training mixes pairs of images and of labels by shares of a Beta(mixup, mixup) distribution
        [3]_, 0.1 to 0.4 in the paper; 0 mixes nothing. It needs batches, so that `apply` does
        without it, and it has no effect on a head that is fitted to convergence.
    n_views : int, default=4
        Number of fixed views of each image that training draws from if the encoder, or a part of
        it, does not train: their features are computed once. More views take more time, and each
        adds less.

    Notes
    -----
    Rotation, shear and zoom are one bilinear resampling. It fills the area outside of the image
    with its mirror image, since a network could learn black corners.

    Every call takes the same number of draws, whatever the parameters, so that changing one
    parameter keeps the other changes of an image.

    References
    ----------
    .. [1] A. Kolesnikov et al. "Big Transfer (BiT): General Visual Representation Learning". ECCV
       2020. arXiv:1912.11370.
    .. [2] Z. Zhong et al. "Random Erasing Data Augmentation". AAAI 2020. arXiv:1708.04896.
    .. [3] H. Zhang et al. "mixup: Beyond Empirical Risk Minimization". ICLR 2018. arXiv:1710.09412.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer.images.augmentation import ImageAugmentation
    >>> picture = np.zeros((300, 400, 3), dtype=np.uint8)
    >>> ImageAugmentation(rotation=10).apply(picture, np.random.default_rng(0)).shape
    (245, 327, 3)

    Other changes are made by a subclass:

    >>> class Noisy(ImageAugmentation):
    ...     def apply(self, picture, rng):
    ...         changed = super().apply(picture, rng)
    ...         noise = rng.normal(scale=5, size=changed.shape)
    ...         return (changed + noise).clip(0, 255).astype(np.uint8)
    >>> Noisy(crop=0).apply(picture, np.random.default_rng(0)).shape
    (300, 400, 3)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "flip": [StrOptions({"horizontal", "vertical", "both"}), None],
        "rotation": [Interval(Real, 0, 180, closed="both")],
        # Beyond these limits, mirror images would take most of the area, and much memory.
        "shear": [Interval(Real, 0, 45, closed="both")],
        "zoom": [Interval(Real, 0, 0.5, closed="both")],
        "crop": [Interval(Real, 0, 1, closed="left")],
        "color": [Interval(Real, 0, 1, closed="both")],
        "erasing": [Interval(Real, 0, 1, closed="both")],
        "mixup": [Interval(Real, 0, None, closed="left")],
        "n_views": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        flip: str | None = "horizontal",
        rotation: float = 0.0,
        shear: float = 0.0,
        zoom: float = 0.0,
        crop: float = 0.2,
        color: float = 0.0,
        erasing: float = 0.0,
        mixup: float = 0.0,
        n_views: int = 4,
    ) -> None:
        self.flip = flip
        self.rotation = rotation
        self.shear = shear
        self.zoom = zoom
        self.crop = crop
        self.color = color
        self.erasing = erasing
        self.mixup = mixup
        self.n_views = n_views

    def search_space(self) -> dict[str, BaseDistribution]:
        """Return the parameters that are worth tuning; whether flips are right is known before.

        Returns
        -------
        space : dict of str to optuna.distributions.BaseDistribution
        """
        from optuna.distributions import FloatDistribution

        return {
            "rotation": FloatDistribution(0.0, 30.0),
            "zoom": FloatDistribution(0.0, 0.3),
            "crop": FloatDistribution(0.0, 0.5),
            "color": FloatDistribution(0.0, 0.4),
            "erasing": FloatDistribution(0.0, 0.5),
            "mixup": FloatDistribution(0.0, 0.4),
        }

    def apply(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return a changed copy of an image.

        Parameters
        ----------
        picture : ndarray of uint8 of shape (height, width, 3)
            Red, green and blue. It is not changed.
        rng : numpy.random.Generator
            Source of all draws.

        Returns
        -------
        changed : ndarray of uint8 of shape (new_height, new_width, 3)
            Image of at least one pixel, which is smaller if it was cropped.

        Raises
        ------
        ValueError
            If a parameter or the image is invalid.
        ImportError
            If Pillow is not installed, which color needs.
        """
        self._validate_params()
        picture = check_pixels(picture, "picture")
        draws = _Draws(*rng.random(len(_Draws._fields)).tolist())
        changed = self._moved(picture, draws)
        if self.color:
            changed = self._coloured(changed, draws)
        if draws.erases < self.erasing:
            _erase(changed, draws)
        return changed

    def view(self, picture: Picture, seed: int) -> View:
        """Return an augmented image, which is computed when its pixels are used.

        Parameters
        ----------
        picture : Picture
            The image.
        seed : int
            Seed of the changes. The same seed changes the same image in the same way, and another
            image differently.

        Returns
        -------
        view : View
        """
        return View(picture, self, seed)

    def identity(self) -> str:
        """Return a string of all that `apply` depends on.

        Returns
        -------
        identity : str
        """
        shown = {n: v for n, v in sorted(self.get_params().items()) if n not in _NOT_OF_ONE}
        cls = type(self)
        name = f"{cls.__module__}.{cls.__qualname__}{shown}"
        if cls is ImageAugmentation:
            return name
        # Methods and attributes of a subclass may change without a parameter.
        rest = {n: v for n, v in sorted(vars(self).items()) if n not in (*shown, *_NOT_OF_ONE)}
        return f"{name}{rest}{_own_code(cls)}"

    def _moved(self, picture: np.ndarray, draws: _Draws) -> np.ndarray:
        """Flip, rotate, shear, scale and crop; always returns a copy."""
        height, width, _ = picture.shape
        window = self._window(height, width, draws)
        flips_x = self.flip in ("horizontal", "both") and draws.flip_horizontally < 0.5
        flips_y = self.flip in ("vertical", "both") and draws.flip_vertically < 0.5
        if self.rotation or self.shear or self.zoom:
            matrix = _inverse(
                math.radians(_spread(draws.rotation, self.rotation)),
                math.tan(math.radians(_spread(draws.shear, self.shear))),
                1 + _spread(draws.zoom, self.zoom),
            )
            matrix[0] *= -1 if flips_x else 1
            matrix[1] *= -1 if flips_y else 1
            return _resampled(picture, matrix, window)
        # Flips and crops move pixels without changing them.
        flipped = picture[:: -1 if flips_y else 1, :: -1 if flips_x else 1]
        rows = slice(window.top, window.top + window.height)
        return flipped[rows, window.left : window.left + window.width].copy()

    def _window(self, height: int, width: int, draws: _Draws) -> _Window:
        keeps = 1 - draws.crop * self.crop
        new_height, new_width = max(1, round(height * keeps)), max(1, round(width * keeps))
        top = _place(draws.top, height - new_height)
        return _Window(top, _place(draws.left, width - new_width), new_height, new_width)

    def _coloured(self, picture: np.ndarray, draws: _Draws) -> np.ndarray:
        """Change brightness, contrast and saturation."""
        image = import_pillow().fromarray(picture)
        from PIL import ImageEnhance

        for enhancer, draw in (
            (ImageEnhance.Brightness, draws.brightness),
            (ImageEnhance.Contrast, draws.contrast),
            (ImageEnhance.Color, draws.saturation),
        ):
            image = enhancer(image).enhance(1 + _spread(draw, self.color))
        return np.array(image)


def _own_code(cls: type) -> str:
    """Return a digest of the code of the subclasses, and of the files that define them."""
    digest = hashlib.blake2b(digest_size=8)
    for base in cls.__mro__[: cls.__mro__.index(ImageAugmentation)]:
        # The file holds functions beside the class, which its methods may call.
        with contextlib.suppress(KeyError, OSError, TypeError):  # code may have no file
            digest.update(inspect.getsource(sys.modules[base.__module__]).encode())
        for name, member in sorted(vars(base).items()):
            if inspect.isfunction(member):
                digest.update(f"{name}{_described(member.__code__)}".encode())
    return digest.hexdigest()


def _described(value: Any) -> str:
    """Describe code and its constants alike in every process."""
    if isinstance(value, CodeType):
        constants = ", ".join(map(_described, value.co_consts))
        return f"{value.co_code!r}{value.co_names}{value.co_varnames}({constants})"
    if isinstance(value, frozenset):
        return repr(sorted(map(repr, value)))
    return repr(value)


def _spread(draw: float, most: float) -> float:
    """Scale a draw from [0, 1) to [-most, most)."""
    return (2 * draw - 1) * most


def _place(draw: float, room: int) -> int:
    return int(draw * (room + 1))


def _inverse(angle: float, slope: float, factor: float) -> np.ndarray:
    """Return the inverse of the matrix that shears, rotates and scales."""
    cos, sin = math.cos(angle), math.sin(angle)
    back = np.array([[cos, sin], [-sin, cos]]) / factor
    return np.array([[1.0, -slope], [0.0, 1.0]]) @ back


def _resampled(picture: np.ndarray, matrix: np.ndarray, window: _Window) -> np.ndarray:
    """Compute a window of the image that a linear map about its centre gives."""
    from scipy.ndimage import affine_transform

    # The map is one of points, which are half a pixel from the indices of pixels.
    centre = np.array(picture.shape[1::-1]) / 2 - 0.5
    start = matrix @ (np.array([window.left, window.top]) - centre) + centre
    # scipy has rows before columns.
    settings = {
        "matrix": matrix[::-1, ::-1],
        "offset": start[::-1],
        "output_shape": (window.height, window.width),
        "order": 1,
        "mode": "reflect",
    }
    return np.dstack(
        [affine_transform(channel, **settings) for channel in picture.transpose(2, 0, 1)]
    )


def _erase(picture: np.ndarray, draws: _Draws) -> None:
    """Replace a rectangle by noise, in place."""
    height, width, _ = picture.shape
    area = (_AREA[0] + draws.erased_area * (_AREA[1] - _AREA[0])) * height * width
    # The paper draws until a rectangle fits, which takes any number of draws. Here the logarithm of
    # the aspect is drawn from the range that fits, so that high rectangles are as frequent as wide.
    least, most = np.clip(_ASPECT, area / width**2, height**2 / area)
    aspect = math.exp(math.log(least) + draws.erased_aspect * math.log(most / least))
    # Rounded down, so that never too much is erased, and nothing of an image of few pixels.
    tall = min(height, int(math.sqrt(area * aspect)))
    wide = min(width, int(math.sqrt(area / aspect)))
    top = _place(draws.erased_top, height - tall)
    left = _place(draws.erased_left, width - wide)
    # A generator of its own keeps the number of draws independent of the size of the image.
    noise = np.random.default_rng(int(draws.noise * 2**53))
    size = (tall, wide, 3)
    picture[top : top + tall, left : left + wide] = noise.integers(0, 256, size, dtype=np.uint8)
