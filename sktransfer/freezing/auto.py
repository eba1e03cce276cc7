"""The rule that picks a strategy from the amount of labelled data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sktransfer.contracts import Decision, FreezeStrategy
from sktransfer.freezing.strategies import Frozen, Full, LinearProbeFineTune

__all__ = ["Auto"]

_FEW = 32


class Auto(FreezeStrategy):
    """Pick a strategy by the labelled rows per class, label or target; `decide` holds the rule.

    Before the data is known it acts as the strategy for many rows, `Full`.

    Examples
    --------
    >>> from sktransfer.freezing.auto import Auto
    >>> Auto().decide(rows=64, per="class", pretrained=True, stage="source").strategy
    Full()
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
                f"{found}, fewer than {frozen_below}, below which this backbone's features are "
                "used as they are",
            )
        if rows < _FEW:
            return Decision(
                LinearProbeFineTune(),
                f"{found}, fewer than {_FEW}: fit the head first, so that its random start does "
                "not disturb the encoder",
            )
        return Decision(Full(), f"{found}, at least {_FEW}: train everything")
