"""What heads over mutually exclusive labels share: cross entropy and softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sktransfer.contracts import Head

if TYPE_CHECKING:
    import torch
    from optuna.distributions import BaseDistribution


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
