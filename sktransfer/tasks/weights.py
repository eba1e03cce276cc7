"""Weights of rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from sktransfer._compat.sklearn import check_sample_weight

__all__ = ["check_weights"]


def check_weights(sample_weight: Any, n_rows: int) -> np.ndarray:
    """Check weights of rows, of which at least one has to count."""
    weights = check_sample_weight(
        sample_weight, np.empty(n_rows), dtype=np.float64, ensure_non_negative=True, copy=True
    )
    if not weights.any():
        raise ValueError("sample_weight leaves every row at weight zero.")
    return weights
