"""What threads of one process share, and who may change it."""

from __future__ import annotations

import ctypes
import os
import threading
from functools import cache
from typing import Any

from sktransfer._warnings import warn_user

# Held by whoever seeds torch's global generator or changes settings of a library, until it is
# restored. Dropout and initialisation draw from that generator, so trainings in threads take turns.
GLOBAL_STATE = threading.RLock()

# The process in which something was last computed on the CPU.
_computed_in: int | None = None


def about_to_compute() -> None:
    """Let a process that was forked compute with one thread, if its parent had several.

    OpenMP's threads are not there in the copy of a process, which would wait for them for ever.
    """
    global _computed_in
    parent, _computed_in = _computed_in, os.getpid()
    if parent in (None, _computed_in):
        return
    import torch

    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)
        warn_user(
            "This process was forked from one that had computed with several threads, which do not "
            "exist here: it uses one. Start processes by 'spawn' or 'forkserver' for more.",
            RuntimeWarning,
        )


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
