"""Decode files, bytes, images of Pillow and arrays to arrays of red, green and blue."""

from __future__ import annotations

import io
import os
from math import ceil
from typing import Any

import numpy as np

from sktransfer._warnings import warn_user
from sktransfer.images.formats import names_of_read
from sktransfer.weights.global_state import ForkSafeLock

__all__ = ["check_pixels", "from_array", "from_file", "from_image", "import_pillow", "reduced"]

_ORIENTATION = 0x0112
# PIL.Image.Transpose that puts an image upright, by EXIF orientation. Pillow's own function writes
# all other EXIF data again, which fails if any of them is invalid.
_TURNED = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
# An image of Pillow reads its pixels when they are first used, at one position of one file.
_LOADING = ForkSafeLock()
# A JPEG is decoded at a half, a quarter or an eighth of its size, but at least so many times the
# pixels that are needed: the resizing that follows would lose the same details.
_SPARE = 2
# Resizing and rounding move black and white at most so far beyond 0 and 1.
_ROUNDING = 0.001
# Bits a pixel of scanners, which write them into 16.
_MOST_OF_SCANNERS = 14
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def import_pillow() -> Any:
    """Import PIL.Image, or raise an ImportError that says how to install it."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "Reading images needs Pillow: pip install pillow. The plugin sktransfer-vision brings "
            "it, see Plugins in the README."
        ) from error
    return Image


def from_file(file: str | os.PathLike[str] | bytes, at_least: int | None = None) -> np.ndarray:
    """Decode a file.

    Parameters
    ----------
    file : str, path-like or bytes
        Path of the file, or its content.
    at_least : int or None, default=None
        Number of pixels of the shorter side that are needed. A JPEG with more than four times as
        many is decoded at a fraction of its size, which is faster. None decodes all pixels.

    Returns
    -------
    pixels : ndarray of uint8 of shape (height, width, 3)
        Red, green and blue; upright, as the EXIF data says, and on white where the image is
        transparent. Only the first of several frames is decoded.

    Raises
    ------
    ValueError
        If the file is not an image of a format that is read, is damaged, or has too many pixels.
    """
    Image = import_pillow()
    Image.init()
    known = [name for name in names_of_read() if name in Image.OPEN]  # Pillow may lack some
    opened = None
    try:
        with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file, "r", known) as image:
            opened = image.format
            loaded = _loaded(image, Image, at_least if opened in ("JPEG", "MPO") else None)
    except MemoryError:
        raise
    except Exception as error:  # decoders raise errors of many types
        raise ValueError(_reason(error) or _damage(file, opened, known, error)) from error
    return _rgb(loaded, Image)


def from_image(image: Any) -> np.ndarray:
    """Convert an image of Pillow as `from_file` does; its pixels are loaded, and not changed."""
    Image = import_pillow()
    with _LOADING:
        try:
            loaded = _loaded(image, Image)
        except MemoryError:
            raise
        except Exception as error:  # as above
            raise ValueError(_reason(error) or str(error) or type(error).__name__) from error
        return _rgb(loaded, Image)


def _loaded(image: Any, Image: Any, at_least: int | None = None) -> Any:
    """Load an image, unless it has too many pixels, and put it upright."""
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:  # where Pillow only warns
        raise Image.DecompressionBombError(f"it has {image.width} x {image.height} pixels")
    scale = 1 if at_least is None else _SPARE * at_least / min(image.size)
    if scale < 1:
        # None keeps the mode. Both sides are scaled alike, so that the orientation does not matter.
        image.draft(None, (ceil(scale * image.width), ceil(scale * image.height)))
    image.load()
    try:
        turn = _TURNED.get(image.getexif().get(_ORIENTATION))
    except Exception:  # EXIF data that cannot be read are ignored
        return image
    return image if turn is None else image.transpose(Image.Transpose(turn))


def _rgb(image: Any, Image: Any) -> np.ndarray:
    """Convert a loaded image to red, green and blue, with white behind transparent pixels."""
    if image.mode.startswith("I"):
        # 16 bits a pixel, which Pillow may keep in 32; `convert` would clip them at 255.
        exact = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        clear = image.info.get("transparency")
        if isinstance(clear, int):  # a PNG may have one transparent grey
            exact[exact == clear] = 65535
        return from_array(exact.astype(np.uint16))
    if image.mode == "F" or 0 in image.size:
        return from_array(np.asarray(image))
    if image.mode == "La":
        image = image.convert("LA")
    if image.mode in ("RGBA", "RGBa", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _reason(error: Exception) -> str | None:
    """Return the system's reason of an error, or that there are too many pixels; else None."""
    if type(error).__name__.startswith("DecompressionBomb"):
        return f"{error}; set PIL.Image.MAX_IMAGE_PIXELS higher if you trust the file"
    return error.strerror if isinstance(error, OSError) else None


def _damage(file: Any, opened: str | None, known: list[str], error: Exception) -> str:
    """Describe, by the first bytes of a file, why it cannot be decoded."""
    with io.BytesIO(file) if isinstance(file, bytes) else open(file, "rb") as stream:
        start = stream.read(64)
    if not start:
        return "the file is empty"
    heif = start[4:8] == b"ftyp" and start[8:12] in _HEIF and b"avi" not in start
    if heif and "HEIF" not in known:
        return (
            "it is a photo in HEIF (.heic), a format that is not read: convert it to JPEG, or "
            "register an opener, pillow_heif.register_heif_opener()"
        )
    Image = import_pillow()
    accepting = (n for n in known if (accepts := Image.OPEN[n][1]) and accepts(start[:16]) is True)
    if name := opened or next(accepting, None):
        reason = str(error) or type(error).__name__
        return f"it begins like {name}, but is damaged or cut off ({reason})"
    text = start[:40].decode("utf-8", "replace")  # such as an error page in place of a download
    formats = ", ".join(names_of_read())
    return f"it is not an image of a format that is read ({formats}), but begins with {text!r}"


def from_array(array: np.ndarray) -> np.ndarray:
    """Convert an array to red, green and blue.

    Parameters
    ----------
    array : ndarray of shape (height, width) or (height, width, C)
        Image with 1 channel of grey, 3 of red, green and blue, or 4 with one of opacity; uint8,
        bool, uint16, or float from 0 to 1.

    Returns
    -------
    pixels : ndarray of uint8 of shape (height, width, 3)
        The array itself if it has this form already.

    Raises
    ------
    ValueError
        If the array has another shape, type or range.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer.images.decode import from_array
    >>> from_array(np.array([[0.0, 0.5], [1.0, 0.25]]))[:, :, 0]
    array([[  0, 128],
           [255,  64]], dtype=uint8)
    """
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        first = array.ndim == 3 and array.shape[0] in (1, 3, 4)
        raise ValueError(
            f"it is an array of shape {array.shape}, expected (height, width) or (height, width, "
            f"3).{' Channels come last: numpy.moveaxis(array, 0, -1).' if first else ''}"
        )
    array = _as_bytes(array)
    if array.shape[2] == 4:
        Image = import_pillow()
        return _rgb(Image.fromarray(array), Image)
    return np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array


def _as_bytes(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        _warn_of_unused_bits(array)
        return (array >> 8).astype(np.uint8)
    got, hint = f"it is an array of {array.dtype}", "array.astype('uint8') if it is from 0 to 255"
    if array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        if low >= -_ROUNDING and high <= 1 + _ROUNDING:
            return np.rint(array.clip(0.0, 1.0) * 255.0).astype(np.uint8)
        got, hint = (
            f"{got} from {low:.4g} to {high:.4g}",
            "divide by the largest number possible",
        )
        if low < 0:
            hint = "give pixels before a normalisation, which is a part of the network"
    raise ValueError(f"{got}, expected uint8 (or float from 0 to 1): {hint}")


def _warn_of_unused_bits(array: np.ndarray) -> None:
    """Warn of numbers of 8 to 14 bits in 16, as scanners and X-ray machines write them."""
    bits = int(array.max()).bit_length()
    if 0 < bits <= _MOST_OF_SCANNERS:
        fewest = max(8, bits + bits % 2)
        warn_user(
            f"An image of 16 bits a pixel uses the lower {bits} only, and is read as nearly black. "
            f"If its numbers have {fewest} bits, as of a scanner, multiply those of all images, in "
            f"training and in prediction: numpy.asarray(image) * {2 ** (16 - fewest)}."
        )


def check_pixels(pixels: Any, name: str) -> np.ndarray:
    """Return pixels as an array, or raise a ValueError unless they are uint8 of three channels."""
    array = np.asarray(pixels)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ValueError(
            f"{name} has to be an array of uint8 of shape (height, width, 3), got {array.dtype} of "
            f"shape {array.shape}. Pillow gives one: "
            "numpy.asarray(Image.open(file).convert('RGB'))."
        )
    return array


def reduced(pixels: np.ndarray, at_least: int | None) -> np.ndarray:
    """Reduce an image by a whole factor; its sides keep at least twice ``at_least`` pixels."""
    factor = 1 if at_least is None else min(pixels.shape[:2]) // (_SPARE * at_least)
    return pixels if factor < 2 else np.asarray(import_pillow().fromarray(pixels).reduce(factor))
