"""What a training minimises: the loss of each row, for each kind of target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sktransfer.plugins import Head

if TYPE_CHECKING:
    import torch

__all__ = ["Huber", "ManyLabels", "Objective", "OneLabel", "Quantile", "Squared"]


@dataclass(frozen=True)
class Objective:
    """A loss of outputs and targets, row by row."""

    def loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Compute the loss of each row.

        Parameters
        ----------
        output : torch.Tensor of shape (n, n_outputs)
            What a head's module returned.
        target : torch.Tensor of shape (n,) or (n, n_outputs)
            Codes of labels as int64, or numbers.

        Returns
        -------
        loss : torch.Tensor of shape (n,)
        """
        raise NotImplementedError(f"{type(self).__name__}.loss")

    def penalty(self, n_outputs: int) -> float:
        """Give what the squared weights are multiplied by in a fit to convergence."""
        return 1.0

    def decide(self, output: torch.Tensor) -> torch.Tensor:
        """Give the targets that outputs stand for; numbers stand for themselves."""
        return output


@dataclass(frozen=True)
class OneLabel(Objective):
    """Exactly one label is right: the head's own loss, with label smoothing.

    Attributes
    ----------
    head : Head
        Owns the loss.
    smoothing : float
        Fraction of a row that is spread evenly over all labels [1]_.

    References
    ----------
    .. [1] Szegedy, C., Vanhoucke, V., Ioffe, S., Shlens, J. and Wojna, Z. (2016). Rethinking the
       Inception architecture for computer vision. CVPR. arXiv:1512.00567.
    """

    head: Head
    smoothing: float = 0.0

    def loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Compute the loss of each row."""
        import torch

        loss = self.head.loss(output, target)
        if not self.smoothing:
            return loss
        n_outputs = output.shape[1]
        # By the head's loss for every label, so that it holds for any head.
        every = [self.head.loss(output, torch.full_like(target, k)) for k in range(n_outputs)]
        return (1.0 - self.smoothing) * loss + self.smoothing * torch.stack(every).mean(dim=0)

    def penalty(self, n_outputs: int) -> float:
        """Give 2 for two outputs.

        A softmax over two rows spreads the one vector of the binary logistic regression over
        both; this makes the solution that of scikit-learn's LogisticRegression.
        """
        return 2.0 if n_outputs == 2 else 1.0

    def decide(self, output: torch.Tensor) -> torch.Tensor:
        """Give the code of the likeliest label."""
        return output.argmax(dim=1)


@dataclass(frozen=True)
class ManyLabels(Objective):
    """Each label is right or not: binary cross entropies, summed over the labels.

    Attributes
    ----------
    weights : tuple of (float, float)
        For each label, the weights of rows without it and with it.
    smoothing : float
        Fraction of a label that is spread evenly over right and not right.
    """

    weights: tuple[tuple[float, float], ...]
    smoothing: float = 0.0

    def loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Compute the loss of each row."""
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits

        weights = torch.tensor(self.weights, dtype=output.dtype, device=output.device)
        wanted = target.to(output.dtype)
        smooth = wanted * (1.0 - self.smoothing) + 0.5 * self.smoothing
        loss = binary_cross_entropy_with_logits(output, smooth, reduction="none")
        return (loss * torch.where(wanted > 0.5, weights[:, 1], weights[:, 0])).sum(dim=1)

    def decide(self, output: torch.Tensor) -> torch.Tensor:
        """Give the labels that are likelier right than not."""
        return (output > 0).to(output.dtype)


@dataclass(frozen=True)
class Squared(Objective):
    """Half the squared error: the mean is predicted."""

    def loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Compute the loss of each row."""
        return 0.5 * (output - target.to(output.dtype)).square().sum(dim=1)


@dataclass(frozen=True)
class Huber(Objective):
    """Squared for small errors and absolute for large ones: outliers pull less [1]_.

    Attributes
    ----------
    delta : float
        Where one becomes the other, in standard deviations of the target.

    References
    ----------
    .. [1] Huber, P. J. (1964). Robust estimation of a location parameter. Annals of Mathematical
       Statistics 35(1).
    """

    delta: float

    def loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Compute the loss of each row."""
        from torch.nn.functional import huber_loss

        wanted = target.to(output.dtype)
        return huber_loss(output, wanted, reduction="none", delta=self.delta).sum(dim=1)


@dataclass(frozen=True)
class Quantile(Objective):
    """The pinball loss: a quantile is predicted [1]_.

    Attributes
    ----------
    quantile : float
        Which one, between 0 and 1.

    References
    ----------
    .. [1] Koenker, R. and Bassett, G. (1978). Regression quantiles. Econometrica 46(1).
    """

    quantile: float

    def loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Compute the loss of each row."""
        import torch

        error: Any = target.to(output.dtype) - output
        return torch.maximum(self.quantile * error, (self.quantile - 1.0) * error).sum(dim=1)
