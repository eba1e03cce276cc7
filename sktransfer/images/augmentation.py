"""Random changes of pictures that leave what they show as it is."""

from __future__ import annotations

import hashlib
import math
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from sktransfer._compat.sklearn import Interval, StrOptions
from sktransfer.contracts import Plugin, Variation
from sktransfer.images.decode import import_pillow
from sktransfer.images.image import View

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from sktransfer.images.image import Picture

__all__ = ["ImageAugmentation"]

# What is erased: shares of the picture's area, and heights as multiples of widths. The paper's.
_AREA = (0.02, 0.4)
_ASPECT = (0.3, 1 / 0.3)
# How much of red, green and blue the eye sees: Pillow's, and those of ITU-R 601-2.
_LUMA = np.array([0.299, 0.587, 0.114])


# Times the pixels of a picture that are made at most, mirror images around it included.
_PADDED = 30
# What says nothing of how one picture is changed.
_NOT_OF_ONE = ("mixup", "n_views")


class _Draws(NamedTuple):
    """Everything random of one call, uniform in [0, 1): always all of it, in this order."""

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
    """What a crop leaves."""

    top: int
    left: int
    height: int
    width: int


class ImageAugmentation(Plugin, Variation):
    """Flip, turn, cut and colour training pictures at random, anew in each epoch.

    Say what does not change the label: whoever mirrors a picture of the digit 3 has no 3 any more.
    The defaults suit photographs. They flip and cut, as Kolesnikov et al. [1]_ do for whatever they
    fine-tune on; all else is off, since turned ships and green roses may be wrong.

    Parameters
    ----------
    flip : {"horizontal", "vertical", "both"} or None, default="horizontal"
        Half of the pictures are mirrored: left to right, upside down, or each of the two. A
        mirrored photograph could have been taken as well. None suits text, digits and
        everything that tells left from right.
    rotation : float, default=0.0
        Pictures are turned by up to so many degrees to either side, 0 to 180.
    shear : float, default=0.0
        Upright lines lean by up to so many degrees to either side, 0 to 45.
    zoom : float, default=0.0
        Pictures are scaled by a factor from ``1 - zoom`` to ``1 + zoom``, 0 to 0.5. They keep
        their number of pixels, so that the factor is about what is seen.
    crop : float, default=0.2
        Up to this fraction of height and width is cut off, the same of both, at a random place. 0.2
        leaves at least four fifths of each side, so that what is shown is seldom lost.
    color : float, default=0.0
        Brightness, contrast and saturation are each multiplied by a factor from ``1 - color`` to
        ``1 + color``, 0 to 1.
    erasing : float, default=0.0
        Probability that a rectangle is replaced by noise [2]_: 2 to 40 percent of the area, and
        0.3 to 3.3 times as high as wide.
    mixup : float, default=0.0
        Training mixes pairs of pictures and of labels by shares of a Beta(mixup, mixup)
        distribution [3]_, 0.1 to 0.4 in the paper; 0 mixes nothing. It takes batches, so that
        `apply` has no part in it, and it has no effect on a head that is fitted to convergence.
    n_views : int, default=4
        Where the encoder, or a part of it, does not train, features of this many fixed views of
        each picture are computed once, and training draws from them. More take more time, for
        less and less.

    Notes
    -----
    Rotation, shear and zoom are one bilinear resampling. What they bring in from outside the
    picture is its mirror image, not black corners, which a network could take for a sign.

    Every call takes the same number of draws, whatever the parameters: with one of them changed,
    the other changes of a picture stay what they were.

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

    What is missing is a subclass:

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
        # Beyond these, most of what is seen would be mirror images, and their memory is no longer
        # that of a picture.
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
        """Say what is worth tuning: not what is known beforehand, such as whether flips are right.

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
        """Give a changed copy of a picture.

        Parameters
        ----------
        picture : ndarray of uint8 of shape (height, width, 3)
            Red, green and blue. It is left as it is.
        rng : numpy.random.Generator
            All that is random comes from here.

        Returns
        -------
        changed : ndarray of uint8 of shape (new_height, new_width, 3)
            Smaller than the picture by what was cut off, and at least one pixel.

        Raises
        ------
        ValueError
            If a parameter or the picture is not what it has to be.
        ImportError
            If Pillow is not installed, which turning and colouring need.
        """
        self._validate_params()
        picture = _checked(picture)
        draws = _Draws(*rng.random(len(_Draws._fields)).tolist())
        changed = self._moved(picture, draws)
        if self.color:
            changed = self._coloured(changed, draws)
        if draws.erases < self.erasing:
            _erase(changed, draws)
        return changed

    def view(self, picture: Picture, seed: int) -> View:
        """Give a picture as this shows it, which is computed when it is looked at.

        Parameters
        ----------
        picture : Picture
            What is shown.
        seed : int
            The same one shows the same picture alike; another picture is changed in another way.

        Returns
        -------
        view : View
        """
        return View(picture, self, seed)

    def identity(self) -> str:
        """Name all that `apply` depends on: equal strings change a picture alike.

        Returns
        -------
        identity : str
        """
        shown = {n: v for n, v in sorted(self.get_params().items()) if n not in _NOT_OF_ONE}
        cls = type(self)
        name = f"{cls.__module__}.{cls.__qualname__}{shown}"
        if cls is ImageAugmentation:
            return name
        # What a user overrides, and what else it goes by, may change without a parameter.
        rest = {n: v for n, v in sorted(vars(self).items()) if n not in (*shown, *_NOT_OF_ONE)}
        return f"{name}{rest}{_own_code(cls)}"

    def _moved(self, picture: np.ndarray, draws: _Draws) -> np.ndarray:
        """Flip, turn, lean, scale and cut; always a copy."""
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
        # What only moves pixels changes none of them.
        flipped = picture[:: -1 if flips_y else 1, :: -1 if flips_x else 1]
        rows = slice(window.top, window.top + window.height)
        return flipped[rows, window.left : window.left + window.width].copy()

    def _window(self, height: int, width: int, draws: _Draws) -> _Window:
        keeps = 1 - draws.crop * self.crop
        new_height, new_width = max(1, round(height * keeps)), max(1, round(width * keeps))
        top = _place(draws.top, height - new_height)
        return _Window(top, _place(draws.left, width - new_width), new_height, new_width)

    def _coloured(self, picture: np.ndarray, draws: _Draws) -> np.ndarray:
        """Do what Pillow's ImageEnhance does, its three steps as one matrix, rounded once."""
        brightness = 1 + _spread(draws.brightness, self.color)
        contrast = 1 + _spread(draws.contrast, self.color)
        saturation = 1 + _spread(draws.saturation, self.color)
        Image = import_pillow()
        image = Image.fromarray(picture)
        counts = np.array(image.histogram()).reshape(3, 256)
        mean = _LUMA @ (counts @ np.arange(256)) / (picture.shape[0] * picture.shape[1])
        matrix = np.empty((3, 4))
        # Away from a pixel's own grey, and then from the mean grey of the brighter picture.
        matrix[:, :3] = saturation * np.eye(3) + (1 - saturation) * _LUMA
        matrix[:, :3] *= brightness * contrast
        matrix[:, 3] = (1 - contrast) * brightness * mean
        return np.array(image.convert("RGB", tuple(matrix.ravel().tolist())))


def _own_code(cls: type) -> str:
    """Give a digest of the functions of a subclass."""
    digest = hashlib.blake2b(digest_size=8)
    for base in cls.__mro__[: cls.__mro__.index(ImageAugmentation)]:
        for name, member in sorted(vars(base).items()):
            code = getattr(member, "__code__", None)
            if code is not None:
                digest.update(f"{name}{code.co_code!r}{code.co_names}{code.co_consts}".encode())
    return digest.hexdigest()


def _checked(picture: Any) -> np.ndarray:
    array = np.asarray(picture)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ValueError(
            "A picture has to be an array of uint8 of shape (height, width, 3), got "
            f"{array.dtype} of shape {array.shape}. Pillow gives one: "
            "numpy.asarray(Image.open(file).convert('RGB'))."
        )
    return array


def _spread(draw: float, most: float) -> float:
    """Turn a draw from [0, 1) into one from -most to most."""
    return (2 * draw - 1) * most


def _place(draw: float, room: int) -> int:
    return int(draw * (room + 1))


def _inverse(angle: float, slope: float, factor: float) -> np.ndarray:
    """Give the matrix that finds where a point was before leaning, turning and scaling."""
    cos, sin = math.cos(angle), math.sin(angle)
    back = np.array([[cos, sin], [-sin, cos]]) / factor
    return np.array([[1.0, -slope], [0.0, 1.0]]) @ back


def _resampled(picture: np.ndarray, matrix: np.ndarray, window: _Window) -> np.ndarray:
    """Fill a window of the picture that a linear map about its centre gives."""
    Image = import_pillow()
    height, width, _ = picture.shape
    centre = np.array([width / 2, height / 2])
    start = matrix @ (np.array([window.left, window.top]) - centre) + centre
    sides = matrix * (window.width, window.height)
    low = start + np.minimum(sides, 0).sum(axis=1)
    high = start + np.maximum(sides, 0).sum(axis=1)
    # One pixel more on each side, so that the resampling always has its neighbours.
    before = np.maximum(1 - np.floor(low), 0).astype(int).tolist()
    after = np.maximum(np.ceil(high) + 1 - (width, height), 0).astype(int).tolist()
    (left, top), (right, bottom) = before, after
    if (height + top + bottom) * (width + left + right) > _PADDED * height * width:
        # Turned, a strip would need a square of its length.
        left = top = right = bottom = 0
        before = [0, 0]
    padded = np.pad(picture, ((top, bottom), (left, right), (0, 0)), mode="symmetric")
    (a, b), (c, d) = matrix.tolist()
    x, y = (start + before).tolist()
    image = Image.fromarray(padded).transform(
        (window.width, window.height),
        Image.Transform.AFFINE,
        (a, b, x, c, d, y),
        resample=Image.Resampling.BILINEAR,
        fillcolor=tuple(int(c) for c in picture.reshape(-1, 3).mean(axis=0)),
    )
    return np.array(image)


def _erase(picture: np.ndarray, draws: _Draws) -> None:
    """Replace a rectangle of the array itself by noise."""
    height, width, _ = picture.shape
    area = (_AREA[0] + draws.erased_area * (_AREA[1] - _AREA[0])) * height * width
    # The paper draws until the rectangle fits, which would take any number of draws. Aspects are
    # drawn from those that fit, and by their logarithm, so that upright ones are as frequent as
    # lying ones.
    least, most = np.clip(_ASPECT, area / width**2, height**2 / area)
    aspect = math.exp(math.log(least) + draws.erased_aspect * math.log(most / least))
    # Rounded down: of a picture of few pixels, nothing may be erased, and never too much.
    tall = min(height, int(math.sqrt(area * aspect)))
    wide = min(width, int(math.sqrt(area / aspect)))
    top = _place(draws.erased_top, height - tall)
    left = _place(draws.erased_left, width - wide)
    # A generator of its own, so that the size of the picture takes no more draws.
    noise = np.random.default_rng(int(draws.noise * 2**53))
    size = (tall, wide, 3)
    picture[top : top + tall, left : left + wide] = noise.integers(0, 256, size, dtype=np.uint8)
