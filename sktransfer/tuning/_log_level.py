"""The log level of Optuna, which belongs to the user."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import optuna

_lock = threading.Lock()
# Levels that searches in threads of this process ask for, and the one that was set before them.
_requested: list[int] = []
_original = optuna.logging.WARNING


@contextmanager
def optuna_log_level(least: int = optuna.logging.ERROR) -> Iterator[None]:
    """Raise Optuna's log level to ``least`` at least; the last one that leaves restores it."""
    global _original
    with _lock:
        if not _requested:
            _original = optuna.logging.get_verbosity()
        _requested.append(least)
        optuna.logging.set_verbosity(max([_original, *_requested]))
    try:
        yield
    finally:
        with _lock:
            _requested.remove(least)
            optuna.logging.set_verbosity(max([_original, *_requested]))
