"""What each strategy trains when, as the papers have it, and which settings are refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sktransfer.freezing.auto import Auto
from sktransfer.freezing.strategies import (
    BiasOnly,
    BottomLayers,
    ChainThaw,
    Frozen,
    Full,
    Gradual,
    LinearProbeFineTune,
    TopLayers,
)

# What is slow once, or on a busy machine, is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


STAGES = ["source", "target"]
BLOCKS = st.lists(st.text("abc.019", min_size=1), min_size=1, max_size=14, unique=True)
EPOCHS = st.integers(0, 60)
COUNTS = st.integers(1, 20)
DECAYING = [Full, TopLayers, BottomLayers, LinearProbeFineTune, Gradual, ChainThaw, BiasOnly]
ALL = [*DECAYING, Frozen, Auto]


def trained(strategy, blocks, epoch, n_epochs=61, stage="source"):
    """Give the blocks that train, input side first."""
    names = strategy.trainable(blocks, epoch, n_epochs, stage)
    assert isinstance(names, frozenset)
    assert names <= set(blocks)
    return [block for block in blocks if block in names]


# --- one by one ---------------------------------------------------------------------------------


@given(BLOCKS, EPOCHS, st.sampled_from(STAGES))
def test_full_trains_every_block_at_every_epoch(blocks, epoch, stage):
    assert trained(Full(), blocks, epoch, stage=stage) == blocks


@given(BLOCKS, EPOCHS, st.sampled_from(STAGES))
def test_frozen_trains_no_block_at_any_epoch(blocks, epoch, stage):
    assert trained(Frozen(), blocks, epoch, stage=stage) == []


@given(BLOCKS, EPOCHS, COUNTS)
def test_top_and_bottom_layers_train_k_blocks_at_either_end_and_all_where_there_are_fewer(
    blocks, epoch, k
):
    n = min(k, len(blocks))
    assert trained(TopLayers(k=k), blocks, epoch) == blocks[len(blocks) - n :]
    assert trained(BottomLayers(k=k), blocks, epoch) == blocks[:n]


@given(BLOCKS, st.integers(1, 60))
def test_lp_ft_probes_in_the_first_epoch_and_trains_everything_after_it(blocks, epoch):
    assert trained(LinearProbeFineTune(), blocks, 0) == []
    assert trained(LinearProbeFineTune(), blocks, epoch) == blocks


@given(BLOCKS, COUNTS)
def test_gradual_begins_with_the_head_and_adds_a_block_from_the_top_each_every_epochs(
    blocks, every
):
    strategy = Gradual(every=every)
    for phase in range(len(blocks) + 2):
        for epoch in {phase * every, phase * every + every - 1}:
            n = min(phase, len(blocks))
            assert trained(strategy, blocks, epoch) == blocks[len(blocks) - n :]


@given(BLOCKS, COUNTS)
def test_chain_thaw_trains_the_head_then_each_block_alone_from_the_input_up_then_all(blocks, every):
    phases = [[], *([block] for block in blocks), blocks, blocks]
    for phase, expected in enumerate(phases):
        for epoch in {phase * every, phase * every + every - 1}:
            assert trained(ChainThaw(every=every), blocks, epoch) == expected


@given(BLOCKS, EPOCHS)
def test_bias_only_opens_every_block_for_its_biases(blocks, epoch):
    assert trained(BiasOnly(), blocks, epoch) == blocks


@pytest.mark.parametrize(
    ("name", "trains"),
    [
        ("layer.0.attention.self.query.bias", True),
        ("embeddings.LayerNorm.bias", True),
        ("bias", True),
        ("layer.0.output.dense.weight", False),
        ("relative_attention_bias.weight", False),
        ("layer.bias.weight", False),
        ("layer.0.rel_bias", False),
    ],
)
def test_bias_only_trains_what_is_called_bias_and_all_others_train_everything(name, trains):
    assert BiasOnly().trains_parameter(name) is trains
    for cls in ALL:
        if cls is not BiasOnly:
            assert cls().trains_parameter(name) is True


def test_bias_only_takes_longer_steps_and_no_other_strategy_does():
    factors = {cls.__name__: cls.lr_factor for cls in ALL}
    assert factors.pop("BiasOnly") == 10
    assert set(factors.values()) == {1}


# --- layer-wise learning rates ------------------------------------------------------------------


@pytest.mark.parametrize("cls", DECAYING)
@given(blocks=BLOCKS, decay=st.floats(0.1, 1.0))
def test_each_block_has_the_rate_of_the_one_above_times_the_decay_and_the_head_has_1(
    cls, blocks, decay
):
    scales = cls(layer_decay=decay).lr_scale(blocks)
    n = len(blocks)
    assert scales == pytest.approx([decay ** (n - i) for i in range(n)], rel=1e-12)
    assert all(0 < scale <= 1 for scale in scales)
    for below, above in zip(scales, [*scales[1:], 1.0], strict=True):
        assert below == pytest.approx(above * decay)


def test_defaults_are_those_of_the_papers():
    assert Gradual().layer_decay == 0.38  # ULMFiT divides by 2.6
    assert Gradual().every == ChainThaw().every == 1
    assert {cls().layer_decay for cls in DECAYING if cls is not Gradual} == {1.0}


@given(BLOCKS)
def test_without_decay_every_block_has_the_full_rate(blocks):
    for strategy in (Full(), Frozen(), Auto(), TopLayers()):
        assert strategy.lr_scale(blocks) == (1.0,) * len(blocks)


# --- how long it takes --------------------------------------------------------------------------


@pytest.mark.parametrize("cls", ALL)
@given(blocks=BLOCKS, every=st.integers(1, 4))
def test_the_fewest_epochs_are_as_many_as_it_takes_for_the_last_phase_to_begin(cls, blocks, every):
    strategy = cls(every=every) if cls in (Gradual, ChainThaw) else cls()
    n_epochs = strategy.min_epochs(len(blocks))
    phases = [trained(strategy, blocks, epoch) for epoch in range(n_epochs)]
    last = trained(strategy, blocks, 10_000)
    assert phases[-1] == last
    if n_epochs > 1 and len(blocks) > 1:  # one block alone is everything
        assert phases[-2] != last


@pytest.mark.parametrize("cls", ALL)
@given(blocks=BLOCKS, epoch=EPOCHS, n_epochs=st.integers(61, 99))
def test_a_strategy_is_a_pure_function_of_block_and_epoch(cls, blocks, epoch, n_epochs):
    strategy = cls()
    first = trained(strategy, blocks, epoch)
    for stage in STAGES:
        assert trained(strategy, tuple(blocks), epoch, n_epochs, stage) == first
    assert vars(strategy) == vars(cls())


# --- what makes no sense ------------------------------------------------------------------------

BAD_COUNTS = [0, -1, 1.5, 2.0, "2", None, True, math.nan, [1]]


@pytest.mark.parametrize("bad", BAD_COUNTS, ids=repr)
@pytest.mark.parametrize(
    ("cls", "name"),
    [(TopLayers, "k"), (BottomLayers, "k"), (Gradual, "every"), (ChainThaw, "every")],
)
def test_a_count_that_is_none_is_refused_by_name(cls, name, bad):
    strategy = cls(**{name: bad})
    with pytest.raises(ValueError, match=rf"{name} has to be a whole number of at least 1"):
        strategy.trainable(["a", "b"], 0, 3, "source")


@pytest.mark.parametrize("integer", [np.int64, np.int32, np.uint8])
def test_a_count_of_numpy_is_a_count(integer):
    """A search over ``np.arange(1, 4)`` hands these in."""
    two = integer(2)
    blocks = ["a", "b", "c"]
    assert trained(TopLayers(k=two), blocks, 0) == ["b", "c"]
    assert trained(BottomLayers(k=two), blocks, 0) == ["a", "b"]
    assert trained(Gradual(every=two), blocks, 2) == ["c"]
    assert trained(ChainThaw(every=two), blocks, 2) == ["a"]


@pytest.mark.parametrize("cls", [cls for cls in DECAYING if cls is not BiasOnly])
def test_what_is_worth_tuning_is_a_parameter_with_a_sensible_range(cls):
    space = cls().search_space()
    assert "layer_decay" in space
    for name, distribution in space.items():
        for value in (distribution.low, distribution.high):
            strategy = cls(**{name: value})
            strategy.trainable(["a", "b"], 0, 3, "source")
            assert all(0 < scale <= 1 for scale in strategy.lr_scale(["a", "b"]))


# --- auto ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("rows", [0.5, 8, 1e6])
def test_auto_fits_the_head_of_a_pretrained_backbone_first_and_then_trains_everything(rows, stage):
    decision = Auto().decide(rows=rows, per="class", pretrained=True, stage=stage)
    assert type(decision.strategy) is LinearProbeFineTune
    assert f"{rows:.3g} labelled rows per class" in decision.reason


@given(st.floats(0, 1e9), st.sampled_from(STAGES))
def test_auto_trains_everything_where_there_is_nothing_to_keep_and_says_so(rows, stage):
    decision = Auto().decide(rows=rows, per="class", pretrained=False, stage=stage)
    assert repr(decision.strategy) == "Full()"
    assert "no pretrained weights" in decision.reason


@pytest.mark.parametrize("cls", [cls for cls in ALL if cls is not Auto])
def test_who_asks_for_a_strategy_gets_it_whatever_the_data(cls):
    strategy = cls()
    decision = strategy.decide(rows=1, per="class", pretrained=False, stage="source")
    assert decision.strategy is strategy
    assert decision.reason == "as asked for"
