"""Where a training starts from: an earlier fit of this estimator, or its ``source``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from sktransfer.training.state import ModelState


@dataclass(frozen=True)
class Start:
    """Weights to start from.

    Attributes
    ----------
    state : ModelState
        Body and head.
    classes : ndarray or None
        The labels that the head's rows stand for.
    """

    state: ModelState
    classes: np.ndarray | None


def start_of_source(source: Any) -> Start | None:
    """Read the ``source`` parameter.

    Parameters
    ----------
    source : FrozenEstimator, path or None
        A fitted estimator that `clone` keeps, or a folder that ``save`` wrote.

    Returns
    -------
    start : Start or None
        None without a source.

    Raises
    ------
    TypeError
        If an estimator is given that `clone` would reset.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.
    """
    if source is None:
        return None
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
    if isinstance(source, Pipeline):
        source = source[-1]
    check_is_fitted(source)
    if not hasattr(source, "net_"):
        raise TypeError(
            f"source has to wrap an estimator of sktransfer, got {type(source).__name__}."
        )
    return start_of_fitted(source)


def start_of_fitted(estimator: Any) -> Start:
    """Start from what an estimator has learned."""
    return Start(estimator.net_.state, getattr(estimator, "classes_", None))
