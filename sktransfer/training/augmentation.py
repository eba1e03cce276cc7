"""Augmented views of inputs, computed once or drawn anew in each batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sktransfer.contracts import Encoder, Variation
from sktransfer.training.batch import TrainingRows

__all__ = ["augment_online", "fixed_views", "sample_cached_views", "views"]


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


def fixed_views(
    rows: TrainingRows, variation: Variation, encoder: Encoder, seed: int
) -> TrainingRows:
    """Put all views of rows into one training, which weighs as much as the rows.

    Parameters
    ----------
    rows : TrainingRows
        With inputs.
    variation : Variation
        Makes the views.
    encoder : Encoder
        Prepares them.
    seed : int
        Of the views.

    Returns
    -------
    rows : TrainingRows
    """
    inputs = [x for view in views(rows.inputs, variation, seed) for x in view]
    times = len(inputs) // len(rows)
    repeats = (times,) + (1,) * (rows.values.ndim - 1)
    return replace(
        rows,
        rows=encoder.prepare(inputs),
        values=np.tile(rows.values, repeats),
        weights=np.tile(rows.weights, times),
        domains=None if rows.domains is None else np.tile(rows.domains, times),
        inputs=inputs,
    )


def augment_online(rows: TrainingRows, variation: Variation, encoder: Encoder) -> TrainingRows:
    """Augment the rows of each batch anew.

    Parameters
    ----------
    rows : TrainingRows
        With inputs.
    variation : Variation
        Makes the views.
    encoder : Encoder
        Prepares them.

    Returns
    -------
    rows : TrainingRows
    """

    def draw(batch: np.ndarray, rng: np.random.Generator) -> list[Any]:
        seeds = rng.integers(2**62, size=len(batch))
        return encoder.prepare(
            [variation.view(rows.inputs[i], int(s)) for i, s in zip(batch, seeds, strict=True)]
        )

    return replace(rows, draw=draw, mixup=float(variation.mixup))


def sample_cached_views(
    rows: TrainingRows, seen: Sequence[Sequence[Any]], variation: Variation
) -> TrainingRows:
    """Let each batch draw one of a few views of each of its rows, all of which are computed.

    Parameters
    ----------
    rows : TrainingRows
        With what belongs to them beside the rows.
    seen : sequence of n_views sequence of n rows
        As the module takes them.
    variation : Variation
        Says how they are mixed.

    Returns
    -------
    rows : TrainingRows
    """

    def draw(batch: np.ndarray, rng: np.random.Generator) -> list[Any]:
        which = rng.integers(len(seen), size=len(batch))
        return [seen[v][i] for v, i in zip(which, batch, strict=True)]

    return replace(rows, rows=seen[0], draw=draw, mixup=float(variation.mixup))
