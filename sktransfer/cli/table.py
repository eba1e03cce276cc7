"""Tables in files, as data frames of pandas.

Cells are what the file holds: str in CSV, numbers as well in JSON, Parquet and Excel, and None
where a cell is missing. "NA" and "null" are texts like all others.
"""

from __future__ import annotations

import codecs
import csv
import itertools
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sktransfer.cli.columns import place

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "COMPRESSED",
    "KINDS_OF_TABLES",
    "format_of",
    "is_table",
    "read_table",
    "rows_of",
]

KINDS_OF_TABLES = (
    "*.csv, *.tsv, *.jsonl, *.ndjson, *.json (one object a line), each also with .gz, .bz2, .xz, "
    ".zip or .zst; *.parquet; *.xlsx"
)
_TEXT = {".csv": "CSV", ".tsv": "CSV", ".jsonl": "JSON", ".ndjson": "JSON", ".json": "JSON"}
COMPRESSED = (".gz", ".bz2", ".xz", ".zip", ".zst")
# What a file of another kind begins with, and the suffix that says so.
_BEGINNINGS = {
    b"PK\x03\x04": (".xlsx", "an Excel file or a zip archive"),
    b"\xd0\xcf\x11\xe0": (".xls", "an Excel file of the old kind: save it as .xlsx"),
    b"\x1f\x8b": (".gz", "packed by gzip"),
    b"PAR1": (".parquet", "a Parquet file"),
}
_BYTE_ORDER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
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
        Of CSV and JSON. Files that begin with the mark of UTF-16 are read as such.
    separator : str, default=""
        Of CSV. Empty takes the one of comma, semicolon and tab that the header has most of.

    Returns
    -------
    table : DataFrame
        At least one row, and columns of dtype object, of which several may have the same name. The
        index says on which line of the file, or of the sheet, each row begins, counted from 1; of
        Parquet and of an array of objects, which row it is.

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
        if kind in ("CSV", "JSON"):
            _refuse_other_kinds(path)
            table = _read_text(path, kind, encoding, separator)
        else:
            table = _read_parquet(path) if kind == "Parquet" else _read_excel(path)
        if not len(table):
            raise ValueError("it has no rows" if len(table.columns) else "it is empty")
    except (FileNotFoundError, PermissionError):
        raise
    except ImportError as error:
        raise ImportError(f"{path} cannot be read: {_installation(path, kind)}") from error
    except UnicodeError as error:
        raise ValueError(
            f"{path} is not encoded as {encoding}: {error}. Name the encoding, such as --encoding "
            f"{_likely_encoding(error)}."
        ) from error
    except Exception as error:  # the libraries that read and unpack have errors of many types
        if "unexpected end of data" in str(error):  # as Python's csv puts it
            error = ValueError("unexpected end of data: a quotation mark is not closed")
        raise ValueError(f"{path} cannot be read as {kind}: {str(error).rstrip('.')}.") from error
    cells = enumerate(map(list, zip(*rows_of(table), strict=True)))
    named = pd.DataFrame(dict(cells), dtype=object).set_axis(table.columns, axis=1)
    return named.set_axis(table.index)


def rows_of(table: DataFrame) -> list[tuple[Any, ...]]:
    """Give the cells of each row as they are, and None where one is missing."""
    rows, missing = table.itertuples(index=False, name=None), table.isna().to_numpy()
    return [
        tuple(None if gone else cell for cell, gone in zip(*pair, strict=True))
        for pair in zip(rows, missing, strict=True)
    ]


def _refuse_other_kinds(path: Path) -> None:
    """Refuse a file that is no text, whatever its suffix says."""
    if path.suffix.lower() in COMPRESSED:
        return
    with path.open("rb") as file:
        beginning = file.read(4)
    for mark, (suffix, kind) in _BEGINNINGS.items():
        if beginning.startswith(mark):
            raise ValueError(f"it is {kind}, and its name should end with {suffix}")


def _installation(path: Path, kind: str) -> str:
    """Say what to install to read a file."""
    if path.suffix.lower() == ".zst":
        return "pandas unpacks .zst by zstandard: pip install zstandard."
    package, extra = ("openpyxl", "excel") if kind == "Excel" else ("pyarrow", "parquet")
    return f"pandas reads {kind} by {package}: pip install 'sktransfer[{extra}]'."


def _read_text(path: Path, kind: str, encoding: str, separator: str) -> DataFrame:
    try:
        if kind == "CSV":
            return _read_csv(path, encoding, separator)
        return _read_json(path, encoding)
    except UnicodeDecodeError as error:
        marked = error.start == 0 and error.object.startswith(_BYTE_ORDER_MARKS)
        if not marked or encoding == "utf-16":
            raise
        return _read_text(path, kind, "utf-16", separator)


def _likely_encoding(error: UnicodeError) -> str:
    """Guess what a file is encoded as that is not UTF-8."""
    content = error.object if isinstance(error, UnicodeDecodeError) else b""
    if b"\0" not in content:
        return "cp1252"
    # Of a Latin letter in UTF-16, one byte is 0.
    return "utf-16-be" if content.startswith(b"\0") else "utf-16-le"


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
    lines = _read_cells(path, encoding, _NO_SEPARATOR, **options).dropna()
    if len(lines) and "\0" in (line := lines.iloc[0, 0]):
        at = line.index("\0")
        raise UnicodeDecodeError(encoding, line.encode(), at, at + 1, "NUL character")
    return lines


def _read_csv(path: Path, encoding: str, separator: str) -> DataFrame:
    first = _read_lines(path, encoding, nrows=99)
    if first.empty:
        return first.iloc[:, :0]
    separator = separator or max(",;\t", key=first.iloc[0, 0].count)
    cells = _read_cells(path, encoding, separator, skiprows=first.index[0])
    # A cell with line breaks takes several lines.
    breaks = [sum(str(cell).count("\n") for cell in row) for row in cells.to_numpy().tolist()]
    begins = itertools.accumulate((n + 1 for n in breaks[:-1]), initial=first.index[0] + 1)
    cells = cells.set_axis(list(begins)).dropna(how="all")
    found = cells.notna().sum(axis=1).tolist()
    for row, n in enumerate(found):
        if n < found[0]:
            raise ValueError(
                f"{place(cells.iloc[1:], row - 1)} has {n} cells; expected {found[0]}, as in the "
                "header"
            )
    return _with_header(cells)


def _with_header(cells: DataFrame) -> DataFrame:
    return cells.iloc[1:].set_axis(list(map(str, cells.iloc[0])), axis=1)


def _read_json(path: Path, encoding: str) -> DataFrame:
    import pandas as pd

    rows, at = [], []
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
        at.append(line + 1)
    return pd.DataFrame(rows, at, dtype=object)


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
    return _counted(pd.DataFrame(rows, dtype=object))


def _counted(table: DataFrame) -> DataFrame:
    return table.set_axis(range(1, len(table) + 1))


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
    cells = {str(k): pd.Series(list(v), dtype=object) for k, v in table.items()}
    return _counted(pd.DataFrame(cells))


def _read_excel(path: Path) -> DataFrame:
    import pandas as pd

    options: dict[str, Any] = {"header": None, "dtype": object, "keep_default_na": False}
    cells = pd.read_excel(path, engine="openpyxl", **options)
    cells = _counted(cells)
    filled = cells != ""
    cells = cells.loc[filled.any(axis=1), filled.any()]
    return _with_header(cells) if len(cells) else cells
