"""Batches of rows of similar length, so that little is padded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

# What the padded rows of a batch may cost together, so that a few long ones do not fill the memory.
_BUDGET = 64 * 512

# Rows are sorted by length within this many batches: nearly no padding, and still a shuffle.
POOL = 50


def sorted_batches(rows: Sequence[Any], batch_size: int, budget: int = _BUDGET) -> list[np.ndarray]:
    """Cut rows, longest first, into batches for inference.

    Parameters
    ----------
    rows : sequence of n rows
        Each has a length.
    batch_size : int
        Rows of a batch at most; fewer where they are long.
    budget : int, default=32768
        What the padded rows of a batch may cost together.

    Returns
    -------
    batches : list of ndarray of int
        Positions in ``rows``; each appears once.

    Examples
    --------
    >>> [batch.tolist() for batch in sorted_batches(["a", "aaa", "aa"], batch_size=2)]
    [[1, 2], [0]]
    """
    order = np.argsort([-len(row) for row in rows], kind="stable")
    batches, start = [], 0
    while start < len(order):
        # The first row is the longest of those that follow, and all are padded to it.
        fit = max(1, budget // max(1, len(rows[order[start]])))
        end = start + min(batch_size, fit)
        batches.append(order[start:end])
        start = end
    return batches


def shuffled_batches(
    rows: Sequence[Any], batch_size: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Cut shuffled rows into batches of similar length, in random order, for training.

    Parameters
    ----------
    rows : sequence of n rows
        Each has a length.
    batch_size : int
        Rows of a batch; one batch may have fewer.
    rng : numpy.random.Generator
        The same state gives the same batches.

    Returns
    -------
    batches : list of ndarray of int
        Positions in ``rows``; each appears once.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> batches = shuffled_batches(["a", "aaa", "aa", "aaaa"], 2, rng)
    >>> sorted(sorted(batch.tolist()) for batch in batches)
    [[0, 2], [1, 3]]
    """
    order = rng.permutation(len(rows))
    batches = []
    for start in range(0, len(order), POOL * batch_size):
        pool = order[start : start + POOL * batch_size]
        pool = pool[np.argsort([len(rows[i]) for i in pool], kind="stable")]
        batches += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]
