"""Fit the folds of trials with the workers of joblib, some of which may die."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.parallel import Parallel, delayed

from sktransfer._compat import sklearn as private
from sktransfer._warnings import said_once
from sktransfer.tuning._labelled import last_step, take_labelled
from sktransfer.tuning._pruning import STEPS_PER_FOLD, PruningMonitor
from sktransfer.tuning.space import Tunable

# Attribute of an exception: the number of the trial whose fold raised it.
TRIAL_OF_ERROR = "trial_number"
# Steps of a pruner from one score of an epoch to the next: the score of each of ten epochs takes
# a fifth of the time of a training on a hundred texts.
_STEPS_PER_SCORE = 2
# Seconds between queries of a cluster, and for which a worker is expected to replace a dead one.
_POLL, _PATIENCE = 0.5, 60
_DIED = (
    "a worker process died while it was fitted, twice, perhaps because it ran out of memory. Lower "
    "n_jobs or the estimator's batch_size."
)


@dataclass(frozen=True)
class Fold:
    """A fold: its number, and the positions of the rows to train on and to score."""

    number: int
    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Evaluation:
    """All that the trials share: folds, scorer, parameters, and a search with its settings."""

    search: Any
    folds: list[Fold]
    scorer: Any
    fit_params: dict[str, Any]
    score_params: dict[str, Any]
    labelled: np.ndarray | None = None  # rows that can be scored; None where all can
    name: str = field(default_factory=lambda: uuid4().hex)  # which no other search has

    @property
    def metric(self) -> str | None:
        """Name of the score that is maximised; None if there is only one."""
        return self.search.refit if isinstance(self.search.refit, str) else None

    def score_of(self, scores: Any) -> float:
        """Return the score that is maximised."""
        if not isinstance(scores, dict):
            return float(scores)
        if self.metric not in scores:
            raise ValueError(f"refit={self.search.refit!r} has to be one of {sorted(scores)}.")
        return float(scores[self.metric])


@dataclass
class FoldJob:
    """One fold of one trial, as it is sent to a worker."""

    fold: Fold
    params: dict[str, Any]
    earlier_scores: list[float]  # of folds with lower numbers
    monitor: PruningMonitor | None  # None if the search does not prune
    deadline: float | None  # a `time.time`
    context: Any  # context of scikit-learn's callbacks
    progress: tuple[int, int]  # number of the trial, and how many there are


def is_over(deadline: float | None) -> bool:
    """Return whether a deadline, which is a `time.time` or None, is over."""
    return deadline is not None and time.time() >= deadline


def fit_folds(
    evaluation: Evaluation, data: Any, jobs: Sequence[FoldJob], keep: Callable[..., None]
) -> list[dict[str, Any]]:
    """Fit folds in parallel; after the death of a worker, once more, trial by trial.

    ``keep`` is called with the position of a job and its result as soon as it is known. Results
    are those of `fit_fold`. If a worker died twice, ``ended`` is "died", and ``reason`` says so.
    """
    results: list[dict[str, Any]] = [{} for _ in jobs]
    n_jobs, pre_dispatch = evaluation.search.n_jobs, evaluation.search.pre_dispatch
    n_workers = effective_n_jobs(n_jobs)

    def run(places: Sequence[int]) -> None:
        if not places:
            return
        parallel = Parallel(n_jobs=n_jobs, pre_dispatch=pre_dispatch, return_as="generator")
        each = parallel(delayed(fit_fold)(evaluation, *data, jobs[i]) for i in places)
        for i, result in zip(places, each, strict=True):
            results[i] = result
            keep(i, result)

    def wait_for_workers() -> None:
        # A cluster replaces a worker that died. With a single worker, joblib would fit in this
        # process, which would then die itself.
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
    # Errors of dask: a worker died too often, or was the only one with some of the data.
    names = ("KilledWorker", "FutureCancelledError")
    return isinstance(error, BrokenProcessPool) or type(error).__name__ in names


def fit_fold(evaluation: Evaluation, X: Any, y: Any, job: FoldJob) -> dict[str, Any]:
    """Fit and score one fold.

    The result is that of scikit-learn's ``_fit_and_score``, with ``ended`` (None, ``"pruned"`` or
    ``"timeout"``), ``score_error`` (the reason why there is no score, or None) and ``reports``
    (scores of epochs by step).
    """
    if is_over(job.deadline):
        return {"ended": "timeout", "reports": {}}
    search = evaluation.search
    estimator = clone(search.estimator)
    _share_features(estimator, X)
    callback = TimeoutCallback(job)
    last = last_step(estimator)
    # Callbacks of other estimators may have iterations that are not epochs.
    if isinstance(last, Tunable):
        if job.monitor is not None:
            callback = PruningCallback(job, evaluation, X, y, estimator)
        private.set_more_callbacks(last, callback)
    score_errors: list[str] = []
    has_unlabelled = evaluation.labelled is not None
    try:
        with said_once(evaluation.name):
            result = private.fit_and_score(
                estimator,
                X,
                y,
                scorer=private.recording_scorer(evaluation.scorer, score_errors),
                train=job.fold.train,
                test=job.fold.test,
                parameters=job.params,
                score_params=evaluation.score_params,
                split_progress=(job.fold.number, len(evaluation.folds)),
                candidate_progress=job.progress,
                callback_ctx=job.context,
                fit_params=evaluation.fit_params,
                error_score=search.error_score,
                return_train_score=search.return_train_score and not has_unlabelled,
                return_times=True,
                verbose=search.verbose,
                caller=search,
            )
        if search.return_train_score and has_unlabelled:
            scores = result["test_scores"]  # those of an error
            if result["fit_error"] is None:
                scores = _train_scores(evaluation, estimator, X, y, job.fold.train)
            result["train_scores"] = scores
    except Exception as error:
        with contextlib.suppress(AttributeError):  # an exception with __slots__
            setattr(error, TRIAL_OF_ERROR, job.progress[0])
        raise
    finally:
        callback.release()
    return {
        **result,
        "score_error": next(iter(score_errors), None),
        "ended": callback.ended,
        "reports": {} if job.monitor is None else job.monitor.reports,
    }


def _train_scores(evaluation: Evaluation, estimator: Any, X: Any, y: Any, train: np.ndarray) -> Any:
    """Score the training rows that have a label, as scikit-learn scores all of them."""
    assert evaluation.labelled is not None
    rows = take_labelled(train, evaluation.labelled)
    params = private.check_method_params(X, evaluation.score_params, indices=rows)
    data = [private.safe_indexing(part, rows) for part in (X, y)]
    error_score = evaluation.search.error_score
    return private.score(estimator, *data, evaluation.scorer, params, error_score)


class TimeoutCallback:
    """A callback of scikit-learn that ends a training after its first epoch beyond the deadline."""

    def __init__(self, job: FoldJob) -> None:
        self._job = job
        self.ended: str | None = None

    def setup(self, estimator: Any, context: Any) -> None:
        """Do nothing, as in `teardown` and `on_fit_task_begin`."""

    teardown = on_fit_task_begin = setup

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        """Check the deadline after an epoch; True ends the training."""
        if context.task_name == "epoch" and is_over(self._job.deadline):
            self.ended = "timeout"
        return self.ended is not None

    def release(self) -> None:
        """Drop data and models, since scikit-learn keeps callbacks until the search is over."""


class PruningCallback(TimeoutCallback):
    """A callback that also scores the epochs of a training, and ends it if it is pruned."""

    def __init__(
        self, job: FoldJob, evaluation: Evaluation, X: Any, y: Any, estimator: Any
    ) -> None:
        super().__init__(job)
        self._monitor: Any = job.monitor
        self._evaluation: Any = evaluation
        self._estimator, test = estimator, job.fold.test
        self._data = [private.safe_indexing(part, test) for part in (X, y) if part is not None]
        self._score_params = private.check_method_params(X, evaluation.score_params, indices=test)
        self._scorer = evaluation.scorer
        if isinstance(self._scorer, private.MultimetricScorer) and evaluation.metric is not None:
            self._scorer = private.scorers_by_name(self._scorer)[evaluation.metric]
        self._latest = (0, 0.0)

    def on_fit_task_end(  # type: ignore[override]
        self, estimator: Any, context: Any, *, fitted_estimator: Any
    ) -> bool:
        """Report the score of an epoch, by a copy of the estimator; True ends the training."""
        if super().on_fit_task_end(estimator, context) or context.task_name != "epoch":
            return self.ended is not None
        n_epochs = context.parent.max_subtasks
        if not n_epochs or context.task_id + 1 >= n_epochs:
            return False  # the score of the whole fold follows
        step = (context.task_id + 1) * STEPS_PER_FOLD // n_epochs
        latest, score = self._latest
        if step < latest + _STEPS_PER_SCORE:
            return False
        first = self._job.fold.number * STEPS_PER_FOLD
        for skipped in range(latest + 1, step) if latest else ():
            self._monitor.report(first + skipped, score)
        outer = _with_last_step(self._estimator, estimator, fitted_estimator)
        own = self._evaluation.score_of(self._scorer(outer, *self._data, **self._score_params))
        score = float(np.mean([*self._job.earlier_scores, own]))
        self._latest = (step, score)
        self._monitor.report(first + step, score)
        if self._monitor.should_prune():
            self.ended = "pruned"
        return self.ended is not None

    def release(self) -> None:
        """Drop data and models."""
        self._evaluation, self._estimator, self._data, self._score_params = None, None, [], {}


def _with_last_step(estimator: Any, last: Any, fitted: Any) -> Any:
    """Copy a pipeline, and replace ``last`` at its end by ``fitted``."""
    if estimator is last:
        return fitted
    outer = copy.copy(estimator)
    name, inner = estimator.steps[-1]
    outer.steps = [*estimator.steps[:-1], (name, _with_last_step(inner, last, fitted))]
    return outer


def _share_features(estimator: Any, X: Any) -> None:
    """Let all fits of this process share the features of the search's inputs, in memory."""
    if isinstance(estimator, Tunable):
        estimator.share_features(X)
    for _, step in estimator.steps if isinstance(estimator, Pipeline) else ():
        _share_features(step, X)
