"""Scores of outputs that are computed already, by any scorer of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import check_scoring, get_scorer_names

from sktransfer._compat.sklearn import StrOptions
from sktransfer.contracts import Head, Task


class ScorerNames(StrOptions):
    """scikit-learn's scorers as values of a parameter, which an error lists in their order."""

    def __init__(self) -> None:
        super().__init__(set(get_scorer_names()))

    def __str__(self) -> str:
        return f"a str among {{{', '.join(map(repr, sorted(self.options)))}}}"


class _Precomputed(BaseEstimator):
    """A fitted estimator that predicts from outputs which are given."""

    def __init__(self, task: Any = None, head: Any = None, outputs: Any = None) -> None:
        self.task = task
        self.head = head
        self.outputs = outputs

    def fit(self, X: Any, y: Any) -> _Precomputed:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, X: Any) -> np.ndarray:
        return self.task.predict(self.head, self.outputs)


class _PrecomputedRegressor(RegressorMixin, _Precomputed):
    pass


class _PrecomputedClassifier(ClassifierMixin, _Precomputed):
    @property
    def classes_(self) -> np.ndarray:
        return self.task.names

    def predict_proba(self, X: Any) -> np.ndarray:
        return self.task.predict_proba(self.head, self.outputs)

    def decision_function(self, X: Any) -> np.ndarray:
        return self.task.decision_function(self.head, self.outputs)


def output_scorer(scoring: Any, task: Task, head: Head) -> Callable[[Any, np.ndarray], float]:
    """Make a function that scores a head's outputs.

    Parameters
    ----------
    scoring : str, callable or None
        As in scikit-learn; None is the estimator's own score, accuracy or R2.
    task : Task
        From outputs to predictions.
    head : Head
        Owns the probabilities.

    Returns
    -------
    score : callable
        ``score(outputs, values) -> float``, higher is better.
    """
    kind = _PrecomputedRegressor if task.is_regression else _PrecomputedClassifier

    def score(outputs: Any, values: np.ndarray) -> float:
        estimator = kind(task, head, outputs)
        scorer = check_scoring(estimator, scoring=scoring)
        try:
            value = scorer(estimator, np.zeros((len(values), 1)), task.decode(values))
        except ValueError as error:
            raise ValueError(
                f"scoring={scoring!r} fails on the {len(values)} held-out rows: {error}. Choose "
                "another one, such as 'f1_macro' for labels that are no 0 and 1, or raise "
                "validation_fraction."
            ) from error
        if not np.isfinite(value):
            raise ValueError(
                f"The score {scoring!r} is {value} on the {len(values)} held-out rows; it may need "
                "more rows or all labels: raise validation_fraction or choose another scoring."
            )
        return float(value)

    return score
