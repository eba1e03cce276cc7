"""What a column of a table holds: one label a row, several, or a number."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sktransfer.cli.console import status

if TYPE_CHECKING:
    from sktransfer.cli.inputs import Inputs

__all__ = ["SCORERS", "Targets", "TaskName", "read_targets"]

TaskName = Literal["auto", "classification", "multilabel", "regression"]
# What a search goes by unless it is told.
SCORERS = {"classification": "accuracy", "multilabel": "f1_macro", "regression": "r2"}

# More whole numbers than this, each in few rows, are no labels.
_MOST_LABELS = 20
# Rows from which on a column with another label in each of them cannot be what was meant.
_FEW_ROWS = 10
_SHOWN = 20


class Targets(NamedTuple):
    """Targets of rows, as an estimator takes them.

    Attributes
    ----------
    task : {"classification", "multilabel", "regression"}
        What they are.
    y : list or DataFrame
        Labels, numbers, or a column of 0 and 1 for each label.
    words : str
        How many rows have which label, or the range of numbers, for the summary.
    """

    task: str
    y: Any
    words: str


def read_targets(inputs: Inputs, cells: Sequence[Any], task: TaskName, separator: str) -> Targets:
    """Read the cells of the column of labels.

    Parameters
    ----------
    inputs : Inputs
        Where they come from, for messages.
    cells : sequence of n cells
        As the table has them.
    task : {"auto", "classification", "multilabel", "regression"}
        What they are; "auto" goes by the cells, and says so where it takes them for anything but
        one label each.
    separator : str
        What stands between several labels of a cell.

    Returns
    -------
    targets : Targets

    Raises
    ------
    ValueError
        If cells of a regression are no numbers, or each row has a label of its own.
    """
    if task == "auto":
        task = _task_of(inputs, cells, separator)
    if task == "regression":
        numbers = [_number_in(cell) for cell in cells]
        wrong = [i for i, number in enumerate(numbers) if number is None]
        if wrong:
            raise ValueError(
                f"{inputs.origin} has {cells[wrong[0]]!r} as {inputs.label!r} in row "
                f"{wrong[0] + 1}; --task regression expects numbers."
            )
        known = [number for number in numbers if number is not None]
        return Targets(task, known, f"numbers from {min(known):g} to {max(known):g}")
    if task == "multilabel":
        import pandas as pd
        from sklearn.preprocessing import MultiLabelBinarizer

        lists = [[label.strip() for label in str(cell).split(separator)] for cell in cells]
        binarizer = MultiLabelBinarizer()
        matrix = binarizer.fit_transform([list(filter(None, labels)) for labels in lists])
        counts = Counter(label for labels in lists for label in labels if label)
        return Targets(task, pd.DataFrame(matrix, columns=binarizer.classes_), _words_of(counts))
    return Targets(task, list(cells), _words_of(Counter(cells)))


def _task_of(inputs: Inputs, cells: Sequence[Any], separator: str) -> Any:
    """Guess the task, and say so unless it is the usual one."""
    distinct = {str(cell) for cell in cells}
    numbers = [_number_in(cell) for cell in cells]
    known = [number for number in numbers if number is not None]
    column = f"the column {inputs.label!r}"
    if len(known) == len(cells):
        many = len(distinct) > max(_MOST_LABELS, len(cells) // 2)
        if many or not all(number.is_integer() for number in known):
            status().print(
                f"{column} holds {len(distinct):,} different numbers, which are predicted as "
                "numbers: --task classification takes each of them for a label.",
                soft_wrap=True,
            )
            return "regression"
    if len(cells) > _FEW_ROWS and len(distinct) == len(cells):
        raise ValueError(
            f"{inputs.origin} has another label in each of {len(cells):,} rows of "
            f"{inputs.label!r}, such as {cells[0]!r}: name the column of labels with --label."
        )
    several = next((cell for cell in cells if separator in str(cell)), None)
    if several is not None:
        status().print(
            f"{column} has several labels in some cells, such as {several!r}: each is predicted by "
            "itself. --task classification takes a whole cell for one label.",
            soft_wrap=True,
        )
        return "multilabel"
    return "classification"


def _number_in(cell: Any) -> float | None:
    try:
        number = float(cell)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _words_of(counts: Counter[Any]) -> str:
    common = counts.most_common()
    words = ", ".join(f"{label} {count:,}" for label, count in common[:_SHOWN])
    return words if len(common) <= _SHOWN else f"{words} and {len(common) - _SHOWN} more"
