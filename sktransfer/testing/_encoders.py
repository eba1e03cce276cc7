"""Encoders for the checks: loaded, and used on small inputs of every modality.

Torch is imported where it computes, so that freeze strategies are checked without it.
"""

from __future__ import annotations

import contextlib
import pickle
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sktransfer.plugins import Backbone, Encoder, Modality, available, modality_class

if TYPE_CHECKING:
    import torch

# How far features may be apart that should be equal: what float32 sums in another order differ by.
TOLERANCE = 1e-5


def samples(plugin: Backbone) -> list[Any]:
    """Give inputs of the plugin's modality, of different lengths or sizes."""
    return _modality(plugin).samples()


def odd_samples(plugin: Backbone) -> dict[str, Any]:
    """Give inputs of the plugin's modality that go wrong easily."""
    return _modality(plugin).odd_samples()


def _modality(plugin: Backbone) -> Modality:
    names = [info.name for info in available("modality")]
    # A modality that nobody has registered is what another check reports.
    return modality_class(plugin.modality if plugin.modality in names else names[-1])()


def load(plugin: Backbone, random_state: int = 0) -> Encoder:
    """Load an encoder as the estimator does."""
    return plugin.load(device="cpu", random_state=random_state)


def features_of(encoder: Encoder, X: Sequence[Any]) -> torch.Tensor:
    """Compute features as for prediction: evaluation mode, no gradients."""
    import torch

    encoder.module.eval()
    with torch.no_grad():
        return encoder.forward(encoder.collate(encoder.prepare(X)))


def close(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Say whether features are equal up to rounding."""
    import torch

    return one.shape == other.shape and torch.allclose(one, other, atol=TOLERANCE, rtol=TOLERANCE)


def noise(like: torch.Tensor, seed: int) -> torch.Tensor:
    """Draw numbers of a tensor's shape, without touching the global random state."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return torch.randn(like.shape, generator=generator)


def equal_weights(one: Encoder, other: Encoder) -> bool:
    """Say whether two modules have the same weights and buffers."""
    import torch

    mine, theirs = one.module.state_dict(), other.module.state_dict()
    return mine.keys() == theirs.keys() and all(
        torch.equal(value, theirs[name]) for name, value in mine.items()
    )


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


def random_states() -> dict[str, bytes]:
    """Describe the global random state of everybody who has one."""
    import torch

    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "NumPy": pickle.dumps(np.random.get_state()),
        "Python": pickle.dumps(random.getstate()),
    }


def seed_everything(seed: int) -> None:
    """Set every global random state."""
    import torch

    # The CPU's generator alone: torch.manual_seed would also reset accelerators.
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


@contextlib.contextmanager
def random_states_kept() -> Iterator[None]:
    """Restore every global random state afterwards."""
    import torch

    numpy_state, python_state = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)
