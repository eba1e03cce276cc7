"""The numeric precision in which an encoder runs."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from typing import Any

import torch

PRECISIONS = ("auto", "bf16", "fp32")


def resolve_precision(precision: str, device: str) -> str:
    """Settle ``"auto"``: bf16 where the hardware multiplies in it, fp32 elsewhere.

    Parameters
    ----------
    precision : {"auto", "bf16", "fp32"}
        What the user asked for.
    device : str
        Where the encoder runs.

    Returns
    -------
    precision : {"bf16", "fp32"}
    """
    if precision != "auto":
        return precision
    return "bf16" if _has_bf16(torch.device(device).type) else "fp32"


def autocast(precision: str, device: str) -> AbstractContextManager[Any]:
    """Run what is inside in a precision; parameters stay in single precision.

    Parameters
    ----------
    precision : {"bf16", "fp32"}
        What `resolve_precision` gave.
    device : str
        Where the encoder runs.

    Returns
    -------
    context : context manager
    """
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)


def _has_bf16(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if kind == "cpu":
        capability = torch.backends.cpu.get_cpu_capability()
        has = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
        return capability.startswith("AVX512") and bool(has() or torch.cpu._is_amx_tile_supported())
    return False
