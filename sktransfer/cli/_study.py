"""The study of `tune`: where it is kept, and which model came of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["about_study", "is_model_of", "is_trained_with", "note_model", "storage_beside"]

# Attribute of a study: the settings of the model that came of it, and the hash of its manifest.
_MODEL = "model"
_DEFAULT_NAME = "search"


def storage_beside(model: Path | None) -> str | None:
    """Give the file beside a model that keeps its study; without a model there is none.

    Parameters
    ----------
    model : Path or None
        Where the model is to be saved.

    Returns
    -------
    storage : str or None
    """
    return None if model is None else f"{os.fspath(model)}.study.db"


def about_study(storage: str | None) -> str:
    """Say where a study is kept, and whether it goes on.

    Parameters
    ----------
    storage : str or None
        File or URL.

    Returns
    -------
    sentence : str
        Without its full stop.
    """
    if storage is None:
        return "the study is not kept: with --model or --storage the same command goes on with it"
    if "://" in storage:
        return "the study is in the database; the same command goes on with it"
    if Path(storage).expanduser().exists():
        return f"going on with the study in {storage}"
    return f"the study is kept in {storage}; the same command goes on with it"


def is_model_of(storage: str | None, study_name: str | None, model: Path) -> bool:
    """Say whether a model is the one that an earlier call of a study saved.

    Parameters
    ----------
    storage : str or None
        File or URL.
    study_name : str or None
        In the storage.
    model : Path
        Folder of the model, which need not exist.

    Returns
    -------
    is_model : bool
    """
    if storage is None or (manifest := _hash_of(model)) is None:
        return False
    import optuna

    from sktransfer.tuning._study import existing_storage

    try:
        opened = existing_storage(storage)
        study = optuna.load_study(study_name=study_name or _DEFAULT_NAME, storage=opened)
    except (FileNotFoundError, ValueError, KeyError):  # there is no study yet
        return False
    return study.user_attrs.get(_MODEL, {}).get("manifest") == manifest


def is_trained_with(study: Any, params: Mapping[str, Any], model: Path, embedded: bool) -> bool:
    """Say whether a model is there that was trained with the best settings of a study.

    Parameters
    ----------
    study : optuna.study.Study
        Which has noted its model.
    params : mapping of str to object
        The best settings.
    model : Path
        Folder of the model.
    embedded : bool
        Whether it has to have the pretrained weights.

    Returns
    -------
    is_trained : bool
    """
    return study.user_attrs.get(_MODEL) == _note(params, model, embedded)


def note_model(study: Any, params: Mapping[str, Any], model: Path, embedded: bool) -> None:
    """Note in a study which model came of it.

    Parameters
    ----------
    study : optuna.study.Study
        Of the search.
    params : mapping of str to object
        The settings of the model.
    model : Path
        Its folder.
    embedded : bool
        Whether it has the pretrained weights.
    """
    study.set_user_attr(_MODEL, _note(params, model, embedded))


def _note(params: Mapping[str, Any], model: Path, embedded: bool) -> dict[str, Any]:
    settings = {key: repr(value) for key, value in params.items()}
    return {"settings": settings, "embedded": embedded, "manifest": _hash_of(model)}


def _hash_of(model: Path) -> str | None:
    from sktransfer.persistence.folder import MANIFEST

    path = model / MANIFEST
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
