"""The base class of classifiers of any modality."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.callback import with_callbacks

from sktransfer._warnings import warn_user
from sktransfer.contracts import Task
from sktransfer.estimators._base import TransferEstimator
from sktransfer.estimators._params import ClassifierOptions
from sktransfer.estimators._tuned_encoder import TunedEncoder
from sktransfer.tasks.labels import LabelTask, check_classes, check_labels, is_indicator
from sktransfer.tasks.multiclass import MulticlassTask
from sktransfer.tasks.multilabel import MultilabelTask

# Inputs of which it is told that most get no label.
_MANY_ROWS = 20


class TransferClassifier(ClassifierOptions, TunedEncoder, ClassifierMixin, TransferEstimator):
    """A classifier whose targets are labels: one for each row, or any number of them.

    What inputs are is said by the modality that a subclass names.
    """

    classes_: np.ndarray
    multilabel_: bool
    thresholds_: np.ndarray

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        sample_domain: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
    ) -> TransferClassifier:
        """Train from the pretrained weights, or from ``source``; forgets any earlier fit.

        Parameters
        ----------
        X : list, array, Series or one-column frame of n inputs
            Texts, for example; with ``pairs=True``, a frame of two columns.
        y : array-like of shape (n,), or array-like or sparse matrix of shape (n, n_labels)
            Labels; or an indicator matrix of 0 and 1, where any number of labels may be right. A
            frame's columns name them; without names they are known by their positions.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights of the rows. Rows of weight 0 are left out.
        sample_domain : array-like of int of shape (n,) or None, default=None
            Domain of each row: 0 and above for sources, below 0 for targets. Target rows may be
            without a label: -1, None or NaN in y; of a matrix, a row of -1 or NaN.
        X_val, y_val : array-like of m inputs and m targets, or None, default=None
            Inputs and targets to hold out, in the form of X and y. All of X is then trained on.

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
        self._fit(X, y, sample_weight, sample_domain, restart=True, held_out=(X_val, y_val))
        return self

    @with_callbacks
    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        sample_weight: Any = None,
        sample_domain: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
    ) -> TransferClassifier:
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
        sample_domain : array-like of int of shape (n,) or None, default=None
            Domain of each row: 0 and above for sources, below 0 for targets. Target rows may be
            without a label: -1, None or NaN in y; of a matrix, a row of -1 or NaN.
        X_val, y_val : array-like of m inputs and m targets, or None, default=None
            Inputs and targets to hold out, in the form of X and y. All of X is then trained on.

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
        if classes is not None:
            check_classes(classes)
        elif not self.__sklearn_is_fitted__():
            self._resolve()
            raise ValueError(
                "classes must be passed on the first call to partial_fit: partial_fit(X, y, "
                "classes=[...]) names the labels to begin with; a later call may name others."
            )
        how: Any = {"restart": False, "classes": classes, "held_out": (X_val, y_val)}
        self._fit(X, y, sample_weight, sample_domain, **how)
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
        return self._predicted(X, "decision_function")

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

        Warns
        -----
        UserWarning
            If any number of labels may be right, and most inputs get none.
        """
        found = self._predicted(X, "predict")
        if self.multilabel_:
            self._warn_of_rows_without_labels(found)
        return found

    def _warn_of_rows_without_labels(self, labels: Any) -> None:
        """Warn where most of many rows of an indicator matrix are empty."""
        n_rows = labels.shape[0]
        n_empty = int((np.asarray(labels.sum(axis=1)).ravel() == 0).sum())
        if n_rows >= _MANY_ROWS and 2 * n_empty > n_rows:
            tunes = (
                "" if isinstance(self.threshold, str) else "threshold='auto' tunes thresholds, and "
            )
            warn_user(
                f"{n_empty} of {n_rows} inputs get no label, since none reaches its threshold (the "
                f"lowest is {self.thresholds_.min():.3g}): {tunes}class_weight='balanced' makes "
                "rare labels more probable.",
                about="rows without labels",
            )

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
        return self._predicted(X, "predict_proba")

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Predict logarithms of probabilities.

        Parameters
        ----------
        X : list, array, Series, one-column frame or iterator of n inputs
            As for `fit`. An iterator is read a few thousand inputs at a time.

        Returns
        -------
        log_proba : ndarray of float64 of shape (n, n_classes)
            Columns follow ``classes_``; minus infinity where a probability is 0.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _make_task(self, y: Any, weights: np.ndarray, earlier: Task | None, classes: Any) -> Task:
        several = is_indicator(y)
        if earlier is not None and classes is None and several != self.multilabel_:
            raise ValueError(
                "y has to be as in the last fit: "
                + ("an indicator matrix." if self.multilabel_ else "one label a row.")
                + " To train on another label set, pass it: partial_fit(X, y, classes=[...])."
            )
        wanted = classes
        if wanted is None and earlier is not None:
            wanted = earlier.names.tolist()
        if several:
            return self._multilabel_task(y, weights, wanted, earlier)
        if self.threshold not in ("auto", 0.5):
            raise ValueError(
                f"threshold={self.threshold!r} is for indicator matrices. Where one label is right,"
                " use sklearn.model_selection.TunedThresholdClassifierCV(clf) or "
                "FixedThresholdClassifier(clf, threshold=...)."
            )
        return MulticlassTask(
            np.unique(check_labels(y)) if wanted is None else check_classes(wanted),
            class_weight=self.class_weight,
            smoothing=float(self.label_smoothing),
            calibrates=self.calibrate is not None,
        )

    def _multilabel_task(
        self, y: Any, weights: np.ndarray, columns: Any, earlier: Task | None
    ) -> MultilabelTask:
        tunes = isinstance(self.threshold, str)
        threshold = 0.5 if tunes else float(self.threshold)
        task = MultilabelTask.from_y(y, None if columns is None else list(columns), threshold)
        if tunes and isinstance(earlier, MultilabelTask):
            # Those of an earlier training hold until others are tuned.
            tuned = dict(zip(earlier.classes.tolist(), earlier.thresholds, strict=True))
            kept = [tuned.get(label, threshold) for label in task.classes.tolist()]
            task = replace(task, thresholds=np.array(kept))
        task = replace(
            task,
            smoothing=float(self.label_smoothing),
            calibrates=self.calibrate is not None,
            tunes_thresholds=tunes,
        )
        return task.weighted(self.class_weight, task.encode(y), weights)

    def _task_class(self, y: Any) -> type[Task]:
        return LabelTask

    def _fitted_task(self) -> Task:
        task = MultilabelTask if self.multilabel_ else MulticlassTask
        return task.from_attributes(vars(self))

    def _wants_held_out(self, task: Task) -> bool:
        tunes = isinstance(task, MultilabelTask) and isinstance(self.threshold, str)
        return self.calibrate is not None or tunes

    def _trains_in_folds(self, task: Task) -> bool:
        return isinstance(task, MultilabelTask) and self.threshold == "cv"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
