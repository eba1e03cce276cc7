"""Validation of texts, whatever they come in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from sktransfer._warnings import warn_user
from sktransfer.contracts import Inputs
from sktransfer.contracts.validation import is_missing


def check_texts(X: Any, *, fitting: bool = False, pairs: bool = False, start: int = 0) -> Inputs:
    """Validate texts, and turn them into str.

    Parameters
    ----------
    X : list, tuple, ndarray, Series, one-column frame or other iterable of n str
        pandas, polars and pyarrow are understood.
    fitting : bool, default=False
        Whether the texts are for training: then blank ones warn, and only blank ones are an error.
    pairs : bool, default=False
        Whether a frame of two columns is accepted.
    start : int, default=0
        Number of the first text, for messages.

    Returns
    -------
    texts : Inputs of n str, or of n (str, str)
        Lone surrogates, which no encoder can read, are replaced.

    Raises
    ------
    ValueError
        If X is one string, has several columns, is empty, or has missing values.
    TypeError
        If X is no collection, or something in it is neither text nor missing.
    """
    columns = _columns(X)
    if columns is not None and len(columns) == 2 and pairs:
        sides: list[Inputs] = []
        for name, column in columns.items():
            try:
                sides.append(check_texts(column, fitting=fitting and not sides))
            except (TypeError, ValueError) as error:
                raise type(error)(f"In the column {name!r}: {error}") from None
        return Inputs(list(zip(*sides, strict=True)), columns=tuple(columns))
    values = _flatten(X, columns)
    if not values:
        raise ValueError("X is empty: found 0 texts while a minimum of 1 is required.")
    missing = [i for i, value in enumerate(values) if is_missing(value)]
    if missing:
        raise ValueError(
            f"X has {len(missing)} missing value(s) among {_which(values, start)} (first at index "
            f"{start + missing[0]}: {values[missing[0]]!r}). Drop these rows or replace them by ''."
        )
    wrong = [i for i, value in enumerate(values) if not isinstance(value, str)]
    if wrong:
        kind = type(values[wrong[0]]).__name__
        hint = {
            "bytes": "Decode them: [x.decode() for x in X].",
            "tuple": "Pairs of texts are a frame of two columns: pandas.DataFrame(X).",
            "list": "Pairs of texts are a frame of two columns: pandas.DataFrame(X).",
            "dict": "For one column of records, pass X['...'].",
        }.get(kind, "Convert them, for example with [str(x) for x in X].")
        raise TypeError(
            f"X has to hold str, but {len(wrong)} of {len(values)} are not (first at index "
            f"{start + wrong[0]}: {kind}). {hint}"
        )
    if fitting:
        _check_blank(values)
    return Inputs([_clean(value) for value in values])


def _which(values: list[Any], start: int) -> str:
    """Say which texts were looked at: of an iterator a part."""
    return f"the texts {start} to {start + len(values) - 1}" if start else f"{len(values)} texts"


def _columns(X: Any) -> dict[str, list[Any]] | None:
    """Give the one or two columns of a frame; None for what is no frame."""
    import narwhals as nw

    native = nw.from_native(X, pass_through=True, eager_only=True)
    if not isinstance(native, nw.DataFrame):
        return None
    if native.shape[1] not in (1, 2):
        raise ValueError(
            f"X has {native.shape[1]} columns ({', '.join(map(str, native.columns))}), but one "
            "column of texts is expected: pass X['...']."
        )
    # By position: a frame that pandas made of an array has numbers for names.
    return {str(column.name): column.to_list() for column in native.iter_columns()}


def _flatten(X: Any, columns: dict[str, list[Any]] | None) -> list[Any]:
    import narwhals as nw
    from scipy.sparse import issparse

    if isinstance(X, str | bytes):
        raise ValueError(
            f"X has to be a collection of texts, got one {type(X).__name__}. For a single text "
            "pass [text]."
        )
    if X is None or issparse(X) or isinstance(X, dict | set | frozenset):
        raise TypeError(
            f"X has to be a list, array, Series or one-column frame of str, got {type(X).__name__}."
        )
    if columns is not None:
        if len(columns) != 1:
            raise ValueError(
                f"X has 2 columns ({', '.join(columns)}), but one column of texts is "
                "expected: pass X['...']. (Pairs of texts need a backbone that reads pairs.)"
            )
        return next(iter(columns.values()))
    native = nw.from_native(X, pass_through=True, allow_series=True, eager_only=True)
    if isinstance(native, nw.Series):
        return native.to_list()
    if isinstance(X, np.ndarray):
        if X.ndim == 2 and X.shape[1] == 1:
            X = X[:, 0]
        if X.ndim != 1:
            raise ValueError(
                f"X has to be one-dimensional, got an array of shape {X.shape}: one text a row. "
                "(Pairs of texts are a frame of two columns, such as pandas.DataFrame(X).)"
            )
        return X.tolist()
    if hasattr(X, "to_pylist"):
        return X.to_pylist()
    if not isinstance(X, Iterable):
        raise TypeError(
            f"X has to be a list, array, Series or one-column frame of str, got {type(X).__name__}."
        )
    return list(X)


def _check_blank(values: list[str]) -> None:
    blank = [i for i, value in enumerate(values) if not value.strip()]
    if len(blank) == len(values):
        raise ValueError(
            f"X has no text: all {len(values)} are empty or blank (first at index {blank[0]})."
        )
    if blank:
        warn_user(
            f"{len(blank)} of {len(values)} texts in X are empty or blank (first at index "
            f"{blank[0]}); they are trained on as they are."
        )


def _clean(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return str(text)
