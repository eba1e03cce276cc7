"""A temperature and thresholds, tuned on held-out rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from sktransfer._warnings import warn_user

__all__ = ["best_temperature", "best_thresholds"]

_EDGE = float(np.finfo(float).eps)
# Held-out rows below which a temperature is hardly more than a guess.
_FEW_ROWS = 30
# Held-out rows with a label from which its own threshold counts more than the common one.
_PRIOR_ROWS = 10


def best_temperature(loss: Callable[[float], float], n_rows: int) -> float:
    """Minimise a loss over temperatures (Guo et al., 2017, arXiv:1706.04599).

    Parameters
    ----------
    loss : callable
        Gives the mean loss of held-out rows at a temperature.
    n_rows : int
        How many held-out rows there are.

    Returns
    -------
    temperature : float
        What outputs are divided by.

    Notes
    -----
    A few rows that are all right ask for a temperature of zero. So its logarithm has a normal prior
    with a standard deviation of a half, which many rows outweigh.
    """
    if n_rows < _FEW_ROWS:
        warn_user(
            f"calibrate='temperature' has {n_rows} held-out rows to go by, and leaves the "
            "probabilities nearly as they are: raise validation_fraction, or use "
            "CalibratedClassifierCV(clf, method='temperature')."
        )
    limit = float(np.log(50.0))
    found = minimize_scalar(
        lambda log: loss(float(np.exp(log))) + 2.0 * log**2 / n_rows,
        bounds=(-limit, limit),
        method="bounded",
    )
    return float(np.exp(found.x))


def best_thresholds(
    proba: np.ndarray, wanted: np.ndarray, weights: np.ndarray, default: np.ndarray
) -> np.ndarray:
    """Tune the thresholds of labels for F1.

    One threshold for all labels is drawn, on the log-odds, towards each label's own best; by half
    for a label that `_PRIOR_ROWS` rows have. A handful of rows says too little: their own best
    would be right by chance, and predict a rare label far too often.

    Parameters
    ----------
    proba : ndarray of shape (n, n_labels)
        Probabilities of held-out rows.
    wanted : ndarray of bool of shape (n, n_labels)
        Which labels the rows have.
    weights : ndarray of shape (n,)
        Weights of the rows.
    default : ndarray of shape (n_labels,)
        What is kept, with a warning, where no row has any label.

    Returns
    -------
    thresholds : ndarray of shape (n_labels,)
    """
    n_wanted = wanted.sum(axis=0)
    if not n_wanted.any():
        warn_user(
            f"threshold='auto' leaves all labels at {default[0]}: no held-out row has any. Raise "
            "validation_fraction, or pass threshold='cv'."
        )
        return default
    n_labels = proba.shape[1]
    common = _best_threshold(proba.ravel(), wanted.ravel(), np.repeat(weights, n_labels))
    log_odds = np.full(n_labels, logit(common))
    for label in np.flatnonzero(n_wanted):
        own = _best_threshold(proba[:, label], wanted[:, label], weights)
        trust = n_wanted[label] / (n_wanted[label] + _PRIOR_ROWS)
        log_odds[label] += trust * (logit(own) - log_odds[label])
    never = np.flatnonzero(n_wanted == 0)
    if len(never):
        warn_user(
            f"threshold='auto' gives {len(never)} of {n_labels} labels the common threshold "
            f"{common:.3g} (columns {never[:10].tolist()}): no held-out row has them. Raise "
            "validation_fraction, or pass threshold='cv'."
        )
    return expit(log_odds)


def _best_threshold(proba: np.ndarray, wanted: np.ndarray, weights: np.ndarray) -> float:
    """Give the threshold of the best F1."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, at = precision_recall_curve(wanted, proba, sample_weight=weights)
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
    # Rounded, so that errors of floating point do not decide between equal scores.
    best = at[int(f1[:-1].round(12).argmax())]
    # Halfway to the next lower score, so that no row lies on the threshold itself.
    found = (best + proba[proba < best].max(initial=0.0)) / 2
    # A threshold of 0 or 1 would have infinite log-odds.
    return float(np.clip(found, _EDGE, 1 - _EDGE))
