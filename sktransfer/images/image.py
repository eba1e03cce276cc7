"""Images that are decoded each time when their pixels are used."""

from __future__ import annotations

import hashlib
import os
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from sktransfer.contracts import HashedInput
from sktransfer.contracts.versions import version_of
from sktransfer.images.decode import from_array, from_file, from_image, reduced
from sktransfer.images.formats import packages_of_added

__all__ = ["Picture", "View"]


class _Decoded(HashedInput):
    """An image that is decoded on demand, and converts to the array of its pixels."""

    def decoded(self, at_least: int | None = None) -> np.ndarray:
        """Decode the image; the pixels are not kept.

        Parameters
        ----------
        at_least : int or None, default=None
            Number of pixels of the shorter side that are needed; None is all of them.

        Returns
        -------
        pixels : ndarray of uint8 of shape (height, width, 3)

        Raises
        ------
        ValueError
            If it cannot be decoded; the message names the image.
        """
        raise NotImplementedError(f"{type(self).__name__}.decoded")

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.decoded(), dtype=dtype, copy=bool(copy) or None)


class Picture(_Decoded):
    """One image of a user, with its name for messages.

    Two images are equal if they certainly have the same pixels, so that features of equal images
    are computed once.

    Parameters
    ----------
    source : str, path-like, bytes, PIL.Image.Image, ndarray or None
        Path or content of a file, or pixels; None is an image that cannot be decoded.
    index : int
        Position among the inputs.
    advice : str, default=""
        Sentence for the error of an image that cannot be decoded.

    Attributes
    ----------
    source : str, bytes, PIL.Image.Image or ndarray
        The parameter; a path as str.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer.images.image import Picture
    >>> Picture(np.zeros((4, 6)), 0).decoded().shape
    (4, 6, 3)
    >>> Picture("photo.jpg", 17).name
    'X[17], photo.jpg,'
    """

    def __init__(self, source: Any, index: int, advice: str = "") -> None:
        self.source = os.fspath(source) if isinstance(source, os.PathLike) else source
        self._index = index
        self._advice = advice

    @property
    def name(self) -> str:
        """Position and path, or size, of the image, as the subject of a sentence."""
        # In a cross-validation the position is that in a fold, so that the path has to help.
        size = f"{len(self.source):,} bytes" if isinstance(self.source, bytes) else None
        what = size or self.path
        return f"X[{self._index}], {what}," if what else f"X[{self._index}]"

    @property
    def path(self) -> str | None:
        """Path of the file, also of an image that Pillow opened; None if there is none."""
        # The ``filename`` of a mapped array is that of the file of all arrays.
        mapped = isinstance(self.source, np.ndarray)
        named = None if mapped else getattr(self.source, "filename", None)
        path = self.source if isinstance(self.source, str) else named
        return path if isinstance(path, str) and path else None

    def decoded(self, at_least: int | None = None) -> np.ndarray:
        """Decode the image, as `sktransfer.images.decode` does."""
        if self.source is None:
            raise self._unreadable(ValueError("it is missing"))
        try:
            if isinstance(self.source, str | bytes):
                return from_file(self.source, at_least)
            return (from_array if isinstance(self.source, np.ndarray) else from_image)(self.source)
        except ValueError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> ValueError:
        reason = f"{self.name} cannot be read as an image: {error}"
        return ValueError(f"{reason.rstrip('.')}. {self._advice}" if self._advice else reason)

    @cached_property
    def digest(self) -> bytes:
        """Hash of the content, which is read for it, and of the versions of the decoders."""
        content: Any = self.source
        if isinstance(content, str):
            try:
                with open(content, "rb") as file:
                    content = file.read()
            except (OSError, ValueError) as error:
                raise self._unreadable(error) from error
        kind = b"file"
        if not isinstance(content, bytes):
            pixels = content if isinstance(content, np.ndarray) else self.decoded()
            kind = f"{pixels.dtype.str}{pixels.shape}".encode()
            content = np.ascontiguousarray(pixels).data
        digest = hashlib.blake2b(_decoder().encode() + kind, digest_size=32)
        digest.update(content)
        return digest.digest()

    @cached_property
    def identity(self) -> Any:
        """Value that equal images share: path, size and time of a file, otherwise the digest."""
        if self.source is None:
            return None
        if not isinstance(self.source, str):
            return self.digest
        try:
            status = os.stat(self.source)
        except (OSError, ValueError):  # a ValueError of a path with a NUL
            return self.source, None, None
        return self.source, status.st_size, status.st_mtime_ns

    def __hash__(self) -> int:
        return hash(self.identity)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Picture) and self.identity == other.identity

    def __repr__(self) -> str:
        return f"<picture {self.name.rstrip(',')}>"


class View(_Decoded):
    """An image with the changes of an augmentation.

    Parameters
    ----------
    picture : Picture
        The image.
    augmentation : sktransfer.ImageAugmentation
        The augmentation.
    seed : int
        Seed of the changes, together with the content of the image.

    """

    def __init__(self, picture: Picture, augmentation: Any, seed: int) -> None:
        self._picture = picture
        self._augmentation = augmentation
        self._seed = seed

    @property
    def origin(self) -> Picture:
        """The image as it is."""
        return self._picture

    def decoded(self, at_least: int | None = None) -> np.ndarray:
        """Decode the image, and augment it."""
        own = int.from_bytes(self.origin.digest[:8], "little")
        rng = np.random.default_rng([self._seed, own])
        return self._augmentation.apply(reduced(self.origin.decoded(at_least), at_least), rng)

    @property
    def how(self) -> str:  # type: ignore[override]
        """Name of the augmentation and its seed."""
        return f"{self._augmentation.identity()}|{self._seed}"

    def of(self, picture: Picture) -> View:
        """Return the view of another image by the same augmentation and seed."""
        return View(picture, self._augmentation, self._seed)

    @property
    def digest(self) -> bytes:
        """Hash of the image, the augmentation and its seed."""
        how = f"{self.how}|{version('numpy')}"
        return hashlib.blake2b(self.origin.digest + how.encode(), digest_size=32).digest()

    def __hash__(self) -> int:
        return hash((self.origin, self._seed))

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, View) and (self.origin, self.how) == (other.origin, other.how)


def _decoder() -> str:
    """Return names and versions of Pillow and of the decoders that a user has registered."""
    try:
        pillow = f"pillow={version('pillow')}"
    except PackageNotFoundError:
        pillow = "pillow=none"
    return "|".join([pillow, *map(version_of, packages_of_added())])
