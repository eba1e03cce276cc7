"""Inputs that a training sees in another way each time, such as pictures that are turned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from sktransfer.plugins import Encoder

if TYPE_CHECKING:
    from sktransfer.training.net import Rows

__all__ = ["Mixed", "Variation", "drawn_anew", "drawn_of", "fixed_views", "mixed", "views"]


class Variation(Protocol):
    """Other inputs that mean the same.

    Attributes
    ----------
    n_views : int
        Ways in which what does not train sees each input, the input as it is among them.
    mixup : float
        Parameter of the Beta distribution by which two rows of a batch are mixed; 0 for none.
    """

    n_views: int
    mixup: float

    def view(self, x: Any, seed: int) -> Any:
        """Give another input that means the same; the same one for the same seed.

        Fits of a search share what they compute of it if it says what it shows, by ``origin``,
        ``how`` and ``of``: see `sktransfer.features.corpus.CorpusStore.covers`.
        """


def views(inputs: Sequence[Any], variation: Variation, seed: int) -> list[list[Any]]:
    """Give fixed views of inputs.

    Parameters
    ----------
    inputs : sequence of n inputs
        As they are; the first view.
    variation : Variation
        Makes the others.
    seed : int
        Does not depend on the inputs, so that a view is found again among others.

    Returns
    -------
    views : list of n_views list of n inputs
    """
    seeds = np.random.default_rng(seed).integers(2**62, size=int(variation.n_views) - 1)
    return [list(inputs), *([variation.view(x, int(s)) for x in inputs] for s in seeds)]


def fixed_views(rows: Rows, variation: Variation, encoder: Encoder, seed: int) -> Rows:
    """Put all views of rows into one training, which weighs as much as the rows.

    Parameters
    ----------
    rows : Rows
        With inputs.
    variation : Variation
        Makes the views.
    encoder : Encoder
        Prepares them.
    seed : int
        Of the views.

    Returns
    -------
    rows : Rows
    """
    inputs = [x for view in views(rows.inputs, variation, seed) for x in view]
    times = len(inputs) // len(rows)
    repeats = (times,) + (1,) * (rows.targets.ndim - 1)
    return replace(
        rows,
        rows=encoder.prepare(inputs),
        targets=np.tile(rows.targets, repeats),
        weights=np.tile(rows.weights, times),
        inputs=inputs,
    )


def drawn_anew(rows: Rows, variation: Variation, encoder: Encoder) -> Rows:
    """Let each batch see its rows in a way that was not seen before.

    Parameters
    ----------
    rows : Rows
        With inputs.
    variation : Variation
        Makes the views.
    encoder : Encoder
        Prepares them.

    Returns
    -------
    rows : Rows
    """

    def draw(batch: np.ndarray, rng: np.random.Generator) -> list[Any]:
        seeds = rng.integers(2**62, size=len(batch))
        return encoder.prepare(
            [variation.view(rows.inputs[i], int(s)) for i, s in zip(batch, seeds, strict=True)]
        )

    return replace(rows, draw=draw, mixup=float(variation.mixup))


def drawn_of(rows: Rows, seen: Sequence[Sequence[Any]], variation: Variation) -> Rows:
    """Let each batch see each of its rows in one of a few ways, of which all is computed.

    Parameters
    ----------
    rows : Rows
        With what belongs to them beside the rows.
    seen : sequence of n_views sequence of n rows
        As the module takes them.
    variation : Variation
        Says how they are mixed.

    Returns
    -------
    rows : Rows
    """

    def draw(batch: np.ndarray, rng: np.random.Generator) -> list[Any]:
        which = rng.integers(len(seen), size=len(batch))
        return [seen[v][i] for v, i in zip(which, batch, strict=True)]

    return replace(rows, rows=seen[0], draw=draw, mixup=float(variation.mixup))


class Mixed:
    """Which rows of a batch were mixed, and how much each is still itself.

    Parameters
    ----------
    partners : list of int
        Position of the row that each one was mixed with.
    share : float
        Of itself in each row.
    """

    def __init__(self, partners: list[int], share: float) -> None:
        self.partners = partners
        self.share = share

    def loss(
        self, loss: Callable[[Any, Any], Any], output: Any, target: Any, weights: Any
    ) -> torch.Tensor:
        """Weigh the loss of both targets of each row."""
        own = weights * loss(output, target)
        other = weights[self.partners] * loss(output, target[self.partners])
        return (self.share * own + (1.0 - self.share) * other).mean()


def mixed(
    parts: list[dict[str, torch.Tensor]], alpha: float, rng: np.random.Generator
) -> tuple[list[dict[str, torch.Tensor]], list[Mixed]]:
    """Mix the rows of a batch in pairs (Zhang et al., 2018, arXiv:1710.09412).

    Parameters
    ----------
    parts : list of dict of str to torch.Tensor
        The batch, of which rows are mixed with others of their part. The first axis of each tensor
        has an entry for each row; whole numbers are rounded.
    alpha : float
        Of the Beta distribution that the share is drawn from.
    rng : numpy.random.Generator
        Draws share and partners.

    Returns
    -------
    parts : list of dict of str to torch.Tensor
    mixes : list of Mixed

    Notes
    -----
    Where the lowest blocks do not train, it is their activations that are mixed, as in manifold
    mixup (Verma et al., 2019, arXiv:1806.05236).
    """
    share = float(rng.beta(alpha, alpha))
    found, mixes = [], []
    for part in parts:
        partners = rng.permutation(len(next(iter(part.values())))).tolist()
        found.append({name: _between(v, v[partners], share) for name, v in part.items()})
        mixes.append(Mixed(partners, share))
    return found, mixes


def _between(one: torch.Tensor, other: torch.Tensor, share: float) -> torch.Tensor:
    both = share * one.float() + (1.0 - share) * other.float()
    return (both if one.is_floating_point() else both.round()).to(one.dtype)
