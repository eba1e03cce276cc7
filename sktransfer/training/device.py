"""Where a training or prediction runs."""

from __future__ import annotations

import torch

from sktransfer._process import about_to_compute


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
    about_to_compute()
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
