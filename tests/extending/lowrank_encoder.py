"""The runtime side of the low-rank adapter."""

from __future__ import annotations

import torch
from torch import nn

from sktransfer.plugins import EncoderWrapper, Fingerprint


class _Adapted(nn.Module):
    """A linear layer, and a product of two thin matrices that starts at zero."""

    def __init__(self, linear, rank):
        super().__init__()
        self.linear = linear
        self.down = nn.Linear(linear.in_features, rank, bias=False)
        self.up = nn.Linear(rank, linear.out_features, bias=False)
        nn.init.zeros_(self.up.weight)

    @property
    def weight(self):
        return self.linear.weight + self.up.weight @ self.down.weight

    @property
    def bias(self):
        return self.linear.bias

    def forward(self, x):
        return self.linear(x) + self.up(self.down(x))


class LowRankEncoder(EncoderWrapper):
    """What `LowRank.load` returns."""

    def __init__(self, inner, rank, random_state):
        super().__init__(inner)
        linear = [(n, m) for n, m in self.module.named_modules() if isinstance(m, nn.Linear)]
        before = {name for name, _ in self.module.named_parameters()}
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(random_state)
            for name, layer in linear:
                parent, _, own = name.rpartition(".")
                device = layer.weight.device
                setattr(self.module.get_submodule(parent), own, _Adapted(layer, rank).to(device))
        names = [name for name, _ in self.module.named_parameters()]
        adapters = [n for n in names if n.split(".")[-2] in ("down", "up") and n not in before]
        self.never_train = frozenset(names) - set(adapters)
        blocks = {}
        for block, members in inner.blocks.items():
            layers = {member.rpartition(".")[0] for member in members}
            mine = [n for n in adapters if n.rsplit(".", 2)[0] in layers]
            if mine:
                blocks[block] = mine
        self.blocks = blocks
        weights, preprocessing = inner.fingerprint
        self.fingerprint = Fingerprint(f"lowrank:{rank}:{random_state}:{weights}", preprocessing)

    def table(self):
        """Give none: the table never trains."""
        return None
