"""Any scorer of scikit-learn, on outputs that are there already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import check_scoring


class _Outputs(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose predictions are given."""

    def __init__(self, classes: Any = None, proba: Any = None) -> None:
        self.classes = classes
        self.proba = proba

    @property
    def classes_(self) -> np.ndarray:
        return self.classes

    def fit(self, X: Any, y: Any) -> _Outputs:
        return self

    def predict(self, X: Any) -> np.ndarray:
        return self.classes[self.proba.argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        return self.proba


def output_scorer(
    scoring: Any, classes: np.ndarray, to_proba: Callable[[Any], np.ndarray]
) -> Callable[[Any, np.ndarray], float]:
    """Make a function that scores a head's outputs.

    Parameters
    ----------
    scoring : str, callable or None
        As in scikit-learn; None is the accuracy.
    classes : ndarray of shape (n_classes,)
        The label set.
    to_proba : callable
        Turns outputs into probabilities of shape (n, n_classes).

    Returns
    -------
    score : callable
        ``score(outputs, codes) -> float``, higher is better.
    """

    def score(outputs: Any, codes: np.ndarray) -> float:
        estimator = _Outputs(classes, to_proba(outputs))
        scorer = check_scoring(estimator, scoring="accuracy" if scoring is None else scoring)
        value = scorer(estimator, np.zeros((len(codes), 1)), classes[codes])
        if not np.isfinite(value):
            raise ValueError(
                f"The score {scoring!r} is {value} on the {len(codes)} held-out rows; it may need "
                "more rows or all labels: raise validation_fraction or choose another scoring."
            )
        return float(value)

    return score
