"""The files of inputs below a folder, and what is said of those that are not read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from sktransfer.contracts.shell import FileFormats
from sktransfer.images.formats import suffix_of

__all__ = ["Found", "files_below", "folder_at", "is_shown", "not_read", "unpack_hint"]

_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")
# Beside hidden ones: what a Mac adds to zip files, and storage of one make to every folder.
_NO_CLASSES = {"__MACOSX", "@eaDir"}
_NAMED = 5


class Found(NamedTuple):
    """Files of inputs, sorted.

    Attributes
    ----------
    read : list of str
        Those whose format is read.
    unread : list of str
        Those whose format is not.
    """

    read: list[str]
    unread: list[str]

    @classmethod
    def among(cls, paths: Sequence[str], formats: FileFormats) -> Found:
        """Sort out files; those that are hidden or no inputs are passed over."""
        paths = sorted(path for path in paths if is_shown(os.path.basename(path)))
        return cls(
            [path for path in paths if formats.is_read(path)],
            [path for path in paths if formats.is_known(path) and not formats.is_read(path)],
        )


def files_below(path: str | os.PathLike[str], formats: FileFormats) -> Found:
    """Give the files of inputs below a folder.

    Parameters
    ----------
    path : str or path-like
        The folder. Links to folders are followed, and no folder is read twice.
    formats : FileFormats
        Which files hold inputs.

    Returns
    -------
    found : Found
        Their paths begin with ``path``.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If there is no such folder.
    """
    root = folder_at(path, f"a folder of {formats.plural}")
    # What lies above counts as read: a link to it would bring the images of other classes in.
    above = os.path.realpath(root)
    seen = {_identity(above)}
    while os.path.dirname(above) != above:
        above = os.path.dirname(above)
        seen.add(_identity(above))
    if os.path.islink(root):
        seen.add(_identity(os.path.dirname(os.path.abspath(root))))
    found = Found([], [])
    for folder, below, files in os.walk(root, followlinks=True, onerror=_fail):
        kept = []
        for name in sorted(below):
            identity = _identity(os.path.join(folder, name))
            if is_shown(name) and identity not in seen:
                seen.add(identity)
                kept.append(name)
        below[:] = kept  # where os.walk goes on
        here = Found.among([os.path.join(folder, name) for name in files], formats)
        # A pipe would be waited for, for ever; a link that leads nowhere is an error later on.
        found.read.extend(p for p in here.read if os.path.isfile(p) or not os.path.exists(p))
        found.unread.extend(here.unread)
    return Found(sorted(found.read), sorted(found.unread))


def folder_at(path: str | os.PathLike[str], expected: str) -> str:
    """Give the folder's name, if there is such a folder.

    Parameters
    ----------
    path : str or path-like
        A ``~`` is the home folder.
    expected : str
        What it should be, for messages.

    Returns
    -------
    root : str

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If there is none.
    """
    root = os.path.expanduser(os.fsdecode(path))
    if not os.path.exists(root):
        here = "" if os.path.isabs(root) else f" in {os.getcwd()!r}"
        raise FileNotFoundError(f"There is no {root!r}{here}; expected {expected}.")
    if not os.path.isdir(root):
        raise NotADirectoryError(f"{root!r} is a file; expected {expected}.{unpack_hint(root)}")
    return root


def unpack_hint(path: str | os.PathLike[str]) -> str:
    """Say what to do with an archive that stands where a folder should.

    Parameters
    ----------
    path : str or path-like
        Of a file.

    Returns
    -------
    sentence : str
        After a space; empty for what is no archive by its suffix.
    """
    return " Unpack it first." if os.fspath(path).lower().endswith(_ARCHIVES) else ""


def is_shown(name: str) -> bool:
    """Tell files and folders of a user's from hidden ones and those of other programs.

    Parameters
    ----------
    name : str
        Without the folder that it lies in.

    Returns
    -------
    is_shown : bool
    """
    return not name.startswith(".") and name not in _NO_CLASSES


def not_read(unread: Sequence[str], formats: FileFormats) -> str:
    """Say which files are left out for their formats.

    Parameters
    ----------
    unread : sequence of str
        At least one path.
    formats : FileFormats
        What they should be converted to.

    Returns
    -------
    sentence : str

    Examples
    --------
    >>> from sktransfer.datasets._image_files import not_read
    >>> from sktransfer.images.formats import IMAGES
    >>> not_read(["1.HEIC", "2.heic"], IMAGES)
    '2 files of formats that are not read (.heic) are left out: convert them to JPEG.'
    """
    suffixes = [suffix for suffix, _ in Counter(map(suffix_of, unread)).most_common()]
    named = ", ".join(suffixes[:_NAMED]) + (", ..." if len(suffixes) > _NAMED else "")
    one = len(unread) == 1
    files = "1 file of a format that is" if one else f"{len(unread):,} files of formats that are"
    left, them = ("is", "it") if one else ("are", "them")
    convert = f": convert {them} to {formats.convert_to}" if formats.convert_to else ""
    return f"{files} not read ({named}) {left} left out{convert}."


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _fail(error: OSError) -> None:
    """Stop os.walk, which would leave out a folder that it may not read."""
    raise error
