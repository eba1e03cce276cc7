"""The device, threads and seed of a training, and the memory that it returns."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import torch

from sktransfer._warnings import warn_user
from sktransfer.weights.global_state import GLOBAL_STATE

# Whether this process, or the one that it was forked from, has computed something.
_computed = False
# Whether a fork took threads away of which no warning has told yet.
_lost_threads = False


def resolve_device(device: str) -> str:
    """Choose the device for ``"auto"``, check any other, and set the threads of the CPU.

    Parameters
    ----------
    device : str
        ``"auto"``, or a name as torch writes them.

    Returns
    -------
    device : str
        ``"auto"`` gives a CUDA device where there is one, and the CPU elsewhere.

    Raises
    ------
    ValueError
        If there is no such device.
    """
    _note_computation()
    if device == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if device == "meta":
        raise ValueError("device='meta' holds no numbers: use 'auto' or 'cpu'.")
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device={device!r} is not available ({str(error).splitlines()[0]}): use 'auto' or "
            "'cpu'."
        ) from error
    if found.type == "cuda" and found.index is None:
        return f"cuda:{torch.cuda.current_device()}"
    return str(found)


def _note_computation() -> None:
    """Note that this process computes, and warn once if a fork left it a single thread."""
    global _computed, _lost_threads
    _computed = True
    if _lost_threads:
        _lost_threads = False
        warn_user(
            "This process was forked from one that had computed with several threads, which do not "
            "exist here: it uses one. Start processes by 'spawn' or 'forkserver' for more.",
            RuntimeWarning,
        )


def _use_one_thread() -> None:
    """Let a process that was just forked compute with one thread, if its parent had several.

    The threads of OpenMP do not exist in the copy of a process, which would wait for them forever:
    not only where a model computes, but also where torch copies a large tensor.
    """
    global _lost_threads
    if _computed and torch.get_num_threads() > 1:
        torch.set_num_threads(1)
        _lost_threads = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_use_one_thread)


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


def malloc_trim() -> None:
    """Return to the system what a training has freed, where the C library would keep it.

    joblib takes a worker that has grown by 300 MB for one that leaks, and starts another in its
    place, which has everything to import and load again.
    """
    trim = _glibc_trim()
    if trim is not None:
        trim(0)


@cache
def _glibc_trim() -> Any:
    """Look up glibc's ``malloc_trim``; None where another C library is in use."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
