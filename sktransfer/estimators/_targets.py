"""What an estimator is trained on beside its inputs: coded targets, weights, and the objective."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.class_weight import compute_class_weight

from sktransfer._compat.sklearn import check_sample_weight
from sktransfer.estimators._labels import row_weights, to_codes
from sktransfer.estimators._reading import (
    ManyLabelsReading,
    NumbersReading,
    OneLabelReading,
    Reading,
)
from sktransfer.heads.objectives import ManyLabels, Objective, OneLabel
from sktransfer.plugins import Head


@dataclass(frozen=True, eq=False)
class Targets:
    """Coded targets of n rows.

    Attributes
    ----------
    values : ndarray of shape (n,) or (n, n_outputs)
        Codes of labels as int64, or float32.
    weights : ndarray of float64 of shape (n,)
        Not normalised.
    objective : Objective
        What is minimised.
    reading : Reading
        The way back.
    """

    values: np.ndarray
    weights: np.ndarray
    objective: Objective
    reading: Reading

    def __len__(self) -> int:
        return len(self.values)

    @property
    def n_outputs(self) -> int:
        """Outputs of the head."""
        return len(self.reading.names)

    @property
    def per(self) -> str:
        """What `rows_each` counts rows for."""
        return {"one_label": "class", "many_labels": "label", "numbers": "target"}[
            self.reading.kind
        ]

    @property
    def rows_each(self) -> float:
        """Labelled rows for each class, label or target."""
        if self.reading.kind == "many_labels":
            return float(self.values.sum()) / self.n_outputs
        return len(self) / (self.n_outputs if self.reading.kind == "one_label" else 1)

    @property
    def strata(self) -> np.ndarray | None:
        """Codes whose shares a held-out part keeps."""
        return self.values if self.reading.kind == "one_label" else None

    def take(self, index: np.ndarray) -> Targets:
        """Give some of the rows."""
        return replace(self, values=self.values[index], weights=self.weights[index])


def check_trainable(targets: Targets) -> None:
    """Refuse targets that nothing can be learned from.

    Parameters
    ----------
    targets : Targets
        Without rows of weight zero.

    Raises
    ------
    ValueError
        If all rows have the same label, or no label divides the rows.
    """
    values = targets.values
    if targets.reading.kind == "one_label" and len(np.unique(values)) < 2:
        raise ValueError(
            "y needs labels of at least 2 classes, but contains only one class: "
            f"{targets.reading.names.tolist()[values[0]]!r}."
        )
    if targets.reading.kind == "many_labels" and (values == values[0]).all():
        raise ValueError(
            f"y needs labels that differ between rows, but its {len(values)} rows are all the same."
        )


def one_label_targets(
    y: np.ndarray,
    classes: np.ndarray,
    *,
    head: Head,
    class_weight: Any,
    sample_weight: Any,
    smoothing: float,
) -> Targets:
    """Code labels of which exactly one is right.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Labels.
    classes : ndarray of shape (n_classes,)
        The label set, sorted.
    head : Head
        Owns loss and probabilities.
    class_weight : dict, "balanced" or None
        As in scikit-learn.
    sample_weight : array-like of shape (n,) or None
        As in scikit-learn.
    smoothing : float
        Label smoothing.

    Returns
    -------
    targets : Targets
    """
    codes = to_codes(y, classes)
    weights = row_weights(codes, classes, class_weight, sample_weight)
    return Targets(codes, weights, OneLabel(head, smoothing), OneLabelReading(head, classes))


def check_indicators(y: Any, n_rows: int) -> tuple[np.ndarray, bool]:
    """Check an indicator matrix.

    Parameters
    ----------
    y : array-like or sparse matrix of shape (n_rows, n_labels)
        0 and 1.
    n_rows : int
        How many rows there have to be.

    Returns
    -------
    y : ndarray of float32 of shape (n_rows, n_labels)
    sparse : bool
        Whether it was sparse.

    Raises
    ------
    ValueError
        If something else than 0 and 1 is in it, or it has another number of rows.
    """
    sparse = issparse(y)
    dense = check_array(y.toarray() if sparse else y, dtype=np.float32, input_name="y")
    if len(dense) != n_rows:
        raise ValueError(
            f"X and y have inconsistent numbers of samples: {n_rows} inputs, {len(dense)} rows of "
            "labels."
        )
    wrong = np.argwhere((dense != 0) & (dense != 1))
    if len(wrong):
        raise ValueError(
            f"y has to be an indicator matrix of 0 and 1, but {len(wrong)} of its entries are "
            f"others (first at row {wrong[0][0]}, column {wrong[0][1]}: {dense[tuple(wrong[0])]})."
        )
    return dense, sparse


def column_names(y: Any) -> list[str] | None:
    """Give the names of a frame's columns; None where they are numbers, or y is no frame."""
    import narwhals as nw

    frame = nw.from_native(y, pass_through=True, eager_only=True)
    names = getattr(y, "columns", None) if isinstance(frame, nw.DataFrame) else None
    found = [] if names is None else list(getattr(y, "column_names", names))
    return found if found and all(isinstance(name, str) for name in found) else None


def named_columns(
    y: np.ndarray, names: list[str] | None, wanted: list[Any] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Settle what the columns of an indicator matrix are called.

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


def many_labels_targets(
    y: np.ndarray,
    *,
    names: np.ndarray,
    sparse: bool,
    threshold: float,
    class_weight: Any,
    sample_weight: Any,
    smoothing: float,
) -> Targets:
    """Code labels of which any number may be right.

    Parameters
    ----------
    y : ndarray of float32 of shape (n, n_labels)
        0 and 1.
    names : ndarray of shape (n_labels,)
        What the columns are called.
    sparse : bool
        Whether labels are predicted as a sparse matrix.
    threshold : float
        Probability from which on a label is predicted.
    class_weight : list of dict, "balanced" or None
        As for several outputs in scikit-learn: a dict of the weights of 0 and 1 for each label.
    sample_weight : array-like of shape (n,) or None
        As in scikit-learn.
    smoothing : float
        Label smoothing.

    Returns
    -------
    targets : Targets
    """
    n_labels = y.shape[1]
    weights = check_weights(sample_weight, len(y))
    if isinstance(class_weight, dict):
        raise ValueError(
            f"class_weight has to be 'balanced' or a list of {n_labels} dicts, one for each label, "
            "such as {0: 1, 1: 5}, where y is an indicator matrix; got one dict."
        )
    if class_weight is None:
        pairs = [(1.0, 1.0)] * n_labels
    else:
        if not isinstance(class_weight, str) and len(class_weight) != n_labels:
            raise ValueError(
                f"class_weight has {len(class_weight)} entries, but y has {n_labels} labels."
            )
        per_label = [class_weight] * n_labels if isinstance(class_weight, str) else class_weight
        used = weights > 0
        pairs = [_pair(w, y[used, k], weights[used], k) for k, w in enumerate(per_label)]
    reading = ManyLabelsReading(names, np.full(n_labels, float(threshold)), sparse=sparse)
    return Targets(y, weights, ManyLabels(tuple(pairs), smoothing), reading)


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
    found = dict.fromkeys((0.0, 1.0), 1.0)
    found |= zip(
        present,
        compute_class_weight(class_weight, classes=present, y=column, sample_weight=weights),
        strict=True,
    )
    return (float(found[0.0]), float(found[1.0]))


def numbers_targets(
    y: Any, n_rows: int, *, objective: Objective, sample_weight: Any, scaling: NumbersReading | None
) -> Targets:
    """Standardise numbers.

    Parameters
    ----------
    y : array-like of shape (n_rows,) or (n_rows, n_targets)
        Numbers.
    n_rows : int
        How many there have to be.
    objective : Objective
        The loss.
    sample_weight : array-like of shape (n_rows,) or None
        As in scikit-learn.
    scaling : NumbersReading or None
        Of an earlier training that goes on; None takes mean and scale from the data.

    Returns
    -------
    targets : Targets

    Raises
    ------
    ValueError
        If y is missing, not finite or of another length.
    """
    if y is None:
        raise ValueError(
            "This estimator requires y to be passed, but the target y is None: one number a text."
        )
    if issparse(y):
        raise TypeError("Sparse data was passed for y, but dense data is required.")
    numbers = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
    flat = numbers.ndim == 1
    numbers = numbers.reshape(len(numbers), -1)
    if len(numbers) != n_rows:
        raise ValueError(
            f"X and y have inconsistent numbers of samples: {n_rows} texts, {len(numbers)} targets."
        )
    weights = check_weights(sample_weight, n_rows)
    if scaling is None:
        mean = np.average(numbers, axis=0, weights=weights)
        scale = np.sqrt(np.average((numbers - mean) ** 2, axis=0, weights=weights))
        # A target that does not vary is predicted as its mean.
        scaling = NumbersReading(mean, np.where(scale > 0, scale, 1.0), flat)
    elif numbers.shape[1] != len(scaling.mean):
        raise ValueError(
            f"y has {numbers.shape[1]} columns, but the estimator was fitted with "
            f"{len(scaling.mean)}."
        )
    values = ((numbers - scaling.mean) / scaling.scale).astype(np.float32)
    return Targets(values, weights, objective, scaling)


def check_weights(sample_weight: Any, n_rows: int) -> np.ndarray:
    """Check weights of rows, of which at least one has to count."""
    weights = check_sample_weight(
        sample_weight, np.empty(n_rows), dtype=np.float64, ensure_non_negative=True, copy=True
    )
    if not weights.any():
        raise ValueError("sample_weight leaves every row at weight zero.")
    return weights
