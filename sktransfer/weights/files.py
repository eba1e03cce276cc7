"""Hashes of files, settings in files, and folders that are complete or not there."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["MISSING", "file_sha256", "locked", "mismatches", "read_json", "replaced"]

MISSING = "missing"


def file_sha256(path: Path) -> str:
    """Compute the SHA-256 of a file, once per process for an unchanged file.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    digest : str
        Hexadecimal.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sktransfer.weights import file_sha256
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "empty")
    ...     file.touch()
    ...     file_sha256(file)[:16]
    'e3b0c44298fc1c14'
    """
    stat = path.stat()
    return _sha256(os.fspath(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ino)


@functools.lru_cache(maxsize=256)
def _sha256(path: str, size: int, mtime_ns: int, inode: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: Path, kind: type) -> Any:
    """Read a file of settings; an error names it."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is missing; download the model again.") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(value, kind):
        raise ValueError(f"{path} has to hold a {kind.__name__}, got a {type(value).__name__}.")
    return value


def mismatches(
    folder: Path, sha256: Mapping[str, str], settings: Iterable[str] = ()
) -> dict[str, str]:
    """Give the hash of each file that is not what it has to be.

    Parameters
    ----------
    folder : pathlib.Path
        Where the files should be.
    sha256 : mapping of str to str
        File to hash.
    settings : iterable of str
        Files that only have to be there.

    Returns
    -------
    wrong : dict of str to str
        File to the hash that it has, or to ``MISSING``.
    """
    found = {
        file: file_sha256(folder / file) if (folder / file).is_file() else MISSING
        for file in sha256
    }
    wrong = {file: actual for file, actual in found.items() if actual != sha256[file]}
    return wrong | {file: MISSING for file in settings if not (folder / file).is_file()}


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from replacing what is in a folder; it is made if need be.

    Parameters
    ----------
    folder : pathlib.Path
        Reading from it asks for no lock.

    Yields
    ------
    nothing : None
    """
    from filelock import FileLock

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire()
    except OSError as error:
        raise OSError(
            f"{folder} cannot be written ({error.strerror}): set SKTRANSFER_CACHE to a folder that "
            "can."
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Give an empty folder that takes the place of another when the block ends without an error.

    Parameters
    ----------
    folder : pathlib.Path
        It need not exist. The one above it is `locked`.

    Yields
    ------
    new : pathlib.Path
        In the same file system, so that the move is one step.
    """
    # Whoever left these behind was killed, or else it would hold the lock.
    for left in folder.parent.glob(".new-*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as temporary:
        new = Path(temporary, "new")
        new.mkdir()
        yield new
        if folder.exists():
            # A folder cannot be replaced in one step. Who reads the old one keeps what is open.
            os.rename(folder, Path(temporary, "old"))
        os.rename(new, folder)
