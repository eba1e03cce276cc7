"""Where a training starts from: an earlier fit of this estimator, or its ``source``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sktransfer.estimators._modality import check_source

if TYPE_CHECKING:
    from sktransfer.training.state import ModelState


@dataclass(frozen=True)
class Start:
    """Weights to start from.

    Attributes
    ----------
    state : ModelState
        Body and head.
    kind : str
        Kind of the targets; empty where there is no head.
    names : ndarray or None
        What the head's rows stand for.
    """

    state: ModelState
    kind: str = ""
    names: np.ndarray | None = None


def start_of_source(estimator: Any) -> Start:
    """Read the ``source`` parameter.

    Parameters
    ----------
    estimator : estimator of sktransfer
        Its ``source`` is a FrozenEstimator, that is a fitted estimator which `clone` keeps, or a
        folder that ``save`` wrote.

    Returns
    -------
    start : Start
        Encoder and head.

    Raises
    ------
    TypeError
        If an estimator is given that `clone` would reset.
    ValueError
        If it reads something else than the estimator.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.
    """
    source = estimator.source
    if isinstance(source, str | os.PathLike):
        from sktransfer.estimators.files import load

        source = load(source)
    elif isinstance(source, FrozenEstimator):
        source = source.estimator
    else:
        raise TypeError(
            f"source has to be a FrozenEstimator or the path of a saved model, got "
            f"{type(source).__name__}. A fitted estimator has to be wrapped, since clone would "
            "reset it: source=sklearn.frozen.FrozenEstimator(fitted)."
        )
    source = _of_ours(source, "source")
    check_source(estimator, source)
    return start_of_fitted(source)


def start_of_encoder(frozen: FrozenEstimator) -> Start:
    """Read a ``backbone`` that is a fitted estimator: its encoder, without its head."""
    return Start(_of_ours(frozen.estimator, "backbone").net_.state)


def start_of_fitted(estimator: Any) -> Start:
    """Start from what an estimator has learned."""
    reading = estimator._reading()
    if reading is None:
        return Start(estimator.net_.state)
    return Start(estimator.net_.state, reading.kind, reading.names)


def _of_ours(estimator: Any, parameter: str) -> Any:
    """Check that an estimator is one that learned something here."""
    if isinstance(estimator, Pipeline):
        estimator = estimator[-1]
    check_is_fitted(estimator)
    if not hasattr(estimator, "net_"):
        raise TypeError(
            f"{parameter} has to wrap an estimator of sktransfer, got {type(estimator).__name__}."
        )
    return estimator
