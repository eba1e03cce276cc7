"""The linear head."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

    Examples
    --------
    >>> import torch
    >>> from sktransfer.heads.linear import LinearHead
    >>> module = LinearHead().build(in_features=4, n_outputs=3)
    >>> module(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(self, C: float = 1.0, lr_scale: float = 100.0) -> None:
        self.C = C
        self.lr_scale = lr_scale

    def build(self, in_features: int, n_outputs: int) -> torch.nn.Module:
        """Make the layer."""
        from torch import nn

        return nn.Linear(in_features, n_outputs)
