"""What regressors share, whatever their inputs are."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.callback import with_callbacks
from sklearn.utils.validation import check_is_fitted

from sktransfer.estimators._params import RegressorOptions
from sktransfer.estimators._reading import NumbersReading
from sktransfer.estimators._source import start_of_fitted
from sktransfer.estimators._targets import Targets, numbers_targets
from sktransfer.estimators._transfer import BaseTransfer, Parts
from sktransfer.estimators._tuned_encoder import TunedEncoder
from sktransfer.heads.objectives import Huber, Objective, Quantile, Squared


class BaseTransferRegressor(RegressorOptions, TunedEncoder, RegressorMixin, BaseTransfer):
    """Numbers, one or several a row, as the targets of an estimator.

    What reads inputs is mixed in: ``_read_new``, ``_read`` and ``_check_same_kind``.
    """

    target_mean_: np.ndarray
    target_scale_: np.ndarray
    n_targets_: int | None

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> BaseTransferRegressor:
        """Train from the pretrained weights, or from ``source``; forgets any earlier fit.

        Parameters
        ----------
        X : list, array, Series or one-column frame of n inputs
            Texts, for example; a frame of two columns holds pairs.
        y : array-like of shape (n,) or (n, n_targets)
            Numbers.
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
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> BaseTransferRegressor:
        """Go on training: the same weights, a new optimizer and schedule.

        Parameters
        ----------
        X : list, array, Series or one-column frame of n inputs
            As for `fit`.
        y : array-like of shape (n,) or (n, n_targets)
            Numbers, in the units of `fit`.
        sample_weight : array-like of shape (n,) or None, default=None
            Weights of the rows. Rows of weight 0 are left out.

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
        parts = self._resolve()
        fitted = self.__sklearn_is_fitted__()
        inputs = self._read_new(X, parts.backbone)
        inputs, y, sample_weight = self._leave_out(inputs, y, sample_weight)
        if fitted:
            self._check_same_kind(inputs)
        scaling = self._reading() if fitted else None
        targets = self._targets(parts, y, len(inputs), scaling, sample_weight)
        start, stage = (start_of_fitted(self), "target") if fitted else self._start()
        self._train(parts, inputs, targets, start, stage, restart=False)
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
        check_is_fitted(self)
        return self._mapped(X, self._reading().predict)

    def _targets(
        self,
        parts: Parts,
        y: Any,
        n_rows: int,
        scaling: NumbersReading | None,
        sample_weight: Any,
    ) -> Targets:
        objective: Objective = {
            "squared_error": Squared(),
            "huber": Huber(float(self.delta)),
            "quantile": Quantile(float(self.quantile)),
        }[self.loss]
        return numbers_targets(
            y, n_rows, objective=objective, sample_weight=sample_weight, scaling=scaling
        )

    def _reading(self) -> NumbersReading:
        return NumbersReading(self.target_mean_, self.target_scale_, self.n_targets_ is None)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags
