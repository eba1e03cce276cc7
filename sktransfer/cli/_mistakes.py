"""Tables of what was predicted wrongly, worst first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sktransfer.cli.tables import Table

__all__ = ["LABEL_COLUMNS", "NUMBER_COLUMNS", "check_names", "wrong_labels", "wrong_numbers"]

LABEL_COLUMNS = ("prediction", "confidence", "probability_of_label")
NUMBER_COLUMNS = ("prediction", "error")


def check_names(table: Table, names: Sequence[str]) -> None:
    """Refuse a table that has such columns already, before texts are encoded, which takes long.

    Parameters
    ----------
    table : Table
        What columns would be added to.
    names : sequence of str
        Their names.

    Raises
    ------
    ValueError
        If a name is taken.
    """
    table.with_columns({name: [] for name in names})


def wrong_labels(
    table: Table, true: Sequence[Any], probabilities: Any, classes: Sequence[Any]
) -> Table:
    """Give the rows whose label was not predicted, the most confident ones first.

    Parameters
    ----------
    table : Table
        All rows.
    true : sequence of n labels
        What the table says; labels are the same if they read the same.
    probabilities : ndarray of shape (n, n_classes)
        What the model says.
    classes : sequence of labels
        Of the columns of ``probabilities``.

    Returns
    -------
    mistakes : Table
        All columns of the table, and those of ``LABEL_COLUMNS``: the predicted label, its
        probability, and that of the true one, None where the model does not know it.
    """
    position = {str(label): i for i, label in enumerate(classes)}
    codes = [position.get(str(label)) for label in true]
    best = probabilities.argmax(axis=1).tolist()
    confidence = probabilities.max(axis=1).tolist()
    wrong = [i for i, (code, first) in enumerate(zip(codes, best, strict=True)) if code != first]
    wrong.sort(key=lambda i: -confidence[i])  # stable: equal ones stay in the order of the table
    of_label = [
        None if code is None else float(probabilities[i, code]) for i, code in enumerate(codes)
    ]
    values = ([classes[i] for i in best], confidence, of_label)
    return table.with_columns(dict(zip(LABEL_COLUMNS, values, strict=True))).rows(wrong)


def wrong_numbers(table: Table, true: Sequence[float], predicted: Sequence[float]) -> Table:
    """Give all rows, those that are furthest off first.

    Parameters
    ----------
    table : Table
        The rows.
    true, predicted : sequence of n floats
        What the table says, and what the model says.

    Returns
    -------
    mistakes : Table
        All columns of the table, and those of ``NUMBER_COLUMNS``: the prediction, and by how much
        it is too high.
    """
    errors = [a - b for a, b in zip(predicted, true, strict=True)]
    order = sorted(range(len(errors)), key=lambda i: -abs(errors[i]))
    values = (list(predicted), errors)
    return table.with_columns(dict(zip(NUMBER_COLUMNS, values, strict=True))).rows(order)
