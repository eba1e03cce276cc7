"""Writing tables and other files, in one step and never over an input."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sktransfer.cli.table import COMPRESSED, format_of, is_table, rows_of

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["check_free", "check_output", "encode_csv", "write_file", "write_table"]

_WRITTEN = "*.csv, *.tsv, *.jsonl, *.ndjson, *.json, each also with .gz; *.parquet"


def check_output(path: Path, *, inputs: Iterable[Path] = (), force: bool = False) -> None:
    """Refuse, before any work is done, to write a table where it would do harm or fail.

    Parameters
    ----------
    path : pathlib.Path
        What is to be written.
    inputs : iterable of pathlib.Path
        Files that are never overwritten.
    force : bool, default=False
        Whether another file may be overwritten.

    Raises
    ------
    ValueError
        If tables are not written with that suffix, or the path is that of an input.
    OSError
        If the file exists and ``force`` is False, or it cannot be created there.
    ImportError
        If the format needs a package that is not installed.
    """
    if not is_table(path) or path.suffix.lower() in (*COMPRESSED[1:], ".xlsx"):
        raise ValueError(f"{path} has no suffix that tables are written with: {_WRITTEN}.")
    if format_of(path) == "Parquet":
        import pandas as pd

        _encode_parquet(pd.DataFrame())
    if path.exists() and any(each.exists() and path.samefile(each) for each in inputs):
        raise ValueError(f"{path} is the input; it is never overwritten.")
    check_free(path, force=force)


def check_free(path: Path, *, force: bool = False) -> None:
    """Raise an OSError if a path holds something, or nothing can be created there."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder.")
    if path.exists() and not force:
        raise FileExistsError(f"{path} exists; pass --force to replace it.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to write {path.name} in.")


def write_table(
    table: DataFrame, path: Path, *, inputs: Iterable[Path] = (), force: bool = False
) -> None:
    """Write a table in one step, as the suffix says; parameters and errors as `check_output`."""
    check_output(path, inputs=inputs, force=force)
    kind = format_of(path)
    if kind == "CSV":
        content = encode_csv(table, "\t" if ".tsv" in path.name.lower() else ",")
    else:
        content = _encode_json(table) if kind == "JSON" else _encode_parquet(table)
    if path.suffix.lower() == ".gz":
        content = gzip.compress(content, mtime=0)  # the same table gives the same bytes
    with write_file(path) as file:
        file.write(content)


def encode_csv(table: DataFrame, separator: str = ",") -> bytes:
    """Give the content of a CSV file; lists and dicts are written as JSON."""

    def cell(value: Any) -> Any:
        return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", delimiter=separator)
    writer.writerow(table.columns)
    writer.writerows(map(cell, row) for row in rows_of(table))
    # A lone surrogate, which JSON can hold and UTF-8 cannot, is written as an escape.
    return text.getvalue().encode(errors="backslashreplace")


def _encode_json(table: DataFrame) -> bytes:
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise ValueError(f"JSON cannot hold several columns named {twice[0]!r}: write CSV.")
    rows = [dict(zip(table.columns, row, strict=True)) for row in rows_of(table)]
    lines = [json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows]
    return "".join(lines).encode(errors="backslashreplace")


def _encode_parquet(table: DataFrame) -> bytes:
    buffer = io.BytesIO()
    try:
        table.to_parquet(buffer, engine="pyarrow", index=False)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise ValueError(f"A column cannot be written as Parquet: {error}") from error
    return buffer.getvalue()


@contextlib.contextmanager
def write_file(path: Path) -> Iterator[IO[bytes]]:
    """Give a file that replaces ``path`` when the block ends without an error."""
    # Written into the same folder, so that the rename stays within one file system.
    new = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with new.open("xb") as file:
            yield file
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
