"""Choose by cross-validation how strongly a converged head is regularised."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.model_selection import KFold, StratifiedKFold
from torch import nn

from sktransfer.contracts import Task
from sktransfer.training.batch import TrainingRows, flatten
from sktransfer.training.convergence import fit_to_convergence
from sktransfer.training.losses import Supervised

__all__ = ["Folds", "choose_C", "folds_of", "make_folds"]

_START = 1.0
_STRENGTHS = (0.01, 0.1, _START, 10.0, 100.0)
_N_FOLDS = 3
# Rows from which one fold is scored: its errors are as exact as those of three folds of fewer rows.
_ENOUGH = 5000
_STANDARD_ERRORS = 2.0
# Features by which rows are ordered before they are shuffled into folds.
_ORDERED_BY = 8


@dataclass(frozen=True, eq=False)
class Folds:
    """Which outputs of the head are held out together.

    Attributes
    ----------
    groups : ndarray of int of shape (n,)
        Rows of one group, such as copies and augmented views of an input, are in the same fold.
    of_group : ndarray of int of shape (n_groups,)
        The fold of each group; empty where there are too few rows to hold some out.
    """

    groups: np.ndarray
    of_group: np.ndarray

    @property
    def held_out(self) -> list[np.ndarray]:
        """Which rows each fold that is scored holds out, as bool of shape (n,)."""
        if not len(self.of_group):
            return []
        numbers = range(1 if len(self.of_group) >= _ENOUGH else self.of_group.max() + 1)
        return [(self.of_group == number)[self.groups] for number in numbers]


def folds_of(rows: TrainingRows, task: Task, features: torch.Tensor) -> Folds:
    """Put the rows of a fit of the head into folds.

    Parameters
    ----------
    rows : TrainingRows
        All of them labelled.
    task : Task
        Of which labels are kept in all folds.
    features : torch.Tensor of shape (n, dim)
        Of the rows; or of all their views, one after the other; or of their states.

    Returns
    -------
    folds : Folds
        For the rows of ``features``.
    """
    folds = make_folds(rows.inputs, task.strata(rows.values), features)
    groups = flatten(rows.values, folds.groups)[1] if task.of_states else folds.groups
    return replace(folds, groups=np.tile(groups, len(features) // len(groups)))


def make_folds(
    inputs: Sequence[Hashable], strata: np.ndarray | None, features: torch.Tensor
) -> Folds:
    """Put rows into three folds; fewer where a label has fewer rows.

    Parameters
    ----------
    inputs : sequence of n inputs
        Equal inputs are in the same fold.
    strata : ndarray of int of shape (n,) or None
        Codes of labels whose shares all folds keep; None where there is nothing of the kind.
    features : torch.Tensor of shape (at least n, dim)
        The first n are those of the rows. Folds depend on them, and not on the order of the rows.

    Returns
    -------
    folds : Folds
        For the n rows; without folds where a label has one input, or there are fewer than six.
    """
    number: dict[Hashable, int] = {}
    groups = np.array([number.setdefault(x, len(number)) for x in inputs])
    first = np.unique(groups, return_index=True)[1]
    rarest = len(first) // 2 if strata is None else np.unique(strata[first], return_counts=True)[1]
    n_folds = int(min(_N_FOLDS, np.min(rarest)))
    if n_folds < 2:
        return Folds(groups, np.empty(0, dtype=np.int64))
    order = np.lexsort(features[first, :_ORDERED_BY].numpy().T)
    splitter = KFold if strata is None else StratifiedKFold
    split = splitter(n_folds, shuffle=True, random_state=0).split(
        order, None if strata is None else strata[first][order]
    )
    of_group = np.empty(len(first), dtype=np.int64)
    for fold, (_, held_out) in enumerate(split):
        of_group[order[held_out]] = fold
    return Folds(groups, of_group)


def choose_C(
    supervised: Supervised,
    module: nn.Module,
    features: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor,
    folds: Folds,
    anchor: list[torch.Tensor] | None = None,
) -> float:
    """Choose the inverse strength of the penalty of `fit_to_convergence`.

    From 1 it goes up by factors of ten, and if that does not help down, for as long as rows that
    are held out are predicted better: by more than two standard errors of the paired difference.
    What is better by less is mostly better by chance.

    Parameters
    ----------
    supervised : Supervised
        The loss, and the task by which predictions are compared.
    module : torch.nn.Module
        What ``Head.build`` returned; it stays as it is.
    features, target, weight, anchor
        As for `fit_to_convergence`.
    folds : Folds
        For the rows of ``features``.

    Returns
    -------
    C : float
        Between 0.01 and 100; 1.0 where there are no folds.
    """
    held_out = folds.held_out
    if not held_out:
        return _START
    n_groups = len(folds.of_group)
    scored = np.any(held_out, axis=0)
    weights = np.bincount(folds.groups[scored], weight.numpy()[scored], minlength=n_groups)
    modules = [copy.deepcopy(module) for _ in held_out]

    def errors(C: float) -> np.ndarray:
        """Sum the weighted errors of the rows of each group."""
        found = np.zeros(len(features))
        for own, out in zip(modules, held_out, strict=True):
            train, valid = torch.from_numpy(~out), torch.from_numpy(out)
            parts = features[train], target[train], weight[train]
            fit_to_convergence(supervised, own, *parts, C=C, anchor=anchor, roughly=True)
            with torch.inference_mode():
                outputs = own(features[valid])
                of_rows = supervised.task.errors(supervised.head, outputs, target[valid])
            found[out] = (of_rows * weight[valid]).numpy()
        return np.bincount(folds.groups, found, minlength=n_groups)

    best, least = _STRENGTHS.index(_START), errors(_START)
    for step in (1, -1):
        start = best
        while 0 <= best + step < len(_STRENGTHS):
            other = errors(_STRENGTHS[best + step])
            if not _is_less(other, least, weights):
                break
            best, least = best + step, other
        if best != start:
            break
    return _STRENGTHS[best]


def _is_less(errors: np.ndarray, than: np.ndarray, weights: np.ndarray) -> bool:
    """Tell whether weighted errors are lower by more than chance explains."""
    gain = than - errors
    deviation = gain - weights * gain.sum() / weights.sum()
    return bool(gain.sum() > _STANDARD_ERRORS * np.sqrt(np.square(deviation).sum()))
