"""The head with a hidden layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sktransfer.heads.linear import SoftmaxHead

if TYPE_CHECKING:
    import torch
    from optuna.distributions import BaseDistribution

__all__ = ["MLPHead"]


class MLPHead(SoftmaxHead):
    """One hidden layer with dropout, then a softmax.

    Parameters
    ----------
    hidden : int, default=128
        Width of the hidden layer.
    dropout : float, default=0.1
        Fraction of hidden units that are dropped in training by epochs. Fitting to convergence
        is deterministic and does without.
    activation : {"gelu", "relu"}, default="gelu"
        Of the hidden layer.
    C : float or "auto", default=1.0
        Inverse regularisation strength when the head is fitted to convergence; ``"auto"`` chooses
        it as `LinearHead` does, by several fits.
    lr_scale : float, default=30.0
        The head's learning rate as a multiple of the body's.

    Examples
    --------
    >>> import torch
    >>> from sktransfer.heads.mlp import MLPHead
    >>> module = MLPHead(hidden=8).build(in_features=4, n_outputs=3)
    >>> module(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        hidden: int = 128,
        dropout: float = 0.1,
        activation: str = "gelu",
        C: float | str = 1.0,
        lr_scale: float = 30.0,
    ) -> None:
        self.hidden = hidden
        self.dropout = dropout
        self.activation = activation
        self.C = C
        self.lr_scale = lr_scale

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """Give constructor parameters of small instances."""
        return [{"hidden": 8}, {"hidden": 4, "dropout": 0.5, "activation": "relu"}]

    def build(self, in_features: int, n_outputs: int) -> torch.nn.Module:
        """Make the two layers."""
        from torch import nn

        activations = {"gelu": nn.GELU, "relu": nn.ReLU}
        if self.activation not in activations:
            raise ValueError(
                f"activation has to be one of {list(activations)}, got {self.activation!r}."
            )
        return nn.Sequential(
            nn.Linear(in_features, self.hidden),
            activations[self.activation](),
            nn.Dropout(self.dropout),
            nn.Linear(self.hidden, n_outputs),
        )

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning."""
        from optuna.distributions import FloatDistribution, IntDistribution

        return {
            "hidden": IntDistribution(16, 512, log=True),
            "dropout": FloatDistribution(0.0, 0.5),
            **super().search_space(),
        }
