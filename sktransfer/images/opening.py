"""Opening a file of an image: its format and its size, before anything is decoded."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from typing import Any

from sktransfer.images.contents import described
from sktransfer.images.formats import names_of_read

__all__ = ["check_size", "load", "opened", "too_large"]

# Pillow's plugins recognise their format by so many bytes.
_PREFIX = 16
# To say what else it is, by so many.
_START = 256


@contextmanager
def opened(file: str | PathLike[str] | bytes, Image: Any) -> Iterator[Any]:
    """Open a file, and say what it is where that does not succeed.

    Parameters
    ----------
    file : str, path-like or bytes
        Where it is, or what is in it.
    Image : module
        Pillow's.

    Yields
    ------
    image : PIL.Image.Image
        Its pixels are not read yet, and not too many.

    Raises
    ------
    ValueError
        If it is no image of a known format, or has too many pixels.
    """
    Image.init()
    known = [name for name in names_of_read() if name in Image.OPEN]  # as Pillow was built
    try:
        image = Image.open(io.BytesIO(file) if isinstance(file, bytes) else file, formats=known)
    except (MemoryError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise
    except Exception as error:  # decoders raise whatever they meet
        if getattr(error, "errno", None) is not None:  # the system's, as of a file that is missing
            raise
        raise ValueError(_what_else(_start_of(file), known, Image, error)) from error
    with image:
        check_size(image, Image)
        yield image


def _start_of(file: str | PathLike[str] | bytes) -> bytes:
    if isinstance(file, bytes):
        return file[:_START]
    with open(file, "rb") as stream:
        return stream.read(_START)


def _what_else(start: bytes, known: list[str], Image: Any, error: Exception) -> str:
    """Say what a file is that could not be opened."""
    what = described(start)
    if what is not None:
        return what
    for name in known:
        accept = Image.OPEN[name][1]
        if accept and accept(start[:_PREFIX]) is True:
            unknown = isinstance(error, Image.UnidentifiedImageError)
            return _damaged(name, None if unknown else error)
    return f"it is no image of a format that is read ({', '.join(names_of_read())})"


def _damaged(name: str, error: Exception | None) -> str:
    reason = "" if error is None else f" ({str(error) or type(error).__name__})"
    return (
        f"it begins like {name}, but is damaged or cut off, as by a download that was not "
        f"completed{reason}"
    )


def check_size(image: Any, Image: Any) -> None:
    """Refuse what is small as a file and fills the memory, at the size at which Pillow warns.

    Parameters
    ----------
    image : PIL.Image.Image
        Whose pixels need not have been read.
    Image : module
        Pillow's.

    Raises
    ------
    ValueError
        If it has too many pixels.
    """
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        raise ValueError(too_large(f"{image.width} x {image.height} pixels", Image))


def too_large(got: str, Image: Any) -> str:
    """Say that it has too many pixels, and what to do.

    Parameters
    ----------
    got : str
        How many.
    Image : module
        Pillow's.

    Returns
    -------
    reason : str
    """
    return (
        f"it has {got}, more than the {Image.MAX_IMAGE_PIXELS} that PIL.Image.MAX_IMAGE_PIXELS "
        "allows; set that higher if you trust the file"
    )


def load(image: Any, Image: Any) -> None:
    """Read the pixels.

    Parameters
    ----------
    image : PIL.Image.Image
        As `opened` gave it.
    Image : module
        Pillow's.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    with _naming(image.format, Image):
        image.load()


@contextmanager
def _naming(known: str, Image: Any) -> Iterator[None]:
    """Say of what decoders raise that the file begins like an image and goes on otherwise."""
    try:
        yield
    except (MemoryError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise
    except Exception as error:  # decoders raise whatever they meet
        if getattr(error, "errno", None) is not None:  # the system's, as of a disk that fails
            raise
        raise ValueError(_damaged(known, error)) from error
