"""What freeze strategies are held to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from sklearn.base import clone

from sktransfer.plugins import Decision, FreezeStrategy
from sktransfer.testing._expect import expect
from sktransfer.testing._fresh_process import first_use

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


# Strategies are asked for their plans in a new process: they do without torch throughout.
PLANNING = f"{__name__}:use_all"


def check_trainable_names_known_blocks(plugin: FreezeStrategy) -> None:
    """Check that the blocks that train are a frozenset of names that were given."""
    for blocks, epoch, n_epochs, stage in _questions():
        names = plugin.trainable(blocks, epoch, n_epochs, stage)
        expect(
            isinstance(names, frozenset),
            got=f"{names!r} from trainable({blocks}, {epoch}, {n_epochs}, {stage!r})",
            expected="a frozenset",
            change="Return frozenset(...): plans are compared and stored.",
        )
        expect(
            names <= set(blocks),
            got=f"{sorted(names)} from trainable({blocks}, {epoch}, {n_epochs}, {stage!r})",
            expected="a subset of the blocks",
            change="Choose by position or by filtering `blocks`; encoders name blocks differently.",
        )


def check_plan_is_pure(plugin: FreezeStrategy) -> None:
    """Check that the same question has the same answer, whatever was asked before."""
    own = clone(plugin)
    questions = list(_questions())
    answers = [own.trainable(list(question[0]), *question[1:]) for question in questions]
    for question, answer in reversed(list(zip(questions, answers, strict=True))):
        blocks, epoch, n_epochs, stage = question
        given = list(blocks)
        for container in (given, tuple(blocks)):
            again = own.trainable(container, epoch, n_epochs, stage)
            expect(
                again == answer,
                got=f"{again!r} and {answer!r} from trainable({container}, {epoch}, {n_epochs}, "
                f"{stage!r}) at different times",
                expected="one answer",
                change="Let the answer depend on the arguments and parameters only.",
            )
        expect(
            given == blocks,
            got=f"the list of blocks changed to {given} by trainable",
            expected=f"{blocks}, untouched",
            change="Copy the sequence before sorting or popping.",
        )


def check_plan_needs_no_torch(plugin: FreezeStrategy) -> None:
    """Check that asking for the plan does not import torch."""
    answer = first_use(plugin, PLANNING)
    # Torch that came with the import is the matter of another check.
    if answer is None or answer["torch_after_constructor"]:
        return
    expect(
        not answer["torch_after_task"],
        got=f"torch imported by asking {type(plugin).__name__} for its plan",
        expected="a plan from names and numbers alone",
        change="Compute with plain Python: the plan is asked for before torch is needed.",
    )


def check_lr_scale_fits_blocks(plugin: FreezeStrategy) -> None:
    """Check that there is one fraction of the learning rate for each block, in (0, 1]."""
    for blocks in BLOCK_LISTS:
        for container in (list(blocks), tuple(blocks)):
            scales = plugin.lr_scale(container)
            expect(
                isinstance(scales, tuple)
                and len(scales) == len(blocks)
                and all(isinstance(s, float | int) and 0 < s <= 1 for s in scales),
                got=f"{scales!r} from lr_scale({container})",
                expected=f"a tuple of {len(blocks)} numbers in (0, 1]",
                change="Leave a block out of `trainable` to stop it; do not scale it to 0.",
            )


def check_lr_factor_is_positive(plugin: FreezeStrategy) -> None:
    """Check that ``lr_factor`` is a positive number."""
    expect(
        isinstance(plugin.lr_factor, float | int) and plugin.lr_factor > 0,
        got=f"lr_factor = {plugin.lr_factor!r}",
        expected="a number above 0",
        change="Set the class attribute.",
    )


def check_trains_parameter_gives_bool(plugin: FreezeStrategy) -> None:
    """Check that ``trains_parameter`` says True or False."""
    for name in PARAMETER_NAMES:
        trains = plugin.trains_parameter(name)
        expect(
            isinstance(trains, bool),
            got=f"{trains!r} from trains_parameter({name!r})",
            expected="True or False",
            change="Wrap the condition in bool(...).",
        )


def check_min_epochs_is_positive(plugin: FreezeStrategy) -> None:
    """Check that the number of epochs that the plan needs is an int of at least 1."""
    for blocks in BLOCK_LISTS:
        n_epochs = plugin.min_epochs(len(blocks))
        expect(
            isinstance(n_epochs, int) and not isinstance(n_epochs, bool) and n_epochs >= 1,
            got=f"{n_epochs!r} from min_epochs({len(blocks)})",
            expected="an int of at least 1",
            change="Round up, and count the first epoch.",
        )


def check_min_epochs_unfreeze_all(plugin: FreezeStrategy) -> None:
    """Check that ``min_epochs`` epochs train every block that a longer stage trains."""
    # Unions over whole stages: a strategy may spread its plan over the epochs that it has, and
    # then a longer stage reaches the same blocks at later epochs.
    for blocks, stage in itertools.product(BLOCK_LISTS, STAGES):
        shortest = max(1, int(plugin.min_epochs(len(blocks))))
        reached = _blocks_of_stage(plugin, blocks, shortest, stage)
        for n_epochs in (*range(shortest + 1, shortest + 6), 3 * shortest):
            later = _blocks_of_stage(plugin, blocks, n_epochs, stage) - reached
            expect(
                not later,
                got=f"{sorted(later)} trained in a {stage} stage of {n_epochs} epochs but not in "
                f"one of min_epochs({len(blocks)}) = {shortest}",
                expected="every block reached within min_epochs epochs",
                change="Return the length of the whole plan from min_epochs.",
            )


def check_decide_settles(plugin: FreezeStrategy) -> None:
    """Check that a decision holds a strategy that answers, and a reason for people."""
    for rows, pretrained, stage, frozen_below in itertools.product(
        (0.5, 1.0, 8.0, 64.0, 1e3, 1e6), (True, False), STAGES, (0, 100)
    ):
        given: dict[str, Any] = {"rows": rows, "per": "class", "pretrained": pretrained}
        given |= {"stage": stage, "frozen_below": frozen_below}
        asked = f"decide({', '.join(f'{name}={value!r}' for name, value in given.items())})"
        decision = plugin.decide(**given)
        expect(
            isinstance(decision, Decision) and isinstance(decision.strategy, FreezeStrategy),
            got=f"{decision!r} from {asked}",
            expected="a Decision whose strategy is a FreezeStrategy instance",
            change="Return Decision(strategy, reason).",
        )
        expect(
            isinstance(decision.reason, str) and decision.reason.strip(),
            got=f"the reason {decision.reason!r} from {asked}",
            expected="a sentence",
            change="Say which numbers led to the choice.",
        )
        again = plugin.decide(**given)
        expect(
            repr(again) == repr(decision),
            got=f"{decision!r} and {again!r} from {asked}",
            expected="one answer",
            change="Let the decision depend on the arguments and parameters only.",
        )
        if decision.strategy is not plugin:
            check_trainable_names_known_blocks(decision.strategy)


CHECKS = (
    check_trainable_names_known_blocks,
    check_plan_is_pure,
    check_plan_needs_no_torch,
    check_lr_scale_fits_blocks,
    check_lr_factor_is_positive,
    check_trains_parameter_gives_bool,
    check_min_epochs_is_positive,
    check_min_epochs_unfreeze_all,
    check_decide_settles,
)


def use(plugin: FreezeStrategy) -> None:
    """Ask for everything that a stage of training asks for."""
    blocks = list(BLOCK_LISTS[-1])
    for stage in STAGES:
        decision = plugin.decide(rows=20.0, per="class", pretrained=True, stage=stage)
        strategy = decision.strategy
        for epoch in range(4):
            strategy.trainable(blocks, epoch, 4, stage)
    plugin.trainable(blocks, 0, 4, "source")
    plugin.lr_scale(blocks)
    plugin.min_epochs(len(blocks))
    for name in PARAMETER_NAMES:
        plugin.trains_parameter(name)


def use_all(plugin: FreezeStrategy) -> None:
    """Use a strategy, and those of its ``test_params``."""
    for own in (plugin, *(type(plugin)(**params) for params in type(plugin).test_params())):
        use(own)


def _questions() -> Iterator[tuple[list[str], int, int, str]]:
    for blocks, stage, n_epochs in itertools.product(BLOCK_LISTS, STAGES, range(1, 11)):
        for epoch in range(n_epochs):
            yield list(blocks), epoch, n_epochs, stage


def _blocks_of_stage(
    plugin: FreezeStrategy, blocks: list[str], n_epochs: int, stage: str
) -> frozenset[Any]:
    plan = (plugin.trainable(list(blocks), epoch, n_epochs, stage) for epoch in range(n_epochs))
    return frozenset().union(*plan)
