"""Choose by cross-validation how strongly a converged head is regularised."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from sktransfer.training.cross_fitting import FoldHeads, Folds
from sktransfer.training.losses import Supervised

__all__ = ["N_FOLDS", "choose_C"]

N_FOLDS = 3
_START = 1.0
_STRENGTHS = (0.01, 0.1, _START, 10.0, 100.0)
# Rows from which one fold is scored: its errors are as exact as those of three folds of fewer rows.
_ENOUGH = 2000
_STANDARD_ERRORS = 2.0


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
        Between 0.01 and 100; 1.0 where there are no folds, or a label has one group of rows.
    """
    held_out = folds.held_out
    if not held_out or folds.rarest < 2:
        return _START
    n_groups = len(folds.of_group)
    if n_groups >= _ENOUGH:
        held_out = held_out[:1]
    scored = np.any(held_out, axis=0)
    weights = np.bincount(folds.groups[scored], weight.numpy()[scored], minlength=n_groups)
    heads = FoldHeads(supervised, module, features, target, weight, held_out, anchor)

    def errors(C: float) -> np.ndarray:
        """Sum the weighted errors of the rows of each group."""
        of_rows = supervised.task.errors(supervised.head, heads.outputs(C), target)
        weighted = np.where(scored, (of_rows * weight).numpy(), 0.0)
        return np.bincount(folds.groups, weighted, minlength=n_groups)

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
