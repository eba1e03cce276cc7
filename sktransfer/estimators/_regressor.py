"""The base class of regressors of any modality."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.callback import with_callbacks

from sktransfer.contracts import Task
from sktransfer.estimators._base import TransferEstimator
from sktransfer.estimators._params import RegressorOptions
from sktransfer.estimators._tuned_encoder import TunedEncoder
from sktransfer.tasks.regression import RegressionTask, huber, quantile_loss, squared_error


class TransferRegressor(RegressorOptions, TunedEncoder, RegressorMixin, TransferEstimator):
    """A regressor whose targets are numbers: one for each row, or several.

    What inputs are is said by the modality that a subclass names.
    """

    target_mean_: np.ndarray
    target_scale_: np.ndarray
    n_targets_: int | None

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
    ) -> TransferRegressor:
        """Train from the pretrained weights, or from ``source``; forgets any earlier fit.

        Parameters
        ----------
        X : list, array, Series or one-column frame of n inputs
            Texts, for example; with ``pairs=True``, a frame of two columns.
        y : array-like of shape (n,) or (n, n_targets)
            Numbers.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights of the rows. Rows of weight 0 are left out.
        sample_domain : array-like of int of shape (n,) or None, default=None
            Domain of each row: 0 and above for sources, below 0 for targets. Target rows may be
            without a number: NaN in y.
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
        sample_weight: Any = None,
        sample_domain: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
    ) -> TransferRegressor:
        """Go on training: the same weights, a new optimizer and schedule.

        Parameters
        ----------
        X : list, array, Series or one-column frame of n inputs
            As for `fit`.
        y : array-like of shape (n,) or (n, n_targets)
            Numbers, in the units of `fit`.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights of the rows. Rows of weight 0 are left out.
        sample_domain : array-like of int of shape (n,) or None, default=None
            Domain of each row: 0 and above for sources, below 0 for targets. Target rows may be
            without a number: NaN in y.
        X_val, y_val : array-like of m inputs and m targets, or None, default=None
            Inputs and targets to hold out, in the form of X and y. All of X is then trained on.

        Returns
        -------
        self : estimator
            Fitted.

        Raises
        ------
        ValueError
            If a parameter or the data is not as described. The estimator stays as it was.
        TypeError
            If something among the inputs is of another type.
        TrainingDivergedError
            If the loss becomes NaN or explodes.
        """
        self._fit(X, y, sample_weight, sample_domain, restart=False, held_out=(X_val, y_val))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predict numbers.

        Parameters
        ----------
        X : list, array, Series, one-column frame or iterator of n inputs
            As for `fit`. An iterator is read a few thousand inputs at a time.

        Returns
        -------
        y : ndarray of float64 of shape (n,) or (n, n_targets)
        """
        return self._predicted(X, "predict")

    def _make_task(self, y: Any, weights: np.ndarray, earlier: Task | None, classes: Any) -> Task:
        losses: dict[str, Any] = {
            "squared_error": squared_error,
            "huber": partial(huber, delta=float(self.delta)),
            "quantile": partial(quantile_loss, quantile=float(self.quantile)),
        }
        row_loss = losses[self.loss]
        if earlier is None:
            return RegressionTask.from_y(y, weights, row_loss)
        return RegressionTask.from_attributes(vars(self)).going_on(y, weights, row_loss)

    def _task_class(self, y: Any) -> type[Task]:
        return RegressionTask

    def _fitted_task(self) -> Task:
        return RegressionTask.from_attributes(vars(self))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags
