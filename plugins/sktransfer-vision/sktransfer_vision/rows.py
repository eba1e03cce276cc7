"""Rows that are pictures still to be read: light until they are put into a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

__all__ = ["LazyRow", "check_picture", "stacked"]


class LazyRow:
    """A picture that is decoded, cut and resized when it is put into a batch.

    Parameters
    ----------
    picture : array-like of uint8 of shape (height, width, 3)
        Whatever `numpy.asarray` makes such an array of, such as an opened file. What is an array
        already is checked at once.
    shape : callable
        Is given the array, and brings it to what the network reads.
    cost : int
        The length of the row.
    at_least : int or None, default=None
        Pixels of the shorter side below which `shape` would have to invent some. A picture that can
        be decoded at a fraction of its size, by ``decoded(at_least)``, may be.

    Raises
    ------
    ValueError
        If the picture is an array of another kind.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer_vision.rows import LazyRow
    >>> row = LazyRow(np.zeros((4, 6, 3), np.uint8), lambda array: array[:2, :2], cost=1)
    >>> len(row), np.asarray(row).shape
    (1, (2, 2, 3))
    """

    __slots__ = ("_at_least", "_cost", "_picture", "_shape")

    def __init__(
        self,
        picture: Any,
        shape: Callable[[np.ndarray], np.ndarray],
        cost: int,
        at_least: int | None = None,
    ) -> None:
        if isinstance(picture, np.ndarray):
            check_picture(picture)
        self._picture = picture
        self._shape = shape
        self._cost = cost
        self._at_least = at_least

    def __len__(self) -> int:
        return self._cost

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if hasattr(self._picture, "decoded"):
            array = self._picture.decoded(self._at_least)
        else:
            array = np.asarray(self._picture)
        check_picture(array)
        return np.asarray(self._shape(array), dtype=dtype)


def stacked(rows: Sequence[LazyRow]) -> np.ndarray:
    """Read rows, with as many threads as torch may use, since Pillow lets others run meanwhile.

    Parameters
    ----------
    rows : sequence of n LazyRow
        Which become arrays of one shape.

    Returns
    -------
    array : ndarray of shape (n, ...)
    """
    import torch

    n_threads = min(torch.get_num_threads(), len(rows))
    if n_threads < 2:
        return np.stack([np.asarray(row) for row in rows])
    with ThreadPoolExecutor(n_threads) as pool:
        return np.stack(list(pool.map(np.asarray, rows)))


def check_picture(array: np.ndarray) -> None:
    """Refuse an array that is no picture.

    Parameters
    ----------
    array : ndarray
        What `numpy.asarray` made of a picture.

    Raises
    ------
    ValueError
        If it is not of uint8 and of shape (height, width, 3).
    """
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ValueError(
            "An image has to be an array of uint8 of shape (height, width, 3), got "
            f"{array.dtype} of shape {array.shape}. Pillow gives one: "
            "numpy.asarray(Image.open(file).convert('RGB'))."
        )
