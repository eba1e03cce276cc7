"""Memory that the C library keeps after it was freed."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

__all__ = ["malloc_trim"]


def malloc_trim() -> None:
    """Return to the system what a training has freed, where the C library would keep it.

    joblib takes a worker that has grown by 300 MB for one that leaks, and starts another in its
    place, which has everything to import and load again.
    """
    trim = _glibc_trim()
    if trim is not None:
        trim(0)


@cache
def _glibc_trim() -> Any:
    """Look up glibc's ``malloc_trim``; None where another C library is in use."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
