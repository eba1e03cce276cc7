"""Rows that are held out for early stopping, calibration and thresholds."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import train_test_split

from sktransfer._warnings import warn_user


def hold_out(
    n_rows: int, strata: np.ndarray | None, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into training and validation.

    Parameters
    ----------
    n_rows : int
        How many there are.
    strata : ndarray of int of shape (n_rows,) or None
        Codes of labels whose shares both parts keep; None where there is nothing of the kind.
    fraction : float
        Of the rows that are held out.
    seed : int
        The same seed gives the same split.

    Returns
    -------
    train, valid : ndarray of int
        Positions. Stratified, except where a label has one row or fewer rows are held out than
        there are labels; then a warning says so.

    Raises
    ------
    ValueError
        If either part would be empty.
    """
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
