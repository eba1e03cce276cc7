"""What a study is about: two searches may share trials if all of this is equal."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse

from sktransfer._compat.sklearn import BaseScorer

# Of these nothing depends but where, how fast and how loudly something runs.
_INDIFFERENT = {"cache", "callbacks", "device", "memory", "n_jobs", "pre_dispatch", "verbose"}
_PLAIN = (bool, int, float, complex, str, bytes, type(None))
# Platforms differ in what they call an integer, and in the order of its bytes.
_WIDE = {"b": "|b1", "i": "<i8", "u": "<u8", "f": "<f8", "c": "<c16"}


def settings_of_estimator(estimator: Any, space: Mapping[str, Any]) -> dict[str, str]:
    """Describe an estimator, but for what is searched.

    Parameters
    ----------
    estimator : estimator
        Not fitted.
    space : mapping of str to object
        Keys are the parameters that are searched.

    Returns
    -------
    settings : dict of str to str
        The same in every process and on every machine.
    """
    found = {
        key: _described(value)
        for key, value in estimator.get_params(deep=True).items()
        if key not in space and key.rpartition("__")[2] not in _INDIFFERENT
    }
    return {"class": _described(estimator), **found}


def name_of_scoring(scoring: Any) -> Any:
    """Name what is scored.

    Parameters
    ----------
    scoring : object
        As a search takes it.

    Returns
    -------
    name : str, list, dict or None
        What JSON holds.
    """
    if isinstance(scoring, str) or scoring is None:
        return scoring
    if isinstance(scoring, Mapping):
        return {str(key): name_of_scoring(value) for key, value in sorted(scoring.items())}
    if isinstance(scoring, list | tuple | set):
        return sorted(scoring)
    # Scorers of scikit-learn show their function, sign and arguments.
    return repr(scoring) if isinstance(scoring, BaseScorer) else _described(scoring)


def digest_of_data(*parts: Any) -> str:
    """Name what is trained on: inputs, targets, and what belongs to each row.

    Parameters
    ----------
    *parts : array, sparse matrix, frame, sequence or mapping of such, or None
        Each of one entry a row.

    Returns
    -------
    digest : str
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        _feed(digest, part)
    return digest.hexdigest()


def digest_of_folds(folds: Sequence[Any]) -> str:
    """Name the rows of the folds.

    Parameters
    ----------
    folds : sequence of Fold
        In their order.

    Returns
    -------
    digest : str
    """
    return digest_of_data(*(rows for fold in folds for rows in (fold.train, fold.test)))


def _feed(digest: Any, part: Any) -> None:
    if isinstance(part, Mapping):
        for key in sorted(part, key=str):
            digest.update(f"{key}:".encode(errors="replace"))
            _feed(digest, part[key])
        return
    if issparse(part):
        part = part.tocsr()
        for own in (np.array(part.shape), part.data, part.indices, part.indptr):
            _feed(digest, own)
        return
    if hasattr(part, "to_numpy"):
        digest.update(repr(list(map(str, getattr(part, "columns", [])))).encode(errors="replace"))
        part = part.to_numpy()
    if isinstance(part, np.ndarray):
        kind = part.dtype.kind
        if kind in _WIDE:
            digest.update(f"{kind}{part.shape}".encode() + part.astype(_WIDE[kind]).tobytes())
            return
        part = part.tolist()
    if isinstance(part, list | tuple):
        digest.update(f"[{len(part)}".encode())
        for item in part:
            _feed(digest, item)
        return
    digest.update(f"{_described(part)};".encode(errors="replace"))


def _described(value: Any) -> str:
    """Describe a value without what changes from process to process, such as addresses."""
    if isinstance(value, np.ndarray):
        return digest_of_data(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_described, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{k}: {_described(v)}' for k, v in value.items())}}}"
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"
