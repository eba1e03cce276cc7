"""Folds fitted by joblib's workers, of which some may die."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed

from sktransfer.tuning._fold import Fold, Plan, fit_fold

# Seconds between looks at a cluster, and until its workers that died are not expected back.
_POLL, _PATIENCE = 0.5, 60
_DIED = (
    "a worker process died while it was fitted, twice: perhaps for want of memory. Lower n_jobs or "
    "the estimator's batch_size."
)


@dataclass(frozen=True)
class Task:
    """What all folds of all trials have in common.

    Attributes
    ----------
    estimator : estimator
        Unfitted.
    X, y : object
        All data.
    folds : list of Fold
        Their rows.
    scorer : callable
        As scikit-learn's `_fit_and_score` takes it.
    metric : str or None
        Which of several scores is searched for; None if there is one, or none was named.
    error_score : "raise" or float
        As in scikit-learn.
    settings : dict
        What `fit_fold` takes besides.
    """

    estimator: Any
    X: Any
    y: Any
    folds: list[Fold]
    scorer: Any
    metric: str | None
    error_score: Any
    settings: dict[str, Any]

    def score_of(self, scores: Any) -> float:
        """Pick the score that is searched for."""
        if not isinstance(scores, dict):
            return float(scores)
        if self.metric not in scores:
            raise ValueError(
                "With several metrics refit has to be the name of the one that is searched for: "
                f"one of {sorted(scores)}."
            )
        return float(scores[self.metric])


class Workers:
    """Whoever joblib lets compute.

    Parameters
    ----------
    task : Task
        What is fitted.
    parallel : dict
        What `sklearn.utils.parallel.Parallel` is given.
    """

    def __init__(self, task: Task, parallel: dict[str, Any]) -> None:
        self._task = task
        self._parallel = parallel
        self._number = effective_n_jobs(parallel["n_jobs"])

    def fit(
        self, plans: Sequence[Plan], keep: Callable[[int, dict[str, Any]], None]
    ) -> list[dict[str, Any]]:
        """Fit folds at once; if a worker dies, those of one trial after the other, once more.

        Parameters
        ----------
        plans : sequence of n Plan
            One for each fold.
        keep : callable
            Called with the place of a plan and its result as soon as that is there.

        Returns
        -------
        results : list of n dict
            What `fit_fold` returned; ``ended`` is ``"died"`` and ``reason`` says why where a
            worker died twice.
        """
        found: list[dict[str, Any]] = [{} for _ in plans]
        try:
            self._run(plans, range(len(plans)), found, keep)
            return found
        except Exception as error:
            if not _is_death(error) or self._task.error_score == "raise":
                raise
        for number in dict.fromkeys(plan.progress[0] for plan in plans):
            places = [i for i, p in enumerate(plans) if p.progress[0] == number and not found[i]]
            self._await_all()
            try:
                self._run(plans, places, found, keep)
            except Exception as error:
                if not _is_death(error):
                    raise
                self._await_all()
                for i in places:
                    found[i] = found[i] or {"ended": "died", "reason": _DIED}
        return found

    def _await_all(self) -> None:
        """Let a cluster start a worker in place of the one that died.

        With one left, joblib would fit in this process, which then dies in its turn.
        """
        patience = time.time() + _PATIENCE
        while effective_n_jobs(self._parallel["n_jobs"]) < self._number and time.time() < patience:
            time.sleep(_POLL)

    def _run(
        self,
        plans: Sequence[Plan],
        places: Sequence[int],
        found: list[dict[str, Any]],
        keep: Callable[[int, dict[str, Any]], None],
    ) -> None:
        if not places:
            return
        task = self._task
        results = Parallel(return_as="generator", **self._parallel)(
            delayed(fit_fold)(
                task.estimator,
                task.X,
                task.y,
                plans[i],
                scorer=task.scorer,
                metric=task.metric,
                n_folds=len(task.folds),
                error_score=task.error_score,
                **task.settings,
            )
            for i in places
        )
        for i, result in zip(places, results, strict=True):
            found[i] = result
            keep(i, result)


def _is_death(error: Exception) -> bool:
    # dask's errors must not be imported where there is no dask. The second one comes where the
    # worker that died was the only one that held some of the data.
    names = ("KilledWorker", "FutureCancelledError")
    return isinstance(error, BrokenProcessPool) or type(error).__name__ in names
