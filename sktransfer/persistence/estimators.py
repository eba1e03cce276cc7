"""Estimators as folders: the trained weights, and a reference to the pretrained ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sktransfer._warnings import warn_user
from sktransfer.contracts import Backbone, Fingerprint, Head, Task, resolve
from sktransfer.contracts.registry import modality_class
from sktransfer.persistence.about import estimator_class
from sktransfer.persistence.codec import NotInstalledError, decode, encode
from sktransfer.persistence.folder import (
    MANIFEST,
    new_folder,
    patiently,
    read_manifest,
    write_manifest,
)

__all__ = ["load", "save"]

_LIBRARIES = ("sktransfer", "scikit-learn", "torch", "transformers", "safetensors")
# Parameters that can hold live objects, with the types of the values that are saved. They only
# matter to the next fit, but for the cache: a folder of this machine that predictions write to.
_LIVE: dict[str, tuple[type, ...]] = {
    "cache": (NoneType,),
    "callbacks": (NoneType,),
    "random_state": (NoneType, int),
    "scoring": (NoneType, str),
    "validation_fraction": (NoneType, float, int),
}
_WEIGHTS = "weights.safetensors"
_PRETRAINED = "pretrained"
# No callbacks, as earlier versions saved them.
_EMPTY: tuple[Any, ...] = ([], {"$": "tuple", "items": []})
# Parameters that may hold a fitted estimator, which has a folder of its own.
_INNER = ("source", "backbone")
# Written apart from the other fitted attributes.
_MODEL = ("net_", "backbone_")


def save(
    estimator: Any,
    path: str | os.PathLike[str],
    *,
    embed_backbone: bool = False,
    columns: Mapping[str, str] | None = None,
) -> None:
    """Write a fitted estimator into a folder.

    Parameters
    ----------
    estimator : estimator of sktransfer
        Fitted.
    path : str or path-like
        A folder that does not exist yet, or one that this function wrote, which is replaced.
    embed_backbone : bool, default=False
        Whether to copy the pretrained weights.
    columns : mapping of str to str or None, default=None
        Names of the columns of the table that it was trained on: of its ``"input"`` and of its
        ``"label"``.
    """
    # The folder that is about to be replaced may hold the only copy of the backbone.
    embed_backbone = embed_backbone or _lies_in(encode(estimator.net_.state.backbone), Path(path))
    with new_folder(Path(path)) as folder:
        _write(estimator, folder, embed_backbone, columns)


def load(path: str | os.PathLike[str], *, trust_remote_code: bool = False) -> Any:
    """Read an estimator that ``save`` wrote; every file is checked by its hash.

    Nothing in the folder is executed. Pretrained weights that were stored by reference are loaded
    when they are first needed, and checked then.

    Parameters
    ----------
    path : str or path-like
        The folder.
    trust_remote_code : bool, default=False
        Whether code that comes with a pretrained model may run; the folder cannot decide that.

    Returns
    -------
    estimator : estimator of sktransfer
        Fitted; predicts what the saved one did.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or a file of it is missing.
    ValueError
        If the folder is no saved model, or a file is damaged; names the file. Or if a plugin that
        the model uses is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from sktransfer import TransferTextClassifier, load
    >>> clf = TransferTextClassifier("hashing", freeze="frozen", random_state=0)
    >>> clf = clf.fit(["fine day", "bad day"], ["good", "bad"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     clf.save(f"{folder}/model")
    ...     load(f"{folder}/model").predict(["fine"])
    array(['good'], dtype='<U4')
    """
    path = Path(path)
    return patiently(path, lambda: _read(path, trust_remote_code))


def _lies_in(value: Any, path: Path) -> bool:
    """Tell whether an encoded value holds a path into a folder."""
    if isinstance(value, dict):
        if value.get("$") == "path":
            return Path(value["value"]).resolve().is_relative_to(path.resolve())
        return any(_lies_in(item, path) for item in value.values())
    return isinstance(value, list) and any(_lies_in(item, path) for item in value)


def _write(
    estimator: Any,
    folder: Path,
    embed_backbone: bool,
    columns: Mapping[str, str] | None = None,
) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    state = estimator.net_.state
    backbone = state.backbone
    unlearned: dict[str, Any] = {}
    if embed_backbone:
        (folder / _PRETRAINED).mkdir()
        encoder = backbone.load(device="cpu", random_state=state.backbone_seed)
        backbone = backbone.export(encoder, folder / _PRETRAINED)
        unlearned = _unlearned(estimator, state.backbone, backbone)
    tensors = {f"body.{name}": value for name, value in state.body.items()}
    tensors |= {f"head.{name}": value for name, value in state.head_weights.items()}
    tensors |= {f"term.{name}": value for name, value in state.term_weights.items()}
    try:
        save_file(tensors, folder / _WEIGHTS)
    except SafetensorError as error:
        raise OSError(f"{_WEIGHTS} of {folder} cannot be written: {error}") from error
    content = {
        "versions": {name: version(name) for name in _LIBRARIES},
        "estimator": type(estimator).__name__,
        **({} if columns is None else {"columns": dict(columns)}),
        "params": _encode_params(estimator, folder, embed_backbone),
        "fitted": {
            name: encode(value)
            for name, value in vars(estimator).items()
            if name.endswith("_") and not name.startswith("_") and name not in _MODEL
        },
        "model": {
            "backbone": _relative(encode(backbone), folder),
            "backbone_embedded": embed_backbone,
            "unlearned": unlearned,
            "backbone_seed": state.backbone_seed,
            "fingerprint": list(state.fingerprint),
            "head": encode(state.head),
            "n_outputs": state.n_outputs,
            "of_states": state.of_states,
        },
    }
    write_manifest(folder, content)


def _unlearned(estimator: Any, learned: Any, exported: Any) -> dict[str, Any]:
    """Give the parameters of a backbone before it learned from inputs, such as a vocabulary.

    Parameters that the export changed stay as the export wrote them.
    """
    if isinstance(estimator.backbone, FrozenEstimator):
        return {}
    before, after, stored = (
        {name: encode(value) for name, value in plugin.get_params(deep=False).items()}
        for plugin in (
            resolve("backbone", estimator.backbone, modality=estimator.modality),
            learned,
            exported,
        )
    )
    return {
        name: value
        for name, value in before.items()
        if name in after and value != after[name] == stored[name]
    }


def _encode_params(estimator: Any, folder: Path, embed_backbone: bool) -> dict[str, Any]:
    encoded: dict[str, Any] = {}
    for name, value in estimator.get_params(deep=False).items():
        if name == "cache" or (name == "callbacks" and not value):
            encoded[name] = None
            continue
        if isinstance(value, FrozenEstimator):
            inner = value.estimator
            (folder / name).mkdir()
            _write(
                inner[-1] if isinstance(inner, Pipeline) else inner, folder / name, embed_backbone
            )
            encoded[name] = {"$": "frozen", "folder": name}
            continue
        try:
            encoded[name] = encode(value)
            if name in _LIVE and not isinstance(encoded[name], _LIVE[name]):
                raise TypeError(f"{value!r} is no plain value.")
        except TypeError as error:
            if name not in (*_LIVE, *modality_class(estimator.modality).augmentations):
                raise TypeError(f"The parameter {name!r} cannot be saved: {error}") from error
            warn_user(
                f"The parameter {name}={value!r} is not saved; set it again before the next fit."
            )
            encoded[name] = None
    return encoded


def _read(folder: Path, trust_remote_code: bool) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from sktransfer.training.state import FittedNet, ModelState

    manifest = read_manifest(folder)
    try:
        cls: Any = estimator_class(manifest["estimator"])
        params = {
            k: _decode_param(k, v, folder, trust_remote_code) for k, v in manifest["params"].items()
        }
        model = manifest["model"]
        state = ModelState(
            backbone=_checked(decode(_absolute(model["backbone"], folder)), Backbone, "backbone"),
            backbone_seed=int(model["backbone_seed"]),
            fingerprint=_fingerprint(model["fingerprint"]),
            head=None if model["head"] is None else _checked(decode(model["head"]), Head, "head"),
            n_outputs=int(model["n_outputs"]),
            body={},
            head_weights={},
            of_states=bool(model.get("of_states", False)),
        )
        if model["backbone_embedded"] and not isinstance(params["backbone"], FrozenEstimator):
            before = {k: decode(v) for k, v in model.get("unlearned", {}).items()}
            params["backbone"] = clone(state.backbone).set_params(**before)
        for backbone in (state.backbone, params["backbone"]):
            if _wants_remote_code(backbone) and not trust_remote_code:
                raise ValueError(
                    "its backbone asks to run code that comes with the model. Read that code, "
                    "then pass load(..., trust_remote_code=True)"
                )
        fitted = {k: decode(v) for k, v in manifest["fitted"].items()}
        strange = [
            k
            for k in fitted
            if not k.endswith("_") or k.startswith("_") or k in _MODEL or hasattr(cls, k)
        ]
        if strange:
            raise ValueError(f"it sets {strange}, which are no fitted attributes")
        if _WEIGHTS not in manifest["members"]:
            raise ValueError(f"it does not name {_WEIGHTS}")
        tensors = load_file(folder / _WEIGHTS)
        earlier = modality_class(cls.modality).earlier_params(fitted)
        estimator = cls(**{**earlier, **params})
        parts = {"body": state.body, "head": state.head_weights, "term": state.term_weights}
        for key, value in tensors.items():
            part, _, name = key.partition(".")
            parts[part][name] = value
    except NotInstalledError:
        raise  # nothing is wrong with the file
    except (
        KeyError,
        TypeError,
        AttributeError,
        ValueError,
        RecursionError,
        SafetensorError,
    ) as error:
        raise ValueError(f"{folder / MANIFEST} cannot be read: {error}") from error
    for key, value in fitted.items():
        setattr(estimator, key, value)
    estimator.backbone_ = state.backbone
    estimator.net_ = FittedNet(state)
    _check_task(estimator, state, folder)
    return estimator


def _fingerprint(value: Any) -> Fingerprint:
    """Read a fingerprint: two strings, or one in which earlier versions joined them."""
    if isinstance(value, str):
        return Fingerprint.parse(value)
    if not (isinstance(value, list) and len(value) == 2 and all(isinstance(v, str) for v in value)):
        raise ValueError(f"its fingerprint is {value!r}, where two strings are expected")
    return Fingerprint(*value)


def _checked(value: Any, contract: type, part: str) -> Any:
    """Check that a decoded part of a model is a plugin of the kind that belongs there."""
    if not isinstance(value, contract):
        raise ValueError(
            f"its model has {value!r} as {part}, which is a {type(value).__name__} where a "
            f"{contract.__name__} is expected"
        )
    return value


def _check_task(estimator: Any, state: Any, folder: Path) -> None:
    """Check that the task of a model fits to its head."""
    try:
        task: Task | None = estimator._fitted_task()
        n_named = 0 if task is None else len(task.names)
        if task is not None and not isinstance(task.names, np.ndarray):
            raise ValueError("labels have to be an array")
        if (task is None) != (state.head is None):
            raise ValueError("a model has a head where its estimator predicts, and only there")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{folder / MANIFEST} cannot be read: {error!r}") from error
    if n_named != state.n_outputs:
        raise ValueError(
            f"{folder / MANIFEST} cannot be read: {state.n_outputs} outputs for {n_named} "
            "labels or targets"
        )


def _wants_remote_code(backbone: Any) -> bool:
    """Tell whether a backbone, or one that it wraps, would run a model's own code."""
    if not isinstance(backbone, Backbone):
        return False
    return any(
        value
        for name, value in backbone.get_params().items()
        if name.rpartition("__")[2] == "trust_remote_code"
    )


def _decode_param(name: str, value: Any, folder: Path, trust_remote_code: bool) -> Any:
    if isinstance(value, dict) and value.get("$") == "frozen":
        inner = str(value["folder"])
        # A link may lead out of the folder, or back to it.
        if inner not in _INNER or (folder / inner).resolve() != folder.resolve() / inner:
            raise ValueError(f"{inner!r} is outside the folder")
        return FrozenEstimator(_read(folder / inner, trust_remote_code))
    if name == "callbacks" and value in _EMPTY:
        value = None
    if name in _LIVE and not isinstance(value, _LIVE[name]):
        raise ValueError(
            f"its parameter {name!r} is {value!r}, where save writes "
            f"{' or '.join('null' if t is NoneType else t.__name__ for t in _LIVE[name])}: the "
            "folder was changed after it was saved. Get it again from where it comes from"
        )
    return decode(value)


def _relative(value: Any, folder: Path) -> Any:
    """Write paths into the folder relative to it, since the folder moves."""
    if isinstance(value, dict) and value.get("$") == "path":
        path = Path(value["value"])
        if path.is_relative_to(folder):
            return {"$": "path", "value": path.relative_to(folder).as_posix(), "inside": True}
    if isinstance(value, dict):
        return {key: _relative(item, folder) for key, item in value.items()}
    return [_relative(item, folder) for item in value] if isinstance(value, list) else value


def _absolute(value: Any, folder: Path) -> Any:
    """Undo `_relative`."""
    if isinstance(value, dict) and value.get("inside"):
        inner = Path(value["value"])
        if inner.is_absolute() or ".." in inner.parts:
            raise ValueError(f"{inner} is outside the folder")
        return {"$": "path", "value": str(folder.absolute() / inner)}
    if isinstance(value, dict):
        return {key: _absolute(item, folder) for key, item in value.items()}
    return [_absolute(item, folder) for item in value] if isinstance(value, list) else value
