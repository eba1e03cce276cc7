"""Private names of torch (tested with 2.13)."""

from __future__ import annotations

import torch
from torch import nn


def reason_of_compile_error(error: BaseException) -> str | None:
    """Say why ``torch.compile`` failed, or None of another error; its errors have no public name.

    ``torch._dynamo`` is there as soon as something was compiled, and takes seconds to import.
    """
    if not isinstance(error, torch._dynamo.exc.BackendCompilerFailed):
        return None
    return str(error.inner_exception).strip().partition("\n")[0]


def cpu_has_bf16() -> bool:
    """Say whether the CPU multiplies in bfloat16, of which the public capability tells a part."""
    has_avx512 = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return bool(has_avx512() or torch.cpu._is_amx_tile_supported())


def copy_all(targets: list[torch.Tensor], sources: list[torch.Tensor]) -> None:
    """Copy tensors into others in one call, as torch's own optimizers do."""
    torch._foreach_copy_(targets, sources)


def add_all(targets: list[torch.Tensor], others: list[torch.Tensor]) -> None:
    """Add tensors to others in one call, as torch's own optimizers do."""
    torch._foreach_add_(targets, others)


def share_buffers(target: nn.Module, source: nn.Module) -> None:
    """Let a module have the buffers of another one; those that are not persistent included."""
    target._buffers.update(source._buffers)
