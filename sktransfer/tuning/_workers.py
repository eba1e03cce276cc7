"""Folds fitted by joblib's workers, of which some may die."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed

from sktransfer.tuning._fold import Evaluation, FoldJob, fit_fold

# Seconds between looks at a cluster, and until no worker is expected in place of a dead one.
_POLL, _PATIENCE = 0.5, 60
_DIED = (
    "a worker process died while it was fitted, twice: perhaps for want of memory. Lower n_jobs or "
    "the estimator's batch_size."
)


def fit_folds(
    evaluation: Evaluation,
    jobs: Sequence[FoldJob],
    parallel: dict[str, Any],
    keep: Callable[[int, dict[str, Any]], None],
) -> list[dict[str, Any]]:
    """Fit folds at once; if a worker dies, those of one trial after the other, once more.

    Parameters
    ----------
    evaluation : Evaluation
        What is fitted.
    jobs : sequence of n FoldJob
        One for each fold.
    parallel : dict
        What `sklearn.utils.parallel.Parallel` is given.
    keep : callable
        Called with the place of a job and its result as soon as that is there.

    Returns
    -------
    results : list of n dict
        What `fit_fold` returned; ``ended`` is ``"died"`` and ``reason`` says why where a worker
        died twice.
    """
    results: list[dict[str, Any]] = [{} for _ in jobs]
    n_workers = effective_n_jobs(parallel["n_jobs"])

    def run(places: Sequence[int]) -> None:
        each = Parallel(return_as="generator", **parallel)(
            delayed(fit_fold)(evaluation, jobs[i]) for i in places
        )
        for i, result in zip(places, each, strict=True):
            results[i] = result
            keep(i, result)

    try:
        if jobs:
            run(range(len(jobs)))
        return results
    except Exception as error:
        if not _is_death_of_worker(error) or evaluation.error_score == "raise":
            raise
    for number in dict.fromkeys(job.progress[0] for job in jobs):
        places = [i for i, job in enumerate(jobs) if job.progress[0] == number and not results[i]]
        if not places:
            continue
        _wait_for_workers(parallel["n_jobs"], n_workers)
        try:
            run(places)
        except Exception as error:
            if not _is_death_of_worker(error):
                raise
            for i in places:
                results[i] = results[i] or {"ended": "died", "reason": _DIED}
    _wait_for_workers(parallel["n_jobs"], n_workers)
    return results


def _wait_for_workers(n_jobs: int | None, n_workers: int) -> None:
    """Wait until a cluster has started a worker in place of the one that died.

    With one left, joblib would fit in this process, which would then die itself.
    """
    end = time.time() + _PATIENCE
    while effective_n_jobs(n_jobs) < n_workers and time.time() < end:
        time.sleep(_POLL)


def _is_death_of_worker(error: Exception) -> bool:
    # Errors of dask, which is not imported here: the worker died too often, or it was the only one
    # that held some of the data.
    names = ("KilledWorker", "FutureCancelledError")
    return isinstance(error, BrokenProcessPool) or type(error).__name__ in names
