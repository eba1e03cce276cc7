"""Tables of wrong predictions, the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sktransfer.cli.columns import add_columns

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["LABEL_COLUMNS", "NUMBER_COLUMNS", "wrong_labels", "wrong_numbers"]

LABEL_COLUMNS = ("prediction", "confidence", "probability_of_label")
NUMBER_COLUMNS = ("prediction", "error")


def wrong_labels(
    table: DataFrame, true: Sequence[Any], probabilities: Any, classes: Sequence[Any]
) -> DataFrame:
    """Give the rows whose label was not predicted, the most confident ones first.

    Parameters
    ----------
    table : DataFrame
        All rows.
    true : sequence of n labels
        What the table says; labels are the same if they read the same.
    probabilities : ndarray of shape (n, n_classes)
        What the model says.
    classes : sequence of labels
        Of the columns of ``probabilities``.

    Returns
    -------
    mistakes : DataFrame
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
    return add_columns(table, dict(zip(LABEL_COLUMNS, values, strict=True)), "The table").iloc[
        wrong
    ]


def wrong_numbers(table: DataFrame, true: Sequence[float], predicted: Sequence[float]) -> DataFrame:
    """Give all rows, those that are furthest off first.

    Parameters
    ----------
    table : DataFrame
        The rows.
    true, predicted : sequence of n floats
        What the table says, and what the model says.

    Returns
    -------
    mistakes : DataFrame
        All columns of the table, and those of ``NUMBER_COLUMNS``: the prediction, and by how much
        it is too high.
    """
    errors = [a - b for a, b in zip(predicted, true, strict=True)]
    order = sorted(range(len(errors)), key=lambda i: -abs(errors[i]))
    values = (list(predicted), errors)
    return add_columns(table, dict(zip(NUMBER_COLUMNS, values, strict=True)), "The table").iloc[
        order
    ]
