"""Training only the entries of a table, such as word embeddings, that the rows look up.

The others have no gradient, so nothing is lost; but an optimizer would move through all of them in
every step, and of a small encoder they are half the parameters.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
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
    table = encoder.table()
    own = {id(value): name for name, value in module.body.named_parameters()}
    if table is None or own.get(id(table.weight)) not in names:
        yield
        return
    part = _Part(table, encoder.entries(rows))
    module.expand_table = {own[id(part.full)]: part.expanded}
    module.full_table = part.whole
    part.put()
    try:
        yield
    finally:
        part.take()
        module.expand_table, module.full_table = {}, contextlib.nullcontext


class _Part:
    """Some entries of a table, and how they and the whole take each other's place."""

    def __init__(self, table: Any, entries: Iterable[int]) -> None:
        self._table = table
        self.full, self._padding = table.weight, table.padding_idx
        used = torch.tensor(sorted({*entries} | ({self._padding} - {None})))
        position = torch.full((len(self.full),), -1)
        position[used] = torch.arange(len(used))
        self._used = used.to(self.full.device)
        self._position = position.to(self.full.device)
        self._weight = nn.Parameter(
            self.full.detach()[self._used], requires_grad=self.full.requires_grad
        )

    def put(self) -> None:
        """Let the table hold the entries alone."""
        self._table.weight = self._weight
        if self._padding is not None:
            self._table.padding_idx = int(self._position[self._padding])
        self._hook = self._table.register_forward_pre_hook(_Renumber(self._position))

    def take(self) -> None:
        """Let the table be whole, with what the entries have become."""
        self._hook.remove()
        with torch.no_grad():
            self.full[self._used] = self._weight.detach()
        self.full.requires_grad_(self._weight.requires_grad)
        self._table.weight, self._table.padding_idx = self.full, self._padding

    @contextlib.contextmanager
    def whole(self) -> Iterator[None]:
        """Let the table be whole for a while, so that any input can be read."""
        self.take()
        try:
            yield
        finally:
            self.put()

    def expanded(self, entries: torch.Tensor) -> torch.Tensor:
        """Give the whole table with these entries, as a copy."""
        return self.full.detach().index_copy(0, self._used, entries.detach())


class _Renumber:
    """A forward pre-hook; a class, so that a module with it can be pickled."""

    def __init__(self, position: torch.Tensor) -> None:
        self._position = position

    def __call__(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._position[args[0]], *args[1:])
