"""Opening a file of an image: its format and its size, before anything is decoded."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike, fspath
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
    """Open a file as `PIL.Image.open` does, but without its warning of many pixels.

    They are an error here, and a filter of warnings would be one of all threads.

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
    name = "" if isinstance(file, bytes) else fspath(file)
    with io.BytesIO(file) if isinstance(file, bytes) else open(file, "rb") as stream:
        image = _identified(stream, name, Image)
        check_size(image, Image)
        yield image


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
        raise ValueError(
            f"it begins like {known}, but is damaged or cut off, as by a download that was not "
            f"completed ({str(error) or type(error).__name__})"
        ) from error


def _identified(stream: Any, name: str, Image: Any) -> Any:
    start = stream.read(_START)
    failed = None
    for known in names_of_read():
        if known not in Image.OPEN:  # Pillow was built without it
            continue
        factory, accept = Image.OPEN[known]
        accepted = not accept or accept(start[:_PREFIX])
        if isinstance(accepted, str):  # why it cannot be read here
            failed = failed or ValueError(accepted)
        elif accepted:
            stream.seek(0)
            try:
                with _naming(known, Image):
                    return factory(stream, name)
            except ValueError as error:
                failed = failed or error
    what = described(start)
    if what is None and failed is not None:
        raise failed
    formats = ", ".join(names_of_read())
    raise ValueError(what or f"it is no image of a format that is read ({formats})")
