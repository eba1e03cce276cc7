"""What freeze strategies are held to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from sklearn.base import clone

from sktransfer.plugins import Decision, FreezeStrategy
from sktransfer.testing._check import check_of, expect
from sktransfer.testing._fresh_process import first_use
from sktransfer.testing._planning import BLOCK_LISTS, PARAMETER_NAMES, STAGES


@check_of(FreezeStrategy)
def check_trainable_names_known_blocks(plugin: FreezeStrategy) -> None:
    """The blocks that train are a frozenset of names that were given.

    Return frozenset(...): plans are compared and stored. Choose by position or by filtering
    `blocks`; encoders name blocks differently.
    """
    for question in _questions():
        names = plugin.trainable(*question)
        expect(isinstance(names, frozenset), f"{names!r} from trainable{question}")
        expect(names <= set(question[0]), f"{sorted(names)} from trainable{question}")


@check_of(FreezeStrategy)
def check_plan_is_pure(plugin: FreezeStrategy) -> None:
    """The same question has the same answer, whatever was asked before, and changes no argument.

    Let the answer depend on the arguments and parameters only. Copy the sequence of blocks before
    sorting or popping.
    """
    own = clone(plugin)
    questions = list(_questions())
    answers = [own.trainable(list(blocks), *when) for blocks, *when in questions]
    for (blocks, *when), answer in reversed(list(zip(questions, answers, strict=True))):
        for kind in (list, tuple):
            given = kind(blocks)
            again = own.trainable(given, *when)
            asked = f"trainable{(kind(blocks), *when)}"
            expect(again == answer, f"{answer!r} first and later {again!r} from {asked}")
            expect(given == kind(blocks), f"the blocks changed to {given} by {asked}")


@check_of(FreezeStrategy)
def check_plan_needs_no_torch(plugin: FreezeStrategy) -> None:
    """Asking for the plan does not import torch.

    Compute with plain Python, from names and numbers alone: the plan is asked for before torch is
    needed.
    """
    answer = first_use(plugin)
    # Torch that came with the import is the matter of another check.
    if answer is None or answer["torch_after_constructor"]:
        return
    eager = answer["torch_after_task"]
    expect(not eager, f"torch imported by asking {type(plugin).__name__} for its plan")


@check_of(FreezeStrategy)
def check_lr_scale_fits_blocks(plugin: FreezeStrategy) -> None:
    """`lr_scale` gives a tuple with a number in (0, 1] for each block.

    Leave a block out of `trainable` to stop it; do not scale it to 0.
    """
    for blocks, kind in itertools.product(BLOCK_LISTS, (list, tuple)):
        scales = plugin.lr_scale(kind(blocks))
        expect(
            isinstance(scales, tuple)
            and len(scales) == len(blocks)
            and all(isinstance(scale, float | int) and 0 < scale <= 1 for scale in scales),
            f"{scales!r} from lr_scale({kind(blocks)})",
        )


@check_of(FreezeStrategy)
def check_lr_factor_is_positive(plugin: FreezeStrategy) -> None:
    """`lr_factor` is a number above 0.

    Set the class attribute.
    """
    factor = plugin.lr_factor
    expect(isinstance(factor, float | int) and factor > 0, f"lr_factor = {factor!r}")


@check_of(FreezeStrategy)
def check_trains_parameter_gives_bool(plugin: FreezeStrategy) -> None:
    """`trains_parameter` says True or False.

    Wrap the condition in bool(...).
    """
    for name in PARAMETER_NAMES:
        trains = plugin.trains_parameter(name)
        expect(isinstance(trains, bool), f"{trains!r} from trains_parameter({name!r})")


@check_of(FreezeStrategy)
def check_min_epochs_is_positive(plugin: FreezeStrategy) -> None:
    """The number of epochs that the plan needs is an int of at least 1.

    Round up, and count the first epoch.
    """
    for blocks in BLOCK_LISTS:
        n_epochs = plugin.min_epochs(len(blocks))
        whole = isinstance(n_epochs, int) and not isinstance(n_epochs, bool)
        expect(whole and n_epochs >= 1, f"{n_epochs!r} from min_epochs({len(blocks)})")


@check_of(FreezeStrategy)
def check_min_epochs_unfreeze_all(plugin: FreezeStrategy) -> None:
    """`min_epochs` epochs train every block that a longer stage trains.

    Return the length of the whole plan from min_epochs.
    """
    # Unions over whole stages: a strategy may spread its plan over the epochs that it has, and
    # then a longer stage reaches the same blocks at later epochs.
    for blocks, stage in itertools.product(BLOCK_LISTS, STAGES):
        shortest = max(1, int(plugin.min_epochs(len(blocks))))
        reached = _blocks_of_stage(plugin, blocks, shortest, stage)
        for n_epochs in (*range(shortest + 1, shortest + 6), 3 * shortest):
            later = _blocks_of_stage(plugin, blocks, n_epochs, stage) - reached
            expect(
                not later,
                f"{sorted(later)} trained in a {stage} stage of {n_epochs} epochs but not in one "
                f"of min_epochs({len(blocks)}) = {shortest}",
            )


@check_of(FreezeStrategy)
def check_decide_settles(plugin: FreezeStrategy) -> None:
    """`decide` gives a Decision with a FreezeStrategy that answers, and a reason in words.

    Return Decision(strategy, reason), and let the reason say which numbers led to the choice. Let
    the decision depend on the arguments and parameters only.
    """
    for rows, pretrained, stage, frozen_below in itertools.product(
        (0.5, 1.0, 8.0, 64.0, 1e3, 1e6), (True, False), STAGES, (0, 100)
    ):
        given: dict[str, Any] = {"rows": rows, "per": "class", "pretrained": pretrained}
        given |= {"stage": stage, "frozen_below": frozen_below}
        asked = f"decide(**{given})"
        decision = plugin.decide(**given)
        fits = isinstance(decision, Decision) and isinstance(decision.strategy, FreezeStrategy)
        expect(fits, f"{decision!r} from {asked}")
        reason = decision.reason
        expect(isinstance(reason, str) and reason.strip(), f"the reason {reason!r} from {asked}")
        again = plugin.decide(**given)
        expect(repr(again) == repr(decision), f"{decision!r} and then {again!r} from {asked}")
        if decision.strategy is not plugin:
            check_trainable_names_known_blocks(decision.strategy)


def _questions() -> Iterator[tuple[list[str], int, int, str]]:
    for blocks, stage, n_epochs in itertools.product(BLOCK_LISTS, STAGES, range(1, 11)):
        for epoch in range(n_epochs):
            yield list(blocks), epoch, n_epochs, stage


def _blocks_of_stage(
    plugin: FreezeStrategy, blocks: list[str], n_epochs: int, stage: str
) -> frozenset[Any]:
    plan = (plugin.trainable(list(blocks), epoch, n_epochs, stage) for epoch in range(n_epochs))
    return frozenset().union(*plan)
