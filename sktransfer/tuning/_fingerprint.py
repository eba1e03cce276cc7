"""Fingerprints of searches, which have to be equal for searches that share a study."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.sparse import issparse

from sktransfer._compat.sklearn import BaseScorer

# Parameters that do not change results, such as where and how fast something runs.
_INDIFFERENT = {"cache", "callbacks", "device", "memory", "n_jobs", "pre_dispatch", "verbose"}
_PLAIN = (bool, int, float, complex, str, bytes, type(None))
# Platforms differ in the width of integers and in the order of bytes.
_DTYPES = {"b": "|b1", "i": "<i8", "u": "<u8", "f": "<f8", "c": "<c16"}


def settings_of_estimator(estimator: Any, space: Mapping[str, Any]) -> dict[str, str]:
    """Describe the parameters that are not searched, equally on every machine."""
    return {"class": _described(estimator)} | {
        key: _described(value)
        for key, value in estimator.get_params(deep=True).items()
        if key not in space and key.rpartition("__")[2] not in _INDIFFERENT
    }


def name_of_scoring(scoring: Any) -> Any:
    """Describe the ``scoring`` of a search in values that JSON holds."""
    if isinstance(scoring, str) or scoring is None:
        return scoring
    if isinstance(scoring, Mapping):
        return {str(key): name_of_scoring(value) for key, value in sorted(scoring.items())}
    if isinstance(scoring, list | tuple | set):
        return sorted(scoring)
    # The repr of a scorer has its function, sign and arguments.
    return repr(scoring) if isinstance(scoring, BaseScorer) else _described(scoring)


def digest_of_data(*parts: Any) -> str:
    """Hash arrays, sparse matrices, frames, sequences, and mappings of these."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        _update(digest, part)
    return digest.hexdigest()


def _update(digest: Any, part: Any) -> None:
    if isinstance(part, Mapping):
        for key in sorted(part, key=str):
            digest.update(f"{key}:".encode(errors="replace"))
            _update(digest, part[key])
    elif issparse(part):
        part = part.tocsr()
        for array in (np.array(part.shape), part.data, part.indices, part.indptr):
            _update(digest, array)
    elif hasattr(part, "to_numpy"):  # a frame or a series of any library
        digest.update(repr(list(map(str, getattr(part, "columns", [])))).encode(errors="replace"))
        _update(digest, part.to_numpy())
    elif isinstance(part, np.ndarray) and (kind := part.dtype.kind) in _DTYPES:
        digest.update(f"{kind}{part.shape}".encode() + part.astype(_DTYPES[kind]).tobytes())
    elif isinstance(part, np.ndarray | list | tuple):
        items = part.tolist() if isinstance(part, np.ndarray) else part
        digest.update(f"[{len(items)}".encode())
        for item in items:
            _update(digest, item)
    else:
        digest.update(f"{_described(part)};".encode(errors="replace"))


def _described(value: Any) -> str:
    """Describe a value without addresses and other parts that differ between processes."""
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
