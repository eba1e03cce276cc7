"""Optuna's log, which belongs to the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import optuna


@contextmanager
def quiet(least: int = optuna.logging.ERROR) -> Iterator[None]:
    """Let Optuna report nothing below a level; the one that was set comes back."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(level, least))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
