"""Which rows of a fold can be scored, where target rows are without a label."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from sktransfer._compat.sklearn import num_samples
from sktransfer.estimators._domains import check_domains, domain_in, labelled_rows
from sktransfer.tuning.space import Tunable


def last_step(estimator: Any) -> Any:
    """Return the estimator at the end of a pipeline, or the estimator itself."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def find_labelled(estimator: Any, X: Any, y: Any, fit_params: dict[str, Any]) -> np.ndarray | None:
    """Find the rows that have a label; None where all have one.

    The rows without one are marked as `fit` of an estimator of this package reads it. For other
    estimators the marker is a label like others.
    """
    sample_domain, inner = domain_in(fit_params), last_step(estimator)
    if sample_domain is None or not isinstance(inner, Tunable):
        return None
    domains = check_domains(sample_domain, num_samples(X))
    labelled = labelled_rows(y, domains, inner._task_class(y))
    return None if len(labelled) == len(domains) else labelled


def scored_rows(rows: Any, labelled: np.ndarray | None, fold: int) -> np.ndarray:
    """Leave rows without a label out of the test rows of a fold.

    A ValueError says how to split where none is left.
    """
    rows = np.asarray(rows)
    if labelled is None or not len(rows):
        return rows
    kept = take_labelled(rows, labelled)
    if not len(kept):
        raise ValueError(
            f"The {len(rows)} test rows of fold {fold} have no label, so nothing can be scored. "
            "Pass a splitter whose test rows have labels, such as "
            "cv=StratifiedKFold(5, shuffle=True), or fewer folds."
        )
    return kept


def take_labelled(rows: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Give those of some rows, positions or a mask, that have a label."""
    if rows.dtype == bool:
        rows = np.flatnonzero(rows)
    return rows[np.isin(rows, labelled)]
