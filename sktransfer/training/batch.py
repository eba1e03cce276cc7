"""The rows of a training, and the typed batches that are made of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from sktransfer.contracts import Forward
from sktransfer.features.batches import (
    POOL,
    prefetch,
    shuffled_batches,
    sorted_batches,
)

__all__ = ["Batch", "Batches", "Mix", "TrainingRows"]


@dataclass
class TrainingRows(Dataset):
    """Prepared rows with their targets, weights and domains.

    Attributes
    ----------
    rows : sequence of n rows
        What ``encoder.prepare`` returned, or the state of each row before the lowest block that
        trains.
    values : ndarray of shape (n,) or (n, n_outputs)
        Targets as the task codes them. Rows without a label hold zeros. Where each state of a row
        has a target, an object array of n arrays.
    weights : ndarray of float64 of shape (n,)
        With mean 1 over the labelled rows; 0 for the others.
    total_weight : float
        Sum of the weights before they were normalised.
    inputs : sequence of n inputs
        What the rows were prepared from.
    domains : ndarray of int64 of shape (n,) or None
        Codes of domains, below 0 for targets; None where all rows are of one source.
    draw : callable or None
        Gives the rows of a training batch, ``draw(positions, rng)``, where an augmentation shows
        them differently each time.
    mixup : float
        Parameter of the Beta distribution by which pairs of rows are mixed; 0 mixes none.
    """

    rows: Sequence[Any]
    values: np.ndarray
    weights: np.ndarray
    total_weight: float
    inputs: Sequence[Any] = ()
    domains: np.ndarray | None = None
    draw: Callable[[np.ndarray, np.random.Generator], list[Any]] | None = None
    mixup: float = 0.0

    def normalised(self) -> TrainingRows:
        """Scale weights to mean 1 over the rows that have any: those with a label."""
        labelled = self.weights > 0
        mean = self.weights[labelled].mean() if labelled.any() else 1.0
        total = float(self.weights.sum())
        return replace(self, weights=self.weights / mean, total_weight=total)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> tuple[Any, tuple[Any, float]]:
        return self.rows[i], (self.values[i], float(self.weights[i]))

    def take(self, index: np.ndarray) -> TrainingRows:
        """Select rows; their weights stay as they are."""
        return replace(
            self,
            rows=[self.rows[i] for i in index],
            inputs=[self.inputs[i] for i in index] if len(self.inputs) else (),
            values=self.values[index],
            weights=self.weights[index],
            domains=None if self.domains is None else self.domains[index],
        )

    def labelled(self) -> TrainingRows:
        """Select the rows that have a label."""
        known = np.flatnonzero(self.weights)
        return self if len(known) == len(self) else self.take(known)

    def flat(self) -> tuple[np.ndarray, np.ndarray]:
        """Give values and weights of all rows one after the other, as the head's outputs stand."""
        return flatten(self.values, self.weights)

    @property
    def target_rows(self) -> np.ndarray:
        """Which rows are of a target domain, as bool of shape (n,)."""
        if self.domains is None:
            return np.zeros(len(self), dtype=bool)
        return self.domains < 0


@dataclass(frozen=True, eq=False)
class Mix:
    """How the rows of a batch were mixed in pairs (Zhang et al., 2018, arXiv:1710.09412).

    Attributes
    ----------
    partners : torch.Tensor of int64 of shape (n,)
        Position in the batch of the row that each one was mixed with.
    share : float
        Fraction of each row that is still itself.
    """

    partners: torch.Tensor
    share: float

    def part(self, rows: slice) -> Mix:
        """Restrict to a micro-batch, within which all its rows were mixed."""
        return Mix(self.partners[rows] - (rows.start or 0), self.share)


@dataclass(eq=False)
class Batch:
    """The rows of one step of the optimizer.

    Attributes
    ----------
    inputs : list of dict of str to torch.Tensor
        Micro-batches: rows that are computed together, in the order of the values. There is one,
        unless the rows are long.
    values : torch.Tensor of shape (n,) or (n, n_outputs)
        Targets as the task codes them.
    weights : torch.Tensor of float32 of shape (n,)
        0 where a row has no label.
    n_labelled : int
        How many rows have a label.
    domains : torch.Tensor of int64 of shape (n,) or None
        Codes of domains; None where all rows are of one source.
    mix : Mix or None
        How the rows were mixed, if they were.
    """

    inputs: list[dict[str, torch.Tensor]]
    values: torch.Tensor
    weights: torch.Tensor
    n_labelled: int
    domains: torch.Tensor | None = None
    mix: Mix | None = None

    def __len__(self) -> int:
        return len(self.values)

    def forward(self, features: torch.Tensor, outputs: torch.Tensor) -> Forward:
        """Join the features and outputs of this batch with the labels, weights and domains."""
        if len(outputs) != len(self.values):
            raise ValueError(
                f"The encoder gives {len(outputs)} states for {len(self.values)} targets: a task "
                "with a target for each state needs an encoder with as many states."
            )
        labelled = self.weights > 0
        domains = torch.zeros_like(labelled, dtype=torch.int64)
        return Forward(
            features=features,
            outputs=outputs,
            labels=self.values,
            labelled=labelled,
            weights=torch.where(labelled, self.weights, 1.0),
            domains=domains if self.domains is None else self.domains,
        )


@dataclass
class Batches:
    """Batches of rows of similar length; shuffled anew in each epoch where there is a generator.

    Attributes
    ----------
    data : TrainingRows
        The rows.
    module : TransferModule
        Collates them.
    batch_size : int
        Rows of a training batch.
    rng : numpy.random.Generator or None
        Shuffles, and draws augmented views; None for batches that are only evaluated.
    balanced : bool
        Whether each batch holds as many source rows as target rows. The smaller side is then seen
        several times in an epoch.
    """

    data: TrainingRows
    module: Any
    batch_size: int
    rng: np.random.Generator | None = None
    balanced: bool = False
    _sides: tuple[np.ndarray, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        of_target = self.data.target_rows
        self._sides = np.flatnonzero(~of_target), np.flatnonzero(of_target)

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        if not self._is_balanced():
            return math.ceil(len(self.data) / self.batch_size)
        return max(
            math.ceil(len(rows) / size)
            for rows, size in zip(self._sides, self._sizes(), strict=True)
            if size
        )

    def __iter__(self) -> Iterator[tuple[Batch, torch.Tensor]]:
        if self.rng is None:
            order = sorted_batches(self.data.rows, max(self.batch_size, 64))
        elif self._is_balanced():
            order = self._balanced_batches(self.rng)
        else:
            order = shuffled_batches(self.data.rows, self.batch_size, self.rng)
        for _, batch in prefetch(self._collate, order, self.module.encoder):
            # The targets are returned a second time, since skorch's callbacks score by them.
            yield batch, batch.values

    def _is_balanced(self) -> bool:
        return self.balanced and all(len(side) for side in self._sides)

    def _sizes(self) -> tuple[int, int]:
        """Give the rows of a balanced batch that are of sources, and of targets."""
        return self.batch_size - self.batch_size // 2, self.batch_size // 2

    def _balanced_batches(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Cut both sides into batches of similar length, the smaller one several times over."""
        n = len(self)
        sides = []
        for rows, size in zip(self._sides, self._sizes(), strict=True):
            times = math.ceil(n * size / len(rows))
            order = np.concatenate([rng.permutation(rows) for _ in range(times)] or [rows[:0]])
            sides.append((order[: n * size], size))
        batches = []
        for first in range(0, n, POOL):
            last = min(n, first + POOL)
            parts = []
            for order, size in sides:
                pool = order[first * size : last * size]
                lengths = [len(self.data.rows[i]) for i in pool]
                parts.append(pool[np.argsort(lengths, kind="stable")].reshape(last - first, size))
            batches += list(np.concatenate(parts, axis=1))
        return [batches[i] for i in rng.permutation(n)]

    def _collate(self, index: np.ndarray) -> Batch:
        data, module = self.data, self.module
        if self.rng is not None and data.draw is not None:
            rows = data.draw(index, self.rng)
        else:
            rows = [data.rows[i] for i in index]
        cut = []
        if self.rng is not None:
            cut = sorted_batches(rows, len(rows), module.encoder.training_budget())
        if len(cut) > 1:
            index = np.concatenate([index[part] for part in cut])
            inputs = [module.collate([rows[i] for i in part]) for part in cut]
        else:
            inputs = [module.collate(rows)]
        mix = None
        if self.rng is not None and data.mixup > 0:
            sides = data.target_rows[index]
            inputs, mix = mix_rows(inputs, sides, data.mixup, self.rng)
        device = module.device
        values, weights = flatten(data.values[index], data.weights[index])
        domains = None
        if data.domains is not None:
            domains = flatten(data.values[index], data.domains[index])[1]
        return Batch(
            inputs,
            values=torch.as_tensor(values, device=device),
            weights=torch.as_tensor(weights, dtype=torch.float32, device=device),
            n_labelled=int(np.count_nonzero(weights)),
            domains=None if domains is None else torch.as_tensor(domains, device=device),
            mix=mix,
        )


def flatten(values: np.ndarray, of_rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Put the values of rows one after the other, where rows have several.

    Parameters
    ----------
    values : ndarray of n values
        Of any lengths where it holds objects.
    of_rows : ndarray of shape (n,)
        What belongs to each row, such as its weight.

    Returns
    -------
    values : ndarray
    of_values : ndarray
        What belongs to the row of each value.
    """
    if values.dtype != object:
        return values, of_rows
    return np.concatenate(list(values)), np.repeat(of_rows, [len(value) for value in values])


def mix_rows(
    inputs: Sequence[Mapping[str, torch.Tensor]],
    sides: np.ndarray,
    alpha: float,
    rng: np.random.Generator,
) -> tuple[list[dict[str, torch.Tensor]], Mix]:
    """Mix the rows of a batch in pairs.

    Parameters
    ----------
    inputs : sequence of mapping of str to torch.Tensor
        Micro-batches, whose rows are mixed with others of the same one. The first axis of each
        tensor has an entry for each row; whole numbers are rounded.
    sides : ndarray of bool of shape (n,)
        Which rows are of a target domain. Both rows of a pair are of the same side.
    alpha : float
        Parameter of the Beta distribution that the share is drawn from.
    rng : numpy.random.Generator
        Draws share and partners.

    Returns
    -------
    inputs : list of dict of str to torch.Tensor
    mix : Mix

    Notes
    -----
    Where the lowest blocks do not train, it is their activations that are mixed, as in manifold
    mixup (Verma et al., 2019, arXiv:1806.05236).
    """
    share = float(rng.beta(alpha, alpha))
    mixed, partners, start = [], [], 0
    for part in inputs:
        n = len(next(iter(part.values())))
        own = np.arange(n)
        for side in (False, True):
            members = np.flatnonzero(sides[start : start + n] == side)
            own[members] = rng.permutation(members)
        mixed.append({name: _between(v, v[own.tolist()], share) for name, v in part.items()})
        partners.append(torch.from_numpy(own + start))
        start += n
    return mixed, Mix(torch.cat(partners), share)


def _between(one: torch.Tensor, other: torch.Tensor, share: float) -> torch.Tensor:
    both = share * one.float() + (1.0 - share) * other.float()
    return (both if one.is_floating_point() else both.round()).to(one.dtype)
