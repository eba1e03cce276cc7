"""The contract of freeze strategies: which blocks train, when, and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from sktransfer.contracts.base import Plugin

__all__ = ["Decision", "FreezeStrategy"]


class Decision(NamedTuple):
    """What a freeze strategy settled on, and why, in a sentence for people."""

    strategy: FreezeStrategy
    reason: str


class FreezeStrategy(Plugin):
    """Which blocks train at which epoch, and at which fraction of the learning rate.

    Pure functions of names and numbers: no torch, no state. So the whole plan is known before
    training starts, and what never trains is computed once.

    Attributes
    ----------
    lr_factor : float
        The backbone's default learning rate is multiplied by this with ``lr="auto"``.
    trains_body : bool
        Whether any block of the encoder ever trains.
    settles : bool
        Whether `decide` gives another strategy, so that this one says nothing about the training.
    fits_head_first : bool
        Whether the head is fitted to convergence in place of leading epochs in which no block
        trains. Otherwise these are epochs like all others.
    """

    lr_factor: ClassVar[float] = 1.0
    trains_body: ClassVar[bool] = True
    settles: ClassVar[bool] = False
    fits_head_first: ClassVar[bool] = True

    def trainable(
        self, blocks: Sequence[str], epoch: int, n_epochs: int, stage: str
    ) -> frozenset[str]:
        """Name the blocks that train.

        Parameters
        ----------
        blocks : sequence of str
            All blocks of the encoder, input side first.
        epoch : int
            0 to ``n_epochs - 1``, counted within the stage.
        n_epochs : int
            Epochs of the stage.
        stage : {"source", "target"}
            What the training is for.

        Returns
        -------
        names : frozenset of str
            Empty when only the head trains, which it always does.
        """
        raise NotImplementedError(f"{type(self).__name__}.trainable")

    def lr_scale(self, blocks: Sequence[str]) -> tuple[float, ...]:
        """Give each block's fraction of the learning rate.

        Parameters
        ----------
        blocks : sequence of str
            All blocks of the encoder, input side first.

        Returns
        -------
        scales : tuple of float
            One for each block, in (0, 1].
        """
        return (1.0,) * len(blocks)

    def trains_parameter(self, name: str) -> bool:
        """Say whether a parameter of a block that trains takes part; all do by default.

        Parameters
        ----------
        name : str
            Name in the encoder's module, such as ``"layer.0.output.dense.bias"``.

        Returns
        -------
        trains : bool
        """
        return True

    def min_epochs(self, n_blocks: int) -> int:
        """Give the fewest epochs in which every block that ever trains gets its turn.

        Parameters
        ----------
        n_blocks : int
            Number of blocks of the encoder.

        Returns
        -------
        n_epochs : int
            ``max_epochs="auto"`` trains at least as long.
        """
        return 1

    def decide(
        self, *, rows: float, per: str, pretrained: bool, stage: str, frozen_below: int = 0
    ) -> Decision:
        """Settle on a strategy once the data is known; by default, on this one.

        Parameters
        ----------
        rows : float
            Labelled training rows for each of what ``per`` names.
        per : {"class", "label", "target"}
            Classes of which one is right, labels of which several may be, numbers to predict.
        pretrained : bool
            Whether the backbone's weights are worth keeping.
        stage : {"source", "target"}
            What the training is for.
        frozen_below : int, default=0
            Rows below which the encoder is better used as it is: what the backbone says of itself,
            or what is known of encoders that an earlier training has changed.

        Returns
        -------
        decision : Decision
        """
        return Decision(self, "as asked for")
