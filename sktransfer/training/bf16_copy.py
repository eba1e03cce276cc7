"""Running an encoder in half precision while single-precision weights are trained."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping

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
        # Kept from step to step: new memory would have to be cleared by the system each time.
        self._gradients: dict[str, torch.Tensor] = {}

    def set_trainable(self, names: Collection[str]) -> None:
        """Take these parameters' gradients from now on, and no others."""
        wanted = frozenset(names)
        # What is shared with the original needs nothing.
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
            # A callback may have frozen the original, as skorch's Freezer does.
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
        """Put what a batch holds of activations into half precision."""
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
        # Values from here on are kept, of 65,536 that are drawn equally often.
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
