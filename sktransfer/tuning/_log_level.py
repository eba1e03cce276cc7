"""Raise the log level of Optuna for a while, and restore that of the user."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import optuna

_lock = threading.Lock()
# Levels that searches in threads of this process request, and the level before all of them.
_requested: list[int] = []
_original = optuna.logging.WARNING


@contextmanager
def optuna_log_level(least: int = optuna.logging.ERROR) -> Iterator[None]:
    """Raise Optuna's log level to at least ``least`` in the block; the last block restores it."""
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
