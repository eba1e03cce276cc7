"""Training only the entries of a table, such as word embeddings, that the rows look up.

The others have no gradient, so nothing is lost; but an optimizer would move through all of them in
every step, and of a small encoder they are half the parameters.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import torch
from torch import nn

from sktransfer.training.module import TransferModule


@contextlib.contextmanager
def only_entries(
    module: TransferModule, names: Collection[str], rows: Sequence[Any]
) -> Iterator[None]:
    """Put the entries that rows look up in place of the table, and back afterwards.

    Parameters
    ----------
    module : TransferModule
        Its encoder says by ``table`` and ``entries`` what is looked up. Nothing is done for one
        that does not.
    names : collection of str
        The encoder's parameters that will train; nothing is done if the table is not among them.
    rows : sequence of rows
        All that will be computed inside, held-out ones included.
    """
    encoder: Any = module.encoder
    table = encoder.table() if hasattr(encoder, "table") else None
    own = {id(value): name for name, value in module.body.named_parameters()}
    if table is None or own.get(id(table.weight)) not in names:
        yield
        return
    full, padding = table.weight, table.padding_idx
    used = torch.tensor(sorted({*encoder.entries(rows)} | ({padding} - {None})))
    position = torch.full((len(full),), -1)
    position[used] = torch.arange(len(used))
    used, position = used.to(full.device), position.to(full.device)

    def narrow(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (position[args[0]], *args[1:])

    def widen(entries: torch.Tensor) -> torch.Tensor:
        return full.detach().index_copy(0, used, entries.detach())

    table.weight = nn.Parameter(full.detach()[used], requires_grad=full.requires_grad)
    table.padding_idx = None if padding is None else int(position[padding])
    module.widen = {own[id(full)]: widen}
    hook = table.register_forward_pre_hook(narrow)
    try:
        yield
    finally:
        hook.remove()
        module.widen = {}
        with torch.no_grad():
            full[used] = table.weight.detach()
        full.requires_grad_(table.weight.requires_grad)
        table.weight, table.padding_idx = full, padding
