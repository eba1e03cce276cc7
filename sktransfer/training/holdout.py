"""Rows that are held out for early stopping, calibration and thresholds."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from sklearn.model_selection import train_test_split

from sktransfer._warnings import warn_user


def hold_out(
    n_rows: int,
    strata: np.ndarray | None,
    fraction: float,
    seed: int,
    inputs: Sequence[Hashable] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into training and validation.

    Parameters
    ----------
    n_rows : int
        How many there are.
    strata : ndarray of int of shape (n_rows,) or None
        Codes of labels whose shares both parts keep; None where there is nothing of the kind.
    fraction : float
        Of the rows that are held out; of the different inputs, if some are equal.
    seed : int
        The same seed gives the same split.
    inputs : sequence of n_rows inputs or None, default=None
        Rows of equal inputs, such as those that an oversampler copied, are all held out, or none
        of them. None takes all for different.

    Returns
    -------
    train, valid : ndarray of int
        Positions. Stratified, except where a label has one row or fewer rows are held out than
        there are labels; then a warning says so.

    Raises
    ------
    ValueError
        If either part would be empty.

    Warns
    -----
    UserWarning
        If a label has too few different inputs to hold some of them out: rows are held out then
        although training has copies of them.
    """
    first, copies = _distinct(inputs, n_rows)
    if len(first) < n_rows and _can_split(first, strata, fraction):
        of_first = None if strata is None else strata[first]
        _, chosen = _split(len(first), of_first, fraction, seed)
        is_valid = np.isin(copies, chosen)
        return np.flatnonzero(~is_valid), np.flatnonzero(is_valid)
    train, valid = _split(n_rows, strata, fraction, seed)
    n_copies = int(np.isin(copies[valid], copies[train]).sum())
    if n_copies:
        warn_user(
            f"{n_copies} of the {len(valid)} rows held out for validation are copies of training "
            f"rows, since there are only {len(first)} different inputs: scores of held-out rows "
            "are too good."
        )
    return train, valid


def _distinct(inputs: Sequence[Hashable] | None, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the position of the first of each group of equal inputs, and the group of each row."""
    if inputs is None:
        return np.arange(n_rows), np.arange(n_rows)
    group: dict[Hashable, int] = {}
    copies = np.array([group.setdefault(x, len(group)) for x in inputs])
    return np.unique(copies, return_index=True)[1], copies


def _can_split(first: np.ndarray, strata: np.ndarray | None, fraction: float) -> bool:
    """Tell whether both parts can have different inputs of each label."""
    n_valid = int(np.ceil(fraction * len(first)))
    if strata is None:
        return 0 < n_valid < len(first)
    counts = np.unique(strata[first], return_counts=True)[1]
    n_labels = len(np.unique(strata))
    few = min(n_valid, len(first) - n_valid)
    return len(counts) == n_labels and counts.min() >= 2 and few >= n_labels


def _split(
    n_rows: int, strata: np.ndarray | None, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    n_valid = int(np.ceil(fraction * n_rows))
    if not 0 < n_valid < n_rows:
        raise ValueError(
            f"validation_fraction={fraction} leaves no rows to "
            f"{'train on' if n_valid else 'hold out'} of {n_rows}."
        )
    if strata is not None:
        counts = np.unique(strata, return_counts=True)[1]
        if counts.min() < 2 or n_valid < len(counts) or n_rows - n_valid < len(counts):
            strata = None
            warn_user(
                f"The {n_valid} rows held out for validation cannot be stratified: the rarest "
                f"label has {counts.min()} of {n_rows} rows, and there are {len(counts)} labels."
            )
    train, valid = train_test_split(
        np.arange(n_rows), test_size=n_valid, stratify=strata, random_state=seed
    )
    return np.sort(train), np.sort(valid)
