"""Statistics of batch normalisation: which of them a training uses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["keep_statistics", "of_rows"]


def keep_statistics(network: nn.Module) -> None:
    """Let a training use the statistics that are there, and leave them as they are.

    Parameters
    ----------
    network : torch.nn.Module
        In training mode.
    """
    for part in network.modules():
        if isinstance(part, _BatchNorm):
            part.eval()


@contextlib.contextmanager
def of_rows(network: nn.Module, n: int) -> Iterator[None]:
    """Compute n rows inside; one that is alone, such as the last one of an epoch, learns none.

    Where its maps are one pixel, torch would fail at it; else it would be set off against itself.
    With batches of one row statistics stay what they were: those of a drawn network are 0 and 1.

    Parameters
    ----------
    network : torch.nn.Module
        In any mode.
    n : int
        Rows.

    Yields
    ------
    nothing : None
    """
    if n > 1 or not network.training:
        yield
        return
    learning = [p for p in network.modules() if isinstance(p, _BatchNorm) and p.training]
    for part in learning:
        part.eval()
    try:
        yield
    finally:
        for part in learning:
            part.train()
