"""Which files are images, by their suffixes, and which of them are read."""

from __future__ import annotations

import os
import sys
from typing import Any

__all__ = [
    "is_of_image",
    "is_read",
    "names_of_read",
    "packages_of_added",
    "suffix_of",
    "suffixes_of_read",
]

# Pillow would hand PostScript over to another program, and has readers that hardly anybody looks
# at. These are what cameras, browsers and scanners write; by Pillow's names, in the order in which
# they are tried.
_READ = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".mpo",),
    "PNG": (".png",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "AVIF": (".avif",),
    "JPEG2000": (".jp2",),
}
# Those that a user adds to Pillow, as pillow_heif.register_heif_opener() does.
_IF_REGISTERED = {"HEIF": (".heic", ".heif", ".hif")}
_SUFFIXES = {
    suffix: name for name, suffixes in {**_READ, **_IF_REGISTERED}.items() for suffix in suffixes
}
# Drawings, what cameras store before they make a picture of it, and what editors keep.
_NOT_READ = {".svg", ".svgz", ".eps", ".psd", ".xcf", ".ico", ".tga", ".jxl", ".exr", ".dcm"}
_NOT_READ |= {".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".raf"}
_NOT_READ |= {".orf", ".rw2", ".pef", ".srw", ".x3f", ".3fr", ".iiq"}


def names_of_read() -> list[str]:
    """Name the formats that are read, as Pillow does.

    Returns
    -------
    names : list of str
        In the order in which they are tried. Pillow may have been built without some of them.
    """
    return [*_READ, *_registered()]


def suffixes_of_read() -> frozenset[str]:
    """Give the suffixes of formats that are read, or can be registered with Pillow.

    Returns
    -------
    suffixes : frozenset of str
        In small letters, with their dots.
    """
    return frozenset(_SUFFIXES)


def suffix_of(name: str | os.PathLike[str]) -> str:
    """Give the suffix of a file, in small letters.

    Parameters
    ----------
    name : str or path-like
        Of the file, which need not exist.

    Returns
    -------
    suffix : str
        With its dot; empty if there is none.
    """
    return os.path.splitext(os.path.basename(os.fspath(name)))[1].lower()


def is_read(name: str | os.PathLike[str]) -> bool:
    """Tell by its suffix whether a file is an image of a format that is read.

    Parameters
    ----------
    name : str or path-like
        Of the file, which need not exist.

    Returns
    -------
    is_read : bool

    Examples
    --------
    >>> from sktransfer.images.formats import is_read
    >>> is_read("holiday.JPG"), is_read("holiday.svg")
    (True, False)
    """
    called = _SUFFIXES.get(suffix_of(name))
    return called in _READ or called in _registered()


def is_of_image(name: str | os.PathLike[str]) -> bool:
    """Tell by its suffix whether a file is an image, be its format read or not.

    Parameters
    ----------
    name : str or path-like
        Of the file, which need not exist.

    Returns
    -------
    is_of_image : bool

    Examples
    --------
    >>> from sktransfer.images.formats import is_of_image
    >>> is_of_image("holiday.JPG"), is_of_image("holiday.svg"), is_of_image("holiday.txt")
    (True, True, False)
    """
    suffix = suffix_of(name)
    return suffix in _SUFFIXES or suffix in _NOT_READ


def packages_of_added() -> list[str]:
    """Name the packages that read formats which Pillow does not.

    Returns
    -------
    packages : list of str
        As they are imported.
    """
    factories = [_openers()[name][0] for name in _registered()]
    return sorted({factory.__module__.partition(".")[0] for factory in factories})


def _registered() -> list[str]:
    return [name for name in _IF_REGISTERED if name in _openers()]


def _openers() -> dict[str, Any]:
    # Whoever registers an opener has imported Pillow, so that it need not be imported here.
    return getattr(sys.modules.get("PIL.Image"), "OPEN", {})
