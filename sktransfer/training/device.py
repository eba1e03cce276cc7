"""Where a training or prediction runs."""

from __future__ import annotations

import os

import torch

from sktransfer._warnings import warn_user

# The process in which something was last computed on the CPU.
_computed_in: int | None = None


def resolve_device(device: str) -> str:
    """Settle ``"auto"``, check what else was asked for, and see to the threads of the CPU.

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
    _see_to_threads()
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


def _see_to_threads() -> None:
    """Let a process that was forked compute with one thread, if its parent had several.

    OpenMP's threads are not there in the copy of a process, which would wait for them for ever.
    """
    global _computed_in
    parent, _computed_in = _computed_in, os.getpid()
    if parent in (None, _computed_in):
        return
    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)
        warn_user(
            "This process was forked from one that had computed with several threads, which do not "
            "exist here: it uses one. Start processes by 'spawn' or 'forkserver' for more.",
            RuntimeWarning,
        )
