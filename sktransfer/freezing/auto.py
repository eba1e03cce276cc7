"""The rule that picks a strategy from the amount of labelled data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sktransfer.contracts import Decision, FreezeStrategy
from sktransfer.freezing.strategies import Frozen, Full, LinearProbeFineTune

__all__ = ["Auto"]


class Auto(FreezeStrategy):
    """Pick a strategy by the labelled rows per class, label or target; `decide` holds the rule.

    Before the data is known it acts as a strategy that trains everything.

    Examples
    --------
    >>> from sktransfer.freezing.auto import Auto
    >>> Auto().decide(rows=64, per="class", pretrained=True, stage="source").strategy
    LinearProbeFineTune()
    """

    settles: ClassVar[bool] = True

    def trainable(
        self, blocks: Sequence[str], epoch: int, n_epochs: int, stage: str
    ) -> frozenset[str]:
        """Name all blocks."""
        return frozenset(blocks)

    def decide(
        self, *, rows: float, per: str, pretrained: bool, stage: str, frozen_below: int = 0
    ) -> Decision:
        """Settle on a strategy."""
        found = f"{rows:.3g} labelled rows per {per} on average"
        if not pretrained:
            return Decision(Full(), "the backbone has no pretrained weights to keep")
        if rows < frozen_below:
            return Decision(
                Frozen(),
                f"{found}, fewer than {frozen_below}, below which this encoder is used as it is",
            )
        return Decision(
            LinearProbeFineTune(),
            f"{found}: fit the head, then train everything from there, which takes half the epochs "
            "that a head with random weights needs",
        )
