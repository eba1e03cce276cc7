"""What threads of one process share, and who may change it."""

from __future__ import annotations

import ctypes
import threading
from functools import cache
from typing import Any

# Held by whoever seeds torch's global generator or changes settings of a library, until it is
# restored. Dropout and initialisation draw from that generator, so trainings in threads take turns.
GLOBAL_STATE = threading.RLock()


def give_back_memory() -> None:
    """Return to the system what a training has freed, where the C library would keep it.

    joblib takes a worker that has grown by 300 MB for one that leaks, and starts another in its
    place, which has everything to import and load again.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # not glibc
        return None
