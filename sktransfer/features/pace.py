"""Show how far a computation is, and warn as soon as its first steps show that it takes long."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import torch

from sktransfer._warnings import SlowComputationWarning, warn_user
from sktransfer.contracts import Encoder

__all__ = ["Pace", "advice_on_inputs"]

# Seconds from which on a warning tells how long a computation takes, and how much of it is
# watched before.
_LONG = 20.0
_WATCHED = 2.0


class Pace:
    """The pace of a computation of known size.

    The first step is not counted, since it loads and allocates what later steps only use.

    Parameters
    ----------
    task : str
        What is computed, as the subject of a sentence, such as ``"Training for 10 epochs"``.
    total : float
        Size of the whole, in the units of `advance`.
    advice : sequence of str
        What would be faster, each as a sentence without its full stop; empty ones are left out.
    progress : bool, default=False
        Whether a line shows how far it is and how long it still takes, until `close`.
    """

    def __init__(
        self, task: str, total: float, advice: Sequence[str] = (), progress: bool = False
    ) -> None:
        self._bar = _progress_line(task, total) if progress else None
        self._task = task
        self._total = total
        self._advice = advice
        self._done = 0.0
        self._start: float | None = None
        self._told = False

    def advance(self, size: float) -> None:
        """Note that a step is done, and warn once if the whole will take long.

        Parameters
        ----------
        size : float
            Size of the step.
        """
        if self._bar is not None:
            self._bar.update(size)
        now = time.monotonic()
        if self._start is None:
            self._start, self._total = now, self._total - size
            return
        self._done += size
        seconds = now - self._start
        if self._told or seconds < _WATCHED or self._done <= 0:
            return
        expected = seconds / self._done * self._total
        if expected < _LONG or self._done > self._total / 2:
            return
        self._told = True
        advice = [*filter(None, self._advice), _advice_on_threads()]
        warn_user(
            f"{self._task} takes about {_in_words(expected)}, as its first {seconds:.0f} s show. "
            + " ".join(f"{sentence}." for sentence in filter(None, advice)),
            SlowComputationWarning,
            # Folds differ in how many inputs and epochs they have, not in whether they train.
            about=self._task.split()[0],
        )

    def note(self, text: str) -> None:
        """Write something at the end of the line, such as the loss of an epoch."""
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)

    def close(self) -> None:
        """Draw the line for the last time."""
        if self._bar is not None:
            self._bar.close()


def _progress_line(task: str, total: float) -> Any:
    """Make a line for terminals, or for notebooks."""
    from tqdm.auto import tqdm

    line = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
    return tqdm(total=total, desc=task, bar_format=line, mininterval=0.5)


def advice_on_inputs(encoder: Encoder, rows: Sequence[Any]) -> str:
    """Say what makes inputs cheaper to encode, if some are long enough for it.

    Parameters
    ----------
    encoder : Encoder
        What encodes them.
    rows : sequence of n rows
        What ``encoder.prepare`` returned.

    Returns
    -------
    advice : str
        A sentence without its full stop, or nothing.
    """
    limit = encoder.max_length
    if limit is not None and max(map(len, rows), default=0) <= limit // 2:
        return ""
    return encoder.cheaper


def _in_words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _advice_on_threads() -> str:
    available = os.cpu_count() or 1
    if torch.cuda.is_available() or torch.get_num_threads() >= available:
        return ""
    return (
        f"torch computes in {torch.get_num_threads()} of {available} threads: "
        f"torch.set_num_threads({available})"
    )
