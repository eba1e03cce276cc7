"""Fingerprints of searches, which have to be equal for searches that share a study."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Mapping, Sequence
from typing import Any

import joblib
import numpy as np
from scipy.sparse import issparse
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sktransfer._compat.sklearn import BaseScorer
from sktransfer.contracts import Plugin
from sktransfer.contracts.inputs import HashedInput
from sktransfer.estimators._search_space import Tunable

# Parameters that do not change results, such as where and how fast something runs.
_INDIFFERENT = {"cache", "callbacks", "device", "memory", "n_jobs", "pre_dispatch", "verbose"}
# Random states are drawn from, so that they differ from one call to the next.
_BY_CLASS = (np.random.RandomState, np.random.Generator)
# Types of values that a study can store.
STORABLE = (type(None), bool, int, float, str)
_PLAIN = (*STORABLE, complex, bytes)
# Platforms differ in the width of integers and in the order of bytes.
_DTYPES = {"b": "|b1", "i": "<i8", "u": "<u8", "f": "<f8", "c": "<c16"}


class UndescribedError(ValueError):
    """A value cannot be told from others of its class."""


def describe_search(search: Any, evaluation: Any, data: Sequence[Any]) -> dict[str, Any] | None:
    """Describe what searches that share a study have in common, in values that JSON holds.

    None is a search in memory, which shares no study, with something that cannot be described.
    """
    from optuna.distributions import distribution_to_json

    space = search.search_space_
    try:
        return {
            "search_space": {key: distribution_to_json(each) for key, each in space.items()},
            "estimator": settings_of_estimator(search.estimator, space),
            "scoring": name_of_scoring(search.scoring),
            "metric": evaluation.metric,
            "data": digest_of_data(*data),
            "folds": digest_of_data(
                *(r for fold in evaluation.folds for r in (fold.train, fold.test))
            ),
        }
    except UndescribedError:
        if search.storage is not None:
            raise
        return None


def key_of_fit(estimator: Any, described: Mapping[str, Any]) -> str:
    """Hash all that the fit of an estimator on the data of a search depends on, device included."""
    devices = {k: v for k, v in estimator.get_params().items() if k.endswith("device")}
    return digest_of_data(described, settings_of_estimator(estimator, {}), devices)


def settings_of_estimator(estimator: Any, space: Mapping[str, Any]) -> dict[str, str]:
    """Describe the parameters that are not searched, equally on every machine.

    So are those that are searched, and stand as something that the first trial cannot keep.
    """
    return {"class": _name_of(estimator)} | {
        key: _described(value)
        for key, value in estimator.get_params(deep=True).items()
        if (key not in space or not isinstance(value, STORABLE))
        and key.rpartition("__")[2] not in _INDIFFERENT
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
    elif hasattr(part, "get_params") and not isinstance(part, type):
        digest.update(f"{hash_of_fitted(part)};".encode())
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
    if isinstance(value, os.PathLike):
        return f"path {os.fspath(value)!r}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_item, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{k}: {_described(v)}' for k, v in value.items())}}}"
    if isinstance(value, FrozenEstimator):
        return f"{_name_of(value)} {hash_of_fitted(value)}"
    if isinstance(value, HashedInput):
        return f"{_name_of(value)} {value.digest.hex()}"
    if isinstance(value, BaseScorer):
        return repr(value)
    # Functions and classes are found by their names. A search clones estimators, whose parameters
    # are described one by one beside them.
    if hasattr(value, "__qualname__") or hasattr(value, "get_params"):
        return _name_of(value)
    return _name_of(value) if isinstance(value, _BY_CLASS) else f"{_name_of(value)} {_hash(value)}"


def _name_of(value: Any) -> str:
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{getattr(named, '__module__', 'builtins')}.{named.__qualname__}"


def _item(value: Any) -> str:
    """Describe an item of a list, whose parameters are not described beside it."""
    if isinstance(value, Plugin):
        return repr(settings_of_estimator(value, {}))
    return _described(value)


def hash_of_fitted(estimator: Any) -> str:
    """Hash what a fitted estimator, which a search does not clone, has learned."""
    if isinstance(estimator, FrozenEstimator):
        return hash_of_fitted(estimator.estimator)
    if isinstance(estimator, Pipeline):
        return digest_of_data([(name, hash_of_fitted(step)) for name, step in estimator.steps])
    if isinstance(estimator, Tunable) and hasattr(estimator, "net_"):
        model: Any = estimator
        state, task = model.net_.state, model._fitted_task()
        # The fingerprint stands for the pretrained weights, wherever the backbone finds them.
        learned = {name: v for name, v in state.__getstate__().items() if name != "backbone"}
        learned["head"] = _item(state.head)
        learned["task"] = {} if task is None else task.attributes()
        return digest_of_data(_name_of(estimator), learned)
    if not hasattr(estimator, "get_params"):  # such as "passthrough" in a pipeline
        return _described(estimator)
    learned = {name: v for name, v in vars(estimator).items() if name not in _INDIFFERENT}
    return digest_of_data(_name_of(estimator), learned)


def _hash(value: Any) -> str:
    try:
        # Copies differ from what they are made of in which equal parts are one object, which the
        # hash depends on; copies of copies do not.
        return joblib.hash(pickle.loads(pickle.dumps(value)))
    except Exception as error:  # whatever the pickling of the value raises
        raise UndescribedError(
            f"A search with a storage has to tell {value!r} from others of its class, by what it "
            f"holds, but that cannot be pickled ({type(error).__name__}: {error}). Pass something "
            "that can be pickled, or leave storage out."
        ) from error
