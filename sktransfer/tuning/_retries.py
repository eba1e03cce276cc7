"""Trials that ended with their process, or were interrupted, are queued again.

Optuna marks such a trial as failed, and queues a copy with its user attributes, scores of folds
among them. Its system attribute ``retry_history`` names the trials that it repeats.
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

from sktransfer._compat.optuna import ask, is_persistent, sqlite_file

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

# What has ended three processes is likely to end a fourth.
_MAX_RETRIES = 2
# Seconds for which another process may hold the lock of an SQLite study.
_LOCK_TIMEOUT = 60


def retry_callback(max_retry: int | None = _MAX_RETRIES) -> RetryHeartbeatStaleTrialCallback:
    """Make the callback that queues a trial again, at most so many times."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return RetryHeartbeatStaleTrialCallback(max_retry=max_retry)


def current_trials(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Leave out the trials that another one repeats, so that each setting is there once."""
    trials = list(trials)
    repeated = {number for t in trials for number in t.system_attrs.get("retry_history", [])}
    return [trial for trial in trials if trial.number not in repeated]


def ask_locked(study: Study) -> Trial:
    """Ask for the next trial, a queued one first."""
    with _study_lock(study):
        return ask(study)


def requeue_stale_trials(study: Study) -> None:
    """Queue trials again that have sent no heartbeat for the grace period of the storage."""
    if is_persistent(study):
        with _study_lock(study), warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            optuna.storages.fail_stale_trials(study)


def requeue_interrupted_trial(study: Study, trial: Trial) -> None:
    """Mark a trial of this process as failed, and queue it again, unless others have done so."""
    with _study_lock(study):
        if study.get_trials(deepcopy=False)[trial.number].state == TrialState.RUNNING:
            retry_callback(max_retry=None)(study, study.tell(trial, state=TrialState.FAIL))


@contextlib.contextmanager
def _study_lock(study: Study) -> Iterator[None]:
    """Let one process at a time change the queue of an SQLite study.

    Other databases lock the row of a trial while they change its state. SQLite has no such locks:
    two processes would both take the same trial.
    """
    path = sqlite_file(study)
    with contextlib.nullcontext() if path is None else FileLock(f"{path}.lock", _LOCK_TIMEOUT):
        yield
