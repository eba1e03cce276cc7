"""Encoders for the checks: loaded, and used on small inputs of every modality.

Torch is imported where it computes, so that freeze strategies are checked without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sktransfer.plugins import Backbone, Encoder, Modality, available, modality_class

if TYPE_CHECKING:
    import torch

# How far features may be apart that should be equal: what float32 sums in another order differ by.
TOLERANCE = 1e-5


def modality_of(plugin: Backbone) -> Modality:
    """Give the modality that knows inputs of the plugin."""
    names = [info.name for info in available("modality")]
    # A modality that nobody has registered is what another check reports.
    return modality_class(plugin.modality if plugin.modality in names else names[-1])()


def samples(plugin: Backbone) -> list[Any]:
    """Give inputs of the plugin's modality, of different lengths or sizes."""
    return modality_of(plugin).samples()


def load(plugin: Backbone, random_state: int = 0) -> Encoder:
    """Load an encoder as the estimator does."""
    return plugin.load(device="cpu", random_state=random_state)


def features_of(encoder: Encoder, X: Sequence[Any]) -> torch.Tensor:
    """Compute features as for prediction: evaluation mode, no gradients."""
    import torch

    encoder.module.eval()
    with torch.no_grad():
        return encoder.forward(encoder.collate(encoder.prepare(X)))


def backward(encoder: Encoder, X: Sequence[Any]) -> None:
    """Compute gradients of the features in the mode that the module is in."""
    features = encoder.forward(encoder.collate(encoder.prepare(X)))
    # A projection at random: sums of squares stand still where features have unit length.
    if features.requires_grad:
        (features * noise(features, seed=0)).sum().backward()


def noise(like: torch.Tensor, seed: int) -> torch.Tensor:
    """Draw numbers of a tensor's shape, without touching the global random state."""
    import torch

    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))


def close(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Say whether features are equal up to rounding."""
    import torch

    return one.shape == other.shape and torch.allclose(one, other, atol=TOLERANCE, rtol=TOLERANCE)


def same_rows(one: Any, other: Any) -> bool:
    """Say whether two prepared rows are equal, whatever they are made of."""
    if isinstance(one, str | bytes) or type(one) is not type(other):
        return bool(type(one) is type(other) and one == other)
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same_rows(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same_rows, one, other))
    try:
        return bool(np.array_equal(np.asarray(one), np.asarray(other)))
    except (TypeError, ValueError):
        return bool(one == other)
