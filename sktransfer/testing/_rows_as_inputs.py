"""What brings scikit-learn's battery to an estimator that takes no tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

__all__ = ["RowsAsInputs"]


def _estimator_has(method: str) -> Any:
    def has(self: RowsAsInputs) -> bool:
        return hasattr(self.estimator, method)

    return available_if(has)


class RowsAsInputs(MetaEstimatorMixin, BaseEstimator):
    """Let an estimator take tables of numbers; a subclass says what a row becomes.

    Parameters
    ----------
    estimator : estimator
        A clone of it is fitted.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> RowsAsInputs:
        """Fit a clone of the estimator.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Numbers.
        y : array-like of shape (n,) or (n, n_outputs), or None, default=None
            Targets.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights of the rows.

        Returns
        -------
        self : RowsAsInputs
        """
        inputs = self._inputs(X, reset=True)
        self.estimator_ = clone(self.estimator).fit(
            inputs, y, **_given(sample_weight=sample_weight)
        )
        return self._finish()

    @_estimator_has("partial_fit")
    def partial_fit(
        self, X: Any, y: Any = None, classes: Any = None, sample_weight: Any = None
    ) -> RowsAsInputs:
        """Continue to fit.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Numbers.
        y : array-like of shape (n,) or (n, n_outputs), or None, default=None
            Targets.
        classes : array-like of shape (n_classes,) or None, default=None
            All labels; the first call of a classifier needs them.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights of the rows.

        Returns
        -------
        self : RowsAsInputs
        """
        first = not hasattr(self, "estimator_")
        inputs = self._inputs(X, reset=first)
        estimator = clone(self.estimator) if first else self.estimator_
        more = _given(classes=classes, sample_weight=sample_weight)
        self.estimator_ = estimator.partial_fit(inputs, y, **more)
        return self._finish()

    @_estimator_has("predict")
    def predict(self, X: Any) -> np.ndarray:
        """Predict targets.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Numbers.

        Returns
        -------
        y : ndarray of shape (n,) or (n, n_outputs)
        """
        check_is_fitted(self)
        return self.estimator_.predict(self._inputs(X))

    @_estimator_has("predict_proba")
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Numbers.

        Returns
        -------
        proba : ndarray of shape (n, n_classes)
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(self._inputs(X))

    @_estimator_has("decision_function")
    def decision_function(self, X: Any) -> np.ndarray:
        """Compute the classifier's scores.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Numbers.

        Returns
        -------
        scores : ndarray of shape (n,) or (n, n_classes)
        """
        check_is_fitted(self)
        return self.estimator_.decision_function(self._inputs(X))

    @_estimator_has("transform")
    def transform(self, X: Any) -> np.ndarray:
        """Compute features.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Numbers.

        Returns
        -------
        features : ndarray of shape (n, dim)
        """
        check_is_fitted(self)
        return self.estimator_.transform(self._inputs(X))

    @_estimator_has("transform")
    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Fit, and compute features.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Numbers.
        y : array-like of shape (n,) or (n, n_outputs), or None, default=None
            Targets.

        Returns
        -------
        features : ndarray of shape (n, dim)
        """
        return self.fit(X, y).transform(X)

    @_estimator_has("score")
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute the estimator's own score.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Numbers.
        y : array-like of shape (n,) or (n, n_outputs)
            Targets.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights of the rows.

        Returns
        -------
        score : float
        """
        check_is_fitted(self)
        return self.estimator_.score(self._inputs(X), y, **_given(sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = inner.classifier_tags
        tags.regressor_tags = inner.regressor_tags
        tags.transformer_tags = inner.transformer_tags
        tags.target_tags = inner.target_tags
        tags.non_deterministic = inner.non_deterministic
        return tags

    def _inputs(self, X: Any, *, reset: bool = False) -> list[Any]:
        numbers = validate_data(self, X, reset=reset, dtype="numeric")
        return self._rendered(np.asarray(numbers))

    def _rendered(self, numbers: np.ndarray) -> list[Any]:
        """Turn each row into an input of the estimator."""
        raise NotImplementedError(f"{type(self).__name__}._rendered")

    def _finish(self) -> RowsAsInputs:
        for name in ("classes_", "n_iter_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        return self


def _given(**arguments: Any) -> dict[str, Any]:
    # Not every estimator takes them, and None is not the same as none given.
    return {name: value for name, value in arguments.items() if value is not None}
