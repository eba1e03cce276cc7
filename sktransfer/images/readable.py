"""Which pictures can be read; a file that does not change is decoded for that once a process."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable

from sktransfer.images.decoding import import_pillow
from sktransfer.images.formats import packages_of_added
from sktransfer.images.lazy import Picture

__all__ = ["unreadable"]

# Files that were read, as they were then. The fits of a search are given the same ones.
_READ: set[Hashable] = set()
# About 100 MB of them; then it begins anew.
_MOST = 2**18


def unreadable(pictures: Iterable[Picture]) -> dict[int, str]:
    """Decode pictures, and forget them.

    Parameters
    ----------
    pictures : iterable of n Picture

    Returns
    -------
    bad : dict of int to str
        Position of each one that cannot be decoded, and why.
    """
    bad = {}
    for i, picture in enumerate(pictures):
        key = _key(picture)
        if key in _READ:
            continue
        try:
            # At a fraction of its size all of a file is read, too.
            picture.decoded(at_least=1)
        except ValueError as error:
            bad[i] = str(error)
            continue
        if key is not None:
            if len(_READ) >= _MOST:
                _READ.clear()
            _READ.add(key)
    return bad


def _key(picture: Picture) -> Hashable:
    """Say what makes a file the one that was read; None for what is no file."""
    what: Hashable
    if isinstance(picture.source, str):
        try:
            status = os.stat(picture.source)
        except (OSError, ValueError):  # a NUL is no part of a path
            return None
        what = picture.source, status.st_size, status.st_mtime_ns, status.st_ino
    elif isinstance(picture.source, bytes):
        what = picture.digest
    else:  # has its pixels already, so that a key would take longer
        return None
    import_pillow()
    from PIL import Image, ImageFile

    # A user may set them, and they decide about the same file.
    added = tuple(packages_of_added())
    return what, Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, added
