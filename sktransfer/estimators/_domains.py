"""Which domain each row is of, and which target rows have no label."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from scipy.sparse import issparse

from sktransfer.contracts import Alignment, Task
from sktransfer.contracts.inputs import is_missing

__all__ = [
    "check_both_domains",
    "check_both_remain",
    "check_domains",
    "domain_in",
    "has_fractions",
    "labelled_rows",
]


_ROWS = (list, tuple, np.ndarray)


def check_domains(sample_domain: Any, n_rows: int) -> np.ndarray:
    """Check the domains of rows.

    Parameters
    ----------
    sample_domain : array-like of int of shape (n_rows,)
        0 and above for sources, below 0 for targets.
    n_rows : int
        How many there have to be.

    Returns
    -------
    domains : ndarray of int64 of shape (n_rows,)

    Raises
    ------
    ValueError
        If there are more or fewer of them, or some are no whole numbers.
    """
    domains = np.asarray(sample_domain)
    if domains.shape != (n_rows,):
        raise ValueError(
            f"sample_domain has the shape {domains.shape}, but X has {n_rows} rows: one whole "
            "number for each row is expected, 0 or above for a source, below 0 for a target."
        )
    if domains.dtype.kind not in "iu":
        raise ValueError(
            f"sample_domain has values of the type {domains.dtype} (the first is "
            f"{domains.tolist()[0]!r}): whole numbers are expected, 0 or above for a source, "
            "below 0 for a target."
        )
    return domains.astype(np.int64)


def domain_in(fit_params: Mapping[str, Any]) -> Any:
    """Find ``sample_domain`` among the parameters of a fit, also as that of a step of a pipeline.

    Parameters
    ----------
    fit_params : mapping of str to object
        By name; that of a step stands before the parameter.

    Returns
    -------
    sample_domain : array-like or None
        None where nothing was said of domains.
    """
    names = [name for name in fit_params if name.rpartition("__")[2] == "sample_domain"]
    return fit_params[names[0]] if names else None


def check_both_domains(domains: np.ndarray | None, alignment: Alignment) -> None:
    """Check that an alignment has rows of both sides.

    Parameters
    ----------
    domains : ndarray of int64 of shape (n,) or None
        What `check_domains` gave.
    alignment : Alignment
        What would align them.

    Raises
    ------
    ValueError
        If nothing was said of domains, or all rows are of one side.
    """
    if domains is None:
        raise ValueError(
            f"alignment={alignment!r} needs to know which rows are of the source and which of the "
            "target: fit(X, y, sample_domain=d), with d >= 0 for source rows and d < 0 for target "
            "rows."
        )
    n_target = int((domains < 0).sum())
    if n_target in (0, len(domains)):
        raise ValueError(
            f"alignment={alignment!r} needs source and target rows, but sample_domain has "
            f"{len(domains) - n_target} source rows (0 or above) and {n_target} target rows "
            "(below 0)."
        )


def check_both_remain(
    alignment: Alignment,
    before: np.ndarray | None,
    after: np.ndarray | None,
    what: str,
    advice: str,
) -> None:
    """Check that an alignment still has rows of both sides after some were taken away.

    Parameters
    ----------
    alignment : Alignment
        What would align them.
    before, after : ndarray of int64 or None
        Domains of the rows that there were, and of those that remain.
    what, advice : str
        What took the others away, with its verb, and what to do about it.

    Raises
    ------
    ValueError
        If all rows of a side were taken away.
    """
    if before is None or after is None:
        return
    for side, n_before, n_after in (
        ("source", (before >= 0).sum(), (after >= 0).sum()),
        ("target", (before < 0).sum(), (after < 0).sum()),
    ):
        if n_before and not n_after:
            raise ValueError(
                f"alignment={alignment!r} needs source and target rows, but {what} all {n_before} "
                f"{side} rows, so that none is left to train on: {advice}."
            )


def labelled_rows(y: Any, domains: np.ndarray, task: type[Task]) -> np.ndarray:
    """Find the rows that have a label; target rows may carry a marker in its place.

    Parameters
    ----------
    y : array-like or sparse matrix of n targets
        As the user passed them.
    domains : ndarray of int64 of shape (n,)
        What `check_domains` gave.
    task : subclass of Task
        Says which targets mark a row without a label.

    Returns
    -------
    labelled : ndarray of int64
        Positions of the rows that have a label.

    Raises
    ------
    ValueError
        If a source row carries the marker, a row of a matrix carries it in part, or no row has a
        label.
    """
    targets = _targets(y)
    if len(targets) != len(domains):
        return np.arange(len(domains))  # what checks y says how many rows there have to be
    marked = np.array([task.is_marker(target) for target in targets], dtype=bool)
    # Of a task that the estimator does not name nothing is known: steps may lack a label there.
    if task is not Task and not task.of_states:
        _check_marked_whole(targets, marked, task)
    of_source = np.flatnonzero(marked & (domains >= 0))
    if len(of_source):
        advice = (
            "; if -1 is one of your labels, code it as another value where you pass sample_domain"
            if task.is_marker(-1)
            else ""
        )
        raise ValueError(
            f"y has the marker of a row without a label in {len(of_source)} source rows (first at "
            f"index {of_source[0]}: {targets[of_source[0]]!r}). Only target rows may be without a "
            f"label{advice}."
        )
    if marked.all():
        raise ValueError(f"y has no label: all {len(marked)} rows carry the marker of unlabelled.")
    return np.flatnonzero(~marked)


def _check_marked_whole(targets: list[Any], marked: np.ndarray, task: type[Task]) -> None:
    """Refuse rows of a matrix in which some values are the marker, and others are not."""
    partly = [
        i
        for i, target in enumerate(targets)
        if not marked[i] and isinstance(target, _ROWS) and any(map(task.is_marker, target))
    ]
    if partly:
        raise ValueError(
            f"y has {len(partly)} rows that are marked as unlabelled in part (first at index "
            f"{partly[0]}: {list(targets[partly[0]])!r}): either all values of a row carry the "
            f"marker, {'-1 or NaN' if task.is_marker(-1) else 'NaN'}, or none does."
        )


def _targets(y: Any) -> list[Any]:
    """Give targets one by one: values, or lists of values for the rows of a matrix."""
    y = y.toarray() if issparse(y) else y
    return list(y) if isinstance(y, list | tuple) else np.asarray(y, dtype=object).tolist()


def has_fractions(y: Any) -> bool:
    """Tell whether targets hold numbers that are not whole, missing ones left aside."""
    if issparse(y):
        return False
    values = (v for t in _targets(y) for v in (t if isinstance(t, _ROWS) else [t]))
    return any(
        isinstance(value, Real) and not is_missing(value) and not float(value).is_integer()
        for value in values
    )
