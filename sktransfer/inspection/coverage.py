"""A plot of the accuracy of answers against how many inputs get one."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_array, check_is_fitted

from sktransfer._compat.sklearn import num_samples
from sktransfer.inspection._matplotlib import new_axes

__all__ = ["CoverageDisplay"]


class CoverageDisplay:
    """Accuracy on the inputs that a classifier is surest of, from the surest one to all of them.

    It shows which threshold of `sktransfer.SelectiveClassifier` to take: how many inputs get a
    label there, and how many of these labels are right [1]_.

    Parameters
    ----------
    coverage : ndarray of shape (n_points,)
        Fraction of the inputs that get a label, ascending; the last one is 1.
    accuracy : ndarray of shape (n_points,)
        Fraction of right ones among these labels.
    thresholds : ndarray of shape (n_points,)
        From which probability on a label is given.
    estimator_name : str or None, default=None
        Name in the legend.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The curve.
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.

    References
    ----------
    .. [1] El-Yaniv, R. and Wiener, Y. (2010). On the foundations of noise-free selective
       classification. JMLR 11.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sktransfer.inspection import CoverageDisplay
    >>> proba = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.45, 0.55]]
    >>> display = CoverageDisplay.from_predictions(
    ...     ["bad", "good", "good", "good"], proba, classes=["bad", "good"], ax=Figure().subplots()
    ... )
    >>> display.coverage
    array([0.25, 0.5 , 0.75, 1.  ])
    >>> display.accuracy.round(2)
    array([1.  , 1.  , 0.67, 0.75])
    >>> display.thresholds
    array([0.9 , 0.8 , 0.6 , 0.55])
    """

    def __init__(
        self,
        coverage: np.ndarray,
        accuracy: np.ndarray,
        thresholds: np.ndarray,
        *,
        estimator_name: str | None = None,
    ) -> None:
        self.coverage = coverage
        self.accuracy = accuracy
        self.thresholds = thresholds
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> CoverageDisplay:
        """Predict with a fitted classifier, and draw.

        Parameters
        ----------
        estimator : classifier
            Fitted, with ``predict_proba`` and one label a row.
        X : array-like of n inputs
            That it was not fitted on.
        y : array-like of shape (n,)
            True labels.
        name : str or None, default=None
            Name in the legend; None is that of the class.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes a figure.
        **kwargs : dict
            Passed to matplotlib's ``plot``.

        Returns
        -------
        display : CoverageDisplay

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        ValueError
            If y is an indicator matrix, or has another length than X.
        ImportError
            If matplotlib is not installed.
        """
        check_is_fitted(estimator)
        proba = estimator.predict_proba(X)
        name = type(estimator).__name__ if name is None else name
        return cls.from_predictions(
            y, proba, classes=estimator.classes_, name=name, ax=ax, **kwargs
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_proba: Any,
        *,
        classes: Any,
        name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> CoverageDisplay:
        """Draw predictions that were made before.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            True labels.
        y_proba : array-like of shape (n, n_classes)
            Probabilities.
        classes : array-like of shape (n_classes,)
            The label of each column.
        name : str or None, default=None
            Name in the legend.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes a figure.
        **kwargs : dict
            Passed to matplotlib's ``plot``.

        Returns
        -------
        display : CoverageDisplay

        Raises
        ------
        ValueError
            If the shapes do not fit, or y_true is an indicator matrix.
        ImportError
            If matplotlib is not installed.
        """
        true = check_array(y_true, ensure_2d=False, dtype=None, input_name="y_true")
        proba = check_array(y_proba, input_name="y_proba")
        classes = np.asarray(classes)
        if true.ndim != 1:
            raise ValueError(
                f"y_true has the shape {true.shape}, but one label a row is expected: draw the "
                "columns of an indicator matrix one by one."
            )
        check_consistent_length(true, proba)
        if proba.shape[1] != num_samples(classes):
            raise ValueError(
                f"y_proba has {proba.shape[1]} columns for {num_samples(classes)} classes: one for "
                "each is expected."
            )
        sureness = proba.max(axis=1)
        order = np.argsort(-sureness, kind="stable")
        right = (classes[proba.argmax(axis=1)] == true)[order]
        sureness = sureness[order]
        # Inputs of the same probability get a label together, or none of them does.
        last = np.append(sureness[1:] != sureness[:-1], True)
        count = np.arange(1, len(true) + 1)
        display = cls(
            (count / len(true))[last],
            (np.cumsum(right) / count)[last],
            sureness[last],
            estimator_name=name,
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> CoverageDisplay:
        """Draw accuracy against coverage.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes a figure.
        **kwargs : dict
            Passed to matplotlib's ``plot``.

        Returns
        -------
        display : CoverageDisplay
            This one.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = new_axes(ax)
        self.figure_ = self.ax_.figure
        style = {} if self.estimator_name is None else {"label": self.estimator_name}
        (self.line_,) = self.ax_.plot(self.coverage, self.accuracy, **(style | kwargs))
        self.ax_.set(
            xlabel="Coverage: fraction of inputs that get a label",
            ylabel="Accuracy on these inputs",
            xlim=(0, 1.01),
        )
        if "label" in style | kwargs:
            self.ax_.legend(loc="lower left")
        return self
