"""One fold of one trial, in whatever process it is fitted."""

from __future__ import annotations

import contextlib
import copy
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection._validation import _fit_and_score
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_method_params

from sktransfer.tuning._course import STEPS_PER_FOLD, Course

# Attribute of an exception: the trial whose fold raised it.
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


@dataclass
class Plan:
    """What a fold of a trial is told.

    Attributes
    ----------
    fold : Fold
        Which one.
    params : dict of str to object
        Of the trial.
    so_far : float
        Sum of the scores of folds before it.
    n_before : int
        How many those are; folds that are fitted at once do not know of one another.
    course : Course or None
        How the trial goes; None where nothing is pruned.
    deadline : float or None
        Seconds of the epoch (`time.time`) at which a training stops.
    context : sklearn.callback.CallbackContext
        The task of scikit-learn's callbacks.
    progress : tuple of int
        Trial and trials, for scikit-learn's messages.
    """

    fold: Fold
    params: dict[str, Any]
    so_far: float
    n_before: int
    course: Course | None
    deadline: float | None
    context: Any
    progress: tuple[int, int]

    def is_late(self) -> bool:
        """Say whether the time is over."""
        return self.deadline is not None and time.time() >= self.deadline


def fit_fold(
    estimator: Any,
    X: Any,
    y: Any,
    plan: Plan,
    *,
    scorer: Any,
    metric: str | None,
    score_params: dict[str, Any],
    n_folds: int,
    **settings: Any,
) -> dict[str, Any]:
    """Fit and score one fold.

    Parameters
    ----------
    estimator : estimator
        A copy of it is fitted.
    X : sequence of n inputs
        All of the search's.
    y : sequence of n targets, or None
        All of the search's.
    plan : Plan
        What to do.
    scorer : callable
        As scikit-learn's `_fit_and_score` takes it.
    metric : str or None
        Which of several scores is searched for; None if there is one.
    score_params : dict
        What the scorer is given besides.
    n_folds : int
        How many folds there are.
    **settings : dict
        What scikit-learn's `_fit_and_score` takes besides.

    Returns
    -------
    found : dict
        What `_fit_and_score` returns, and ``ended``: None, ``"pruned"`` or ``"timeout"``;
        ``score_error``, why there is no score, or None; ``reports`` and ``rungs``, as the course
        has them.
    """
    if plan.is_late():
        return {"ended": "timeout", "reports": {}, "rungs": {}}
    estimator = clone(estimator)
    _share_features(estimator, X)
    watch = _Clock(plan)
    last = _last(estimator)
    # Others may tell of a thousand iterations, and of no score.
    if hasattr(last, "is_active") and hasattr(last, "set_callbacks"):
        if plan.course is not None:
            test = plan.fold.test
            data = [_safe_indexing(part, test) for part in (X, y) if part is not None]
            more = _check_method_params(X, params=score_params, indices=test)
            watch = _Watch(plan, plan.course, estimator, data, more, scorer, metric)
        last.set_callbacks(*getattr(last, "_skl_callbacks", []), watch)
    noted = scorer if isinstance(scorer, _MultimetricScorer) else _Noted(scorer)
    try:
        found = _fit_and_score(
            estimator,
            X,
            y,
            scorer=noted,
            train=plan.fold.train,
            test=plan.fold.test,
            parameters=plan.params,
            score_params=score_params,
            split_progress=(plan.fold.number, n_folds),
            candidate_progress=plan.progress,
            callback_ctx=plan.context,
            **settings,
        )
    except Exception as error:
        with contextlib.suppress(AttributeError):  # one with slots; then nobody is to blame
            setattr(error, TRIAL_OF_ERROR, plan.progress[0])
        raise
    finally:
        # The contexts of scikit-learn's callbacks keep those who were called until the search is
        # over, and these know the fitted estimator.
        watch.forget()
    course = plan.course
    return {
        **found,
        "score_error": getattr(noted, "error", None),
        "ended": watch.ended,
        "reports": {} if course is None else course.reports,
        "rungs": {} if course is None else course.rungs(),
    }


class _Noted:
    """A scorer whose error is kept; scikit-learn puts it into a warning alone."""

    def __init__(self, scorer: Any) -> None:
        self._scorer = scorer
        self.error: str | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self._scorer(*args, **kwargs)
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"
            raise


class _Clock:
    """A callback of scikit-learn's that ends a training whose time is over."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.ended: str | None = None

    def setup(self, estimator: Any, context: Any) -> None:
        """Nothing has to be set up."""

    def teardown(self, estimator: Any, context: Any) -> None:
        """Nothing has to be put away."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Wait for the end."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        """Look at the clock after an epoch; True ends the training."""
        if context.task_name == "epoch" and self._plan.is_late():
            self.ended = "timeout"
        return self.ended is not None

    def forget(self) -> None:
        """Let go of what is large."""


class _Watch(_Clock):
    """One that scores epochs, too, and ends what is hopeless.

    It asks for a fitted estimator, which takes a copy of all that was trained.
    """

    def __init__(
        self,
        plan: Plan,
        course: Course,
        estimator: Any,
        data: list[Any],
        score_params: dict[str, Any],
        scorer: Any,
        metric: str | None,
    ) -> None:
        super().__init__(plan)
        self._course = course
        self._estimator = estimator
        self._data = data
        self._score_params = score_params
        self._scorer = scorer
        self._metric = metric
        self._last = (0, 0.0)

    def on_fit_task_end(  # type: ignore[override]
        self, estimator: Any, context: Any, *, fitted_estimator: Any
    ) -> bool:
        """Judge the training after an epoch; True ends it."""
        if super().on_fit_task_end(estimator, context) or context.task_name != "epoch":
            return self.ended is not None
        n_epochs = context.parent.max_subtasks
        if not n_epochs or context.task_id + 1 >= n_epochs:
            return False  # the score of the whole fold is about to come
        tenth = (context.task_id + 1) * STEPS_PER_FOLD // n_epochs
        before, score = self._last
        if tenth <= before:
            return False
        base = self._plan.fold.number * STEPS_PER_FOLD
        for step in range(before + 1, tenth):
            if before:  # as far as is known, nothing has changed since
                self._course.report(base + step, score)
        own = self._score(estimator, fitted_estimator)
        score = (self._plan.so_far + own) / (self._plan.n_before + 1)
        self._last = (tenth, score)
        self._course.report(base + tenth, score)
        if self._course.is_hopeless():
            self.ended = "pruned"
        return self.ended is not None

    def forget(self) -> None:
        """Let go of what is large."""
        self._estimator, self._data, self._score_params = None, [], {}

    def _score(self, part: Any, fitted: Any) -> float:
        estimator = _put(self._estimator, part, fitted)
        scorer = self._scorer
        if self._metric is not None and hasattr(scorer, "_scorers"):
            scorer = scorer._scorers[self._metric]
        score = scorer(estimator, *self._data, **self._score_params)
        return float(score[self._metric] if isinstance(score, dict) else score)


def _last(estimator: Any) -> Any:
    """Give the estimator at the end of a pipeline."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def _put(estimator: Any, part: Any, fitted: Any) -> Any:
    """Give a copy with a fitted estimator at the end of the pipeline."""
    if estimator is part:
        return fitted
    outer = copy.copy(estimator)
    name, last = estimator.steps[-1]
    outer.steps = [*estimator.steps[:-1], (name, _put(last, part, fitted))]
    return outer


def _share_features(estimator: Any, X: Any) -> None:
    """Let all fits of this process keep features of the search's inputs, in memory."""
    if isinstance(estimator, Pipeline):
        for _, step in estimator.steps:
            _share_features(step, X)
    elif hasattr(estimator, "share_features"):
        estimator.share_features(X)
