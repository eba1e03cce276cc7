"""The linear head, and the base class of heads over mutually exclusive labels."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, Any

from sktransfer.contracts import Head

if TYPE_CHECKING:
    import torch
    from optuna.distributions import BaseDistribution

__all__ = ["LinearHead", "SoftmaxHead"]


class SoftmaxHead(Head):
    """One output for each label; exactly one label is right."""

    def loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Compute the cross entropy of each row."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(output, target, reduction="none")

    def to_proba(self, output: torch.Tensor) -> torch.Tensor:
        """Turn logits into probabilities."""
        return output.softmax(dim=1)

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning."""
        from optuna.distributions import FloatDistribution

        return {
            "C": FloatDistribution(0.01, 100.0, log=True),
            "lr_scale": FloatDistribution(1.0, 300.0, log=True),
        }

    def default_point(self) -> dict[str, Any]:
        """Give the parameters as they are, and 1 for a ``C`` that is chosen by the data."""
        point = super().default_point()
        return point | {"C": 1.0} if self.C == "auto" else point


class LinearHead(SoftmaxHead):
    """A linear layer and a softmax: logistic regression on the features.

    Parameters
    ----------
    C : float or "auto", default="auto"
        Inverse regularisation strength when the head is fitted to convergence, as in
        `sklearn.linear_model.LogisticRegression`. ``"auto"`` is 1, unless another of 0.01, 0.1,
        10 and 100 predicts held-out rows better by more than two standard errors: three folds of
        different inputs are held out in turn, of 2,000 or more a third once. Where a label has
        only one input it is 1. ``decision_["C"]`` says what was chosen.
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
        self, C: float | str = "auto", lr_scale: float = 100.0, max_norm: float | None = None
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
