"""Files, bytes and Pillow's images to red, green and blue."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any

import numpy as np

from sktransfer.images.opening import check_size, load, opened, too_large

__all__ = ["from_array", "from_file", "from_image", "import_pillow", "reduced"]

_WITH_OPACITY = {"RGBA", "RGBa", "LA", "La", "PA"}
_ORIENTATION = 0x0112
# What turns a picture upright that is stored as its EXIF data says. Pillow's own function writes
# all other EXIF data anew, which fails where any of them is not as it should be.
_TURNED = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
# An image of Pillow reads its pixels when they are asked for, and from one place in one file.
_LOADING = threading.Lock()
# So much above 1 is what resizing and rounding leave of white.
_ABOUT_ONE = 1.001
# A JPEG is decoded at a half, a quarter or an eighth of its size, down to so many times what is
# needed: what is lost is lost by the resizing that follows as well.
_SPARE = 2


def import_pillow() -> Any:
    """Import Pillow's Image, or say how to install it.

    Returns
    -------
    Image : module
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "Reading images needs Pillow: pip install pillow. The plugin sktransfer-vision brings "
            "it, see Plugins in the README."
        ) from error
    return Image


def from_file(file: Any, at_least: int | None = None) -> np.ndarray:
    """Decode a file.

    Parameters
    ----------
    file : path-like or bytes
        Where it is, or what is in it.
    at_least : int or None, default=None
        Pixels that are needed of the shorter side: a JPEG of more than four times as many is
        decoded at a fraction of its size, which is faster. None decodes it whole.

    Returns
    -------
    picture : ndarray of uint8 of shape (height, width, 3)
        Red, green and blue; upright, as its EXIF data says, and on white where it is transparent.
        Of several frames the first.

    Raises
    ------
    ValueError
        If it is no image of a known format, is damaged, or has too many pixels.
    """
    Image = import_pillow()
    with _refusing(Image), opened(file, Image) as image:
        if at_least is not None and image.format in ("JPEG", "MPO"):
            scale = _SPARE * at_least / min(image.size)
            if scale < 1:
                # Decoded as RGB or grey, as it is; the orientation does not matter to a minimum.
                image.draft(None, (ceil(scale * image.width), ceil(scale * image.height)))
        load(image, Image)
        return _rgb(image, Image)


def from_image(image: Any) -> np.ndarray:
    """Take over an image of Pillow.

    Parameters
    ----------
    image : PIL.Image.Image
        Left as it is, but for pixels that it had not read yet.

    Returns
    -------
    picture : ndarray of uint8 of shape (height, width, 3)
        As `from_file` gives it.

    Raises
    ------
    ValueError
        If it is damaged, or has too many pixels.
    """
    Image = import_pillow()
    with _refusing(Image), _LOADING:
        check_size(image, Image)
        image.load()
        return _rgb(image, Image)


def from_array(array: np.ndarray) -> np.ndarray:
    """Take over an array.

    Parameters
    ----------
    array : ndarray of shape (height, width) or (height, width, C)
        With 1 channel of grey, 3 of red, green and blue, or 4 with one of opacity; uint8, bool,
        uint16, or float from 0 to 1.

    Returns
    -------
    picture : ndarray of uint8 of shape (height, width, 3)
        Shares memory where nothing had to be changed.

    Raises
    ------
    ValueError
        If it is of another shape, type or range.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer.images.decoding import from_array
    >>> from_array(np.array([[0.0, 0.5], [1.0, 0.25]]))[:, :, 0]
    array([[  0, 128],
           [255,  64]], dtype=uint8)
    """
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        hint = ""
        if array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = " Channels come last: numpy.moveaxis(array, 0, -1)."
        raise ValueError(
            f"it is an array of shape {array.shape}, expected (height, width) or (height, width, "
            f"3).{hint}"
        )
    array = _as_bytes(array)
    if array.shape[2] == 4:
        Image = import_pillow()
        return _rgb(Image.fromarray(array), Image)
    return np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array


def reduced(pixels: np.ndarray, at_least: int | None) -> np.ndarray:
    """Make a picture that is far larger than what is needed smaller, by a whole number.

    Parameters
    ----------
    pixels : ndarray of uint8 of shape (height, width, 3)
        The picture.
    at_least : int or None
        Pixels that are needed of the shorter side.

    Returns
    -------
    pixels : ndarray of uint8 of shape (new_height, new_width, 3)
        At least twice as large as is needed, or what it was.
    """
    factor = 1 if at_least is None else min(pixels.shape[:2]) // (_SPARE * at_least)
    if factor < 2:
        return pixels
    return np.asarray(import_pillow().fromarray(pixels).reduce(factor))


def _as_bytes(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        return (array >> 8).astype(np.uint8)
    if array.dtype.kind != "f":
        raise ValueError(
            f"it is an array of {array.dtype}, expected uint8 (or float from 0 to 1): "
            "array.astype('uint8') where numbers are from 0 to 255."
        )
    low, high = float(array.min()), float(array.max())
    if np.isnan(low):
        raise ValueError("it is an array that has NaN, expected numbers from 0 to 1 (or uint8).")
    if low < 1.0 - _ABOUT_ONE:
        raise ValueError(
            f"it is an array of {array.dtype} from {low:.4g} to {high:.4g}, expected 0 to 1 (or "
            "uint8). Give pixels as they are before a normalisation, which is a part of the network"
        )
    if high > _ABOUT_ONE:
        raise ValueError(
            f"it is an array of {array.dtype} from {low:.4g} to {high:.4g}, expected 0 to 1 (or "
            "uint8). Divide it by the largest number that is possible, such as 255."
        )
    return np.rint(array.clip(0.0, 1.0) * 255.0).astype(np.uint8)


@contextmanager
def _refusing(Image: Any) -> Iterator[None]:
    """Turn what Pillow raises at damaged files, of many types, into a ValueError."""
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(too_large("too many pixels", Image)) from error
    except MemoryError:
        raise
    except Exception as error:  # decoders raise whatever they meet
        # Of what the system says, the path is known already.
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ValueError(reason) from error


def _rgb(image: Any, Image: Any) -> np.ndarray:
    """Put a loaded image upright, and on white, in red, green and blue."""
    turn = _TURNED.get(_orientation(image))
    if turn is not None:
        image = image.transpose(Image.Transpose[turn])
    if image.mode.startswith("I"):
        # 16 bits a pixel, also where Pillow keeps them in 32; `convert` would cut them off at 255.
        exact = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        grey = (exact >> 8).astype(np.uint8)
        # A PNG may name one grey that is transparent.
        clear = image.info.get("transparency")
        if isinstance(clear, int):
            grey[exact == clear] = 255
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode == "F":
        return from_array(np.asarray(image))
    if 0 in image.size:
        raise ValueError(f"it has {image.width} x {image.height} pixels")
    if image.mode == "La":
        image = image.convert("LA")
    if image.mode in _WITH_OPACITY or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _orientation(image: Any) -> Any:
    """Read which side is up; a picture without legible EXIF data is shown as it is."""
    try:
        return image.getexif().get(_ORIENTATION)
    except Exception:  # of any kind, as above
        return None


def _forget_lock() -> None:
    """Make the lock anew in a process that was forked: another thread may have held it."""
    global _LOADING
    _LOADING = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_lock)
