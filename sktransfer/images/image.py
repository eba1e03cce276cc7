"""Images that are decoded when they are looked at, and as often."""

from __future__ import annotations

import hashlib
import os
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from sktransfer.contracts.versions import version_of
from sktransfer.images.decode import from_array, from_file, from_image, reduced
from sktransfer.images.formats import packages_of_added

__all__ = ["Picture", "View"]


class _Decoded:
    """An image that is decoded on demand; numpy takes it for the array of its pixels."""

    def decoded(self, at_least: int | None = None) -> np.ndarray:
        """Decode the image, anew each time.

        Parameters
        ----------
        at_least : int or None, default=None
            Pixels that are needed of the shorter side, where fewer than all.

        Returns
        -------
        pixels : ndarray of uint8 of shape (height, width, 3)

        Raises
        ------
        ValueError
            If it cannot be decoded; names it.
        """
        raise NotImplementedError(f"{type(self).__name__}.decoded")

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.decoded(), dtype=dtype, copy=bool(copy) or None)


class Picture(_Decoded):
    """One image of a user's, and what to call it in a message.

    Two of them are equal if they are sure to show the same. So equal ones are computed once.

    Parameters
    ----------
    source : str, path-like, bytes, PIL.Image.Image or ndarray
        Where its pixels are.
    index : int
        Its position among the inputs.
    advice : str, default=""
        What to do where it cannot be decoded, as a sentence.

    Attributes
    ----------
    source : str, bytes, PIL.Image.Image or ndarray
        As given.

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
        """Position, and what else helps to find it, as the subject of a sentence."""
        # The position is that in a fold where there are folds, which users do not see.
        size = f"{len(self.source):,} bytes" if isinstance(self.source, bytes) else None
        what = size or self.path
        return f"X[{self._index}], {what}," if what else f"X[{self._index}]"

    @property
    def path(self) -> str | None:
        """Path of its file, which some images of Pillow know, too."""
        # An array that is mapped has a file name, too: of the file of all arrays.
        mapped = isinstance(self.source, np.ndarray)
        named = None if mapped else getattr(self.source, "filename", None)
        path = self.source if isinstance(self.source, str) else named
        return path if isinstance(path, str) and path else None

    def decoded(self, at_least: int | None = None) -> np.ndarray:
        """Decode the image, as `sktransfer.images.decode` does."""
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
        """Hash of its content and of the library that decodes it; a file is read for it."""
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
        """What makes it the same as another one, without reading a file for it."""
        if not isinstance(self.source, str):
            return self.digest
        try:
            status = os.stat(self.source)
        except (OSError, ValueError):  # a NUL is no part of a path
            return self.source, None, None
        return self.source, status.st_size, status.st_mtime_ns

    def __hash__(self) -> int:
        return hash(self.identity)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Picture) and self.identity == other.identity

    def __repr__(self) -> str:
        return f"<picture {self.name.rstrip(',')}>"


class View(_Decoded):
    """An image as an augmentation shows it; the same seed shows the same.

    Parameters
    ----------
    picture : Picture
        What is shown.
    augmentation : sktransfer.ImageAugmentation
        How.
    seed : int
        Seeds what is random, together with the image's content.

    Attributes
    ----------
    origin : Picture
        What is shown.
    """

    def __init__(self, picture: Picture, augmentation: Any, seed: int) -> None:
        self.origin = picture
        self._augmentation = augmentation
        self._seed = seed

    def decoded(self, at_least: int | None = None) -> np.ndarray:
        """Decode the image, and augment it."""
        own = int.from_bytes(self.origin.digest[:8], "little")
        rng = np.random.default_rng([self._seed, own])
        return self._augmentation.apply(reduced(self.origin.decoded(at_least), at_least), rng)

    @property
    def how(self) -> str:
        """Name the way in which it is shown."""
        return f"{self._augmentation.identity()}|{self._seed}"

    def of(self, picture: Picture) -> View:
        """Show another image in the same way."""
        return View(picture, self._augmentation, self._seed)

    @property
    def digest(self) -> bytes:
        """Hash of the image, and of how it is shown."""
        how = f"{self.how}|{version('numpy')}"
        return hashlib.blake2b(self.origin.digest + how.encode(), digest_size=32).digest()

    def __hash__(self) -> int:
        return hash((self.origin, self._seed))

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, View) and (self.origin, self.how) == (other.origin, other.how)


def _decoder() -> str:
    """Name what decodes: Pillow, and what a user has added to it."""
    try:
        pillow = f"pillow={version('pillow')}"
    except PackageNotFoundError:
        pillow = "pillow=none"
    return "|".join([pillow, *map(version_of, packages_of_added())])
