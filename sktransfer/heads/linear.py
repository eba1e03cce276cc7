"""The linear head."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, Any

from sktransfer.heads._softmax import SoftmaxHead

if TYPE_CHECKING:
    import torch

__all__ = ["LinearHead"]


class LinearHead(SoftmaxHead):
    """A linear layer and a softmax: logistic regression on the features.

    Parameters
    ----------
    C : float, default=1.0
        Inverse regularisation strength when the head is fitted to convergence, as in
        `sklearn.linear_model.LogisticRegression`.
    lr_scale : float, default=100.0
        The head's learning rate as a multiple of the body's.
    max_norm : float or None, default=None
        Longest weight vector of an output; longer ones are scaled down, as in Kim (2014) [1]_,
        who takes 3. None sets no limit.

    References
    ----------
    .. [1] Kim, Y. (2014). Convolutional neural networks for sentence classification. EMNLP.
       arXiv:1408.5882.

    Examples
    --------
    >>> import torch
    >>> from sktransfer.heads.linear import LinearHead
    >>> module = LinearHead().build(in_features=4, n_outputs=3)
    >>> module(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self, C: float = 1.0, lr_scale: float = 100.0, max_norm: float | None = None
    ) -> None:
        self.C = C
        self.lr_scale = lr_scale
        self.max_norm = max_norm

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """Give constructor parameters of small instances."""
        return [{}, {"max_norm": 3.0}]

    def build(self, in_features: int, n_outputs: int) -> torch.nn.Module:
        """Make the layer."""
        from torch import nn

        if self.max_norm is None:
            return nn.Linear(in_features, n_outputs)
        if not (isinstance(self.max_norm, Real) and 0 < self.max_norm < math.inf):
            raise ValueError(
                f"max_norm has to be a positive number or None, got {self.max_norm!r}."
            )
        from sktransfer.heads._bounded import BoundedLinear

        return BoundedLinear(in_features, n_outputs, float(self.max_norm))
