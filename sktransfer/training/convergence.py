"""Fit a head to convergence on features that do not change."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from numbers import Real
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from sktransfer._warnings import warn_user
from sktransfer.training.errors import TrainingDivergedError
from sktransfer.training.losses import Supervised

_MAX_ITER = 2000
# The one solution of a linear head is found to the last digits in a few dozen steps. A hidden layer
# has many solutions, and digits that predict nothing would take thousands.
_LINEAR = {"gtol": 1e-8, "ftol": 1e-15}
_HIDDEN = {"gtol": 1e-5, "ftol": 1e-7}
# Enough to compare the predictions of two heads.
_ROUGH = {"gtol": 1e-5, "ftol": 1e-5}
# Numbers of which a copy in double precision is kept: 64 MB. Of more, parts are made double, again
# in each iteration, so that they take the memory of single precision.
_MOST_KEPT = 2**23


@dataclass(frozen=True)
class Convergence:
    """What the solver reports.

    Attributes
    ----------
    n_iter : int
        Iterations of L-BFGS.
    loss : float
        Weighted mean loss at the solution, without the penalty.
    """

    n_iter: int
    loss: float


def fit_to_convergence(
    supervised: Supervised,
    module: nn.Module,
    features: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor,
    *,
    C: float,
    anchor: list[torch.Tensor] | None = None,
    roughly: bool = False,
) -> Convergence:
    r"""Minimise the regularised loss over all of the head's parameters, in place.

    Parameters
    ----------
    supervised : Supervised
        The loss.
    module : torch.nn.Module
        What ``Head.build`` returned; its parameters are where the search starts.
    features : torch.Tensor of shape (n, dim)
        Of the training rows.
    target : torch.Tensor of shape (n,) or (n, n_outputs)
        Targets as the task codes them.
    weight : torch.Tensor of shape (n,)
        Weight of each row; not normalised, as in scikit-learn's LogisticRegression.
    C : float
        Inverse strength of the penalty, as in scikit-learn.
    anchor : list of torch.Tensor or None, default=None
        Where the penalty is centred, one for each parameter; None is the origin.
    roughly : bool, default=False
        Whether predictions have to be right and the digits of the solution need not be, which
        takes a third of the iterations. Nothing is said where the solver stops early.

    Returns
    -------
    convergence : Convergence

    Raises
    ------
    ValueError
        If ``C`` is not positive.
    TrainingDivergedError
        If features or the solution are not finite.

    Notes
    -----
    With :math:`\theta_0` the anchor, this minimises

    .. math:: C \sum_i w_i \ell_i(\theta) + \tfrac{\lambda}{2} \|\theta - \theta_0\|^2

    with :math:`\lambda` from `sktransfer.plugins.Task.penalty`, over weights. Biases count only
    where there is an anchor, or an output that no row has: what nothing holds would run away from
    labels that these few rows lack. So the solution is that of
    `sklearn.linear_model.LogisticRegression`, one for each label where several can be right, and
    for the squared loss that of `sklearn.linear_model.Ridge` with ``alpha=1 / C``.
    """
    if not (isinstance(C, Real) and C > 0):
        raise ValueError(f"The head's C has to be a positive number or 'auto', got {C!r}.")
    # One NaN makes minimum and maximum NaN; isfinite() would need a copy of all features.
    least, most = torch.aminmax(features, dim=1)
    bad = ~(torch.isfinite(least) & torch.isfinite(most))
    if bad.any():
        raise TrainingDivergedError(
            f"The encoder gives features that are not finite for {int(bad.sum())} of {len(bad)} "
            f"training rows (first at index {int(bad.nonzero()[0])}): its weights may be damaged."
        )
    module.eval().double()
    parameters = list(module.parameters())
    shapes = [parameter.shape for parameter in parameters]
    hold_biases = anchor is not None or not _all_occur(target, parameters[-1].shape[0])
    if anchor is None:
        anchor = [torch.zeros_like(parameter) for parameter in parameters]
    centre = [value.double() for value in anchor]
    w = weight.double()
    total = float(w.sum())
    n_outputs = parameters[-1].shape[0]
    penalty = supervised.task.penalty(n_outputs) / (2.0 * float(C) * total)
    # A linear head is fitted to centred features. Activations that are never negative have a large
    # mean, and the loss is much steeper along it than along other directions.
    x = _Doubled(features)
    mean = None
    if type(module) is nn.Linear:
        mean = torch.stack([w[part] @ rows for part, rows in x.parts()]).sum(dim=0) / total
        x.centre(mean)

    def assign(flat: np.ndarray) -> None:
        start = 0
        with torch.no_grad():
            for parameter, shape in zip(parameters, shapes, strict=True):
                size = shape.numel()
                parameter.copy_(torch.from_numpy(flat[start : start + size]).view(shape))
                start += size

    def loss_of(part: slice, rows: torch.Tensor) -> torch.Tensor:
        return (w[part] * supervised.row_losses(module(rows), target[part])).sum()

    def value_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        assign(flat)
        for parameter in parameters:
            parameter.grad = None
        found = 0.0
        with torch.enable_grad():
            value = torch.zeros((), dtype=torch.float64)
            for parameter, mid in zip(parameters, centre, strict=True):
                if parameter.ndim > 1:
                    value = value + penalty * (parameter - mid).square().sum()
                elif hold_biases:
                    own = parameter if mean is None else parameter - parameters[0] @ mean
                    value = value + penalty * (own - mid).square().sum()
            for part, rows in x.parts():
                value = value + loss_of(part, rows) / total
                value.backward()
                found += float(value.detach())
                value = torch.zeros((), dtype=torch.float64)
        gradient = torch.cat([parameter.grad.reshape(-1) for parameter in parameters])
        return found, gradient.numpy()

    if mean is not None:
        _shift(module, mean)
    start = torch.cat([parameter.detach().reshape(-1) for parameter in parameters]).numpy()
    with one_blas_thread():
        result = minimize(
            value_and_gradient,
            start,
            jac=True,
            method="L-BFGS-B",
            options={
                "maxiter": _MAX_ITER,
                "maxfun": 2 * _MAX_ITER,
                **(_ROUGH if roughly else _LINEAR if len(parameters) == 2 else _HIDDEN),
            },
        )
    if not (np.isfinite(result.fun) and np.isfinite(result.x).all()):
        raise TrainingDivergedError(
            "The head's loss or weights are not finite; lower the head's C."
        )
    if result.nit >= _MAX_ITER and not roughly:
        warn_user(
            f"The head did not converge in {_MAX_ITER} iterations; lower the head's C.",
            ConvergenceWarning,
        )
    assign(result.x)
    with torch.no_grad():
        loss = sum(float(loss_of(part, rows)) for part, rows in x.parts()) / total
    if mean is not None:
        _shift(module, -mean)
    for parameter in parameters:
        parameter.grad = None
    module.float()
    return Convergence(n_iter=int(result.nit), loss=loss)


class _Doubled:
    """Features in double precision, all at once or part by part."""

    def __init__(self, features: torch.Tensor) -> None:
        n, dim = features.shape
        self._single = features
        self._mean: torch.Tensor | None = None
        self._size = n if n * dim <= _MOST_KEPT else max(1, _MOST_KEPT // (8 * dim))
        self._kept = features.to(torch.float64, copy=True) if self._size == n else None

    def centre(self, mean: torch.Tensor) -> None:
        """Subtract a mean from all rows."""
        self._mean = mean
        if self._kept is not None:
            self._kept -= mean

    def parts(self) -> Iterator[tuple[slice, torch.Tensor]]:
        """Give rows, and where they are; they are valid until the next ones."""
        if self._kept is not None:
            yield slice(None), self._kept
            return
        # One buffer for all steps, since freed memory is not returned to the system at once.
        place = self._single.new_empty((self._size, self._single.shape[1]), dtype=torch.float64)
        for start in range(0, len(self._single), self._size):
            part = slice(start, start + self._size)
            single = self._single[part]
            rows = place[: len(single)].copy_(single)
            yield part, rows if self._mean is None else rows.sub_(self._mean)


def _shift(linear: Any, by: torch.Tensor) -> None:
    """Change the bias of a layer as if this vector were subtracted from its inputs."""
    with torch.no_grad():
        linear.bias += linear.weight @ by


def _all_occur(target: torch.Tensor, n_outputs: int) -> bool:
    """Tell whether each label occurs, or each column of indicators has both values."""
    if target.ndim == 1:
        return len(target.unique()) == n_outputs
    return bool((target != target[0]).any(dim=0).all())


@cache
def _thread_controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Give BLAS one thread while inside, as scikit-learn's solvers do.

    Its threads and torch's would wait for one another actively, on the same cores: a solver's step
    then takes twenty times as long.
    """
    with _thread_controller().limit(limits=1, user_api="blas"):
        yield
