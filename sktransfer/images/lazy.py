"""Pictures that are decoded when they are looked at, and as often."""

from __future__ import annotations

import hashlib
import os
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from sktransfer.contracts.versions import version_of
from sktransfer.images.decoding import from_array, from_file, from_image, reduced
from sktransfer.images.formats import packages_of_added

if TYPE_CHECKING:
    from sktransfer.images.augmentation import ImageAugmentation

__all__ = ["Picture", "View"]


class _Decoded:
    """What is an array once it is looked at, and is known by what it will be."""

    __slots__ = ()

    def decoded(self, at_least: int | None = None) -> np.ndarray:
        """Give the pixels, of shape (height, width, 3), uint8."""
        raise NotImplementedError(f"{type(self).__name__}.decoded")

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        pixels = self.decoded()
        if dtype is not None and np.dtype(dtype) != pixels.dtype:
            return pixels.astype(dtype)
        return pixels.copy() if copy else pixels


class Picture(_Decoded):
    """One picture of a user's, and what to call it in a message.

    Two of them are equal if they are sure to show the same. So equal ones are computed once.

    Parameters
    ----------
    source : str, path-like, bytes, PIL.Image.Image or ndarray
        Where its pixels are.
    index : int
        Its position among the inputs.
    advice : str, default=""
        What to do where it cannot be read, as a sentence.

    Attributes
    ----------
    digest : bytes
        Of its content, for stores that outlive this process; a file is read for it.
    name : str
        Position, and what else helps to find it: its path, or how many bytes it has.
    path : str or None
        Of its file, where that is known.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer.images.lazy import Picture
    >>> Picture(np.zeros((4, 6)), 0).decoded().shape
    (4, 6, 3)
    >>> Picture("photo.jpg", 17).name
    'X[17], photo.jpg,'
    """

    __slots__ = ("_advice", "_digest", "_index", "_key", "source")

    def __init__(self, source: Any, index: int, advice: str = "") -> None:
        self.source = os.fspath(source) if isinstance(source, os.PathLike) else source
        self._index = index
        self._advice = advice
        self._key: Any = None
        self._digest: bytes | None = None

    @property
    def name(self) -> str:
        """Position, and what else helps to find it, as the subject of a sentence."""
        # The position is that in a fold where there are folds, which users do not see.
        position = f"X[{self._index}]"
        if isinstance(self.source, bytes):
            return f"{position}, {len(self.source):,} bytes,"
        return position if self.path is None else f"{position}, {self.path},"

    @property
    def path(self) -> str | None:
        """Of its file, where that is known; images of Pillow say what they were opened from."""
        if isinstance(self.source, str):
            return self.source
        # An array that is mapped has such an attribute, too: the file of all of them.
        if isinstance(self.source, np.ndarray):
            return None
        opened = getattr(self.source, "filename", None)
        return opened if isinstance(opened, str) and opened else None

    def decoded(self, at_least: int | None = None) -> np.ndarray:
        """Decode the picture, anew each time.

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
            If it cannot be read; names it.
        """
        try:
            if isinstance(self.source, str | bytes):
                return from_file(self.source, at_least)
            if isinstance(self.source, np.ndarray):
                return from_array(self.source)
            return from_image(self.source)
        except ValueError as error:
            raise ValueError(self._unreadable(error)) from error

    def _unreadable(self, error: Exception) -> str:
        said = f"{self.name} cannot be read as an image: {error}"
        return f"{said.rstrip('.')}. {self._advice}" if self._advice else said

    @property
    def digest(self) -> bytes:
        """Of its content, and of the library that decodes it."""
        if self._digest is None:
            digest = hashlib.blake2b(_decoder().encode(), digest_size=32)
            for part in self._content():
                digest.update(part)
            self._digest = digest.digest()
        return self._digest

    def _content(self) -> list[Any]:
        if isinstance(self.source, str):
            try:
                with open(self.source, "rb") as file:
                    return [b"file", file.read()]
            except (OSError, ValueError) as error:
                raise ValueError(self._unreadable(error)) from error
        if isinstance(self.source, bytes):
            return [b"file", self.source]
        pixels = self.source if isinstance(self.source, np.ndarray) else self.decoded()
        return [f"{pixels.dtype.str}{pixels.shape}".encode(), np.ascontiguousarray(pixels).data]

    def _identity(self) -> Any:
        """Say what makes it the same as another one, without reading a file for it."""
        if self._key is None:
            if isinstance(self.source, str):
                try:
                    status = os.stat(self.source)
                    self._key = (self.source, status.st_size, status.st_mtime_ns)
                except (OSError, ValueError):  # a NUL is no part of a path
                    self._key = (self.source, None, None)
            else:
                self._key = self.digest
        return self._key

    def __hash__(self) -> int:
        return hash(self._identity())

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Picture) and self._identity() == other._identity()

    def __repr__(self) -> str:
        return f"<picture {self.name.rstrip(',')}>"


class View(_Decoded):
    """A picture as an augmentation shows it; the same seed shows the same.

    Parameters
    ----------
    picture : Picture
        What is shown.
    augmentation : ImageAugmentation
        How.
    seed : int
        Seeds what is random, together with the picture's content.
    """

    __slots__ = ("_augmentation", "_picture", "_seed")

    def __init__(self, picture: Picture, augmentation: ImageAugmentation, seed: int) -> None:
        self._picture = picture
        self._augmentation = augmentation
        self._seed = seed

    def decoded(self, at_least: int | None = None) -> np.ndarray:
        """Decode the picture, and vary it.

        Parameters
        ----------
        at_least : int or None, default=None
            Pixels that are needed of the shorter side, where fewer than all.

        Returns
        -------
        pixels : ndarray of uint8 of shape (height, width, 3)
        """
        own = int.from_bytes(self._picture.digest[:8], "little")
        rng = np.random.default_rng([self._seed, own])
        pixels = self._picture.decoded(at_least)
        return self._augmentation.apply(reduced(pixels, at_least), rng)

    @property
    def origin(self) -> Picture:
        """What is shown."""
        return self._picture

    @property
    def how(self) -> str:
        """Name the way in which it is shown."""
        return f"{self._augmentation.identity()}|{self._seed}"

    def of(self, picture: Picture) -> View:
        """Show another picture in the same way."""
        return View(picture, self._augmentation, self._seed)

    @property
    def digest(self) -> bytes:
        """Of the picture, and of how it is shown."""
        how = f"{self.how}|{version('numpy')}"
        return hashlib.blake2b(self._picture.digest + how.encode(), digest_size=32).digest()

    def __hash__(self) -> int:
        return hash((self._picture, self._seed))

    def __eq__(self, other: Any) -> bool:
        return (
            isinstance(other, View)
            and (self._seed, self._picture) == (other._seed, other._picture)
            and self._augmentation.identity() == other._augmentation.identity()
        )


def _decoder() -> str:
    """Name what decodes: Pillow, and what a user has added to it."""
    try:
        pillow = f"pillow={version('pillow')}"
    except PackageNotFoundError:
        pillow = "pillow=none"
    return "|".join([pillow, *map(version_of, packages_of_added())])
