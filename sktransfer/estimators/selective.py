"""A classifier that may decline to answer."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning
from sklearn.metrics import accuracy_score
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from sktransfer._compat.sklearn import HasMethods, Interval, num_samples, safe_indexing
from sktransfer.estimators._domains import check_domains, domain_in, labelled_rows
from sktransfer.tasks.multiclass import MulticlassTask

__all__ = ["SelectiveClassifier"]


class SelectiveClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Predict only where the most probable label is probable enough [1]_.

    Parameters
    ----------
    estimator : classifier
        Any that has ``predict_proba``. A clone of it is fitted; wrap a fitted one in
        `sklearn.frozen.FrozenEstimator`. Calibrate it first, for example by
        ``TransferTextClassifier(calibrate="temperature")``, since the threshold is a probability.
    threshold : float, default=0.8
        Where no label has this probability, `predict` gives ``reject_label_``.
    reject_label : int, str or None, default=None
        Given where no label is sure enough: a number where the labels are numbers, text where they
        are text, and none of them. None is -1 (or one less than the smallest label, where -1 is
        one), and ``"rejected"``.

    Attributes
    ----------
    estimator_ : classifier
        The fitted clone.
    classes_ : ndarray of shape (n_classes,)
        Its labels; ``reject_label_`` is not among them.
    reject_label_ : int or str
        What stands for "not sure".

    References
    ----------
    .. [1] Chow, C. K. (1970). On optimum recognition error and reject tradeoff. IEEE Transactions
       on Information Theory 16(1).

    Examples
    --------
    >>> from sktransfer import SelectiveClassifier, TransferTextClassifier
    >>> texts = ["a lovely film", "great fun", "a dull film", "boring"] * 5
    >>> labels = ["good", "good", "bad", "bad"] * 5
    >>> clf = TransferTextClassifier("hashing", freeze="frozen", random_state=0)
    >>> clf = SelectiveClassifier(clf, threshold=0.6, reject_label="?").fit(texts, labels)
    >>> clf.predict(["a lovely film", "the weather"])
    array(['good', '?'], dtype='<U4')
    >>> clf.accepts(["a lovely film", "the weather"])
    array([ True, False])
    """

    _parameter_constraints: dict[str, Any] = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "threshold": [Interval(Real, 0, 1, closed="both")],
        "reject_label": [Integral, str, None],
    }

    def __init__(self, estimator: Any, *, threshold: float = 0.8, reject_label: Any = None) -> None:
        self.estimator = estimator
        self.threshold = threshold
        self.reject_label = reject_label

    def fit(self, X: Any, y: Any, **fit_params: Any) -> SelectiveClassifier:
        """Fit a clone of the classifier.

        Parameters
        ----------
        X : array-like of n inputs
            What the classifier takes.
        y : array-like of shape (n,)
            Labels. Beside ``sample_domain``, target rows may be without one.
        **fit_params : dict
            Passed to its ``fit``; with metadata routing, as it requests them.

        Returns
        -------
        self : SelectiveClassifier

        Raises
        ------
        ValueError
            If ``reject_label`` is one of the labels, or y is an indicator matrix.
        """
        self._validate_params()
        if get_config()["enable_metadata_routing"]:
            fit_params = process_routing(self, "fit", **fit_params).estimator.fit
        labelled = _labelled(y, fit_params)
        if type_of_target(labelled).startswith("multilabel"):
            raise ValueError("y is an indicator matrix, but one label a row is expected.")
        # Checked before the training, which may take long. A frozen classifier has its own labels.
        self._reject_label(np.unique(np.asarray(labelled)))
        estimator = clone(self.estimator).fit(X, y, **fit_params)
        self.reject_label_ = self._reject_label(estimator.classes_)
        self.estimator_ = estimator
        self.classes_ = estimator.classes_
        return self

    def _reject_label(self, classes: np.ndarray) -> Any:
        labels = classes.tolist()
        text = bool(labels) and isinstance(labels[0], str)
        if self.reject_label is None:
            if text:
                return "rejected"
            return -1 if -1 not in labels else int(min(labels)) - 1
        if self.reject_label in labels:
            raise ValueError(
                f"reject_label={self.reject_label!r} is one of the labels {labels}: choose another "
                "one."
            )
        if text != isinstance(self.reject_label, str):
            raise ValueError(
                f"reject_label={self.reject_label!r} has to be "
                f"{'a string' if text else 'a number'}, as the labels {labels} are."
            )
        return self.reject_label

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels, or ``reject_label``.

        Parameters
        ----------
        X : array-like of n inputs
            What the classifier takes.

        Returns
        -------
        labels : ndarray of shape (n,)
            Of a type that holds the labels and ``reject_label_``.
        """
        proba = self.predict_proba(X)
        labels = self.classes_[proba.argmax(axis=1)]
        rejected = proba.max(axis=1) < self.threshold
        if labels.dtype != object:
            labels = labels.astype(np.result_type(labels, np.asarray(self.reject_label_)))
        labels[rejected] = self.reject_label_
        return labels

    def accepts(self, X: Any) -> np.ndarray:
        """Say which inputs get a label.

        Parameters
        ----------
        X : array-like of n inputs
            What the classifier takes.

        Returns
        -------
        accepted : ndarray of bool of shape (n,)
            Its mean is the coverage.
        """
        return self.predict_proba(X).max(axis=1) >= self.threshold

    def coverage(self, X: Any) -> float:
        """Compute the fraction of inputs that get a label.

        Parameters
        ----------
        X : array-like of n inputs
            What the classifier takes.

        Returns
        -------
        coverage : float
            From 0 to 1.
        """
        return float(self.accepts(X).mean())

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute the accuracy on the inputs that get a label.

        How many these are is the `coverage`; the higher the threshold, the fewer. So a search over
        ``threshold`` needs a scorer of its own.

        Parameters
        ----------
        X : array-like of n inputs
            What the classifier takes.
        y : array-like of shape (n,)
            True labels.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights of the rows.

        Returns
        -------
        score : float
            NaN, with a warning, if no input gets a label.
        """
        predicted = self.predict(X)
        answered = predicted != self.reject_label_
        if not answered.any():
            warnings.warn(
                f"No input has a label of probability {self.threshold} or more, so that the "
                "accuracy is NaN: lower threshold.",
                UndefinedMetricWarning,
                stacklevel=2,
            )
            return float("nan")
        weights = None if sample_weight is None else np.asarray(sample_weight)[answered]
        true = safe_indexing(y, np.flatnonzero(answered))
        return float(accuracy_score(true, predicted[answered], sample_weight=weights))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities, as the classifier does.

        Parameters
        ----------
        X : array-like of n inputs
            What the classifier takes.

        Returns
        -------
        proba : ndarray of shape (n, n_classes)
        """
        try:
            check_is_fitted(self)
        except NotFittedError:
            raise NotFittedError(self._how_to_fit()) from None
        return self.estimator_.predict_proba(X)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Predict logarithms of probabilities, as the classifier does.

        Parameters
        ----------
        X : array-like of n inputs
            What the classifier takes.

        Returns
        -------
        log_proba : ndarray of shape (n, n_classes)
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _how_to_fit(self) -> str:
        """Say how this is fitted; with one more sentence if the classifier is fitted already."""
        message = "This SelectiveClassifier is not fitted yet: call fit(X, y) first."
        try:
            check_is_fitted(self.estimator)
        except (NotFittedError, TypeError):
            return message
        return (
            f"{message} It fits a clone of the {type(self.estimator).__name__}; to keep the fitted "
            "one as it is, wrap it: SelectiveClassifier(sklearn.frozen.FrozenEstimator(fitted))."
            "fit(X, y)."
        )

    @property
    def n_features_in_(self) -> int:
        """Columns that the classifier was fitted on, if it counts them."""
        return self.estimator_.n_features_in_

    def get_metadata_routing(self) -> MetadataRouter:
        """Say what of `fit`'s metadata the classifier gets.

        Returns
        -------
        routing : sklearn.utils.metadata_routing.MetadataRouter
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags


def _labelled(y: Any, fit_params: dict[str, Any]) -> Any:
    """Give the labels of the rows that have one; only beside domains may rows have none."""
    sample_domain = domain_in(fit_params)
    if sample_domain is None:
        return y
    domains = check_domains(sample_domain, num_samples(y))
    return safe_indexing(y, labelled_rows(y, domains, MulticlassTask))
