"""Any number of labels a row, as an indicator matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.sparse import csr_matrix, issparse
from sklearn.utils import check_array
from sklearn.utils.class_weight import compute_class_weight

from sktransfer._warnings import warn_user
from sktransfer.contracts import Head
from sktransfer.tasks.calibration import best_temperature, best_thresholds
from sktransfer.tasks.labels import LabelTask, unnested

if TYPE_CHECKING:
    import torch

__all__ = ["MultilabelTask"]

_TINY = float(np.finfo(float).tiny)


@dataclass(frozen=True, eq=False)
class MultilabelTask(LabelTask):
    """Labels of which any number is right for each row.

    The head is asked about each label as about two classes, "not this label" and "this label",
    whose outputs are 0 and what the head gives. So any head that knows mutually exclusive classes
    does for labels, too: cross entropy becomes binary cross entropy, a focal loss a binary one.

    Attributes
    ----------
    classes : ndarray of shape (n_labels,)
        Names or numbers of the columns of the indicator matrix.
    thresholds : ndarray of float of shape (n_labels,)
        A label is predicted from this probability on.
    label_weights : tuple of (float, float) or None
        For each label, the weights of rows without it and with it; None where all count alike.
    smoothing : float
        Fraction of each label that is spread evenly over right and not right.
    sparse : bool
        Whether labels are predicted as a sparse matrix.
    calibrates, tunes_thresholds : bool
        Whether a temperature, and the thresholds, are fitted on held-out rows.
    temperature : float or None
        What outputs are divided by; None without calibration.
    """

    unit: ClassVar[str] = "label"
    classes: np.ndarray
    thresholds: np.ndarray
    label_weights: tuple[tuple[float, float], ...] | None = None
    smoothing: float = 0.0
    sparse: bool = False
    calibrates: bool = False
    tunes_thresholds: bool = False
    temperature: float | None = None

    @classmethod
    def from_y(cls, y: Any, classes: list[Any] | None, threshold: float) -> MultilabelTask:
        """Read the label set off an indicator matrix.

        Parameters
        ----------
        y : array-like or sparse matrix of shape (n, n_labels)
            0 and 1.
        classes : list or None
            What the columns have to be; None where the data decides it.
        threshold : float
            Probability from which on a label is predicted.

        Returns
        -------
        task : MultilabelTask
        """
        matrix, sparse = _check_indicators(y)
        if matrix.shape[1] > 1 and (matrix.sum(axis=1) == 1).all():
            warn_user(
                "Each row of y has exactly one 1. If exactly one label is right for each input, "
                "pass y.argmax(axis=1): the probabilities of a row then sum to 1."
            )
        _, names = _named_columns(matrix, _column_names(y), classes)
        return cls(names, np.full(len(names), threshold), sparse=sparse)

    def weighted(
        self, class_weight: Any, values: np.ndarray, sample_weight: np.ndarray
    ) -> MultilabelTask:
        """Give each label the weights that the user asked for.

        Parameters
        ----------
        class_weight : list of dict, "balanced" or None
            As for several outputs in scikit-learn: a dict of the weights of 0 and 1 for each label.
        values : ndarray of shape (n, n_labels)
            0 and 1.
        sample_weight : ndarray of shape (n,)
            Weights of the rows.

        Returns
        -------
        task : MultilabelTask
        """
        n_labels = len(self.classes)
        if class_weight is None:
            return self
        if isinstance(class_weight, dict):
            raise ValueError(
                f"class_weight has to be 'balanced' or a list of {n_labels} dicts, one for each "
                "label, such as {0: 1, 1: 5}, where y is an indicator matrix; got one dict."
            )
        if not isinstance(class_weight, str) and len(class_weight) != n_labels:
            raise ValueError(
                f"class_weight has {len(class_weight)} entries, but y has {n_labels} labels."
            )
        per_label = [class_weight] * n_labels if isinstance(class_weight, str) else class_weight
        used = sample_weight > 0
        weights = tuple(
            _pair(w, values[used, k], sample_weight[used], k) for k, w in enumerate(per_label)
        )
        return replace(self, label_weights=weights)

    @property
    def names(self) -> np.ndarray:
        """Names or numbers of the labels."""
        return self.classes

    def encode(self, y: Any) -> np.ndarray:
        """Check an indicator matrix, and put its columns into the order of ``classes``."""
        matrix, _ = _check_indicators(y)
        return _named_columns(matrix, _column_names(y), self.classes.tolist())[0]

    def decode(self, values: np.ndarray) -> np.ndarray:
        """Give indicators as whole numbers."""
        return values.astype(np.int64)

    def loss(self, head: Head, outputs: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Sum the head's losses of the labels of each row."""
        import torch

        pairs = _as_two_classes(outputs)
        codes = values.reshape(-1).long()
        loss = head.loss(pairs, codes).reshape(outputs.shape)
        if self.smoothing:
            other = head.loss(pairs, 1 - codes).reshape(outputs.shape)
            loss = (1.0 - 0.5 * self.smoothing) * loss + 0.5 * self.smoothing * other
        if self.label_weights is not None:
            weights = torch.tensor(self.label_weights, dtype=loss.dtype, device=loss.device)
            loss = loss * torch.where(values > 0.5, weights[:, 1], weights[:, 0])
        return loss.sum(dim=1)

    def decide(self, outputs: torch.Tensor) -> torch.Tensor:
        """Give the labels that are likelier right than not."""
        return (outputs > 0).to(outputs.dtype)

    def predict_proba(
        self, head: Head, outputs: torch.Tensor, lengths: Sequence[int] = ()
    ) -> np.ndarray:
        """Give the probability of each label, of shape (n, n_labels)."""
        scaled = outputs.double() / (self.temperature or 1.0)
        return head.to_proba(_as_two_classes(scaled))[:, 1].reshape(outputs.shape).numpy()

    def decision_function(
        self, head: Head, outputs: torch.Tensor, lengths: Sequence[int] = ()
    ) -> np.ndarray:
        """Give the log-odds of each label."""
        scaled = outputs.double() / (self.temperature or 1.0)
        log = np.log(np.maximum(head.to_proba(_as_two_classes(scaled)).numpy(), _TINY))
        return (log[:, 1] - log[:, 0]).reshape(outputs.shape)

    def predict(self, head: Head, outputs: torch.Tensor, lengths: Sequence[int] = ()) -> Any:
        """Give an indicator matrix."""
        labels = (self.predict_proba(head, outputs) >= self.thresholds).astype(np.int64)
        return csr_matrix(labels) if self.sparse else labels

    def calibrate(
        self, head: Head, outputs: torch.Tensor, values: np.ndarray, weights: np.ndarray
    ) -> MultilabelTask:
        """Fit the temperature, then the thresholds, on held-out rows, where that is wanted."""
        task = self
        if self.calibrates:

            def loss(temperature: float) -> float:
                scaled = replace(self, temperature=temperature)
                proba = scaled.predict_proba(head, outputs)
                right = np.where(values > 0.5, proba, 1.0 - proba)
                per_row = -np.log(np.maximum(right, _TINY)).mean(axis=1)
                return float(np.average(per_row, weights=weights))

            task = replace(task, temperature=best_temperature(loss, len(values)))
        if self.tunes_thresholds:
            proba = task.predict_proba(head, outputs)
            tuned = best_thresholds(proba, values > 0.5, np.asarray(weights), self.thresholds)
            task = replace(task, thresholds=tuned)
        return task

    def check_trainable(self, values: np.ndarray) -> None:
        """Refuse rows that all have the same labels."""
        if (values == values[0]).all():
            raise ValueError(
                f"y needs labels that differ between rows, but its {len(values)} rows are all the "
                "same."
            )

    def rows_each(self, values: np.ndarray) -> float:
        """Count the rows that have a label, for each label, on average."""
        return float(values.sum()) / len(self.classes)

    def attributes(self) -> dict[str, Any]:
        """Give the label set, the thresholds, the temperature and the column names."""
        fitted: dict[str, Any] = {
            "classes_": self.classes,
            "multilabel_": True,
            "thresholds_": self.thresholds,
            "sparse_output_": self.sparse,
        }
        if self.temperature is not None:
            fitted["temperature_"] = self.temperature
        return fitted

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> MultilabelTask:
        """Make the task of a fitted classifier."""
        return cls(
            attributes["classes_"],
            attributes["thresholds_"],
            sparse=attributes["sparse_output_"],
            temperature=attributes.get("temperature_"),
        )


def _as_two_classes(outputs: torch.Tensor) -> torch.Tensor:
    """Give each output the two classes that it tells apart, of shape (n * n_labels, 2)."""
    import torch

    flat = outputs.reshape(-1)
    return torch.stack([torch.zeros_like(flat), flat], dim=1)


def _check_indicators(y: Any) -> tuple[np.ndarray, bool]:
    """Check an indicator matrix.

    Parameters
    ----------
    y : array-like or sparse matrix of shape (n, n_labels)
        0 and 1.

    Returns
    -------
    y : ndarray of float32 of shape (n, n_labels)
    sparse : bool
        Whether it was sparse.

    Raises
    ------
    ValueError
        If something else than 0 and 1 is in it.
    """
    y = unnested(y)
    sparse = issparse(y)
    dense = check_array(y.toarray() if sparse else y, dtype=np.float32, input_name="y")
    wrong = np.argwhere((dense != 0) & (dense != 1))
    if len(wrong):
        raise ValueError(
            f"y has to be an indicator matrix of 0 and 1, but {len(wrong)} of its entries are "
            f"others (first at row {wrong[0][0]}, column {wrong[0][1]}: {dense[tuple(wrong[0])]})."
        )
    return dense, sparse


def _column_names(y: Any) -> list[str] | None:
    """Give the names of a frame's columns; None where they are numbers, or y is no frame."""
    import narwhals as nw

    frame = nw.from_native(y, pass_through=True, eager_only=True)
    names = getattr(y, "columns", None) if isinstance(frame, nw.DataFrame) else None
    columns = [] if names is None else list(getattr(y, "column_names", names))
    return columns if columns and all(isinstance(name, str) for name in columns) else None


def _named_columns(
    y: np.ndarray, names: list[str] | None, wanted: list[Any] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the names of the columns of an indicator matrix.

    Parameters
    ----------
    y : ndarray of shape (n, n_labels)
        0 and 1.
    names : list of str or None
        What a frame calls them.
    wanted : list or None
        What they have to be called; None where the data decides it.

    Returns
    -------
    y : ndarray of shape (n, n_labels)
        Columns in the order of ``wanted``.
    names : ndarray of shape (n_labels,)

    Raises
    ------
    ValueError
        If their number or names are others.
    """
    if wanted is None:
        return y, np.array(names) if names else np.arange(y.shape[1])
    if len(wanted) != y.shape[1]:
        raise ValueError(
            f"y has {y.shape[1]} columns for {len(wanted)} labels: pass "
            f"classes={names or f'range({y.shape[1]})'} to change their number."
        )
    if names and names != wanted:
        if set(names) != set(wanted):
            raise ValueError(
                f"y has the columns {names}, but the labels are {np.asarray(wanted).tolist()}: "
                f"pass classes={names} to change them."
            )
        y = y[:, [names.index(name) for name in wanted]]
    return y, np.asarray(wanted)


def _pair(class_weight: Any, column: np.ndarray, weights: np.ndarray, k: int) -> Any:
    """Give the weights of rows without and with a label."""
    if isinstance(class_weight, dict):
        pair = (float(class_weight.get(0, 1.0)), float(class_weight.get(1, 1.0)))
        if set(class_weight) - {0, 1} or not (np.isfinite(pair).all() and min(pair) >= 0):
            raise ValueError(
                f"class_weight[{k}] has to give 0 and 1 finite weights that are not negative, got "
                f"{class_weight}."
            )
        return pair
    present = np.unique(column)
    balanced = compute_class_weight(class_weight, classes=present, y=column, sample_weight=weights)
    pair_of = dict.fromkeys((0.0, 1.0), 1.0) | dict(zip(present, balanced, strict=True))
    return (float(pair_of[0.0]), float(pair_of[1.0]))
