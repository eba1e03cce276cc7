"""What a file that is no image of a known format holds instead, by how it begins."""

from __future__ import annotations

import codecs

__all__ = ["described"]

_HTML = (b"<!doctype html", b"<html", b"<head", b"<body")
_BRANDS_OF_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_SHOWN = 40


def described(start: bytes) -> str | None:
    """Say what a file is, where that helps to find out what went wrong.

    Parameters
    ----------
    start : bytes
        The first hundreds of bytes, or all if there are fewer.

    Returns
    -------
    reason : str or None
        As the rest of a sentence about an image that cannot be read; None if nothing is known.

    Examples
    --------
    >>> from sktransfer.images.contents import described
    >>> described(b"<html><title>404")
    'it begins like HTML: what was downloaded may be an error page'
    """
    if not start:
        return "the file is empty"
    text = _text(start)
    if text is not None:
        begins = text.lower().encode()
        if begins.startswith(_HTML):
            return "it begins like HTML: what was downloaded may be an error page"
        if b"<svg" in begins:
            return "it is a drawing in SVG, a format that is not read: convert it to JPEG"
        return f"it is no image, but begins like text: {text[:_SHOWN]!r}"
    if start[4:8] == b"ftyp" and start[8:12] in _BRANDS_OF_HEIF and b"avi" not in start[8:64]:
        return (
            "it is a photo in HEIF (.heic), a format that is not read: convert it to JPEG, or "
            "register an opener, pillow_heif.register_heif_opener()"
        )
    return None


def _text(start: bytes) -> str | None:
    """Decode what is text; None for anything else."""
    try:
        # Not the final part, so that the last letter may be cut in two.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(start).strip()
    except UnicodeDecodeError:
        return None
    plain = all(letter.isprintable() or letter.isspace() for letter in text)
    return text if text and plain else None
