"""Tables in files, as data frames of pandas.

Cells are what the file holds: str in CSV, numbers as well in JSON, Parquet and Excel, and None
where a cell is missing. "NA" and "null" are texts like all others.
"""

from __future__ import annotations

import csv
import difflib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "COMPRESSED",
    "KINDS_OF_TABLES",
    "add_columns",
    "column",
    "format_of",
    "is_table",
    "listed",
    "no_column",
    "read_table",
    "rows_of",
]

KINDS_OF_TABLES = (
    "*.csv, *.tsv, *.jsonl, *.ndjson, *.json (one object a line), each also with .gz, .bz2, .xz or "
    ".zip; *.parquet; *.xlsx"
)
_TEXT = {".csv": "CSV", ".tsv": "CSV", ".jsonl": "JSON", ".ndjson": "JSON", ".json": "JSON"}
COMPRESSED = (".gz", ".bz2", ".xz", ".zip")
# What no cell has, and JSON not at all.
_NO_SEPARATOR = "\x1e"


def is_table(path: Path) -> bool:
    """Tell whether the suffix of a path, which need not exist, names a kind of table.

    Examples
    --------
    >>> from pathlib import Path
    >>> from sktransfer.cli.table import is_table
    >>> is_table(Path("texts.csv.gz")), is_table(Path("photos.zip"))
    (True, False)
    """
    return format_of(path) is not None


def format_of(path: Path) -> str | None:
    """Name the kind of table that a suffix stands for; None for another suffix."""
    *_, inner, last = ["", "", *map(str.lower, path.suffixes)]
    if last in COMPRESSED:
        return _TEXT.get(inner)
    return _TEXT.get(last) or {".parquet": "Parquet", ".xlsx": "Excel"}.get(last)


def read_table(path: Path, encoding: str = "utf-8", separator: str = "") -> DataFrame:
    """Read a table as its suffix says.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    encoding : str, default="utf-8"
        Of CSV and JSON.
    separator : str, default=""
        Of CSV. Empty takes the one of comma, semicolon and tab that the header has most of.

    Returns
    -------
    table : DataFrame
        At least one row, and columns of dtype object, of which several may have the same name.

    Raises
    ------
    ValueError
        If the suffix is unknown, or the content is not what it promises; names the row or line.
    OSError
        If the file cannot be read.
    ImportError
        If the format needs a package that is not installed.
    """
    import pandas as pd

    kind = format_of(path)
    if kind is None:
        raise ValueError(f"{path} has no suffix of a table; expected {KINDS_OF_TABLES}.")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; expected a table.")
    if len(separator) > 1 and separator != "\\t":
        raise ValueError(f"The separator of a table is one character, got {separator!r}.")
    separator = "\t" if separator == "\\t" else separator
    try:
        if kind == "CSV":
            table = _read_csv(path, encoding, separator)
        elif kind == "JSON":
            table = _read_json(path, encoding)
        else:
            table = _read_parquet(path) if kind == "Parquet" else _read_excel(path)
        if not len(table):
            raise ValueError("it has no rows" if len(table.columns) else "it is empty")
    except (FileNotFoundError, PermissionError, ImportError):
        raise
    except UnicodeError as error:
        raise ValueError(
            f"{path} is not encoded as {encoding}: {error}. Name the encoding: --encoding cp1252."
        ) from error
    except Exception as error:  # the libraries that read and unpack have errors of many types
        raise ValueError(f"{path} cannot be read as {kind}: {str(error).rstrip('.')}.") from error
    cells = enumerate(map(list, zip(*rows_of(table), strict=True)))
    return pd.DataFrame(dict(cells), dtype=object).set_axis(table.columns, axis=1)


def rows_of(table: DataFrame) -> list[tuple[Any, ...]]:
    """Give the cells of each row as they are, and None where one is missing."""
    rows, missing = table.itertuples(index=False, name=None), table.isna().to_numpy()
    return [
        tuple(None if gone else cell for cell, gone in zip(*pair, strict=True))
        for pair in zip(rows, missing, strict=True)
    ]


def _read_cells(path: Path, encoding: str, separator: str, **options: Any) -> DataFrame:
    import pandas as pd

    limit = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a text may be long
    try:
        return pd.read_csv(
            path,
            sep=separator,
            encoding=encoding,
            header=None,
            dtype=object,
            keep_default_na=False,
            skip_blank_lines=False,
            engine="python",  # which tells a cell that is missing from one that is empty
            **options,
        )
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    finally:
        csv.field_size_limit(limit)


def _read_lines(path: Path, encoding: str, nrows: int | None = None) -> DataFrame:
    options: dict[str, Any] = {"quoting": csv.QUOTE_NONE, "names": [0], "nrows": nrows}
    return _read_cells(path, encoding, _NO_SEPARATOR, **options).dropna()


def _read_csv(path: Path, encoding: str, separator: str) -> DataFrame:
    first = _read_lines(path, encoding, nrows=99)
    if first.empty:
        return first.iloc[:, :0]
    separator = separator or max(",;\t", key=first.iloc[0, 0].count)
    cells = _read_cells(path, encoding, separator, skiprows=first.index[0]).dropna(how="all")
    found = cells.notna().sum(axis=1).tolist()
    for row, n in enumerate(found):
        if n < found[0]:
            raise ValueError(f"row {row} has {n} cells; expected {found[0]}, as in the header")
    return _with_header(cells)


def _with_header(cells: DataFrame) -> DataFrame:
    return cells.iloc[1:].set_axis(list(map(str, cells.iloc[0])), axis=1)


def _read_json(path: Path, encoding: str) -> DataFrame:
    import pandas as pd

    rows = []
    lines = _read_lines(path, encoding)[0]
    if lines.str.cat().lstrip().startswith("["):
        return _records(lines.str.cat(sep="\n"))
    for line, content in lines.items():
        if not content.strip():
            continue
        try:
            row = json.loads(content, object_pairs_hook=_unique)
        except json.JSONDecodeError as error:
            raise ValueError(f"line {line + 1}, character {error.colno}: {error.msg}") from error
        if not isinstance(row, dict):
            raise ValueError(
                f'line {line + 1}: expected an object, such as {{"text": "...", "label": "..."}}, '
                f"got {type(row).__name__}"
            )
        rows.append(row)
    return pd.DataFrame(rows, dtype=object)


def _records(text: str) -> DataFrame:
    """Read an array of objects, as `pandas.DataFrame.to_json` writes with orient="records"."""
    import pandas as pd

    rows = json.loads(text, object_pairs_hook=_unique)
    for i, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise ValueError(
                f'entry {i}: expected an object, such as {{"text": "...", "label": "..."}}, got '
                f"{type(row).__name__}"
            )
    return pd.DataFrame(rows, dtype=object)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        twice = max(names, key=names.count)
        raise json.JSONDecodeError(f"several values are named {twice!r}", "", 0)
    return dict(pairs)


def _read_parquet(path: Path) -> DataFrame:
    import pandas as pd

    table = pd.read_parquet(path, engine="pyarrow", dtype_backend="pyarrow")
    if table.index.names != [None]:
        table = table.reset_index()  # the index of the frame that was written
    # Iterating converts Arrow's objects to Python's, lists included.
    return pd.DataFrame({str(k): pd.Series(list(v), dtype=object) for k, v in table.items()})


def _read_excel(path: Path) -> DataFrame:
    import pandas as pd

    options: dict[str, Any] = {"header": None, "dtype": object, "keep_default_na": False}
    cells = pd.read_excel(path, engine="openpyxl", **options)
    filled = cells != ""
    cells = cells.loc[filled.any(axis=1), filled.any()]
    return _with_header(cells) if len(cells) else cells


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
            f"{origin} lacks {name!r} in {len(missing)} of {len(table)} rows (first in row "
            f"{missing[0] + 1})."
        )
    return cells.tolist()


def no_column(table: DataFrame, name: str, origin: str) -> str:
    """Say that a column is missing, and which there are."""
    near = difflib.get_close_matches(name, table.columns, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
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
