"""One seed for everything random in a fit, and the caller's random state left alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from sktransfer.weights.global_state import GLOBAL_STATE


def draw_seed(random_state: Any, stage: int = 0) -> int:
    """Turn scikit-learn's ``random_state`` into one seed.

    Parameters
    ----------
    random_state : int, numpy.random.RandomState or None
        None takes fresh entropy from the system, not from NumPy's global state. An instance is
        advanced, as everywhere in scikit-learn.
    stage : int, default=0
        An int gives another seed for each.

    Returns
    -------
    seed : int
        From 0 to 2**31 - 1.
    """
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    entropy = [int(random_state), stage] if stage else int(random_state)
    return int(np.random.SeedSequence(entropy).generate_state(1)[0] % 2**31)


@contextlib.contextmanager
def isolated_rng(seed: int, device: str) -> Iterator[None]:
    """Seed torch inside, and restore the caller's state afterwards.

    Parameters
    ----------
    seed : int
        For the generators of the CPU and of ``device``.
    device : str
        Where the training runs.

    Yields
    ------
    None
    """
    where = torch.device(device)
    accelerators = [where.index or 0] if where.type == "cuda" else []
    with GLOBAL_STATE, torch.random.fork_rng(devices=accelerators):
        torch.default_generator.manual_seed(seed)
        if accelerators:
            torch.cuda.default_generators[accelerators[0]].manual_seed(seed)
        yield
