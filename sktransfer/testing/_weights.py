"""Weights of two modules, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def differing(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> list[str]:
    """Name the weights and buffers that two modules do not have in common."""
    import torch

    common = {name for name in one if name in other and torch.equal(one[name], other[name])}
    return sorted({*one, *other} - common)


def changed_with(first: torch.nn.Module, second: torch.nn.Module) -> list[str]:
    """Change one module as a training does, and name what changes in another one."""
    import torch

    before = {name: value.clone() for name, value in second.state_dict().items()}
    with torch.no_grad():
        for value in first.state_dict().values():
            if value.is_floating_point():
                value.add_(1)
    return differing(before, second.state_dict())
