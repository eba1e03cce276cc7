"""One or several numbers a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array

from sktransfer.contracts import Head, Task

if TYPE_CHECKING:
    import torch

__all__ = ["RegressionTask", "huber", "quantile_loss", "squared_error"]

RowLoss = Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]


def squared_error(outputs: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Compute half the squared error of each row; the mean is predicted."""
    return 0.5 * (outputs - values).square().sum(dim=1)


def huber(outputs: torch.Tensor, values: torch.Tensor, delta: float) -> torch.Tensor:
    """Compute a loss of each row that is squared up to ``delta`` and absolute beyond [1]_.

    References
    ----------
    .. [1] Huber, P. J. (1964). Robust estimation of a location parameter. Annals of Mathematical
       Statistics 35(1).
    """
    from torch.nn.functional import huber_loss

    return huber_loss(outputs, values, reduction="none", delta=delta).sum(dim=1)


def quantile_loss(outputs: torch.Tensor, values: torch.Tensor, quantile: float) -> torch.Tensor:
    """Compute the pinball loss of each row; a quantile is predicted [1]_.

    References
    ----------
    .. [1] Koenker, R. and Bassett, G. (1978). Regression quantiles. Econometrica 46(1).
    """
    import torch

    error = values - outputs
    return torch.maximum(quantile * error, (quantile - 1.0) * error).sum(dim=1)


@dataclass(frozen=True, eq=False)
class RegressionTask(Task):
    """Numbers, which the head learns in units of their standard deviation.

    Attributes
    ----------
    mean, scale : ndarray of float of shape (n_targets,)
        What the head learns is ``(y - mean) / scale``; the scale of a constant target is 0, and
        its mean is predicted.
    flat : bool
        Whether y has one dimension.
    row_loss : callable
        Computes the loss of each row from outputs and standardised numbers; a head may refuse it.
    """

    unit: ClassVar[str] = "target"
    is_regression: ClassVar[bool] = True
    mean: np.ndarray
    scale: np.ndarray
    flat: bool = True
    row_loss: RowLoss = squared_error

    @classmethod
    def from_y(cls, y: Any, sample_weight: np.ndarray, row_loss: RowLoss) -> RegressionTask:
        """Take mean and standard deviation from numbers.

        Parameters
        ----------
        y : array-like of shape (n,) or (n, n_targets)
            Numbers.
        sample_weight : ndarray of shape (n,)
            Weights of the rows.
        row_loss : callable
            What is minimised.

        Returns
        -------
        task : RegressionTask
        """
        numbers = _check_numbers(y)
        matrix = numbers.reshape(len(numbers), -1)
        counted = matrix[np.asarray(sample_weight) > 0]
        # Rounding would give a constant target a tiny scale, and a mean beside it.
        constant = (counted == counted[0]).all(axis=0)
        mean = np.where(constant, counted[0], np.average(matrix, axis=0, weights=sample_weight))
        scale = np.where(constant, 0.0, _deviation(matrix, mean, sample_weight))
        return cls(mean, scale, numbers.ndim == 1, row_loss)

    def going_on(self, y: Any, sample_weight: np.ndarray, row_loss: RowLoss) -> RegressionTask:
        """Give a task in the same units for further numbers.

        Parameters
        ----------
        y : array-like of shape (n,) or (n, n_targets)
            Numbers.
        sample_weight : ndarray of shape (n,)
            Weights of the rows.
        row_loss : callable
            What is minimised.

        Returns
        -------
        task : RegressionTask
            A target that was constant so far has the deviation of ``y`` from its mean as its scale.
        """
        numbers = _check_numbers(y)
        matrix = numbers.reshape(len(numbers), -1)
        scale = self.scale
        if matrix.shape[1] == len(self.mean):
            deviation = _deviation(matrix, self.mean, sample_weight)
            scale = np.where(self.scale > 0, self.scale, deviation)
        return replace(self, scale=scale, row_loss=row_loss)

    @property
    def names(self) -> np.ndarray:
        """Numbers of the targets."""
        return np.arange(len(self.mean))

    def encode(self, y: Any) -> np.ndarray:
        """Standardise numbers."""
        numbers = _check_numbers(y)
        matrix = numbers.reshape(len(numbers), -1)
        if matrix.shape[1] != len(self.mean):
            raise ValueError(
                f"y has {matrix.shape[1]} columns, but the estimator was fitted with "
                f"{len(self.mean)}."
            )
        unit = np.where(self.scale > 0, self.scale, 1.0)
        return ((matrix - self.mean) / unit).astype(np.float32)

    def decode(self, values: np.ndarray) -> np.ndarray:
        """Give numbers in the caller's units, of shape (n,) or (n, n_targets)."""
        numbers = values.astype(np.float64) * self.scale + self.mean
        return numbers[:, 0] if self.flat else numbers

    def loss(self, head: Head, outputs: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Ask the head for the loss of each row; by default that is ``row_loss``."""
        return head.regression_loss(outputs, values.to(outputs.dtype), self.row_loss)

    def predict(self, head: Head, outputs: torch.Tensor, lengths: Sequence[int] = ()) -> np.ndarray:
        """Give numbers in the caller's units."""
        return self.decode(outputs.double().numpy())

    def attributes(self) -> dict[str, Any]:
        """Give ``target_mean_``, ``target_scale_`` and ``n_targets_``."""
        return {
            "target_mean_": self.mean,
            "target_scale_": self.scale,
            "n_targets_": None if self.flat else len(self.mean),
        }

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> RegressionTask:
        """Make the task of a fitted regressor."""
        flat = attributes["n_targets_"] is None
        return cls(attributes["target_mean_"], attributes["target_scale_"], flat)


def _deviation(matrix: np.ndarray, mean: np.ndarray, sample_weight: np.ndarray) -> np.ndarray:
    """Compute the root of the mean squared deviation of each column."""
    return np.sqrt(np.average((matrix - mean) ** 2, axis=0, weights=sample_weight))


def _check_numbers(y: Any) -> np.ndarray:
    if issparse(y):
        raise TypeError("Sparse data was passed for y, but dense data is required.")
    return check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
