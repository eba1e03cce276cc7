"""A linear layer whose weight vectors have a longest length."""

from __future__ import annotations

import torch
from torch import nn


class BoundedLinear(nn.Linear):
    """A linear layer that scales down the weight vectors that are too long.

    Parameters
    ----------
    in_features, out_features : int
        Widths.
    max_norm : float
        Longest weight vector of an output.
    """

    def __init__(self, in_features: int, out_features: int, max_norm: float) -> None:
        super().__init__(in_features, out_features)
        self.max_norm = max_norm

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Compute outputs of shape (n, out_features)."""
        # Bounded in the forward pass instead of after each step, so that any training loop works.
        length = self.weight.norm(dim=1, keepdim=True).clamp(min=self.max_norm)
        return nn.functional.linear(features, self.weight * (self.max_norm / length), self.bias)
