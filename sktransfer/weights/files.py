"""Hashes of files, settings in JSON files, and folders that are replaced in one step."""

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

__all__ = ["check_files", "file_sha256", "is_intact", "locked", "read_json", "replaced"]


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
    """Read a file of settings.

    Parameters
    ----------
    path : pathlib.Path
        A file in JSON.
    kind : {dict, list}
        Expected type of its content.

    Returns
    -------
    content : dict or list

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not JSON, or its content has another type.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is missing; download the model again.") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(value, kind):
        raise ValueError(f"{path} has to hold a {kind.__name__}, got a {type(value).__name__}.")
    return value


def check_files(
    folder: Path, sha256: Mapping[str, str], settings: Iterable[str] = (), *, advice: str = ""
) -> None:
    """Check that files exist and have the hashes that are known.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the files.
    sha256 : mapping of str to str
        Expected hash of each file, by its path in the folder.
    settings : iterable of str, default=()
        Files that only have to exist.
    advice : str, default=""
        Sentence that ends the error.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    OSError
        If a file has another hash.
    """
    for file in (*sha256, *settings):
        path = folder / file
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing. {advice}")
        if file in sha256 and (actual := file_sha256(path)) != sha256[file]:
            raise OSError(
                f"{path} is damaged or not the file it should be: its SHA-256 is {actual}, "
                f"expected {sha256[file]}. {advice}"
            )


def is_intact(folder: Path, sha256: Mapping[str, str], settings: Iterable[str] = ()) -> bool:
    """Return whether `check_files` finds nothing wrong."""
    try:
        check_files(folder, sha256, settings)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from replacing the content of a folder.

    Temporary folders of processes that were killed are removed.

    Parameters
    ----------
    folder : pathlib.Path
        The folder, which is made if it does not exist. Readers need no lock.

    Yields
    ------
    nothing : None

    Raises
    ------
    OSError
        If the folder cannot be written; the message says which variable to set.
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
        # A process that still used one of these would hold the lock.
        for pattern in (".new-*", ".download-*"):
            for left in folder.glob(pattern):
                shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Fill a new folder that replaces another one if the block ends without an error.

    Parameters
    ----------
    folder : pathlib.Path
        The folder to replace, which need not exist. Its parent is `locked`.

    Yields
    ------
    new : pathlib.Path
        An empty folder in the same file system, so that it is moved in one step.
    """
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as temporary:
        new = Path(temporary, "new")
        new.mkdir()
        yield new
        if folder.exists():
            # A folder cannot be replaced in one step. Files that are open stay readable.
            os.rename(folder, Path(temporary, "old"))
        os.rename(new, folder)
