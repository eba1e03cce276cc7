"""Read members of zip and tar files that may be hostile: all checks first, then the content.

Nothing is ever extracted to disk, so a bad name could not do harm here. It is refused all the
same: no honest archive has one.
"""

from __future__ import annotations

import gzip
import io
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

__all__ = ["ArchiveError", "Limits", "read_tar_gz", "read_zip"]


class ArchiveError(ValueError):
    """An archive that is broken, or that is not read because no honest one looks like it."""


class Limits(NamedTuple):
    """The most that an archive may hold.

    Attributes
    ----------
    members : int
        Number of entries, folders included.
    member_bytes : int
        Uncompressed size of each entry.
    total_bytes : int
        Uncompressed size of all entries together, the ones not asked for included.
    """

    members: int
    member_bytes: int
    total_bytes: int


def read_zip(blob: bytes, pick: Callable[[str], bool], limits: Limits) -> dict[str, bytes]:
    """Read some members of a zip file.

    Parameters
    ----------
    blob : bytes
        The zip file.
    pick : callable
        Given a member's name, says whether it is wanted.
    limits : Limits
        Checked against all members, by their declared sizes, before any is read.

    Returns
    -------
    contents : dict of str to bytes
        By name, in order of names.

    Raises
    ------
    ArchiveError
        If the file is broken, over a limit, or has a name that is absolute, leaves the archive or
        occurs twice, or a member that is not a plain file or folder, or encrypted.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(blob)) as archive:
            infos = archive.infolist()
            # orig_filename: zipfile cuts filename at a NUL and turns backslashes over on Windows.
            _check(((info.orig_filename, info.file_size) for info in infos), limits)
            for info in infos:
                _check_zip_kind(info)
            wanted = [info for info in infos if not info.is_dir() and pick(info.filename)]
            contents = {info.filename: _read_zip_member(archive, info) for info in wanted}
    except ArchiveError:
        raise
    except Exception as error:  # zipfile answers broken input with a dozen kinds of exception
        raise ArchiveError(f"not a readable zip file: {error}") from error
    return dict(sorted(contents.items()))


def read_tar_gz(blob: bytes, pick: Callable[[str], bool], limits: Limits) -> dict[str, bytes]:
    """Read some members of a tar file compressed with gzip.

    Parameters
    ----------
    blob : bytes
        The compressed tar file.
    pick : callable
        Given a member's name, says whether it is wanted.
    limits : Limits
        Checked against all members before any is read.

    Returns
    -------
    contents : dict of str to bytes
        By name, in order of names.

    Raises
    ------
    ArchiveError
        If the file is broken, over a limit, or has a name that is absolute, leaves the archive or
        occurs twice, or a member that is not a plain file or folder.
    """
    # Even listing a tar means decompressing all of it, and its extended headers are read whole. So
    # the stream is cut off first; each member may add two blocks of header and padding, an
    # extended header as much again, and the end is padded to 10 KiB.
    longest = limits.total_bytes + limits.members * 4096 + 10240
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(blob)) as stream:
            plain = stream.read(longest + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ArchiveError(f"not a readable gzip file: {error}") from error
    if len(plain) > longest:
        raise ArchiveError(f"the archive holds more than {limits.total_bytes} bytes")
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
            infos = archive.getmembers()
            _check(((info.name, info.size) for info in infos), limits)
            for info in infos:
                _check_tar_kind(info)
            wanted = [info for info in infos if info.isreg() and pick(info.name)]
            contents = {info.name: _read_tar_member(archive, info) for info in wanted}
    except ArchiveError:
        raise
    except Exception as error:  # as above
        raise ArchiveError(f"not a readable tar file: {error}") from error
    return dict(sorted(contents.items()))


def _check(members: Iterable[tuple[str, int]], limits: Limits) -> None:
    """Refuse bad names, duplicates and sizes over the limits."""
    seen: set[str] = set()
    total = 0
    for name, size in members:
        if not _is_safe(name):
            raise ArchiveError(f"the archive has a member with an unsafe name: {name!r}")
        # "a" and "a/" are the same place, and so are "a" and "A" on many systems.
        key = name.rstrip("/").casefold()
        if key in seen:
            raise ArchiveError(f"the archive has two members named {name!r}")
        seen.add(key)
        if len(seen) > limits.members:
            raise ArchiveError(f"the archive has more than {limits.members} members")
        if not 0 <= size <= limits.member_bytes:
            raise ArchiveError(f"{name!r} has {size} bytes, more than {limits.member_bytes}")
        total += size
        if total > limits.total_bytes:
            raise ArchiveError(f"the archive holds more than {limits.total_bytes} bytes")


def _is_safe(name: str) -> bool:
    """Say whether a name is a plain relative path on every system; a folder may end in a slash."""
    # Colons: Windows drives and streams. Control characters: nobody's file names.
    if re.search(r"[\\:\x00-\x1f\x7f]", name):
        return False
    parts = name.removesuffix("/").split("/")
    return all(part not in ("", ".", "..") for part in parts)


def _check_zip_kind(info: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the zip was made without Unix modes
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveError(f"{info.filename!r} is a link or a special file")
    if info.flag_bits & 0x1:
        raise ArchiveError(f"{info.filename!r} is encrypted")
    # That _read_zip_member stops in time is known of these two methods only.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveError(f"{info.filename!r} is compressed in an unusual way")


def _read_zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    # The declared size was checked, the real one may be larger. read(n) inflates no further than
    # n, and then compares the CRC; read() would inflate everything and cut the result.
    with archive.open(info) as stream:
        content = stream.read(info.file_size)
    if len(content) != info.file_size:
        raise ArchiveError(f"{info.filename!r} is shorter than declared")
    return content


def _check_tar_kind(info: tarfile.TarInfo) -> None:
    if not (info.isreg() or info.isdir()):
        raise ArchiveError(f"{info.name!r} is a link or a special file")
    if info.issparse():
        raise ArchiveError(f"{info.name!r} is a sparse file")


def _read_tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(info)
    assert stream is not None  # None is for links and folders, and this is neither
    with stream:
        return stream.read()
