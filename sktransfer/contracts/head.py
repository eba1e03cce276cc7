"""The contract of heads: outputs, their losses and their probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sktransfer.contracts.base import Plugin

if TYPE_CHECKING:
    import torch

__all__ = ["Head"]


class Head(Plugin):
    """Features to outputs; owns its loss and its probabilities.

    Attributes
    ----------
    C : float or "auto"
        Inverse regularisation strength when the head is fitted to convergence, as in
        scikit-learn's LogisticRegression. ``"auto"`` chooses one of 0.01, 0.1, 1, 10 and 100 by
        cross-validation on the features of the rows.
    lr_scale : float
        The head's learning rate as a multiple of a pretrained body's: it starts from nothing.
    """

    C: float | str = 1.0
    lr_scale: float = 100.0

    def build(self, in_features: int, n_outputs: int) -> torch.nn.Module:
        """Make a new module that maps (n, in_features) to (n, n_outputs).

        Parameters
        ----------
        in_features : int
            Width of the features.
        n_outputs : int
            Number of outputs.

        Returns
        -------
        module : torch.nn.Module
            Its last two parameters are the output layer's weight (n_outputs, width) and bias
            (n_outputs,), whose rows follow the labels. Initialised by torch's global generator.
        """
        raise NotImplementedError(f"{type(self).__name__}.build")

    def loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Compute the loss of each row.

        Parameters
        ----------
        output : torch.Tensor of shape (n, n_outputs)
            What the module returned.
        target : torch.Tensor of shape (n,)
            Codes of the labels, int64.

        Returns
        -------
        loss : torch.Tensor of shape (n,)
            Not reduced.
        """
        raise NotImplementedError(f"{type(self).__name__}.loss")

    def to_proba(self, output: torch.Tensor) -> torch.Tensor:
        """Turn outputs into probabilities.

        Parameters
        ----------
        output : torch.Tensor of shape (n, n_outputs)
            What the module returned.

        Returns
        -------
        proba : torch.Tensor of shape (n, n_outputs)
            Rows sum to 1.
        """
        raise NotImplementedError(f"{type(self).__name__}.to_proba")

    def regression_loss(
        self,
        output: torch.Tensor,
        target: torch.Tensor,
        row_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> torch.Tensor:
        """Compute the loss of each row of numbers.

        Parameters
        ----------
        output, target : torch.Tensor of shape (n, n_outputs)
            What the module returned, and standardised numbers.
        row_loss : callable
            The loss that the user asked for, ``row_loss(output, target)`` of shape (n,).

        Returns
        -------
        loss : torch.Tensor of shape (n,)
            By default what the user asked for.
        """
        return row_loss(output, target)
