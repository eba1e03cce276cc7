"""The global random states: of torch, NumPy and Python."""

from __future__ import annotations

import contextlib
import pickle
import random
from collections.abc import Iterator

import numpy as np


def random_states() -> dict[str, bytes]:
    """Describe the global random state of everybody who has one."""
    import torch

    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "NumPy": pickle.dumps(np.random.get_state()),
        "Python": pickle.dumps(random.getstate()),
    }


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Set every global random state, and restore all of them afterwards."""
    with random_states_kept(), torch_seeded(seed):
        np.random.seed(seed)
        random.seed(seed)
        yield


@contextlib.contextmanager
def torch_seeded(seed: int) -> Iterator[None]:
    """Set the state of torch on the CPU, and restore it afterwards."""
    import torch

    with torch.random.fork_rng(devices=[]):
        # The CPU's generator alone: torch.manual_seed would also reset accelerators.
        torch.default_generator.manual_seed(seed)
        yield


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
