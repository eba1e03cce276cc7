"""A folder with a manifest: replaced by two renames, and every file checked by its hash."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

FORMAT = "sktransfer"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
_MAX_MANIFEST_BYTES = 64 * 2**20
_ATTEMPTS = 20
# Seconds for which a folder that others keep replacing is read again.
_PATIENCE = 10.0

_T = TypeVar("_T")


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder that becomes ``path`` when the block ends without an error.

    Parameters
    ----------
    path : pathlib.Path
        Must not exist, or be a folder with a manifest of ours, which is replaced.

    Yields
    ------
    folder : pathlib.Path
        Beside ``path``, so that it can be renamed.

    Raises
    ------
    FileExistsError
        If something else is at ``path``.
    OSError
        If it cannot be written; names the path.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not _is_ours(path):
        raise FileExistsError(
            f"{path} exists and is no model that sktransfer saved; choose another path."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to save {path.name!r} in.")
    restore(path)
    _remove_leftovers(path)
    folder = path.with_name(f".{path.name}.new-{os.getpid()}-{secrets.token_hex(4)}")
    folder.mkdir()
    try:
        yield folder
        _sync(folder)
        _put_in_place(folder, path)
    except OSError as error:
        if error.filename is None:
            raise OSError(error.errno, f"Saving to {path} failed: {error}") from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_manifest(folder: Path, content: dict[str, Any]) -> None:
    """Write the manifest, with the hash of every file that is in the folder.

    Parameters
    ----------
    folder : pathlib.Path
        Holds all other files already.
    content : dict
        JSON-compatible.
    """
    members = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            name = file.relative_to(folder).as_posix()
            members[name] = {"sha256": _sha256(file), "bytes": file.stat().st_size}
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        **content,
        "members": members,
    }
    manifest["checksum"] = _checksum(manifest)
    text = json.dumps(manifest, indent=1, ensure_ascii=True)
    path = folder / MANIFEST
    path.write_text(text, encoding="utf-8")
    for name in members:
        # safetensors writes files that only their owner may read, whatever the umask says.
        os.chmod(folder / name, path.stat().st_mode)


def read_manifest(folder: Path, *, members: bool = True) -> dict[str, Any]:
    """Read the manifest, and check every file that it names.

    Parameters
    ----------
    folder : pathlib.Path
        What `new_folder` left.
    members : bool, default=True
        Whether the files are checked, which takes as long as reading all of them.

    Returns
    -------
    manifest : dict

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or a file is missing.
    ValueError
        If the folder is no saved model, is of a newer format, or a file is damaged.
    """
    path = folder / MANIFEST
    restore(folder)
    if folder.is_file():
        raise ValueError(f"{folder} is a file, but sktransfer saves a model as a folder.")
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    if not path.is_file():
        raise ValueError(f"{folder} is no model that sktransfer saved: it has no {MANIFEST}.")
    if path.stat().st_size > _MAX_MANIFEST_BYTES:
        raise ValueError(f"{path} is larger than any manifest can be.")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ValueError(f"{path} is no manifest of sktransfer.")
    version = manifest.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ValueError(
            f"{folder} has the format version {version}, this sktransfer reads up to "
            f"{FORMAT_VERSION}: pip install --upgrade sktransfer."
        )
    if manifest.pop("checksum", None) != _checksum(manifest):
        raise ValueError(f"{path} is damaged: its checksum does not match.")
    if members:
        _check_members(folder, manifest.get("members"))
    return manifest


def restore(path: Path) -> None:
    """Put a folder back that a process, killed between two renames, had moved aside.

    Parameters
    ----------
    path : pathlib.Path
        Where the folder should be.
    """
    path = Path(os.path.realpath(path))
    if not path.exists():
        for kind, leftover in _leftovers(path):
            if kind == "old":
                os.rename(leftover, path)
                return


def identity(path: Path) -> tuple[int, int] | None:
    """Tell one folder from another that took its place.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    identity : tuple of int or None
        None where nothing is.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    # The inode number alone is not enough: the next new folder may get it again.
    return status.st_ino, status.st_mtime_ns


def is_replaced(path: Path, before: tuple[int, int] | None) -> bool:
    """Tell whether a folder was replaced since it was looked at, or is being replaced now.

    Parameters
    ----------
    path : pathlib.Path
    before : tuple of int or None
        Its `identity` at that time.

    Returns
    -------
    replaced : bool
    """
    if identity(path) != before:
        return True
    # Between the two renames of a save there is nothing at the path. If the second rename
    # happened after the check above, the folder is there again.
    path = Path(os.path.realpath(path))
    return _is_moved_aside(path) or identity(path) != before


def patiently(path: Path, read: Callable[[], _T]) -> _T:
    """Read a folder, and read it again if another process replaced it meanwhile.

    Parameters
    ----------
    path : pathlib.Path
        The folder.
    read : callable
        Reads it; what it raises is raised if nobody replaces the folder.

    Returns
    -------
    content : object
        What ``read`` returned.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        before = identity(path)
        try:
            return read()
        except (OSError, ValueError):
            # The files of a folder that was replaced are not those of the manifest that was read.
            if time.monotonic() > deadline or not is_replaced(path, before):
                raise
            time.sleep(0.01)


def _is_ours(folder: Path) -> bool:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(manifest, dict) and manifest.get("format") == FORMAT


def _check_members(folder: Path, members: Any) -> None:
    if not isinstance(members, dict):
        raise ValueError(f"{folder / MANIFEST} does not name its members.")
    for name, expected in members.items():
        _check_member(folder, name, expected)
    for file in folder.rglob("*"):
        name = file.relative_to(folder).as_posix()
        if file.is_file() and name not in (MANIFEST, *members) and not file.name.startswith("."):
            raise ValueError(f"{file} is not named in the manifest; remove it.")


def _check_member(folder: Path, name: str, expected: Any) -> None:
    if not isinstance(expected, dict) or not isinstance(expected.get("sha256"), str):
        raise ValueError(f"{folder / MANIFEST} has no SHA-256 for {name!r}.")
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name:
        raise ValueError(f"{folder / MANIFEST} names {name!r}, which is outside the folder.")
    file = folder / name
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing.")
    actual = _sha256(file)
    if actual != expected["sha256"]:
        raise ValueError(
            f"{file} is damaged: its SHA-256 is {actual}, expected {expected['sha256']}."
        )


def _checksum(manifest: dict[str, Any]) -> str:
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _sha256(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    """Bring files to the disk before the rename that makes them visible."""
    for file in folder.rglob("*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # pragma: no cover
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put_in_place(folder: Path, path: Path) -> None:
    old = path.with_name(f".{path.name}.old-{os.getpid()}-{secrets.token_hex(4)}")
    for attempt in range(_ATTEMPTS):
        try:
            if path.exists():
                os.rename(path, old)
            os.rename(folder, path)
            break
        except OSError:
            # Another process may be saving here at the same time; the last one wins.
            if old.exists() and not path.exists():
                os.rename(old, path)
            if attempt == _ATTEMPTS - 1 or not folder.exists():
                raise
            shutil.rmtree(old, ignore_errors=True)
    _sync_folder(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def _remove_leftovers(path: Path) -> None:
    """Clean up after processes that were killed while they saved here."""
    for _, leftover in _leftovers(path):
        shutil.rmtree(leftover, ignore_errors=True)


def _leftovers(path: Path) -> list[tuple[str, Path]]:
    """List folders that processes which no longer run left beside a path."""
    return [(kind, folder) for kind, pid, folder in _beside(path) if not _is_running(pid)]


def _is_moved_aside(path: Path) -> bool:
    """Tell whether a process that runs is between its two renames, or just after them."""
    return any(kind == "old" and _is_running(pid) for kind, pid, _ in _beside(path))


def _beside(path: Path) -> list[tuple[str, int, Path]]:
    """List the new and old folders beside a path, with the processes that made them."""
    found = []
    prefix = f".{path.name}."
    for leftover in path.parent.iterdir() if path.parent.is_dir() else ():
        kind, _, rest = leftover.name.removeprefix(prefix).partition("-")
        pid, _, token = rest.partition("-")
        named_by_us = leftover.name.startswith(prefix) and pid.isdigit() and len(token) == 8
        if named_by_us and kind in ("new", "old"):
            found.append((kind, int(pid), leftover))
    return found


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
