"""Validated inputs, their contents, and the test for missing values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np


class HashedInput(ABC):
    """An input that is known by a hash of its content, such as an image or a sound.

    Texts, numbers and tuples of these need no such class. Subclasses define ``__eq__`` and
    ``__hash__``, since equal inputs are encoded once.

    Attributes
    ----------
    how : str, default=""
        Of a view, the name of the augmentation and its seed.
    """

    how: str = ""

    @property
    @abstractmethod
    def digest(self) -> bytes:
        """Hash of the content, and of the libraries that decode it."""

    @property
    def origin(self) -> Hashable:
        """Of a view, the input that is shown; else the input itself."""
        return self

    def of(self, other: Any) -> Any:
        """Show another input in the same way.

        Parameters
        ----------
        other : input
            The other input.

        Returns
        -------
        view : input
            The input itself, unless this is a view.
        """
        return other


@dataclass(frozen=True, eq=False)
class Inputs(Sequence[Any]):
    """Validated inputs; behaves as the sequence of its items.

    Attributes
    ----------
    items : list of n inputs
        Hashable, so that equal ones are encoded once.
    positions : list of n int or None, default=None
        Where they stand in what the user passed; None where nothing was skipped.
    columns : tuple of str or None, default=None
        Names of the columns that the parts of each input come from, where they have several.
    skipped : mapping of int to str, default={}
        Positions of inputs that cannot be read and were left out, and why.
    """

    items: list[Any]
    positions: list[int] | None = None
    columns: tuple[str, ...] | None = None
    skipped: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: Any) -> Any:
        return self.items[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def take(self, index: Sequence[int]) -> Inputs:
        """Select inputs; what is known of all of them stays.

        Parameters
        ----------
        index : sequence of int
            Positions among the items.

        Returns
        -------
        inputs : Inputs
        """
        positions = self.positions
        return replace(
            self,
            items=[self.items[i] for i in index],
            positions=None if positions is None else [positions[i] for i in index],
        )


def is_missing(value: Any) -> bool:
    """Tell None, NaN, NaT and pandas' NA from values, without importing pandas."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def content_of(x: Any) -> list[bytes]:
    """Return the content of an input, by which a store of features knows it.

    Parameters
    ----------
    x : input
        A str, a number, a tuple of these, or a `HashedInput`.

    Returns
    -------
    parts : list of bytes
        The hash of a `HashedInput`; the parts of a text or a pair; of others, the type and the
        repr.

    Raises
    ------
    TypeError
        If the input is of another type.

    Examples
    --------
    >>> from sktransfer.plugins import content_of
    >>> content_of("good"), content_of(("good", "bad")), content_of((0.5, 1))
    ([b'good'], [b'good', b'bad'], [b'tuple', b'(0.5, 1)'])
    """
    if isinstance(x, HashedInput):
        return [x.digest]
    parts = x if isinstance(x, tuple) else (x,)
    if all(isinstance(part, str) for part in parts):
        return [part.encode("utf-8", "surrogatepass") for part in parts]
    if not _is_plain(x):
        raise TypeError(
            f"Features of a {type(x).__name__} cannot be stored, since nothing tells its content: "
            "inputs are str, numbers, tuples of these, or sktransfer.plugins.HashedInput."
        )
    return [type(x).__name__.encode(), repr(x).encode("utf-8", "surrogatepass")]


def _is_plain(x: Any) -> bool:
    """Return whether the repr of an input tells all of its content."""
    if isinstance(x, tuple):
        return all(map(_is_plain, x))
    return x is None or isinstance(x, str | bytes | int | float)
