"""Optuna's log, which belongs to the user."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import optuna

_lock = threading.Lock()
# Levels that searches of this process ask for just now, and the one that was set before them.
_asked: list[int] = []
_before = optuna.logging.WARNING


@contextmanager
def quiet(least: int = optuna.logging.ERROR) -> Iterator[None]:
    """Let Optuna report nothing below a level; the one that was set comes back.

    Searches in several threads share the level: the first sees what was set, the last puts it back.
    """
    global _before
    with _lock:
        if not _asked:
            _before = optuna.logging.get_verbosity()
        _asked.append(least)
        optuna.logging.set_verbosity(max([_before, *_asked]))
    try:
        yield
    finally:
        with _lock:
            _asked.remove(least)
            optuna.logging.set_verbosity(max([_before, *_asked]))
