"""Cheaper steps: through a bfloat16 copy of the encoder, and with the embeddings that occur."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from sktransfer._compat.torch import add_all, copy_all
from sktransfer.contracts import Encoder
from sktransfer.training.module import TransferModule


class HalfCopy:
    """A copy of an encoder in bfloat16, through which gradients for the original are computed.

    Casting each weight as it is needed, which is what autocast does, takes longer than multiplying
    by it where batches are small.

    Parameters
    ----------
    encoder : Encoder
        Offers ``in_bf16``.
    """

    def __init__(self, encoder: Encoder) -> None:
        half = encoder.in_bf16()
        assert half is not None
        self.encoder: Encoder = half
        if next(encoder.module.parameters()).device.type == "cpu":
            _speed_up_dropout(self.encoder.module)
        self._masters = dict(encoder.module.named_parameters())
        self._copies = dict(self.encoder.module.named_parameters())
        self._names: list[str] = []
        # Kept from step to step, since the system would have to clear new memory in each step.
        self._gradients: dict[str, torch.Tensor] = {}

    def set_trainable(self, names: Collection[str]) -> None:
        """Take these parameters' gradients from now on, and no others."""
        wanted = frozenset(names)
        # Parameters that are shared with the original are up to date already.
        copies = {n: copy for n, copy in self._copies.items() if copy is not self._masters[n]}
        self._names = [name for name in copies if name in wanted]
        for name, copy in copies.items():
            copy.requires_grad_(name in wanted)
            copy.grad = None

    def pass_gradients(self) -> None:
        """Add the copy's gradients to those of the original."""
        new, old, more = [], [], []
        for name in self._names:
            gradient, master = self._copies[name].grad, self._masters[name]
            # A callback, such as skorch's Freezer, may have frozen the original.
            if gradient is None or not master.requires_grad:
                continue
            if master.grad is None:
                if name not in self._gradients:
                    self._gradients[name] = torch.empty_like(master)
                master.grad = self._gradients[name]
                new.append((master.grad, gradient))
            else:
                old.append(master.grad)
                more.append(gradient.float())
            self._copies[name].grad = None
        if new:
            copy_all([a for a, _ in new], [b for _, b in new])
        if old:
            add_all(old, more)

    def follow(self) -> None:
        """Take over the weights of the original."""
        if not self._names:
            return
        with torch.no_grad():
            copy_all(
                [self._copies[name] for name in self._names],
                [self._masters[name] for name in self._names],
            )

    def cast(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Convert the activations of a batch to bfloat16."""
        return {
            name: value.to(torch.bfloat16) if value.is_floating_point() else value
            for name, value in batch.items()
        }


@contextlib.contextmanager
def through_half(module: TransferModule, usable: bool) -> Iterator[None]:
    """Train through a half-precision copy, where one is usable."""
    if usable:
        module.half_copy = HalfCopy(module.encoder)
    try:
        yield
    finally:
        module.half_copy = None


class _Dropout(nn.Module):
    """Dropout that spends two random bytes on a value.

    torch draws a double for each on the CPU, which takes longer than the layer around it.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        # 16-bit integers are drawn uniformly; those from this value on mean that an entry is kept.
        self._kept_from = round(p * 2**16) - 2**15

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0:
            return x
        n = x.numel()
        drawn = torch.empty(-(-n // 4), dtype=torch.int64).random_(-(2**63), None)
        kept = drawn.view(torch.int16)[:n].view(x.shape) >= self._kept_from
        return x * kept.to(x.dtype).mul_(1.0 / (1.0 - self.p))


def _speed_up_dropout(module: nn.Module) -> None:
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Dropout and 0 <= child.p < 1:
                setattr(parent, name, _Dropout(child.p))


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
        """Put the whole table back, with the trained entries in it."""
        self._hook.remove()
        with torch.no_grad():
            self.full[self._used] = self._weight.detach()
        self.full.requires_grad_(self._weight.requires_grad)
        self._table.weight, self._table.padding_idx = self.full, self._padding

    @contextlib.contextmanager
    def whole(self) -> Iterator[None]:
        """Put the whole table in place inside a with block, so that any input can be encoded."""
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
