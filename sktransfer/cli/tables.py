"""Tables in files: CSV, lines of JSON, Parquet.

Cells are what the format gives: str in CSV, anything in JSON and Parquet, None where a cell is
missing. Standard library only, but for Parquet.
"""

from __future__ import annotations

import contextlib
import difflib
import gzip
import os
import secrets
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sktransfer.cli import _formats

__all__ = [
    "KINDS_OF_TABLES",
    "Table",
    "check_free",
    "check_output",
    "is_table",
    "read_table",
    "write_file",
    "write_table",
]

KINDS_OF_TABLES = (
    "*.csv, *.jsonl, *.ndjson, *.json (one object a line), each also with .gz, and *.parquet"
)
_SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}


@dataclass(frozen=True)
class Table:
    """Columns of equal length.

    Attributes
    ----------
    columns : dict of str to list
        In the order of the file.
    origin : str
        Where it came from, for messages.
    """

    columns: dict[str, list[Any]]
    origin: str = "the table"

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return max(map(len, self.columns.values()), default=0)

    @property
    def names(self) -> str:
        """The names of the columns, for messages."""
        return ", ".join(map(repr, self.columns))

    def column(self, name: str, *, blank_is_missing: bool = False) -> list[Any]:
        """Give a column in which nothing is missing.

        Parameters
        ----------
        name : str
            Name of the column.
        blank_is_missing : bool, default=False
            Whether an empty cell is a missing one; CSV has no other way to say so.

        Returns
        -------
        values : list

        Raises
        ------
        ValueError
            If there is no such column, or a cell is missing.
        """
        if name not in self.columns:
            raise ValueError(self.no_column(name))
        values = self.columns[name]
        missing = [
            row
            for row, value in enumerate(values, start=1)
            if value is None or value != value or (blank_is_missing and value == "")
        ]
        if missing:
            raise ValueError(
                f"{self.origin} lacks {name!r} in {len(missing)} of {len(values)} rows (first in "
                f"row {missing[0]})."
            )
        return values

    def no_column(self, name: str) -> str:
        """Say that a column is not there, and which are.

        Parameters
        ----------
        name : str
            Of the column that was asked for.

        Returns
        -------
        message : str
        """
        near = difflib.get_close_matches(name, self.columns, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"{self.origin} has no column {name!r}.{hint} It has: {self.names}."

    def with_columns(self, new: Mapping[str, list[Any]]) -> Table:
        """Add columns at the end.

        Parameters
        ----------
        new : dict of str to list
            None of the names may be taken.

        Returns
        -------
        table : Table

        Raises
        ------
        ValueError
            If a name is taken.
        """
        taken = [name for name in new if name in self.columns]
        if taken:
            raise ValueError(
                f"{self.origin} has a column {taken[0]!r} already; rename it, so that it is not "
                "lost."
            )
        return Table({**self.columns, **new}, self.origin)

    def rows(self, index: Sequence[int]) -> Table:
        """Give some of the rows.

        Parameters
        ----------
        index : sequence of int
            Which, in this order.

        Returns
        -------
        table : Table
        """
        columns = {name: [values[i] for i in index] for name, values in self.columns.items()}
        return Table(columns, self.origin)


def is_table(path: Path) -> bool:
    """Tell whether a suffix names a kind of table.

    Parameters
    ----------
    path : pathlib.Path
        A file, which need not exist.

    Returns
    -------
    is_table : bool

    Examples
    --------
    >>> from pathlib import Path
    >>> from sktransfer.cli.tables import is_table
    >>> is_table(Path("texts.csv.gz")), is_table(Path("photos.zip"))
    (True, False)
    """
    return _suffix_kind(path) is not None


def read_table(path: Path) -> Table:
    """Read a table; the suffix says how.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    table : Table
        With at least one column and one row.

    Raises
    ------
    ValueError
        If the suffix is unknown, or the content is not what it promises; names the line.
    OSError
        If the file cannot be read.
    ImportError
        If Parquet is asked for and pyarrow is not installed.
    """
    kind = _kind(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not a table.")
    try:
        if kind == "parquet":
            with path.open("rb") as file:
                columns = _formats.read_parquet(file, str(path))
        else:
            read = _formats.read_csv if kind == "csv" else _formats.read_jsonl
            with _open_text(path) as lines:
                columns = read(lines, str(path))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not encoded in UTF-8: {error}.") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is no complete gzip file: {error}.") from error
    table = Table(columns, str(path))
    if not table.columns:
        raise ValueError(f"{path} is empty.")
    if not table.n_rows:
        raise ValueError(f"{path} has columns and no rows.")
    return table


def check_output(path: Path, *, inputs: Iterable[Path] = (), force: bool = False) -> None:
    """Refuse, before any work is done, to write where it would do harm or fail.

    Parameters
    ----------
    path : pathlib.Path
        What is to be written.
    inputs : iterable of pathlib.Path
        Files that are never overwritten.
    force : bool
        Whether another file may be overwritten.

    Raises
    ------
    ValueError
        If the suffix is unknown, or the path is that of an input.
    OSError
        If the file exists and ``force`` is False, or it cannot be created there.
    """
    if _kind(path) == "parquet":
        _formats.import_pyarrow()
    for each in inputs:
        if path.exists() and each.exists() and path.samefile(each):
            raise ValueError(f"{path} is the input; it is never overwritten.")
    check_free(path, force=force)


def check_free(path: Path, *, force: bool = False) -> None:
    """Refuse a path that holds something, or that nothing can be created at.

    Parameters
    ----------
    path : pathlib.Path
        What is to be written.
    force : bool
        Whether a file may be overwritten.

    Raises
    ------
    OSError
        As said.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder.")
    if path.exists() and not force:
        raise FileExistsError(f"{path} exists; pass --force to replace it.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to write {path.name} in.")


def write_table(
    table: Table, path: Path, *, inputs: Iterable[Path] = (), force: bool = False
) -> None:
    """Write a table in one step: the file is complete or not there.

    Parameters
    ----------
    table : Table
        What to write.
    path : pathlib.Path
        Where; the suffix says how.
    inputs : iterable of pathlib.Path
        Files that are never overwritten.
    force : bool
        Whether another file may be overwritten.

    Raises
    ------
    ValueError
        As `check_output`, or if the format cannot hold the table.
    OSError
        As `check_output`, or if the disk is full.
    """
    check_output(path, inputs=inputs, force=force)
    kind = _kind(path)
    with write_file(path) as file:
        if kind == "parquet":
            _formats.write_parquet(table.columns, file)
        elif path.suffix.lower() == ".gz":
            # Neither time nor name inside: the same table gives the same bytes.
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                _formats.write_text(table.columns, packed, kind)
        else:
            _formats.write_text(table.columns, file, kind)


@contextlib.contextmanager
def write_file(path: Path) -> Iterator[IO[bytes]]:
    """Give a file that becomes ``path`` when the block ends without an error.

    Parameters
    ----------
    path : pathlib.Path
        Replaced if it exists.

    Yields
    ------
    file : binary file
    """
    # In the same folder, so that the move stays within a file system.
    new = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with new.open("xb") as file:
            yield file
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def _kind(path: Path) -> str:
    kind = _suffix_kind(path)
    if kind is None:
        raise ValueError(f"{path} has no suffix that names a kind of table: {KINDS_OF_TABLES}.")
    return kind


def _suffix_kind(path: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".parquet"]:
        return "parquet"
    last = suffixes[-2:-1] if suffixes[-1:] == [".gz"] else suffixes[-1:]
    return _SUFFIXES.get(last[0]) if last else None


def _open_text(path: Path) -> IO[str]:
    # "utf-8-sig" drops the mark that Excel puts at the start.
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")
