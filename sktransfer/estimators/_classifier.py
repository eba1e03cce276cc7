"""What classifiers share, whatever their inputs are."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin
from sklearn.callback import with_callbacks
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from sktransfer._compat.sklearn import Interval, StrOptions
from sktransfer.estimators._labels import check_classes, check_labels
from sktransfer.estimators._reading import ManyLabelsReading, OneLabelReading, Reading
from sktransfer.estimators._source import start_of_fitted
from sktransfer.estimators._targets import (
    Targets,
    check_indicators,
    column_names,
    many_labels_targets,
    named_columns,
    one_label_targets,
)
from sktransfer.estimators._transfer import BaseTransfer


class BaseTransferClassifier(ClassifierMixin, BaseTransfer):
    """Labels, of which one is right or any number, as the targets of an estimator.

    What reads inputs is mixed in: ``_read_new``, ``_read`` and ``_check_same_kind``.
    """

    classes_: np.ndarray
    multilabel_: bool

    _parameter_constraints = {
        **BaseTransfer._parameter_constraints,
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "calibrate": [StrOptions({"temperature"}), None],
        "threshold": [Interval(Real, 0, 1, closed="neither"), StrOptions({"auto"})],
    }

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> BaseTransferClassifier:
        """Train from the pretrained weights, or from ``source``; forgets any earlier fit.

        Parameters
        ----------
        X : list, array, Series or one-column frame of n inputs
            Texts, for example; a frame of two columns holds pairs.
        y : array-like of shape (n,), or array-like or sparse matrix of shape (n, n_labels)
            Labels; or an indicator matrix of 0 and 1, where any number of labels may be right. A
            frame's columns name them; without names they are known by their positions.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights of the rows. Rows of weight 0 are left out.

        Returns
        -------
        self : estimator
            Fitted.

        Raises
        ------
        ValueError
            If a parameter or the data is not as described.
        TypeError
            If something among the inputs is of another type.
        TrainingDivergedError
            If the loss becomes NaN or explodes.
        """
        parts = self._resolve()
        inputs = self._read_new(X, parts.backbone)
        inputs, y, sample_weight = self._leave_out(inputs, y, sample_weight)
        targets = self._targets(parts, y, len(inputs), None, sample_weight)
        start, stage = self._start()
        self._train(parts, inputs, targets, start, stage, restart=True)
        return self

    @with_callbacks
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> BaseTransferClassifier:
        """Go on training: the same weights, a new optimizer and schedule.

        Parameters
        ----------
        X : list, array, Series or one-column frame of n inputs
            As for `fit`.
        y : array-like of shape (n,), or array-like or sparse matrix of shape (n, n_labels)
            Labels.
        classes : array-like of shape (n_classes,) or None, default=None
            The label set from now on: what the head knows of labels that stay is kept, others are
            added or dropped. None keeps the label set. Needed in the first call without `fit`.
            For an indicator matrix ``classes`` names its columns in their order; without names it
            is ``range(n_labels)``.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights of the rows. Rows of weight 0 are left out.

        Returns
        -------
        self : estimator
            Fitted.

        Raises
        ------
        ValueError
            If a label is not in the label set, or a parameter or the data is not as described.
            The estimator stays as it was.
        TypeError
            If something among the inputs is of another type.
        TrainingDivergedError
            If the loss becomes NaN or explodes.
        """
        parts = self._resolve()
        fitted = self.__sklearn_is_fitted__()
        if classes is not None:
            label_set = check_classes(classes)
        elif fitted:
            label_set = self.classes_
        else:
            raise ValueError(
                "classes must be passed on the first call to partial_fit: partial_fit(X, y, "
                "classes=[...]) names the labels to begin with; a later call may name others."
            )
        inputs = self._read_new(X, parts.backbone)
        inputs, y, sample_weight = self._leave_out(inputs, y, sample_weight)
        if fitted:
            self._check_same_kind(inputs)
        columns = list(label_set if classes is None else classes)
        targets = self._targets(parts, y, len(inputs), label_set, sample_weight, columns)
        if fitted and classes is None and (targets.per == "label") != self.multilabel_:
            raise ValueError(
                "y has to be as in the last fit: "
                + ("an indicator matrix." if self.multilabel_ else "one label a row.")
                + " To train on another label set, pass it: partial_fit(X, y, classes=[...])."
            )
        start, stage = (start_of_fitted(self), "target") if fitted else self._start()
        self._train(parts, inputs, targets, start, stage, restart=False)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Compute the log-odds of labels.

        Parameters
        ----------
        X : list, array, Series, one-column frame or iterator of n inputs
            As for `fit`. An iterator is read a few thousand inputs at a time.

        Returns
        -------
        scores : ndarray of shape (n,) or (n, n_classes)
            With two labels of which one is right, of the second against the first.
        """
        check_is_fitted(self)
        return self._mapped(X, self._reading().decision)

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels.

        Parameters
        ----------
        X : list, array, Series, one-column frame or iterator of n inputs
            As for `fit`. An iterator is read a few thousand inputs at a time.

        Returns
        -------
        labels : ndarray of shape (n,), or ndarray or sparse matrix of shape (n, n_labels)
            As the labels of `fit` were; sparse where those were.
        """
        check_is_fitted(self)
        return self._mapped(X, self._reading().predict)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities.

        Parameters
        ----------
        X : list, array, Series, one-column frame or iterator of n inputs
            As for `fit`. An iterator is read a few thousand inputs at a time.

        Returns
        -------
        proba : ndarray of float64 of shape (n, n_classes)
            Columns follow ``classes_``; rows sum to 1, unless any number of labels may be right.
        """
        check_is_fitted(self)
        return self._mapped(X, self._reading().proba)

    def _targets(
        self,
        parts: Any,
        y: Any,
        n_rows: int,
        label_set: np.ndarray | None,
        sample_weight: Any,
        columns: Any = None,
    ) -> Targets:
        """Code the labels; ``label_set`` and ``columns`` are None where the data decides them."""
        smoothing = float(self.label_smoothing)
        if is_indicator(y):
            labels, sparse = check_indicators(y, n_rows)
            labels, names = named_columns(labels, column_names(y), columns)
            return many_labels_targets(
                labels,
                names=names,
                sparse=sparse,
                threshold=0.5 if self.threshold == "auto" else float(self.threshold),
                class_weight=self.class_weight,
                sample_weight=sample_weight,
                smoothing=smoothing,
            )
        labels = check_labels(y, n_rows)
        if self.threshold != 0.5:
            raise ValueError(
                f"threshold={self.threshold!r} is for indicator matrices. Where one label is right,"
                " use sklearn.model_selection.TunedThresholdClassifierCV(clf) or "
                "FixedThresholdClassifier(clf, threshold=...)."
            )
        return one_label_targets(
            labels,
            np.unique(labels) if label_set is None else label_set,
            head=parts.head,
            class_weight=self.class_weight,
            sample_weight=sample_weight,
            smoothing=smoothing,
        )

    def _wants_held_out(self) -> bool:
        return self.calibrate is not None or self.threshold == "auto"

    def _settle(self, reading: Any, module: Any, valid: Any) -> Reading:
        """Calibrate, and tune thresholds, on held-out rows."""
        if not self._wants_held_out():
            return reading
        from sktransfer.features.encode import encode_rows

        outputs = module.outputs(encode_rows(module.encoder, valid.rows, module.precision))
        if self.calibrate is not None:
            reading = reading.calibrated(outputs, valid.targets, valid.weights)
        if self.threshold == "auto":
            reading = reading.with_best_thresholds(outputs, valid.targets, valid.weights)
        return reading

    def _reading(self) -> Any:
        temperature = getattr(self, "temperature_", None)
        if self.multilabel_:
            return ManyLabelsReading(
                self.classes_, self.thresholds_, temperature, self.sparse_output_
            )
        return OneLabelReading(self.net_.head, self.classes_, temperature)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def is_indicator(y: Any) -> bool:
    """Tell an indicator matrix, also in a list or frame, from labels."""
    try:
        # A frame stays one: its columns that can hold missing values are objects to NumPy.
        array = y if issparse(y) or hasattr(y, "iloc") else np.asarray(y)
        return array.ndim == 2 and type_of_target(array) == "multilabel-indicator"
    except (TypeError, ValueError):
        return False
