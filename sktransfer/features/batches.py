"""Batches of rows of similar length, which are collated while the model computes.

Rows are those that an encoder prepared, or states that were computed of these before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sktransfer.contracts import Encoder

# Total length of the padded rows of a batch, so that a few long ones do not fill the memory.
_BUDGET = 64 * 512

# Rows are sorted by length within this many batches: nearly no padding, and still a shuffle.
POOL = 50


def sorted_batches(rows: Sequence[Any], batch_size: int, budget: int = _BUDGET) -> list[np.ndarray]:
    """Cut rows, longest first, into batches for inference.

    Parameters
    ----------
    rows : sequence of n rows
        Rows, each of which has a length.
    batch_size : int
        Largest number of rows of a batch; long rows make smaller batches.
    budget : int, default=32768
        Largest total length of the padded rows of a batch.

    Returns
    -------
    batches : list of ndarray of int
        Positions in ``rows``, each of them once.

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
        Rows, each of which has a length.
    batch_size : int
        Number of rows of a batch; one batch may have fewer.
    rng : numpy.random.Generator
        Source of the order. The same state gives the same batches.

    Returns
    -------
    batches : list of ndarray of int
        Positions in ``rows``, each of them once.

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


def prefetch(
    make: Callable[[Any], Any], items: Iterable[Any], encoder: Any
) -> Iterator[tuple[Any, Any]]:
    """Apply a function to each item, one item ahead of the caller, in a thread.

    Parameters
    ----------
    make : callable
        The function. It is called in the order of the items, and never twice at a time.
    items : iterable
        Arguments of the function.
    encoder : Encoder
        Encoder, whose ``slow_collate`` says whether the function takes long. Otherwise, and if
        torch has only one thread, the function is called without a thread.

    Yields
    ------
    item, made : object
        Each item, and the value of the function, in the order of the items.
    """
    if not encoder.slow_collate or torch.get_num_threads() < 2:
        for item in items:
            yield item, make(item)
        return
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting: list[tuple[Any, Any]] = []
        for item in items:
            waiting.append((item, pool.submit(make, item)))
            if len(waiting) > 1:
                first, made = waiting.pop(0)
                yield first, made.result()
        for last, made in waiting:
            yield last, made.result()


@dataclass(slots=True)
class StateRow:
    """The state of one row before a block.

    Attributes
    ----------
    values : dict of str to torch.Tensor
        Tensors by name, without padding.
    length : int
        Length of the row that it was computed from.
    """

    values: dict[str, torch.Tensor]
    length: int

    def __len__(self) -> int:
        return self.length

    @property
    def nbytes(self) -> int:
        """Size of the tensors, in bytes."""
        return sum(value.nbytes for value in self.values.values())


def collate_states(encoder: Encoder, rows: Sequence[StateRow]) -> dict[str, torch.Tensor]:
    """Put states into one batch, padded on the right with zeros.

    Parameters
    ----------
    encoder : Encoder
        Encoder, which says which of its states are padded.
    rows : sequence of n StateRow
        States of rows.

    Returns
    -------
    state : dict of str to torch.Tensor
        State in the form of ``encoder.forward_until``.
    """
    padded = encoder.padded_states
    pad = torch.nn.utils.rnn.pad_sequence
    return {
        name: pad([row.values[name] for row in rows], batch_first=True)
        if name in padded
        else torch.stack([row.values[name] for row in rows])
        for name in rows[0].values
    }
