"""Where a training starts from: an earlier fit of this estimator, or its ``source``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sktransfer.contracts.registry import plural_of

if TYPE_CHECKING:
    from sktransfer.training.initial_state import InitialState


def state_of_source(estimator: Any) -> InitialState:
    """Read the ``source`` parameter.

    Parameters
    ----------
    estimator : estimator of sktransfer
        Its ``source`` is a FrozenEstimator, that is a fitted estimator which `clone` keeps, or a
        folder that ``save`` wrote.

    Returns
    -------
    initial : InitialState
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
        from sktransfer.persistence.estimators import load

        source = load(source)
    elif isinstance(source, FrozenEstimator):
        source = source.estimator
    else:
        raise TypeError(
            f"source has to be a FrozenEstimator or the path of a saved model, got "
            f"{type(source).__name__}. A fitted estimator has to be wrapped, since clone would "
            "reset it: source=sklearn.frozen.FrozenEstimator(fitted)."
        )
    source = _unwrap(source, "source")
    if source.modality != estimator.modality:
        wanted = plural_of(estimator.modality)
        raise ValueError(
            f"{type(estimator).__name__} is for {wanted}, but source is a "
            f"{type(source).__name__}, which reads {plural_of(source.modality)}: start from a "
            f"model of {wanted}, or leave source out."
        )
    return state_of_fitted(source)


def state_of_encoder(frozen: FrozenEstimator) -> InitialState:
    """Read a ``backbone`` that is a fitted estimator: its encoder, without its head."""
    from sktransfer.training.initial_state import InitialState

    return InitialState(_unwrap(frozen.estimator, "backbone").net_.state)


def state_of_fitted(estimator: Any) -> InitialState:
    """Start from what an estimator has learned."""
    from sktransfer.training.initial_state import InitialState

    state, task = estimator.net_.state, estimator._fitted_task()
    return InitialState(state, task, len(estimator.stages_))


def _unwrap(estimator: Any, parameter: str) -> Any:
    """Check that an estimator is a fitted one of this library, and take it out of a Pipeline."""
    if isinstance(estimator, Pipeline):
        estimator = estimator[-1]
    check_is_fitted(estimator)
    if not hasattr(estimator, "net_"):
        raise TypeError(
            f"{parameter} has to wrap an estimator of sktransfer, got {type(estimator).__name__}."
        )
    return estimator
