"""Fit a head to convergence on the features of an encoder that does not train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from sktransfer._warnings import warn_user
from sktransfer.training.batch import TrainingRows
from sktransfer.training.convergence import fit_to_convergence
from sktransfer.training.cross_fitting import FoldHeads, folds_of
from sktransfer.training.frozen_prefix import FrozenPrefix
from sktransfer.training.losses import Supervised
from sktransfer.training.strength import N_FOLDS, choose_C

__all__ = ["FEWEST", "HeadFit", "Probe", "fit_head"]

# Folds by which each row is predicted once: heads of four fifths of the rows are nearly the head
# of all of them.
_FOLDS_OF_ALL = 5
# Different inputs below which predictions of some by heads of the others tell nothing.
FEWEST = 10


@dataclass(frozen=True, eq=False)
class HeadFit:
    """How the head is fitted to convergence.

    Attributes
    ----------
    C : float or "auto"
        Inverse strength of the penalty; ``"auto"`` is that of `choose_C`.
    anchor : list of torch.Tensor or None
        Earlier weights of the head, on which the penalty is centred.
    cross_fits : bool
        Whether rows are predicted by heads that did not see them, too.
    """

    C: float | str = 1.0
    anchor: list[torch.Tensor] | None = None
    cross_fits: bool = False


@dataclass(frozen=True, eq=False)
class Probe:
    """The fit of a head.

    Attributes
    ----------
    n_iter : int
        Iterations of the solver.
    loss : float
        Weighted mean loss, without the penalty.
    C : float
        Inverse strength of the penalty.
    mean_norm : float
        Mean length of the features.
    out_of_fold : torch.Tensor of float64 of shape (n, n_outputs) or None
        Outputs of the training rows, or of their states, by heads that did not see them; None where
        they were not asked for, or there are too few rows.
    """

    n_iter: int
    loss: float
    C: float
    mean_norm: float
    out_of_fold: torch.Tensor | None = None


def fit_head(
    prefix: FrozenPrefix, supervised: Supervised, train: TrainingRows, how: HeadFit
) -> Probe:
    """Fit the head of a module, in place.

    Parameters
    ----------
    prefix : FrozenPrefix
        Computes the features.
    supervised : Supervised
        The loss.
    train : TrainingRows
        All of them labelled.
    how : HeadFit

    Returns
    -------
    probe : Probe
    """
    head, task = prefix.module.head, supervised.task
    rows, features = prefix.probe_data(train)
    device = prefix.module.device
    head.cpu()
    values, weights = rows.flat()
    weights = weights * (rows.total_weight / rows.weights.sum())
    data = features, torch.as_tensor(values), torch.as_tensor(weights)
    C: Any = how.C
    if C == "auto":
        folds = folds_of(train, task, features, N_FOLDS)
        C = choose_C(supervised, head, *data, folds, how.anchor)
    out_of_fold = None
    if how.cross_fits:
        folds = folds_of(train, task, features, _FOLDS_OF_ALL)
        if len(folds.of_group) >= FEWEST:
            outputs = FoldHeads(supervised, head, *data, folds.held_out, how.anchor).outputs(C)
            out_of_fold = outputs[: len(train.flat()[0])].double()
        else:
            warn_user(
                f"Probabilities and thresholds stay as they are: fewer than {FEWEST} different "
                "inputs tell nothing of them."
            )
    fitted = fit_to_convergence(supervised, head, *data, C=C, anchor=how.anchor)
    head.to(device)
    mean_norm = float(features.norm(dim=1).mean())
    return Probe(fitted.n_iter, fitted.loss, float(C), mean_norm, out_of_fold)
