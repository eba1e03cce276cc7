"""Locks of state that all threads of a process share."""

from __future__ import annotations

import os
import threading
from typing import ClassVar
from weakref import WeakSet

__all__ = ["GLOBAL_STATE", "ForkSafeLock"]


class ForkSafeLock:
    """A reentrant lock that is free in a forked process.

    Otherwise the process would wait for ever for a thread of its parent that held the lock.
    """

    _all: ClassVar[WeakSet[ForkSafeLock]] = WeakSet()

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._all.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    @classmethod
    def _renew(cls) -> None:
        for lock in cls._all:
            lock._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=ForkSafeLock._renew)


# Code that seeds torch's global generator, or changes settings of a library, holds this lock until
# they are restored. Dropout and initialisation draw from that generator, so that trainings in
# threads take turns.
GLOBAL_STATE = ForkSafeLock()
