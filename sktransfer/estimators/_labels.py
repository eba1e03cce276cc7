"""Labels as users have them: codes, the label set, and one vector of weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from sktransfer._compat.sklearn import check_sample_weight
from sktransfer._missing import is_missing


@dataclass(frozen=True)
class LabelChange:
    """How one label set becomes another.

    Attributes
    ----------
    kept, added, dropped : list
        Labels, in order.
    rows : list of (int, int)
        New code and earlier code of each kept label.
    """

    kept: list[Any]
    added: list[Any]
    dropped: list[Any]
    rows: list[tuple[int, int]]

    @classmethod
    def between(cls, old: np.ndarray | None, new: np.ndarray) -> LabelChange:
        """Compare two label sets; ``old`` is None where there was none."""
        before = [] if old is None else old.tolist()
        after = new.tolist()
        rows = [(i, before.index(label)) for i, label in enumerate(after) if label in before]
        return cls(
            kept=[after[i] for i, _ in rows],
            added=[label for label in after if label not in before],
            dropped=[label for label in before if label not in after],
            rows=rows,
        )


def check_labels(y: Any, n_rows: int) -> np.ndarray:
    """Check labels and turn them into a one-dimensional array.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
        Labels of any one sortable type.
    n_rows : int
        How many there have to be.

    Returns
    -------
    y : ndarray of shape (n_rows,)

    Raises
    ------
    ValueError
        If y is missing, holds missing values, is continuous, or has another length.
    TypeError
        If labels of several types are mixed.
    """
    if y is None:
        raise ValueError(
            "This estimator requires y to be passed, but the target y is None: one label a text."
        )
    lists = [v for v in y if isinstance(v, list | tuple | set)] if isinstance(y, list) else []
    if any(len(value) != 1 for value in lists):
        raise ValueError(
            "y holds a list for each text. For several labels a text make an indicator matrix: "
            "sklearn.preprocessing.MultiLabelBinarizer().fit_transform(y)."
        )
    y = _as_labels(y)
    if y.ndim == 2 and y.shape[1] > 1:
        bad = [
            (i, j) for i, row in enumerate(y.tolist()) for j, v in enumerate(row) if is_missing(v)
        ]
        if bad:
            raise ValueError(
                f"Input y contains NaN: {len(bad)} entries of the matrix are missing (first at row "
                f"{bad[0][0]}, column {bad[0][1]})."
            )
    y = column_or_1d(y, warn=True)
    if len(y) != n_rows:
        raise ValueError(
            f"X and y have inconsistent numbers of samples: {n_rows} inputs, {len(y)} labels."
        )
    missing = [i for i, value in enumerate(y.tolist()) if is_missing(value)]
    if missing:
        raise ValueError(
            f"Input y contains NaN: {len(missing)} of {len(y)} labels are missing (first at index "
            f"{missing[0]})."
        )
    if y.dtype.kind in "mM":
        raise TypeError(f"y holds labels of the type {y.dtype}: convert them to str.")
    kinds = {_kind(value) for value in y.tolist()}
    if len(kinds) > 1 and "str" in kinds:
        raise TypeError(f"y mixes labels of the types {sorted(kinds)}: use one type.")
    check_classification_targets(y)
    return y


def check_classes(classes: Any) -> np.ndarray:
    """Check a label set and sort it.

    Parameters
    ----------
    classes : array-like of shape (n_classes,)
        At least two labels.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
    """
    if isinstance(classes, str | bytes):
        raise ValueError(f"classes has to be a collection of labels, got one str: {classes!r}.")
    classes = list(classes)
    labels = check_labels(classes, len(classes))
    unique = np.unique(labels)
    if len(unique) != len(labels):
        raise ValueError(f"classes has to name each label once, got {labels.tolist()!r}.")
    if len(unique) < 2:
        raise ValueError(f"classes has to have at least 2 labels, got {labels.tolist()!r}.")
    return unique


def to_codes(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Turn labels into positions in the label set.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Labels.
    classes : ndarray of shape (n_classes,)
        Sorted.

    Returns
    -------
    codes : ndarray of int64 of shape (n,)

    Raises
    ------
    ValueError
        If a label is not in ``classes``.
    """
    position = {label: i for i, label in enumerate(classes.tolist())}
    codes = np.array([position.get(label, -1) for label in y.tolist()], dtype=np.int64)
    unseen = np.flatnonzero(codes < 0)
    if len(unseen):
        first = y.tolist()[unseen[0]]
        raise ValueError(
            f"y has {len(unseen)} label(s) that are not among the classes {classes.tolist()} "
            f"(first at index {unseen[0]}: {first!r}). To train on another label set, pass it: "
            "partial_fit(X, y, classes=[...])."
        )
    return codes


def row_weights(
    codes: np.ndarray, classes: np.ndarray, class_weight: Any, sample_weight: Any
) -> np.ndarray:
    """Multiply class and sample weights into one vector.

    Parameters
    ----------
    codes : ndarray of shape (n,)
        Positions in ``classes``.
    classes : ndarray of shape (n_classes,)
        The label set.
    class_weight : dict, "balanced" or None
        As in scikit-learn.
    sample_weight : array-like of shape (n,) or None
        As in scikit-learn.

    Returns
    -------
    weights : ndarray of float64 of shape (n,)
        Not normalised.
    """
    weights = check_sample_weight(
        sample_weight, np.empty(len(codes)), dtype=np.float64, ensure_non_negative=True, copy=True
    )
    if class_weight is None:
        return weights
    names = classes.tolist()
    if isinstance(class_weight, dict):
        unknown = [label for label in class_weight if label not in names]
        lacking = [
            label for label in classes[np.unique(codes)].tolist() if label not in class_weight
        ]
        if unknown and lacking:
            raise ValueError(f"class_weight names {unknown}, but the labels are {names}.")
        per_class = np.array([class_weight.get(label, 1.0) for label in names], dtype=np.float64)
        bad = [n for n, w in zip(names, per_class, strict=True) if not (np.isfinite(w) and w >= 0)]
        if bad:
            raise ValueError(
                f"class_weight has to be finite and not negative, but is not for {bad}."
            )
    else:
        used = weights > 0
        present = np.unique(codes[used])
        per_class = np.ones(len(classes))
        per_class[present] = compute_class_weight(
            class_weight,
            classes=classes[present],
            y=classes[codes[used]],
            sample_weight=weights[used],
        )
    weights = weights * per_class[codes]
    if not weights.any():
        raise ValueError("class_weight and sample_weight together leave every row at weight zero.")
    return weights


def _as_labels(y: Any) -> Any:
    import narwhals as nw

    native = nw.from_native(y, pass_through=True, allow_series=True, eager_only=True)
    if isinstance(native, nw.DataFrame):
        native = native[native.columns[0]] if native.shape[1] == 1 else native.to_numpy()
    if isinstance(native, nw.Series):
        values = native.to_list()
        array = np.array(values)
        return array if array.dtype.kind in "biuUf" and not _mixed(values) else _objects(values)
    if hasattr(y, "to_pylist"):
        return np.array(y.to_pylist())
    array = np.asarray(y)
    if array.dtype.kind == "T":
        return array.astype(object)
    if array.dtype.kind == "U" and not isinstance(y, np.ndarray) and _mixed(list(y)):
        return _objects(list(y))
    return array


def _mixed(values: list[Any]) -> bool:
    return len({_kind(value) for value in values}) > 1


def _kind(value: Any) -> str:
    """Name a type; NumPy's str is a str."""
    return "str" if isinstance(value, str) else type(value).__name__


def _objects(values: list[Any]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
