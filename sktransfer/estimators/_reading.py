"""From a head's outputs to what users are given, for each kind of target.

A reading knows how the targets of one training were coded. It is built from the data before the
training, and again from the fitted attributes after it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix
from scipy.special import expit, logit

from sktransfer._warnings import warn_user
from sktransfer.plugins import Head

_TINY = float(np.finfo(float).tiny)
_EDGE = float(np.finfo(float).eps)
# Held-out rows below which a temperature is hardly more than a guess.
_FEW_ROWS = 30
# Held-out rows with a label from which its own threshold counts more than the common one.
_PRIOR_ROWS = 10


@dataclass(frozen=True, eq=False)
class OneLabelReading:
    """Probabilities and labels, of which exactly one is right.

    Attributes
    ----------
    head : Head
        Owns the probabilities.
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    temperature : float or None
        What outputs are divided by; None without calibration.
    """

    kind: ClassVar[str] = "one_label"
    head: Head
    classes: np.ndarray
    temperature: float | None = None

    @property
    def names(self) -> np.ndarray:
        """What each output stands for."""
        return self.classes

    def proba(self, outputs: Any) -> np.ndarray:
        """Give probabilities of shape (n, n_classes) that sum to 1 in double precision."""
        proba = self.head.to_proba(outputs.double() / (self.temperature or 1.0)).numpy()
        return proba / proba.sum(axis=1, keepdims=True)

    def decision(self, outputs: Any) -> np.ndarray:
        """Give log-odds, of the second label alone where there are two."""
        log = np.log(np.maximum(self.proba(outputs), _TINY))
        return log[:, 1] - log[:, 0] if log.shape[1] == 2 else log

    def predict(self, outputs: Any) -> np.ndarray:
        """Give labels."""
        return self.classes[self.proba(outputs).argmax(axis=1)]

    def truth(self, values: np.ndarray) -> np.ndarray:
        """Undo the coding of the targets."""
        return self.classes[values]

    def calibrated(self, outputs: Any, values: np.ndarray, weights: np.ndarray) -> OneLabelReading:
        """Fit the temperature on held-out rows."""
        rows = np.arange(len(values))

        def loss(temperature: float) -> float:
            proba = replace(self, temperature=temperature).proba(outputs)[rows, values]
            return float(-np.average(np.log(np.maximum(proba, _TINY)), weights=weights))

        return replace(self, temperature=_best_temperature(loss, len(values)))

    def attributes(self) -> dict[str, Any]:
        """Give the fitted attributes from which this can be built again."""
        found: dict[str, Any] = {"classes_": self.classes, "multilabel_": False}
        return found if self.temperature is None else {**found, "temperature_": self.temperature}


@dataclass(frozen=True, eq=False)
class ManyLabelsReading:
    """Probabilities and indicators of labels, any number of which may be right.

    Attributes
    ----------
    classes : ndarray of shape (n_labels,)
        Names or numbers of the columns of the indicator matrix.
    thresholds : ndarray of float of shape (n_labels,)
        A label is predicted from this probability on.
    temperature : float or None
        What outputs are divided by; None without calibration.
    sparse : bool
        Whether labels are predicted as a sparse matrix.
    """

    kind: ClassVar[str] = "many_labels"
    classes: np.ndarray
    thresholds: np.ndarray
    temperature: float | None = None
    sparse: bool = False

    @property
    def names(self) -> np.ndarray:
        """What each output stands for."""
        return self.classes

    def proba(self, outputs: Any) -> np.ndarray:
        """Give the probability of each label, of shape (n, n_labels)."""
        return (outputs.double() / (self.temperature or 1.0)).sigmoid().numpy()

    def decision(self, outputs: Any) -> np.ndarray:
        """Give the log-odds of each label."""
        return (outputs.double() / (self.temperature or 1.0)).numpy()

    def predict(self, outputs: Any) -> Any:
        """Give an indicator matrix."""
        found = (self.proba(outputs) >= self.thresholds).astype(np.int64)
        return csr_matrix(found) if self.sparse else found

    def truth(self, values: np.ndarray) -> np.ndarray:
        """Undo the coding of the targets."""
        return values.astype(np.int64)

    def calibrated(
        self, outputs: Any, values: np.ndarray, weights: np.ndarray
    ) -> ManyLabelsReading:
        """Fit the temperature on held-out rows."""

        def loss(temperature: float) -> float:
            proba = replace(self, temperature=temperature).proba(outputs)
            right = np.where(values > 0.5, proba, 1.0 - proba)
            per_row = -np.log(np.maximum(right, _TINY)).mean(axis=1)
            return float(np.average(per_row, weights=weights))

        return replace(self, temperature=_best_temperature(loss, len(values)))

    def with_best_thresholds(
        self, outputs: Any, values: np.ndarray, weights: np.ndarray
    ) -> ManyLabelsReading:
        """Tune thresholds for F1 on held-out rows.

        One threshold for all labels is drawn, on the log-odds, towards each label's own best; by
        half for a label that `_PRIOR_ROWS` held-out rows have. A handful of rows says too little:
        their own best would be right by chance, and predict a rare label far too often.
        """
        proba, wanted = self.proba(outputs), values > 0.5
        weights = np.asarray(weights)
        n_wanted = wanted.sum(axis=0)
        if not n_wanted.any():
            warn_user(
                f"threshold='auto' leaves all labels at {self.thresholds[0]}: no held-out row has "
                "any. Raise validation_fraction."
            )
            return self
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
                "validation_fraction."
            )
        return replace(self, thresholds=expit(log_odds))

    def attributes(self) -> dict[str, Any]:
        """Give the fitted attributes from which this can be built again."""
        found: dict[str, Any] = {
            "classes_": self.classes,
            "multilabel_": True,
            "thresholds_": self.thresholds,
            "sparse_output_": self.sparse,
        }
        return found if self.temperature is None else {**found, "temperature_": self.temperature}


@dataclass(frozen=True, eq=False)
class NumbersReading:
    """Numbers in the caller's units.

    Attributes
    ----------
    mean, scale : ndarray of float of shape (n_targets,)
        What the head learns is ``(y - mean) / scale``.
    flat : bool
        Whether y has one dimension.
    """

    kind: ClassVar[str] = "numbers"
    mean: np.ndarray
    scale: np.ndarray
    flat: bool = True

    @property
    def names(self) -> np.ndarray:
        """What each output stands for."""
        return np.arange(len(self.mean))

    def predict(self, outputs: Any) -> np.ndarray:
        """Give numbers of shape (n,) or (n, n_targets)."""
        found = outputs.double().numpy() * self.scale + self.mean
        return found[:, 0] if self.flat else found

    def truth(self, values: np.ndarray) -> np.ndarray:
        """Undo the coding of the targets."""
        found = values.astype(np.float64) * self.scale + self.mean
        return found[:, 0] if self.flat else found

    def attributes(self) -> dict[str, Any]:
        """Give the fitted attributes from which this can be built again."""
        return {
            "target_mean_": self.mean,
            "target_scale_": self.scale,
            "n_targets_": None if self.flat else len(self.mean),
        }


Reading = OneLabelReading | ManyLabelsReading | NumbersReading


def _best_threshold(proba: np.ndarray, wanted: np.ndarray, weights: np.ndarray) -> float:
    """Give the threshold of the best F1."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, at = precision_recall_curve(wanted, proba, sample_weight=weights)
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
    # Rounding must not decide between equals.
    best = at[int(f1[:-1].round(12).argmax())]
    # Halfway to the next lower score, so that the row which set it is not on the edge.
    found = (best + proba[proba < best].max(initial=0.0)) / 2
    # A threshold of 0 or 1 has no log-odds.
    return float(np.clip(found, _EDGE, 1 - _EDGE))


def _best_temperature(loss: Any, n_rows: int) -> float:
    """Minimise a loss over temperatures (Guo et al., 2017, arXiv:1706.04599).

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
