"""Pictures as users have them, turned into a list that is read as it is needed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from sktransfer.contracts import Inputs
from sktransfer.contracts.inputs import is_missing
from sktransfer.images.lazy import Picture
from sktransfer.images.urls import is_url

__all__ = ["check_pictures"]

_EXPECTED = (
    "a list, Series or one-column frame of paths, Pillow images or arrays, or an array of shape "
    "(n, height, width) or (n, height, width, 3)"
)
_CHANNELS = (1, 3, 4)
# Characters of a path or URL that a message has.
_SHOWN = 80


def check_pictures(X: Any, *, start: int = 0, advice: str = "") -> Inputs:
    """Check what stands where pictures are expected; nothing is decoded.

    Parameters
    ----------
    X : list, tuple, ndarray, Series, one-column frame or other iterable of n pictures
        Each a path (str or path-like), the bytes of a file, an image of Pillow, or an array; pandas
        and polars are understood. An array of three dimensions holds grey pictures. In a path, a
        ``~`` is the home folder.
    start : int, default=0
        Number of the first picture, for messages.
    advice : str, default=""
        What to do about a file that cannot be read, for messages; arrays have their own.

    Returns
    -------
    pictures : Inputs of n Picture

    Raises
    ------
    ValueError
        If X is one picture, is empty, has several columns, missing values or URLs.
    TypeError
        If X is no collection, or something in it is no picture.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer.images.pictures import check_pictures
    >>> [picture.decoded().shape for picture in check_pictures(np.zeros((2, 5, 7)))]
    [(5, 7, 3), (5, 7, 3)]
    """
    values = _listed(X)
    if not values:
        raise ValueError("X is empty: found 0 images while a minimum of 1 is required.")
    pictures = []
    for i, value in enumerate(values, start=start):
        if isinstance(value, str | os.PathLike):
            pictures.append(Picture(_path(value, i), i, advice))
        elif isinstance(value, bytes) or _is_image(value):
            pictures.append(Picture(value, i, advice))
        elif isinstance(value, np.ndarray):
            pictures.append(Picture(value, i))
        elif isinstance(value, Picture):
            pictures.append(value)
        elif is_missing(value):
            raise ValueError(
                f"X has a missing value at index {i}: {value!r}. Drop this row, and its label."
            )
        elif hasattr(value, "__array__"):
            pictures.append(Picture(np.asarray(value), i))
        else:
            hint = "numpy.asarray makes an array of nested lists."
            raise TypeError(
                f"X has to hold paths, Pillow images or arrays, but has {type(value).__name__} at "
                f"index {i}. {hint if isinstance(value, list | tuple) else ''}".rstrip()
            )
    return Inputs(pictures)


def _listed(X: Any) -> list[Any]:
    import narwhals as nw
    from scipy.sparse import issparse

    if isinstance(X, str | bytes | os.PathLike) or _is_image(X):
        named = f", {_shortened(os.fspath(X))!r}" if isinstance(X, str | os.PathLike) else ""
        raise ValueError(
            f"X has to be a collection of images, got one {type(X).__name__}{named}. For a single "
            "image pass [image]; sktransfer.datasets.read_image_folder reads a folder."
        )
    if X is None or issparse(X) or isinstance(X, dict | set | frozenset):
        raise TypeError(f"X has to be {_EXPECTED}, got {type(X).__name__}.")
    native = nw.from_native(X, pass_through=True, allow_series=True, eager_only=True)
    if isinstance(native, nw.DataFrame):
        if native.shape[1] != 1:
            raise ValueError(
                f"X has {native.shape[1]} columns ({', '.join(map(str, native.columns))}), but one "
                "column of images is expected: pass X['...']."
            )
        return native.get_column(native.columns[0]).to_list()
    if isinstance(native, nw.Series):
        return native.to_list()
    if hasattr(X, "__array__") and not isinstance(X, np.ndarray):
        X = np.asarray(X)
    if isinstance(X, np.ndarray):
        return _of_array(X)
    if not isinstance(X, Iterable):
        raise TypeError(f"X has to be {_EXPECTED}, got {type(X).__name__}.")
    return list(X)


def _of_array(X: np.ndarray) -> list[Any]:
    if X.ndim and len(X) == 0:
        return []
    if X.dtype.kind == "S":
        raise ValueError(
            "X is an array of bytes, which loses those that are 0: pass a list of the files' "
            "contents, or paths as str."
        )
    if X.dtype.kind in "OU":
        if X.ndim == 2 and X.shape[1] == 1:
            X = X[:, 0]
        if X.ndim == 1:
            return X.tolist()
        if X.dtype.kind == "U":
            raise ValueError(
                f"X is an array of str of shape {X.shape}, expected one path for each image."
            )
    if (X.ndim == 3 and X.shape[2] in (3, 4)) or X.ndim == 2:
        one = " If this is one picture, pass X[None]." if min(X.shape[:2]) > 1 else ""
        table = " Rows of pixels become pictures by X.reshape(n, height, width)."
        raise ValueError(
            f"X is an array of shape {X.shape}, expected (n, height, width) or (n, height, width, "
            f"3).{one}{table if X.ndim == 2 else ''}"
        )
    if X.ndim not in (3, 4):
        raise ValueError(
            f"X is an array of shape {X.shape}, expected (n, height, width) or (n, height, width, "
            "3)."
        )
    if X.ndim == 4 and X.shape[1] in _CHANNELS and X.shape[3] not in _CHANNELS:
        raise ValueError(
            f"X is an array of shape {X.shape}, expected (n, height, width, 3). Channels come "
            "last: X.transpose(0, 2, 3, 1)."
        )
    return list(X)


def _path(value: Any, index: int) -> Any:
    path = os.fspath(value)
    if isinstance(path, str) and is_url(path):
        decode = ""
        if path.startswith("data:"):
            decode = " Of a data URL, base64.b64decode(url.partition(',')[2]) gives the bytes."
        raise ValueError(
            f"X has a URL at index {index}: {_shortened(path)!r}. URLs are not fetched: download "
            f"the file first, and give its path.{decode}"
        )
    return os.path.expanduser(path)


def _shortened(path: Any) -> Any:
    return path if len(path) <= _SHOWN else f"{path[:_SHOWN]}..."


def _is_image(value: Any) -> bool:
    """Tell an image of Pillow, without importing it."""
    return any(cls.__module__ == "PIL.Image" for cls in type(value).__mro__)
