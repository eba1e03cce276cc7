"""One fold of one trial, in whatever process it is fitted."""

from __future__ import annotations

import contextlib
import copy
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sktransfer._compat.sklearn import (
    MultimetricScorer,
    check_method_params,
    fit_and_score,
    safe_indexing,
    scorers_by_name,
    set_more_callbacks,
)
from sktransfer.tuning._pruning import STEPS_PER_FOLD, PruningMonitor
from sktransfer.tuning.space import Tunable

# Attribute of an exception: the number of the trial whose fold raised it.
TRIAL_OF_ERROR = "trial_number"


@dataclass(frozen=True)
class Fold:
    """Rows to train on and rows to score on.

    Attributes
    ----------
    number : int
        Its place among the folds.
    train, test : numpy.ndarray of int
        Rows.
    """

    number: int
    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Evaluation:
    """What the folds of all trials have in common.

    Attributes
    ----------
    estimator : estimator
        Unfitted.
    X, y : object
        All data.
    folds : list of Fold
        All folds.
    scorer : callable
        Gives one score, or a dict of scores.
    metric : str or None
        The score that is searched for; None if there is one, or none was named.
    error_score : "raise" or float
        As in scikit-learn.
    score_params : dict
        What the scorer is given besides.
    settings : dict
        What scikit-learn's ``_fit_and_score`` takes besides.
    """

    estimator: Any
    X: Any
    y: Any
    folds: list[Fold]
    scorer: Any
    metric: str | None
    error_score: Any
    score_params: dict[str, Any]
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


@dataclass
class FoldJob:
    """One fold of one trial, as it is sent to a worker.

    Attributes
    ----------
    fold : Fold
        Its rows.
    params : dict of str to object
        Of the trial.
    earlier_scores : list of float
        Of the folds before it that have ended.
    monitor : PruningMonitor or None
        Judges epochs; None where nothing is pruned.
    deadline : float or None
        Seconds of the epoch (`time.time`) at which a training stops.
    context : sklearn.callback.CallbackContext
        Of the fold, for scikit-learn's callbacks.
    progress : tuple of int
        Numbers of the trial and of trials, for scikit-learn's messages.
    """

    fold: Fold
    params: dict[str, Any]
    earlier_scores: list[float]
    monitor: PruningMonitor | None
    deadline: float | None
    context: Any
    progress: tuple[int, int]

    def is_late(self) -> bool:
        """Say whether the deadline is over."""
        return self.deadline is not None and time.time() >= self.deadline


def fit_fold(evaluation: Evaluation, job: FoldJob) -> dict[str, Any]:
    """Fit and score one fold.

    Parameters
    ----------
    evaluation : Evaluation
        What is fitted and scored.
    job : FoldJob
        Of which trial, and on which rows.

    Returns
    -------
    result : dict
        What scikit-learn's ``_fit_and_score`` returns, and ``ended``: None, ``"pruned"`` or
        ``"timeout"``; ``score_error``: why there is no score, or None; ``reports``: scores of
        epochs by step.
    """
    if job.is_late():
        return {"ended": "timeout", "reports": {}}
    X, y = evaluation.X, evaluation.y
    estimator = clone(evaluation.estimator)
    _share_features(estimator, X)
    callback = TimeoutCallback(job)
    last = _last_step(estimator)
    # Other estimators may have callbacks, too, whose iterations are no epochs.
    if isinstance(last, Tunable):
        if job.monitor is not None:
            callback = PruningCallback(job, job.monitor, evaluation, estimator)
        set_more_callbacks(last, callback)
    several = isinstance(evaluation.scorer, MultimetricScorer)
    scorer = evaluation.scorer if several else _RecordingScorer(evaluation.scorer)
    try:
        result = fit_and_score(
            estimator,
            X,
            y,
            scorer=scorer,
            train=job.fold.train,
            test=job.fold.test,
            parameters=job.params,
            score_params=evaluation.score_params,
            split_progress=(job.fold.number, len(evaluation.folds)),
            candidate_progress=job.progress,
            callback_ctx=job.context,
            error_score=evaluation.error_score,
            **evaluation.settings,
        )
    except Exception as error:
        with contextlib.suppress(AttributeError):  # an exception with __slots__
            setattr(error, TRIAL_OF_ERROR, job.progress[0])
        raise
    finally:
        callback.release()
    return {
        **result,
        "score_error": getattr(scorer, "error", None),
        "ended": callback.ended,
        "reports": {} if job.monitor is None else job.monitor.reports,
    }


class _RecordingScorer:
    """A scorer that keeps its error, which scikit-learn puts into a warning alone."""

    def __init__(self, scorer: Any) -> None:
        self._scorer = scorer
        self.error: str | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self._scorer(*args, **kwargs)
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"
            raise


class TimeoutCallback:
    """A callback of scikit-learn that ends a training after the epoch in which time is over."""

    def __init__(self, job: FoldJob) -> None:
        self._job = job
        self.ended: str | None = None

    def setup(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    def teardown(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        """Check the deadline after an epoch; True ends the training."""
        if context.task_name == "epoch" and self._job.is_late():
            self.ended = "timeout"
        return self.ended is not None

    def release(self) -> None:
        """Drop references to data and models.

        The contexts of scikit-learn's callbacks keep all callbacks until the search is over.
        """


class PruningCallback(TimeoutCallback):
    """Scores the epochs of a training, too, and ends it if the pruner says so.

    scikit-learn passes it a copy of the estimator as fitted so far, since it asks for one.
    """

    def __init__(
        self, job: FoldJob, monitor: PruningMonitor, evaluation: Evaluation, estimator: Any
    ) -> None:
        super().__init__(job)
        self._monitor = monitor
        self._evaluation: Any = evaluation
        self._estimator = estimator
        X, y, test = evaluation.X, evaluation.y, job.fold.test
        self._data = [safe_indexing(part, test) for part in (X, y) if part is not None]
        self._score_params = check_method_params(X, evaluation.score_params, indices=test)
        self._scorer = evaluation.scorer
        if isinstance(self._scorer, MultimetricScorer) and evaluation.metric is not None:
            self._scorer = scorers_by_name(self._scorer)[evaluation.metric]
        self._latest = (0, 0.0)

    def on_fit_task_end(  # type: ignore[override]
        self, estimator: Any, context: Any, *, fitted_estimator: Any
    ) -> bool:
        """Report the score of an epoch; True ends the training."""
        if super().on_fit_task_end(estimator, context) or context.task_name != "epoch":
            return self.ended is not None
        n_epochs = context.parent.max_subtasks
        if not n_epochs or context.task_id + 1 >= n_epochs:
            return False  # the score of the whole fold follows
        step = (context.task_id + 1) * STEPS_PER_FOLD // n_epochs
        latest, score = self._latest
        if step <= latest:
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
        """Drop references to data and models."""
        self._evaluation, self._estimator, self._data, self._score_params = None, None, [], {}


def _last_step(estimator: Any) -> Any:
    """Give the estimator at the end of a pipeline."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def _with_last_step(estimator: Any, last: Any, fitted: Any) -> Any:
    """Copy an estimator with ``fitted`` in place of ``last`` at the end of the pipeline."""
    if estimator is last:
        return fitted
    outer = copy.copy(estimator)
    name, inner = estimator.steps[-1]
    outer.steps = [*estimator.steps[:-1], (name, _with_last_step(inner, last, fitted))]
    return outer


def _share_features(estimator: Any, X: Any) -> None:
    """Let all fits of this process keep features of the search's inputs, in memory."""
    if isinstance(estimator, Pipeline):
        for _, step in estimator.steps:
            _share_features(step, X)
    elif isinstance(estimator, Tunable):
        estimator.share_features(X)
