"""Validate the images of users, and find those that cannot be decoded."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from sktransfer.contracts import Inputs
from sktransfer.contracts.inputs import is_missing
from sktransfer.images.decode import import_pillow
from sktransfer.images.formats import is_url, packages_of_added
from sktransfer.images.image import Picture

__all__ = ["check_pictures", "unreadable"]

_EXPECTED = (
    "a list, Series or one-column frame of paths, Pillow images or arrays, or an array of shape "
    "(n, height, width) or (n, height, width, 3)"
)
# Keys of files that were decoded without an error, since all fits of a search read the same files.
_READ: set[Hashable] = set()
# Largest number of keys, which take about 100 MB; then all are dropped.
_MOST = 2**18


def check_pictures(X: Any, *, start: int = 0, advice: str = "", missing: bool = False) -> Inputs:
    """Validate images, without decoding them.

    Parameters
    ----------
    X : list, tuple, ndarray, Series, one-column frame or other iterable of n images
        Images, each of which is a path (str or path-like), the bytes of a file, a dict of these two
        with the keys "bytes" and "path", an image of Pillow, or an array, in a container of numpy,
        pandas or polars or another iterable. An array of three dimensions holds grey images. In a
        path, ``~`` is the home folder.
    start : int, default=0
        Number of the first image, for messages.
    advice : str, default=""
        Sentence for the error of a file that cannot be decoded. Errors of arrays have their own.
    missing : bool, default=False
        Whether a missing value is an image that cannot be decoded; otherwise it is an error.

    Returns
    -------
    pictures : Inputs of n Picture

    Raises
    ------
    ValueError
        If X is one image, is empty, has several columns, missing values or URLs.
    TypeError
        If X is not a collection, or an item is not an image.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer.images.validation import check_pictures
    >>> [picture.decoded().shape for picture in check_pictures(np.zeros((2, 5, 7)))]
    [(5, 7, 3), (5, 7, 3)]
    """
    pictures = [
        Picture(None, i, advice) if missing and is_missing(x) else _picture(x, i, advice)
        for i, x in enumerate(_listed(X), start=start)
    ]
    if not pictures:
        raise ValueError("X is empty: found 0 images while a minimum of 1 is required.")
    return Inputs(pictures)


def _picture(value: Any, i: int, advice: str) -> Picture:
    if isinstance(value, Picture):
        return value
    if isinstance(value, dict) and value.keys() == {"bytes", "path"}:
        # A row of an image column of the datasets library.
        value = value["path"] if value["bytes"] is None else value["bytes"]
    if isinstance(value, str | os.PathLike):
        path = os.fspath(value)
        if isinstance(path, str) and is_url(path):
            data = " base64.b64decode(url.partition(',')[2]) gives the bytes of a data URL."
            raise ValueError(
                f"X has a URL at index {i}: {_shortened(path)!r}. URLs are not fetched: download "
                f"the file first, and give its path.{data if path.startswith('data:') else ''}"
            )
        return Picture(os.path.expanduser(path), i, advice)
    if isinstance(value, bytes) or _is_image(value):
        return Picture(value, i, advice)
    if is_missing(value):
        raise ValueError(
            f"X has a missing value at index {i}: {value!r}. Drop this row, and its label."
        )
    if hasattr(value, "__array__"):
        return Picture(np.asarray(value), i)
    hint = " numpy.asarray makes an array of nested lists."
    raise TypeError(
        f"X has to hold paths, Pillow images or arrays, got {type(value).__name__} at index {i}."
        f"{hint if isinstance(value, list | tuple) else ''}"
    )


def _listed(X: Any) -> Iterable[Any]:
    import narwhals as nw
    from scipy.sparse import issparse

    if isinstance(X, str | bytes | os.PathLike) or _is_image(X):
        named = f", {_shortened(os.fspath(X))!r}" if isinstance(X, str | os.PathLike) else ""
        raise ValueError(
            f"X has to be a collection of images, got one {type(X).__name__}{named}. For a single "
            "image pass [image]; sktransfer.datasets.read_image_folder reads a folder."
        )
    native = nw.from_native(X, pass_through=True, allow_series=True, eager_only=True)
    if isinstance(native, nw.DataFrame):
        if native.shape[1] != 1:
            raise ValueError(
                f"X has {native.shape[1]} columns ({', '.join(map(str, native.columns))}), but one "
                "column of images is expected: pass X['...']."
            )
        native = native.get_column(native.columns[0])
    if isinstance(native, nw.Series):
        return native.to_list()
    unordered = issparse(X) or isinstance(X, dict | set | frozenset)
    if not unordered and hasattr(X, "__array__"):
        return _of_array(np.asarray(X))
    if unordered or not isinstance(X, Iterable):
        raise TypeError(f"X has to be {_EXPECTED}, got {type(X).__name__}.")
    return X


def _of_array(X: np.ndarray) -> list[Any]:
    if X.dtype.kind == "S":
        raise ValueError(
            "X is an array of bytes, which loses those that are 0: pass a list of the files' "
            "contents, or paths as str."
        )
    if X.dtype.kind in "OU" and X.shape[1:] in ((), (1,)) and X.ndim:
        return X.ravel().tolist()
    if X.ndim and not len(X):
        return []
    hint = ""
    if X.dtype.kind == "U":
        hint = " One path for each image is a list, or an array of one dimension."
    elif X.ndim == 2 or (X.ndim == 3 and X.shape[2] in (3, 4)):
        hint = " One image is X[None]; rows of pixels are X.reshape(n, height, width)."
    elif X.ndim == 4 and X.shape[1] in (1, 3, 4) and X.shape[3] not in (1, 3, 4):
        hint = " Channels come last: X.transpose(0, 2, 3, 1)."
    elif X.ndim in (3, 4):
        return list(X)
    raise ValueError(
        f"X is an array of shape {X.shape}, expected (n, height, width) or (n, height, width, "
        f"3).{hint}"
    )


def _shortened(path: Any) -> Any:
    return path if len(path) <= 80 else f"{path[:80]}..."


def _is_image(value: Any) -> bool:
    """Return whether a value is an image of Pillow, without importing Pillow."""
    return any(cls.__module__ == "PIL.Image" for cls in type(value).__mro__)


def unreadable(pictures: Iterable[Picture]) -> dict[int, str]:
    """Find the images that cannot be decoded.

    A file that does not change is decoded once in a process.

    Parameters
    ----------
    pictures : iterable of n Picture
        Images.

    Returns
    -------
    bad : dict of int to str
        Position of each image that cannot be decoded, and the reason.
    """
    bad = {}
    for i, picture in enumerate(pictures):
        # An array needs no key, which would take longer to compute than the check.
        key = _key(picture) if isinstance(picture.source, str | bytes) else None
        if key in _READ:
            continue
        try:
            # All of a file is read, also if it is decoded at a fraction of its size.
            picture.decoded(at_least=1)
        except ValueError as error:
            bad[i] = str(error)
            continue
        if key is not None:
            if len(_READ) >= _MOST:
                _READ.clear()
            _READ.add(key)
    return bad


def _key(picture: Picture) -> Hashable:
    """Return a key that changes with a file, its decoders and their limits."""
    Image = import_pillow()
    from PIL import ImageFile

    limits = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES  # a user may set them
    return picture.identity, limits, tuple(packages_of_added())
