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
    keep: Callable[[int, dict[str, Any]], None],
) -> list[dict[str, Any]]:
    """Fit folds at once; if a worker dies, those of one trial after the other, once more.

    ``keep`` is called with the place of a job and its result as soon as that is there. Results are
    those of `fit_fold`; where a worker died twice, ``ended`` is "died", and there is a ``reason``.
    """
    results: list[dict[str, Any]] = [{} for _ in jobs]
    n_jobs, pre_dispatch = evaluation.search.n_jobs, evaluation.search.pre_dispatch
    n_workers = effective_n_jobs(n_jobs)

    def run(places: Sequence[int]) -> None:
        if not places:
            return
        parallel = Parallel(n_jobs=n_jobs, pre_dispatch=pre_dispatch, return_as="generator")
        each = parallel(delayed(fit_fold)(evaluation, jobs[i]) for i in places)
        for i, result in zip(places, each, strict=True):
            results[i] = result
            keep(i, result)

    def wait_for_workers() -> None:
        # A cluster starts a worker in place of the one that died. With one left, joblib would fit
        # in this process, which would then die itself.
        end = time.time() + _PATIENCE
        while effective_n_jobs(n_jobs) < n_workers and time.time() < end:
            time.sleep(_POLL)

    trials: dict[int, list[int]] = {}
    for i, job in enumerate(jobs):
        trials.setdefault(job.progress[0], []).append(i)
    try:
        run(range(len(jobs)))
        return results
    except Exception as error:
        if not _is_death_of_worker(error) or evaluation.search.error_score == "raise":
            raise
    for places in trials.values():
        wait_for_workers()
        try:
            run([i for i in places if not results[i]])
        except Exception as error:
            if not _is_death_of_worker(error):
                raise
            for i in places:
                results[i] = results[i] or {"ended": "died", "reason": _DIED}
    wait_for_workers()
    return results


def _is_death_of_worker(error: Exception) -> bool:
    # Errors of dask, which is not imported here: the worker died too often, or it was the only one
    # that held some of the data.
    names = ("KilledWorker", "FutureCancelledError")
    return isinstance(error, BrokenProcessPool) or type(error).__name__ in names
