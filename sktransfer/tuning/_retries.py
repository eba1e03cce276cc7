"""Trials that ended with their process, or were interrupted, are queued again.

Optuna marks such a trial as failed, and queues a copy of it that lists in its ``retry_history``
which trials it repeats. Scores of folds are user attributes, which the copy keeps.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import optuna
from filelock import FileLock
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState

from sktransfer._compat.optuna import ask, is_in_memory, sqlite_file

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

# What has ended three processes is likely to end a fourth.
_MAX_RETRIES = 2
# Seconds for which another process may hold the lock of an SQLite study.
_LOCK_TIMEOUT = 60


def stale_trial_callback(max_retry: int | None = _MAX_RETRIES) -> RetryHeartbeatStaleTrialCallback:
    """Make the callback that queues a stale trial again, at most so many times."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return RetryHeartbeatStaleTrialCallback(max_retry=max_retry)


def is_persistent(study: Study) -> bool:
    """Say whether a study is still there when this process has ended."""
    return not is_in_memory(study)


def current_trials(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Leave out the trials that another one repeats.

    Parameters
    ----------
    trials : iterable of optuna.trial.FrozenTrial
        All of a study.

    Returns
    -------
    trials : list of optuna.trial.FrozenTrial
        One for each setting that was asked for, by number.
    """
    trials = list(trials)
    repeated = {number for t in trials for number in t.system_attrs.get("retry_history", [])}
    return [trial for trial in trials if trial.number not in repeated]


def is_retry(trial: FrozenTrial) -> bool:
    """Say whether a trial repeats another one."""
    return "failed_trial" in trial.system_attrs


def ask_locked(study: Study) -> Trial:
    """Ask for the next trial, a queued one first."""
    with _study_lock(study):
        return ask(study)


def requeue_stale_trials(study: Study) -> None:
    """Queue the trials again that have sent no heartbeat for the grace period of the storage."""
    if not is_persistent(study):
        return
    with _study_lock(study), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)


def requeue_interrupted_trial(study: Study, trial: Trial) -> None:
    """Mark a running trial of this process as failed, and queue it again."""
    with _study_lock(study):
        failed = study.tell(trial, state=TrialState.FAIL)
        stale_trial_callback(max_retry=None)(study, failed)


@contextlib.contextmanager
def _study_lock(study: Study) -> Iterator[None]:
    """Let one process at a time take trials from the queue of an SQLite study, or put them there.

    Other databases lock the row of a trial while they change its state. SQLite has no such locks:
    two processes would both take the same trial.
    """
    path = sqlite_file(study)
    with contextlib.nullcontext() if path is None else FileLock(f"{path}.lock", _LOCK_TIMEOUT):
        yield
