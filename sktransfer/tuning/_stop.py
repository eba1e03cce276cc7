"""Why a search stopped, for ``stop_reason_`` and in a sentence."""

from __future__ import annotations

from typing import Any

from sktransfer.tuning._results import UNFINISHED, listed_trials

__all__ = ["describe_stop"]

_WORDS = {
    "n_trials": "all trials were made",
    "timeout": "timeout={timeout:g} s is over",
    "exhausted": "all settings of the space were tried",
    "interrupted": "it was interrupted",
    "error": "an error ended it",
}


def describe_stop(search: Any) -> str:
    """Say after how many trials a search stopped, and why.

    Parameters
    ----------
    search : TransferSearchCV
        A search that has ``study_`` and ``stop_reason_``.

    Returns
    -------
    sentence : str
        Without its full stop.
    """
    states = [state for _, state in listed_trials(search.study_)]
    n_unfinished = states.count(UNFINISHED)
    why = _WORDS[search.stop_reason_].format(timeout=search.timeout)
    more = f"; {n_unfinished} unfinished" if n_unfinished else ""
    n_ended = len(states) - n_unfinished
    return f"stopped after {n_ended} of {search.n_trials} trials: {why}{more}"
