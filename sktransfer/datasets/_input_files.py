"""Find the files of inputs below a folder, and describe those whose format is not read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sktransfer.contracts.shell import FileFormats

__all__ = ["Found", "files_below", "folder_at", "is_shown", "not_read", "unpack_hint"]

_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")
# Folders that are not hidden, but made by other programs: by macOS in zip files, and by Synology.
_NO_CLASSES = {"__MACOSX", "@eaDir"}
_MOST_SUFFIXES = 5


class Found(NamedTuple):
    """Sorted paths of the files of inputs.

    Attributes
    ----------
    read : list of str
        Files of formats that are read.
    unread : list of str
        Files of formats that are not read.
    """

    read: list[str]
    unread: list[str]

    @classmethod
    def among(cls, paths: Sequence[str], formats: FileFormats) -> Found:
        """Sort paths of files; hidden files and files of other kinds are left out."""
        paths = sorted(path for path in paths if is_shown(os.path.basename(path)))
        return cls(
            [path for path in paths if formats.is_read(path)],
            [path for path in paths if formats.is_known(path) and not formats.is_read(path)],
        )


def files_below(
    path: str | os.PathLike[str], formats: FileFormats, apart: Sequence[str] = ()
) -> Found:
    """Find the files of inputs in a folder and in the folders in it.

    Parameters
    ----------
    path : str or path-like
        The folder. Links to folders are followed, and no folder is read twice.
    formats : FileFormats
        Formats of the inputs.
    apart : sequence of str, default=()
        Folders, without links in their paths, into which no link is followed.

    Returns
    -------
    found : Found
        Paths that begin with ``path``.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If there is no such folder.
    """
    root = folder_at(path, f"a folder of {formats.plural}")
    # Folders above count as read: a link to one of them would add the inputs of other classes.
    real = Path(root).resolve()
    seen = {str(folder) for folder in (real, *real.parents)}
    if os.path.islink(root):
        seen.add(os.path.realpath(os.path.dirname(os.path.abspath(root))))
    found = Found([], [])
    for folder, below, files in os.walk(root, followlinks=True, onerror=_fail):
        kept = []
        for name in sorted(below):
            real_path = os.path.realpath(os.path.join(folder, name))
            led_away = any(Path(real_path).is_relative_to(other) for other in apart)
            if is_shown(name) and real_path not in seen and not led_away:
                seen.add(real_path)
                kept.append(name)
        below[:] = kept  # the folders in which os.walk goes on
        here = Found.among([os.path.join(folder, name) for name in files], formats)
        # Reading a pipe would wait for ever. A broken link stays, and is an error when it is read.
        found.read.extend(p for p in here.read if os.path.isfile(p) or not os.path.exists(p))
        found.unread.extend(here.unread)
    return Found(sorted(found.read), sorted(found.unread))


def folder_at(path: str | os.PathLike[str], expected: str) -> str:
    """Check that there is a folder, and return its path.

    Parameters
    ----------
    path : str or path-like
        The folder; ``~`` is the home folder.
    expected : str
        Description of the folder for messages.

    Returns
    -------
    root : str

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If there is no such folder.
    """
    root = os.path.expanduser(os.fsdecode(path))
    if not os.path.exists(root):
        here = "" if os.path.isabs(root) else f" in {os.getcwd()!r}"
        raise FileNotFoundError(f"There is no {root!r}{here}; expected {expected}.")
    if not os.path.isdir(root):
        raise NotADirectoryError(f"{root!r} is a file; expected {expected}.{unpack_hint(root)}")
    return root


def unpack_hint(path: str | os.PathLike[str]) -> str:
    """Return the advice to unpack an archive, after a space; empty for other files."""
    return " Unpack it first." if os.fspath(path).lower().endswith(_ARCHIVES) else ""


def is_shown(name: str) -> bool:
    """Return whether the name of a file or folder is neither hidden nor of another program."""
    return not name.startswith(".") and name not in _NO_CLASSES


def not_read(unread: Sequence[str], formats: FileFormats) -> str:
    """Describe the files that are left out because of their formats, in one sentence.

    Parameters
    ----------
    unread : sequence of str
        Paths of one file or more.
    formats : FileFormats
        Formats of the inputs, with the one to convert to.

    Returns
    -------
    sentence : str

    Examples
    --------
    >>> from sktransfer.datasets._input_files import not_read
    >>> from sktransfer.images.formats import IMAGES
    >>> not_read(["1.HEIC", "2.heic"], IMAGES)
    '2 files of formats that are not read (.heic) are left out: convert them to JPEG.'
    """
    counts = Counter(os.path.splitext(path)[1].lower() for path in unread)
    suffixes = [suffix for suffix, _ in counts.most_common()]
    more = ", ..." if len(suffixes) > _MOST_SUFFIXES else ""
    named = ", ".join(suffixes[:_MOST_SUFFIXES]) + more
    one = len(unread) == 1
    files = "1 file of a format that is" if one else f"{len(unread):,} files of formats that are"
    left, them = ("is", "it") if one else ("are", "them")
    convert = f": convert {them} to {formats.convert_to}" if formats.convert_to else ""
    return f"{files} not read ({named}) {left} left out{convert}."


def _fail(error: OSError) -> None:
    """Stop os.walk, which would leave out a folder that cannot be read."""
    raise error
