"""Columns and rows of tables, by name, with messages that name what is missing."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["add_columns", "column", "listed", "no_column", "place"]


def column(
    table: DataFrame,
    name: str,
    origin: str,
    *,
    blank_is_missing: bool = False,
    may_be_missing: bool = False,
) -> list[Any]:
    """Give the cells of a column.

    Parameters
    ----------
    table : DataFrame
        As `read_table` gave it.
    name : str
        Name of the column.
    origin : str
        Where the table came from, for messages.
    blank_is_missing : bool, default=False
        Whether an empty cell is a missing one; CSV has no other way to say so.
    may_be_missing : bool, default=False
        Whether cells may be missing, which are then None.

    Returns
    -------
    cells : list

    Raises
    ------
    ValueError
        If there is no such column, or several of them, or a cell is missing that may not be.
    """
    if name not in table:
        raise ValueError(no_column(table, name, origin))
    if list(table.columns).count(name) > 1:
        raise ValueError(
            f"{origin} has several columns named {name!r}: rename all but the one that is meant."
        )
    cells = table[name]
    gone = cells.isna() | (cells.eq("") & blank_is_missing)
    if may_be_missing:
        return cells.mask(gone, None).tolist()
    missing = gone.to_numpy().nonzero()[0]
    if len(missing):
        raise ValueError(
            f"{origin} lacks {name!r} in {len(missing)} of {len(table)} rows, first in "
            f"{place(table, missing[0])}."
        )
    return cells.tolist()


def no_column(table: DataFrame, name: str, origin: str) -> str:
    """Say that a column is missing, and which there are."""
    near = difflib.get_close_matches(name, table.columns, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    if len(table.columns) == 1:
        header = table.columns[0]
        joined = [each for each in ";\t|,:" if name in map(str.strip, header.split(each))]
        hint = f" Is the separator {joined[0]!r}? Then say --sep {joined[0]!r}." if joined else hint
    return f"{origin} has no column {name!r}.{hint} It has: {listed(table)}."


def listed(table: DataFrame) -> str:
    """Name the columns of a table, for messages."""
    return ", ".join(map(repr, table.columns))


def add_columns(table: DataFrame, new: Mapping[str, Sequence[Any]], origin: str) -> DataFrame:
    """Give a table with more columns at the end; raise a ValueError if it has one already."""
    import pandas as pd

    for name in new:
        if name in table:
            raise ValueError(
                f"{origin} has a column {name!r} already; rename it, so that it is not lost."
            )
    return pd.concat([table, pd.DataFrame(new, index=table.index, dtype=object)], axis=1)


def place(table: DataFrame, i: int) -> str:
    """Name the i-th row of a table, with its line in the file where that is another number.

    Examples
    --------
    >>> from pandas import DataFrame
    >>> from sktransfer.cli.columns import place
    >>> place(DataFrame({"label": ["a", ""]}, index=[2, 3]), 1)
    'row 2 (line 3)'
    >>> place(DataFrame({"label": ["a", ""]}, index=[1, 2]), 1)
    'row 2'
    """
    line = table.index[i]
    return f"row {i + 1}" if line == i + 1 else f"row {i + 1} (line {line})"
