"""The numeric precision in which an encoder runs."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch

from sktransfer._compat.torch import cpu_has_bf16
from sktransfer._warnings import warn_user

# Least cosine with features in single precision: rounding to bfloat16 stays far above.
_CLOSE = 0.98


def resolve_precision(precision: str, device: str) -> str:
    """Resolve ``"auto"``: bf16 if the hardware multiplies in it, otherwise fp32.

    Parameters
    ----------
    precision : {"auto", "bf16", "fp32"}
        Parameter of the user.
    device : str
        Device on which the encoder runs.

    Returns
    -------
    precision : {"bf16", "fp32"}
    """
    if precision != "auto":
        return precision
    return "bf16" if _has_bf16(torch.device(device).type) else "fp32"


def autocast(precision: str, device: str) -> AbstractContextManager[Any]:
    """Make a context that computes in a precision; parameters stay in single precision.

    Parameters
    ----------
    precision : {"bf16", "fp32"}
        Value of `resolve_precision`.
    device : str
        Device on which the encoder runs.

    Returns
    -------
    context : context manager
    """
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)


def copy_in_bf16(encoder: Any, rows: Sequence[Any]) -> Any:
    """Copy an encoder in bfloat16, if its architecture computes in it.

    Parameters
    ----------
    encoder : Encoder
        Encoder in evaluation mode.
    rows : sequence of at least one row
        Rows, of which the shortest ones are encoded to compare the copy with the original.

    Returns
    -------
    copy : Encoder or None
        None if the encoder offers no copy; also, with a warning, if the copy fails or gives other
        features. The encoder itself can then run by autocast.
    """
    few = sorted(rows, key=len)[:2]
    try:
        copy = encoder.in_bf16()
        if copy is None:
            return None
        with torch.inference_mode():
            batch = encoder.collate(few)
            wanted, found = encoder.forward(batch).float(), copy.forward(batch).float()
        cosine = float(torch.nn.functional.cosine_similarity(wanted, found).min())
        reason = "" if cosine >= _CLOSE else f"features of cosine {cosine:.3f}"
    except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
    if reason:
        warn_user(
            f"{type(encoder.module).__name__} does not compute in bfloat16 as a whole ({reason}), "
            "and runs by autocast instead, which is slower. precision='fp32' avoids both."
        )
        return None
    return copy


def _has_bf16(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if kind == "cpu":
        capability = torch.backends.cpu.get_cpu_capability()
        return capability.startswith("AVX512") and cpu_has_bf16()
    return False
