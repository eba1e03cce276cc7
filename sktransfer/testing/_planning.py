"""What a training asks freeze strategies: the questions of the checks, and one use of them."""

from __future__ import annotations

from sktransfer.plugins import FreezeStrategy
from sktransfer.testing._use import use

STAGES = ("source", "target")
BLOCK_LISTS = (
    ["embeddings"],
    ["embeddings", "layer.0"],
    ["embeddings", *(f"layer.{i}" for i in range(6))],
)
PARAMETER_NAMES = (
    "embeddings.word_embeddings.weight",
    "embeddings.LayerNorm.bias",
    "layer.0.attention.self.query.weight",
    "layer.0.output.dense.bias",
    "bias",
)


@use.register
def _use(plugin: FreezeStrategy) -> None:
    blocks = list(BLOCK_LISTS[-1])
    for stage in STAGES:
        decision = plugin.decide(rows=20.0, per="class", pretrained=True, stage=stage)
        for epoch in range(4):
            decision.strategy.trainable(blocks, epoch, 4, stage)
    plugin.trainable(blocks, 0, 4, "source")
    plugin.lr_scale(blocks)
    plugin.min_epochs(len(blocks))
    for name in PARAMETER_NAMES:
        plugin.trains_parameter(name)


def use_all(plugin: FreezeStrategy) -> None:
    """Use a strategy, and those of its ``test_params``."""
    for own in (plugin, *(type(plugin)(**params) for params in type(plugin).test_params())):
        use(own)
