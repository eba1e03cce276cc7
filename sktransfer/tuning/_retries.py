"""Queue trials again that were interrupted, or whose process died.

Optuna marks such a trial as failed, and queues a copy with its user attributes, such as the scores
of folds. Its system attribute ``retry_history`` has the numbers of the trials that it repeats.
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

# A trial that has ended three processes is likely to end a fourth.
_MAX_RETRIES = 2
# Seconds for which another process may hold the lock of an SQLite study.
_LOCK_TIMEOUT = 60


def retry_callback(max_retry: int | None = _MAX_RETRIES) -> RetryHeartbeatStaleTrialCallback:
    """Return the callback that queues a trial again, at most ``max_retry`` times."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return RetryHeartbeatStaleTrialCallback(max_retry=max_retry)


def current_trials(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Return the trials without those that another one repeats."""
    trials = list(trials)
    repeated = {number for t in trials for number in t.system_attrs.get("retry_history", [])}
    return [trial for trial in trials if trial.number not in repeated]


def ask_locked(study: Study) -> Trial:
    """Ask for the next trial, a queued one first."""
    with study_lock(study):
        return ask(study)


def requeue_stale_trials(study: Study) -> None:
    """Queue trials again without a heartbeat in the grace period of the storage."""
    if is_persistent(study):
        with study_lock(study), warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            optuna.storages.fail_stale_trials(study)


def requeue_interrupted_trial(study: Study, trial: Trial) -> None:
    """Mark a trial of this process as failed, and queue it again, unless another process did."""
    with study_lock(study):
        if study.get_trials(deepcopy=False)[trial.number].state == TrialState.RUNNING:
            retry_callback(max_retry=None)(study, study.tell(trial, state=TrialState.FAIL))


@contextlib.contextmanager
def study_lock(study: Study) -> Iterator[None]:
    """Let one process at a time change the queue of an SQLite study.

    Other databases lock the row of a trial while its state changes. SQLite has no such locks, so
    that two processes could take the same trial.
    """
    path = sqlite_file(study)
    with contextlib.nullcontext() if path is None else FileLock(f"{path}.lock", _LOCK_TIMEOUT):
        yield
