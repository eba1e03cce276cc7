"""A way for scikit-learn's estimator battery to reach an estimator of images."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import expit

from sktransfer.testing._rows_as_inputs import RowsAsInputs

__all__ = ["RowsAsImages"]

# Pixels of a side of the square that a column fills.
_CELL = 8


class RowsAsImages(RowsAsInputs):
    """Let an estimator of images take tables of numbers, for tests.

    `sklearn.utils.estimator_checks.check_estimator` hands out tables, and skips nearly all of its
    checks for an estimator that takes images. This one draws each row as a grey picture, a square
    for each column, and leaves everything else to the estimator: labels, weights, errors.

    Parameters
    ----------
    estimator : estimator
        Takes a list of arrays of shape (height, width), uint8. A clone of it is fitted.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone.
    classes_ : ndarray
        Labels, as the estimator has them; only if it does.
    n_features_in_ : int
        Columns of the table.
    n_iter_ : int
        As the estimator has it; only if it does.

    Notes
    -----
    A number becomes a shade by the logistic function: standardised data, as the battery has it, is
    told apart best around its mean.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from sktransfer.testing import RowsAsImages
    >>> flat = FunctionTransformer(lambda images: np.stack(images).reshape(len(images), -1) / 255)
    >>> images = RowsAsImages(make_pipeline(flat, LogisticRegression()))
    >>> images.fit([[0.1, 3.0], [-2.2, 3.6]], ["a", "b"]).predict([[0.2, 3.1]])
    array(['a'], dtype='<U1')
    """

    def _rendered(self, numbers: np.ndarray) -> list[np.ndarray]:
        shades = np.rint(255 * expit(numbers)).astype(np.uint8)
        side = math.ceil(math.sqrt(numbers.shape[1]))
        empty = np.zeros((len(numbers), side * side - numbers.shape[1]), dtype=np.uint8)
        cells = np.concatenate([shades, empty], axis=1).reshape(-1, side, side)
        return list(cells.repeat(_CELL, axis=1).repeat(_CELL, axis=2))
