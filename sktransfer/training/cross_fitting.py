"""Fit a head in folds of its rows, so that each row is predicted by a head that never saw it."""

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

__all__ = ["FoldHeads", "Folds", "folds_of", "make_folds"]

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
        The fold of each group; all the same where there are too few rows to hold some out.
    rarest : int
        Groups of the label that has the fewest, where there are labels.
    """

    groups: np.ndarray
    of_group: np.ndarray
    rarest: int

    @property
    def held_out(self) -> list[np.ndarray]:
        """Which rows each fold holds out, as bool of shape (n,)."""
        numbers = range(int(self.of_group.max()) + 1) if self.of_group.any() else ()
        return [(self.of_group == number)[self.groups] for number in numbers]


def folds_of(rows: TrainingRows, task: Task, features: torch.Tensor, n_folds: int) -> Folds:
    """Put the rows of a fit of the head into folds.

    Parameters
    ----------
    rows : TrainingRows
        All of them labelled.
    task : Task
        Of which labels are kept in all folds.
    features : torch.Tensor of shape (n, dim)
        Of the rows; or of all their views, one after the other; or of their states.
    n_folds : int
        At most as many.

    Returns
    -------
    folds : Folds
        For the rows of ``features``.
    """
    folds = make_folds(rows.inputs, task.strata(rows.values), features, n_folds)
    groups = flatten(rows.values, folds.groups)[1] if task.of_states else folds.groups
    return replace(folds, groups=np.tile(groups, len(features) // len(groups)))


def make_folds(
    inputs: Sequence[Hashable], strata: np.ndarray | None, features: torch.Tensor, n_folds: int
) -> Folds:
    """Put rows into folds; where a label has fewer rows than there would be folds, into so many.

    A label with one input cannot be in two folds. Then the shares of labels are not kept.

    Parameters
    ----------
    inputs : sequence of n inputs
        Equal inputs are in the same fold.
    strata : ndarray of int of shape (n,) or None
        Codes of labels whose shares all folds keep; None where there is nothing of the kind.
    features : torch.Tensor of shape (at least n, dim)
        The first n are those of the rows. Folds depend on them, and not on the order of the rows.
    n_folds : int
        At most as many.

    Returns
    -------
    folds : Folds
        For the n rows; all in one where there are fewer than four different inputs.
    """
    number: dict[Hashable, int] = {}
    groups = np.array([number.setdefault(x, len(number)) for x in inputs])
    first = np.unique(groups, return_index=True)[1]
    n_groups = len(first)
    counts = [n_groups] if strata is None else np.unique(strata[first], return_counts=True)[1]
    rarest = int(np.min(counts))
    of_group = np.zeros(n_groups, dtype=np.int64)
    if n_groups < 4:
        return Folds(groups, of_group, rarest)
    order = np.lexsort(features[first, :_ORDERED_BY].numpy().T)
    if strata is None or rarest < 2:
        splitter = KFold(min(n_folds, n_groups // 2), shuffle=True, random_state=0)
    else:
        splitter = StratifiedKFold(min(n_folds, rarest), shuffle=True, random_state=0)
    labels = None if strata is None else strata[first][order]
    for fold, (_, held_out) in enumerate(splitter.split(order, labels)):
        of_group[order[held_out]] = fold
    return Folds(groups, of_group, rarest)


class FoldHeads:
    """A copy of a head for each fold, fitted to the rows that the fold does not hold out.

    Parameters
    ----------
    supervised : Supervised
        The loss.
    module : torch.nn.Module
        What ``Head.build`` returned; it stays as it is.
    features, target, weight, anchor
        As for `fit_to_convergence`.
    held_out : list of ndarray of bool of shape (n,)
        Which rows each fold holds out.
    """

    def __init__(
        self,
        supervised: Supervised,
        module: nn.Module,
        features: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor,
        held_out: Sequence[np.ndarray],
        anchor: list[torch.Tensor] | None = None,
    ) -> None:
        self._supervised = supervised
        self._data = features, target, weight
        self._anchor = anchor
        self._folds = [(torch.from_numpy(out), copy.deepcopy(module)) for out in held_out]

    def outputs(self, C: float) -> torch.Tensor:
        """Compute the outputs of rows by the head that did not see them.

        Parameters
        ----------
        C : float
            As for `fit_to_convergence`, which goes on from the heads of the call before.

        Returns
        -------
        outputs : torch.Tensor of shape (n, n_outputs)
            Zeros where no fold holds a row out.
        """
        features, _, _ = self._data
        found = None
        for out, module in self._folds:
            train = [part[~out] for part in self._data]
            fit_to_convergence(
                self._supervised, module, *train, C=C, anchor=self._anchor, roughly=True
            )
            with torch.inference_mode():
                outputs = module(features[out])
            if found is None:
                found = outputs.new_zeros((len(features), outputs.shape[1]))
            found[out] = outputs
        assert found is not None
        return found
