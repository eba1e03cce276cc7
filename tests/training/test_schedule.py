"""The whole of a stage is settled before it starts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.freezing.strategies import (
    BiasOnly,
    ChainThaw,
    Frozen,
    Full,
    Gradual,
    LinearProbeFineTune,
    TopLayers,
)
from sktransfer.heads.linear import LinearHead
from sktransfer.plugins import FreezeStrategy
from sktransfer.training.schedule import TrainingSchedule, default_epochs, make_schedule

# What is slow once, or on a busy machine, is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


BLOCKS = ["embeddings", "layer.0", "layer.1"]


def plan_of(strategy, **changes):
    settings = {"stage": "source", "n_rows": 100, "max_epochs": "auto", "lr": "auto"} | changes
    backbone = settings.pop("backbone", TransformerBackbone())
    head = settings.pop("head", LinearHead())
    return make_schedule(strategy, backbone, head, BLOCKS, **settings)


def test_a_plan_says_for_each_epoch_what_the_strategy_says():
    plan = plan_of(Gradual(), max_epochs=5)
    assert [sorted(names) for names in plan.epochs] == [
        [],
        ["layer.1"],
        ["layer.0", "layer.1"],
        sorted(BLOCKS),
        sorted(BLOCKS),
    ]


def test_the_strategy_is_told_stage_and_length():
    asked = []

    class Asked(FreezeStrategy):
        def trainable(self, blocks, epoch, n_epochs, stage):
            asked.append((list(blocks), epoch, n_epochs, stage))
            return frozenset()

    plan_of(Asked(), max_epochs=2, stage="target")
    assert asked == [(BLOCKS, 0, 2, "target"), (BLOCKS, 1, 2, "target")]


@pytest.mark.parametrize(
    ("strategy", "n_probe", "blocks"),
    [
        (Frozen(), 7, []),
        (Full(), 0, BLOCKS),
        (LinearProbeFineTune(), 1, BLOCKS),
        (Gradual(every=2), 2, BLOCKS),
        (ChainThaw(every=3), 3, BLOCKS[:2]),
        (TopLayers(k=1), 0, BLOCKS[2:]),
    ],
)
def test_leading_epochs_without_a_block_are_the_probe(strategy, n_probe, blocks):
    plan = plan_of(strategy, max_epochs=7)
    assert plan.n_probe == n_probe
    assert plan.blocks == set(blocks)


def test_later_epochs_without_a_block_are_no_probe():
    plan = TrainingSchedule("source", (frozenset("a"), frozenset(), frozenset("b")), {}, 1.0, 1.0)
    assert plan.n_probe == 0
    assert plan.blocks == {"a", "b"}


@given(st.lists(st.frozensets(st.sampled_from("abc")), min_size=1, max_size=8))
def test_probe_and_blocks_of_any_plan(epochs):
    plan = TrainingSchedule("source", tuple(epochs), {}, 1.0, 1.0)
    assert not any(plan.epochs[: plan.n_probe])
    assert plan.n_probe == len(epochs) or plan.epochs[plan.n_probe]
    assert plan.blocks == {name for names in epochs for name in names}


@given(st.integers(1, 20))
def test_epochs_that_were_asked_for_are_kept_even_if_the_strategy_needs_more(max_epochs):
    assert len(plan_of(Gradual(every=9), max_epochs=max_epochs).epochs) == max_epochs


@pytest.mark.parametrize(
    ("strategy", "n_epochs"),
    [(Full(), 6), (Gradual(every=4), 13), (ChainThaw(every=4), 17), (LinearProbeFineTune(), 6)],
)
def test_auto_is_never_shorter_than_the_strategy_needs(strategy, n_epochs):
    plan = plan_of(strategy)
    assert len(plan.epochs) == n_epochs
    assert plan.epochs[-1] == set(BLOCKS)


@pytest.mark.parametrize(
    ("n_rows", "n_epochs"), [(0, 10), (1, 10), (32, 10), (128, 5), (760, 5), (2000, 4), (10**7, 3)]
)
def test_few_rows_get_many_epochs_and_many_rows_few(n_rows, n_epochs):
    assert default_epochs(n_rows, pretrained=True) == n_epochs


@pytest.mark.parametrize(("n_rows", "n_epochs"), [(0, 10), (500, 10), (560, 9), (10**7, 3)])
def test_random_weights_get_more_epochs(n_rows, n_epochs):
    assert default_epochs(n_rows, pretrained=False) == n_epochs


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.booleans())
def test_more_rows_never_get_more_epochs_and_never_fewer_steps_by_much(a, b, pretrained):
    few, many = sorted([a, b])
    epochs = [default_epochs(n, pretrained) for n in (many, few)]
    assert 3 <= epochs[0] <= epochs[1] <= 10
    assert many * epochs[0] >= 0.7 * few * epochs[1]


def test_auto_is_the_rate_that_suits_backbone_and_strategy():
    assert plan_of(Full()).lr == TransformerBackbone.lr
    assert plan_of(BiasOnly()).lr == pytest.approx(10 * TransformerBackbone.lr)
    assert plan_of(Full(), backbone=HashingBackbone()).lr == HashingBackbone.lr


def test_the_head_is_faster_than_a_pretrained_body_and_as_fast_as_one_that_starts_from_nothing():
    head = LinearHead(lr_scale=7.0)
    assert plan_of(Full(), head=head, lr=1e-3).head_lr == pytest.approx(7e-3)
    drawn = plan_of(Full(), head=head, lr=1e-3, backbone=HashingBackbone())
    assert drawn.head_lr == 1e-3


@pytest.mark.parametrize("strategy", [Full(), BiasOnly()])
def test_a_rate_that_was_asked_for_is_kept(strategy):
    assert plan_of(strategy, lr=3e-5).lr == 3e-5


def test_each_block_has_its_fraction_of_the_rate():
    plan = plan_of(Full(layer_decay=0.5))
    assert plan.lr_scale == {"embeddings": 0.125, "layer.0": 0.25, "layer.1": 0.5}


def test_a_strategy_that_gives_too_few_fractions_is_refused():
    class TooFew(Full):
        def lr_scale(self, blocks):
            return (1.0,)

    with pytest.raises(ValueError, match=r"a number in \(0, 1\] for each"):
        plan_of(TooFew())


@pytest.mark.parametrize("answer", ["layer.0", {"encoder.layer.7"}])
def test_a_strategy_that_names_no_block_of_the_encoder_is_refused(answer):
    class Lost(Full):
        def trainable(self, blocks, epoch, n_epochs, stage):
            return answer

    with pytest.raises((TypeError, ValueError), match=r"got a str|names the blocks \['encoder"):
        plan_of(Lost())


@pytest.mark.parametrize("decay", [0.0, -1.0, 3.0])
def test_a_rate_outside_0_to_1_is_refused(decay):
    with pytest.raises(ValueError, match=r"a number in \(0, 1\]"):
        plan_of(Full(layer_decay=decay))


@pytest.mark.parametrize("every", ["2", None, 0, 1.5, math.nan])
@pytest.mark.parametrize("cls", [Gradual, ChainThaw])
def test_a_strategy_with_a_bad_count_is_refused_by_name_with_auto_epochs_too(cls, every):
    with pytest.raises(ValueError, match="every has to be"):
        plan_of(cls(every=every))
