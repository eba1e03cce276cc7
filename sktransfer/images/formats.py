"""Recognise images by the suffixes of their paths, and URLs."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from sktransfer.contracts.shell import FileFormats

__all__ = [
    "IMAGES",
    "is_of_image",
    "is_read",
    "is_url",
    "names_of_read",
    "packages_of_added",
    "suffix_of",
    "suffixes_of_read",
]

# Formats that cameras, browsers and scanners write, by Pillow's names, in the order in which they
# are tried. Pillow would run another program for PostScript, and has readers that few review.
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
# Formats that a user adds to Pillow, as by pillow_heif.register_heif_opener().
_IF_REGISTERED = {"HEIF": (".heic", ".heif", ".hif")}
_SUFFIXES = {
    suffix: name for name, suffixes in {**_READ, **_IF_REGISTERED}.items() for suffix in suffixes
}
# Drawings, raw data of cameras, and files of editors.
_NOT_READ = {".svg", ".svgz", ".eps", ".psd", ".xcf", ".ico", ".tga", ".jxl", ".exr", ".dcm"}
_NOT_READ |= {".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".raf"}
_NOT_READ |= {".orf", ".rw2", ".pef", ".srw", ".x3f", ".3fr", ".iiq"}


# A Path of a URL has one slash instead of two. A single letter before the colon is a drive.
_URL = re.compile(r"[a-z][a-z0-9+.-]+://|(https?|ftp|s3|gs):/|data:[\w/+.-]*[;,]", re.IGNORECASE)


def names_of_read() -> list[str]:
    """Return Pillow's names of the formats that are decoded, in the order of the trials."""
    return [*_READ, *_registered()]


def suffixes_of_read() -> frozenset[str]:
    """Return the suffixes of formats that are decoded, or can be registered with Pillow."""
    return frozenset(_SUFFIXES)


def suffix_of(name: str | os.PathLike[str]) -> str:
    """Return the suffix of a path in small letters, with its dot."""
    return os.path.splitext(os.path.basename(os.fspath(name)))[1].lower()


def is_read(name: str | os.PathLike[str]) -> bool:
    """Return whether a path has the suffix of a format that is decoded.

    Examples
    --------
    >>> from sktransfer.images.formats import is_read
    >>> is_read("holiday.JPG"), is_read("holiday.svg")
    (True, False)
    """
    return _SUFFIXES.get(suffix_of(name)) in names_of_read()


def is_of_image(name: str | os.PathLike[str]) -> bool:
    """Return whether a path has the suffix of an image, decoded or not.

    Examples
    --------
    >>> from sktransfer.images.formats import is_of_image
    >>> is_of_image("holiday.JPG"), is_of_image("holiday.svg"), is_of_image("holiday.txt")
    (True, True, False)
    """
    return suffix_of(name) in {*_SUFFIXES, *_NOT_READ}


def is_url(path: str) -> bool:
    """Return whether a path is an address on the web or a data URL.

    Examples
    --------
    >>> from sktransfer.images.formats import is_url
    >>> is_url("https://example.org/1.jpg"), is_url("C:/photos/1.jpg")
    (True, False)
    """
    return _URL.match(path) is not None


def packages_of_added() -> list[str]:
    """Return the names of packages that a user has registered with Pillow as decoders."""
    return sorted({_openers()[name][0].__module__.partition(".")[0] for name in _registered()})


def _registered() -> list[str]:
    return [name for name in _IF_REGISTERED if name in _openers()]


def _openers() -> dict[str, Any]:
    # An opener can only be registered after Pillow was imported.
    return getattr(sys.modules.get("PIL.Image"), "OPEN", {})


IMAGES = FileFormats("image", "images", is_read, is_of_image, convert_to="JPEG")
