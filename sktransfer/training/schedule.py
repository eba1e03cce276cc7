"""Which blocks train in which epoch and how fast, settled before the training starts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sktransfer._warnings import warn_user
from sktransfer.contracts import Backbone, FreezeStrategy, Head


@dataclass(frozen=True)
class TrainingSchedule:
    """The epochs of a stage, as a freeze strategy plans them.

    Attributes
    ----------
    stage : {"source", "target"}
        What the training is for.
    epochs : tuple of frozenset of str
        The blocks that train, epoch by epoch.
    lr_scale : dict of str to float
        Block to its fraction of the learning rate.
    lr : float
        Learning rate of the body.
    head_lr : float
        Learning rate of the head, on features of unit length.
    fits_head_first : bool, default=True
        Whether leading epochs without a block are one fit of the head to convergence.
    """

    stage: str
    epochs: tuple[frozenset[str], ...]
    lr_scale: dict[str, float]
    lr: float
    head_lr: float
    fits_head_first: bool = True

    @property
    def blocks(self) -> frozenset[str]:
        """All blocks that train at some epoch."""
        return frozenset().union(*self.epochs)

    @property
    def n_probe(self) -> int:
        """Leading epochs in whose place the head is fitted to convergence."""
        if not self.fits_head_first:
            return 0
        return next((i for i, names in enumerate(self.epochs) if names), len(self.epochs))


def make_schedule(
    strategy: FreezeStrategy,
    backbone: Backbone,
    head: Head,
    blocks: Sequence[str],
    *,
    stage: str,
    n_rows: int,
    max_epochs: int | str,
    lr: float | str,
) -> TrainingSchedule:
    """Ask a strategy for the blocks of every epoch, and choose what is ``"auto"``.

    Parameters
    ----------
    strategy : FreezeStrategy
        What is asked.
    backbone : Backbone
        Knows the learning rate that suits it.
    head : Head
        Knows how much faster it learns than a pretrained body.
    blocks : sequence of str
        All blocks of the encoder, input side first.
    stage : {"source", "target"}
        What the training is for.
    n_rows : int
        Training rows.
    max_epochs : int or "auto"
        Epochs; see `default_epochs`.
    lr : float or "auto"
        Learning rate of the body.

    Returns
    -------
    schedule : TrainingSchedule
    """
    if max_epochs == "auto":
        n_epochs = default_epochs(n_rows, backbone.pretrained)
        n_epochs = max(n_epochs, strategy.min_epochs(len(blocks)))
    else:
        n_epochs = int(max_epochs)
        needed = strategy.min_epochs(len(blocks))
        if n_epochs < needed:
            warn_user(
                f"max_epochs={n_epochs} ends before {strategy!r} has trained all that it would: it "
                f"needs {_epochs_in_words(strategy, blocks, needed, stage)}."
            )
    rate = backbone.lr * strategy.lr_factor if lr == "auto" else float(lr)
    epochs = tuple(strategy.trainable(blocks, epoch, n_epochs, stage) for epoch in range(n_epochs))
    scales = tuple(strategy.lr_scale(blocks))
    _check_answers(strategy, blocks, epochs, scales)
    return TrainingSchedule(
        stage=stage,
        epochs=tuple(frozenset(names) for names in epochs),
        lr_scale=dict(zip(blocks, scales, strict=True)),
        lr=rate,
        # A body with random weights has as much to learn as the head, so both have the same rate.
        head_lr=rate * (head.lr_scale if backbone.pretrained else 1.0),
        fits_head_first=bool(strategy.fits_head_first),
    )


def _epochs_in_words(
    strategy: FreezeStrategy, blocks: Sequence[str], needed: int, stage: str
) -> str:
    """Explain why a strategy needs a number of epochs, for an error."""
    said = f"{needed} epoch{'' if needed == 1 else 's'}"
    plan = [strategy.trainable(blocks, epoch, needed, stage) for epoch in range(needed)]
    for_head = sum(not names for names in plan)
    for_encoder = needed - for_head
    body = "the encoder" if for_encoder == 1 else f"the encoder's {len(blocks)} blocks"
    if not for_head:
        return f"{said} for {body}"
    return f"{said}, {for_head} for the head and {for_encoder} for {body}"


def _check_answers(
    strategy: FreezeStrategy,
    blocks: Sequence[str],
    epochs: Sequence[Collection[str]],
    scales: Sequence[float],
) -> None:
    """Raise if a strategy names unknown blocks, or gives rates that do not fit the blocks."""
    if any(isinstance(names, str) for names in epochs):
        raise TypeError(f"{strategy!r}.trainable has to return a frozenset of names, got a str.")
    unknown = sorted(set().union(*epochs) - set(blocks))
    if unknown:
        raise ValueError(f"{strategy!r} names the blocks {unknown}; there are {list(blocks)}.")
    if len(scales) != len(blocks) or not all(0 < scale <= 1 for scale in scales):
        raise ValueError(
            f"{strategy!r}.lr_scale has to return a number in (0, 1] for each of the "
            f"{len(blocks)} blocks, got {scales}."
        )


def default_epochs(n_rows: int, pretrained: bool) -> int:
    """Give the number of epochs of ``max_epochs="auto"``.

    Parameters
    ----------
    n_rows : int
        Training rows.
    pretrained : bool
        Whether the backbone has weights to start from.

    Returns
    -------
    n_epochs : int
        Of a pretrained backbone, 10 up to 32 rows, 5 for 128 to 760, and 3 for many; of one with
        random weights, 10 up to 500 rows and 3 for many. Few rows need many passes to take enough
        steps.

    Examples
    --------
    >>> [default_epochs(n, pretrained=True) for n in (16, 64, 500, 2000, 10_000)]
    [10, 7, 5, 4, 3]
    >>> [default_epochs(n, pretrained=False) for n in (16, 64, 500, 2000, 10_000)]
    [10, 10, 10, 5, 3]
    """
    n = max(n_rows, 1)
    if pretrained:
        wanted = 5 * max(1.0, 128 / n) ** 0.5 * min(1.0, 500 / n) ** 0.25
    else:
        wanted = 10 * (500 / n) ** 0.5
    return max(3, min(10, round(wanted)))
