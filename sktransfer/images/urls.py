"""Addresses on the web, which are no paths."""

from __future__ import annotations

import re

__all__ = ["is_url"]

# pathlib makes one slash of two; a single letter is a drive.
_URL = re.compile(r"[a-z][a-z0-9+.-]+://|(https?|ftp|s3|gs):/|data:[\w/+.-]*[;,]", re.IGNORECASE)


def is_url(path: str) -> bool:
    """Tell an address from the path of a file.

    Parameters
    ----------
    path : str
        What stands where a path is expected.

    Returns
    -------
    is_url : bool
        True for data URLs as well.

    Examples
    --------
    >>> from sktransfer.images.urls import is_url
    >>> is_url("https://example.org/1.jpg"), is_url("C:/photos/1.jpg")
    (True, False)
    """
    return _URL.match(path) is not None
