"""What a saved model says of itself, without its weights and without torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sktransfer.contracts.registry import find
from sktransfer.persistence.folder import MANIFEST, patiently, read_manifest

__all__ = ["About", "about", "estimator_class"]

_COLUMNS = ("input", "label")


@dataclass(frozen=True)
class About:
    """What a saved model says of itself.

    Attributes
    ----------
    estimator : type
        Its class.
    columns : dict of str to str
        Names of the columns of the table that it was trained on: of its ``"input"`` and of its
        ``"label"``; empty where it was trained on no table, or by an earlier version.
    """

    estimator: type
    columns: dict[str, str]


def about(path: str | os.PathLike[str]) -> About:
    """Read what a saved model says of itself; its other files are not checked.

    Parameters
    ----------
    path : str or path-like
        The folder.

    Returns
    -------
    about : About

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If the folder is no saved model, or is damaged, or its estimator is not installed.
    """
    folder = Path(path)
    manifest = patiently(folder, lambda: read_manifest(folder, members=False))
    columns = manifest.get("columns", {})
    try:
        if not (
            isinstance(columns, dict)
            and all(k in _COLUMNS and isinstance(v, str) for k, v in columns.items())
        ):
            raise ValueError(f"its columns are {columns!r}, where names of columns are expected")
        return About(estimator_class(manifest.get("estimator")), columns)
    except ValueError as error:
        raise ValueError(f"{folder / MANIFEST} cannot be read: {error}") from error


def estimator_class(name: Any) -> type:
    """Find the class of a saved estimator; raise a ValueError if nobody has it."""
    info = find("estimator", str(name))
    if info is None:
        raise ValueError(
            f"it holds an estimator of the kind {name!r}, which no installed distribution has"
        )
    cls: type = info.factory()
    return cls
