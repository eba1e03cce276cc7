"""Labels and weights as users pass them, the label set, and positions in it."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from sktransfer._compat.sklearn import check_sample_weight
from sktransfer.contracts import Task
from sktransfer.contracts.inputs import is_missing

_NESTED = (list, tuple, set, frozenset, np.ndarray)
_SOFT = (
    "y holds probabilities for each input, but one label is expected. Pass the most probable label "
    "and its probability: fit(X, y.argmax(axis=1), sample_weight=y.max(axis=1))."
)


class LabelTask(Task):
    """Targets are labels: -1 marks a row that has none, as a missing value does."""

    @classmethod
    def is_marker(cls, target: Any) -> bool:
        """Tell whether a label, or each value of a row, is -1 or missing."""
        values = target if isinstance(target, list | tuple | np.ndarray) else [target]
        return all(is_missing(value) or _is_minus_one(value) for value in values)


def _is_minus_one(value: Any) -> bool:
    # NumPy turns a -1 among strings into one.
    return isinstance(value, str | Real) and value in (-1, "-1")


def check_labels(y: Any) -> np.ndarray:
    """Check labels and turn them into a one-dimensional array.

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels of any one sortable type.

    Returns
    -------
    y : ndarray of shape (n,)

    Raises
    ------
    ValueError
        If y holds missing values or is continuous.
    TypeError
        If labels of several types are mixed.
    """
    if issparse(y):
        raise ValueError(
            f"y is a sparse matrix of the shape {y.shape} that holds other values than 0 and 1, "
            "but sparse targets are expected to be an indicator matrix of 0 and 1. Labels are "
            "passed as an array, such as y.toarray().ravel(); rows of -1 or NaN stand for no "
            "label beside sample_domain alone."
        )
    y = unnested(y)
    lists = [v for v in y if isinstance(v, _NESTED)] if isinstance(y, list) else []
    if any(len(value) != 1 for value in lists):
        if len(lists) == len(y) and _are_shares(y):
            raise ValueError(_SOFT)
        raise ValueError(
            "y holds a list for each input. For several labels an input make an indicator matrix: "
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
        if _are_shares(y.tolist()):
            raise ValueError(_SOFT)
        raise ValueError(
            f"y has the shape {y.shape}, but one label for each input is expected. For one task a "
            "column: sklearn.multioutput.MultiOutputClassifier(clf). For any number of labels an "
            "input: an indicator matrix of 0 and 1."
        )
    y = column_or_1d(y, warn=True)
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


def unnested(y: Any) -> Any:
    """Turn a column of lists, such as a frame has for several labels, into a list of lists.

    Parameters
    ----------
    y : array-like of n targets
        As a user passed them.

    Returns
    -------
    y : array-like of n targets
        A list of lists where each value of a Series or an array of objects is a list, a tuple, a
        set or an array; else as it was.
    """
    import narwhals as nw

    native = nw.from_native(y, pass_through=True, allow_series=True, eager_only=True)
    if isinstance(native, nw.Series):
        values = native.to_list()
    elif isinstance(y, np.ndarray) and y.dtype == object and y.ndim == 1:
        values = y.tolist()
    else:
        return y
    nested = len(values) > 0 and all(isinstance(value, _NESTED) for value in values)
    return [list(value) for value in values] if nested else y


def _are_shares(rows: list[Any]) -> bool:
    """Tell whether each row holds probabilities, which add up to 1."""
    try:
        values = np.asarray([list(row) for row in rows], dtype=np.float64)
    except (TypeError, ValueError):
        return False
    if values.ndim != 2 or not ((values >= 0) & (values <= 1)).all():
        return False
    return bool(np.allclose(values.sum(axis=1), 1.0, atol=1e-3))


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
    labels = check_labels(classes)
    unique = np.unique(labels)
    if len(unique) != len(labels):
        raise ValueError(f"classes has to name each label once, got {labels.tolist()!r}.")
    if len(unique) < 2:
        raise ValueError(f"classes has to have at least 2 labels, got {labels.tolist()!r}.")
    return unique


def to_codes(y: Any, classes: np.ndarray) -> np.ndarray:
    """Turn labels into positions in the label set.

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels, which are checked.
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
    y = check_labels(y)
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


def is_indicator(y: Any) -> bool:
    """Tell an indicator matrix, also in a list or frame, from labels."""
    y = unnested(y)
    try:
        # A frame is not converted as a whole: NumPy makes objects of columns with missing values.
        array = y if issparse(y) or hasattr(y, "iloc") else np.asarray(y)
        with np.errstate(invalid="ignore"):  # of NaN, which it turns into whole numbers
            return array.ndim == 2 and type_of_target(array) == "multilabel-indicator"
    except (TypeError, ValueError):
        return False


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
    if array.dtype == object and array.ndim == 1:
        return _typed(array)
    if array.dtype.kind == "T":
        return array.astype(object)
    if array.dtype.kind == "U" and not isinstance(y, np.ndarray) and _mixed(list(y)):
        return _objects(list(y))
    return array


def _typed(array: np.ndarray) -> np.ndarray:
    """Give an array of objects the type of its values, if they are numbers or bools of one type."""
    values = [value.item() if isinstance(value, np.generic) else value for value in array]
    kinds = {type(value) for value in values}
    return np.array(values) if len(kinds) == 1 and kinds <= {bool, int, float} else array


def _mixed(values: list[Any]) -> bool:
    return len({_kind(value) for value in values}) > 1


def _kind(value: Any) -> str:
    """Name a type; NumPy's str is a str."""
    return "str" if isinstance(value, str) else type(value).__name__


def _objects(values: list[Any]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def check_weights(sample_weight: Any, n_rows: int) -> np.ndarray:
    """Check weights of rows, of which at least one has to count."""
    weights = check_sample_weight(
        sample_weight, np.empty(n_rows), dtype=np.float64, ensure_non_negative=True, copy=True
    )
    if not weights.any():
        raise ValueError("sample_weight leaves every row at weight zero.")
    return weights
