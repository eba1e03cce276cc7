"""Rows that early stopping judges by."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.model_selection import train_test_split


def hold_out(codes: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into training and validation.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        Codes of the labels.
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
    counts = np.unique(codes, return_counts=True)[1]
    n_valid = int(np.ceil(fraction * len(codes)))
    stratify: np.ndarray | None = codes
    if counts.min() < 2 or n_valid < len(counts) or len(codes) - n_valid < len(counts):
        stratify = None
        warnings.warn(
            f"The {n_valid} rows held out for early stopping cannot be stratified: the rarest "
            f"label has {counts.min()} of {len(codes)} rows, and there are {len(counts)} labels.",
            stacklevel=2,
        )
    if not 0 < n_valid < len(codes):
        raise ValueError(
            f"validation_fraction={fraction} leaves no rows to "
            f"{'train on' if n_valid else 'hold out'} of {len(codes)}."
        )
    train, valid = train_test_split(
        np.arange(len(codes)), test_size=n_valid, stratify=stratify, random_state=seed
    )
    return np.sort(train), np.sort(valid)
