"""What a column of a table holds: one label a row, several, or a number."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import typer

from sktransfer.cli.columns import place
from sktransfer.cli.console import status

if TYPE_CHECKING:
    from sktransfer.cli.inputs import Inputs

__all__ = ["SCORERS", "Targets", "TaskName", "check_separator", "read_targets"]

TaskName = Literal["auto", "classification", "multilabel", "regression"]
# What a search goes by unless it is told.
SCORERS = {"classification": "accuracy", "multilabel": "f1_macro", "regression": "r2"}

# More whole numbers than this may be no labels.
_MOST_LABELS = 20
# Rows from which on a column with another label in each of them cannot be what was meant.
_FEW_ROWS = 10
_SHOWN = 20
_OTHER_SEPARATORS = "|;,/"


@dataclass(frozen=True)
class Targets:
    """Targets of rows.

    Attributes
    ----------
    task : {"classification", "multilabel", "regression"}
        What they are.
    values : list
        A label, a number, or a list of labels of each row.
    """

    task: str
    values: list[Any]

    @property
    def names(self) -> list[Any]:
        """All labels, the most frequent ones first; empty for numbers."""
        return [label for label, _ in self._counts().most_common()]

    @property
    def y(self) -> Any:
        """The targets as estimators take them: a list, or a frame of 0 and 1 with all labels."""
        if self.task != "multilabel":
            return self.values
        import pandas as pd

        labels = sorted(self.names)
        rows = [[int(label in row) for label in labels] for row in map(set, self.values)]
        return pd.DataFrame(rows, columns=labels)

    @property
    def words(self) -> str:
        """How many rows have which label, or the range of numbers, for the summary."""
        if self.task == "regression":
            return f"numbers from {min(self.values):g} to {max(self.values):g}"
        common = self._counts().most_common()
        words = ", ".join(f"{label} {count:,}" for label, count in common[:_SHOWN])
        return words if len(common) <= _SHOWN else f"{words} and {len(common) - _SHOWN} more"

    def take(self, rows: Iterable[int]) -> Targets:
        """Give the targets of some rows."""
        return replace(self, values=[self.values[i] for i in rows])

    def _counts(self) -> Counter[Any]:
        if self.task == "regression":
            return Counter()
        if self.task == "multilabel":
            return Counter(label for row in self.values for label in row)
        return Counter(self.values)


def check_separator(context: typer.Context, task: TaskName) -> TaskName:
    """Say which task is meant where a separator of labels was typed.

    Parameters
    ----------
    context : typer.Context
        Of the command.
    task : {"auto", "classification", "multilabel", "regression"}
        As it was typed.

    Returns
    -------
    task : {"auto", "classification", "multilabel", "regression"}
        "multilabel" in place of "auto" if ``--label-sep`` was typed.

    Raises
    ------
    typer.BadParameter
        If it is empty, or was typed for a task that has no several labels.
    """
    source = context.get_parameter_source("label_sep")
    if source is None or source.name != "COMMANDLINE":
        return task
    if not context.params["label_sep"].strip(" "):
        raise typer.BadParameter(
            "it is empty; expected what stands between labels, such as '|'.",
            param_hint="--label-sep",
        )
    if task in ("classification", "regression"):
        one = "the whole cell for one label" if task == "classification" else "numbers"
        raise typer.BadParameter(
            f"it parts several labels of a cell, and --task {task} takes {one}. Leave one of them "
            "out, or say --task multilabel.",
            param_hint="--label-sep",
        )
    return "multilabel"


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
        If cells of a regression are no numbers, each row has a label of its own, or numbers may be
        labels as well.
    """
    if task == "auto":
        task = _task_of(inputs, cells, separator)
    if task == "regression":
        numbers = [_number_in(cell) for cell in cells]
        if None in numbers:
            first = numbers.index(None)
            raise ValueError(
                f"{inputs.origin} has {cells[first]!r} as {inputs.label!r} in "
                f"{place(inputs.table, first)}; "
                "--task regression expects numbers."
            )
        return Targets(task, numbers)
    if task == "multilabel":
        parts = [[part.strip() for part in str(cell).split(separator)] for cell in cells]
        return Targets(task, [list(dict.fromkeys(filter(None, row))) for row in parts])
    if len(set(cells)) == 1:
        raise ValueError(
            f"{inputs.origin} has only one class, {cells[0]!r}, in all {len(cells):,} rows of "
            f"{inputs.label!r}; at least two are needed."
        )
    _warn_of_blanks(inputs, cells)
    return Targets(task, list(cells))


def _warn_of_blanks(inputs: Inputs, cells: Sequence[Any]) -> None:
    """Name labels that look the same."""
    labels = {cell for cell in cells if isinstance(cell, str)}
    twice = sorted(label for label in labels if label != label.strip() and label.strip() in labels)
    if twice:
        status().print(
            f"warning: the column {inputs.label!r} has {twice[0]!r} and {twice[0].strip()!r}, "
            "which are two labels: remove blanks around labels.",
            soft_wrap=True,
        )


def _task_of(inputs: Inputs, cells: Sequence[Any], separator: str) -> Any:
    """Guess the task, and say so unless it is the usual one."""
    distinct = {str(cell) for cell in cells}
    column = f"the column {inputs.label!r}"
    if task := _task_of_numbers(column, cells, len(distinct)):
        return task
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
    for other in _OTHER_SEPARATORS:
        joined = [cell for cell in distinct if other in cell]
        parts = {part.strip() for cell in joined for part in cell.split(other)}
        # A label may well have a comma; where its parts are labels, too, it is several.
        if parts & (distinct - set(joined)):
            status().print(
                f"{column} has cells such as {min(joined)!r}, each of which is taken for one "
                f"label: --label-sep {other!r} predicts their parts by themselves.",
                soft_wrap=True,
            )
            break
    return "classification"


def _task_of_numbers(column: str, cells: Sequence[Any], n_distinct: int) -> str:
    """Tell numbers that are predicted as such; empty for labels."""
    known = [number for number in map(_number_in, cells) if number is not None]
    if len(known) < len(cells):
        return ""
    whole = all(number.is_integer() for number in known)
    if whole and n_distinct <= _MOST_LABELS:
        return ""
    if whole and n_distinct <= len(cells) // 2:
        raise ValueError(
            f"{column} holds {n_distinct:,} different whole numbers: say --task regression to "
            "predict them as numbers, or --task classification to take each of them for a label."
        )
    status().print(
        f"{column} holds {n_distinct:,} different numbers, which are predicted as "
        "numbers: --task classification takes each of them for a label.",
        soft_wrap=True,
    )
    return "regression"


def _number_in(cell: Any) -> float | None:
    try:
        number = float(cell)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
