"""How CSV, lines of JSON and Parquet are read and written: columns by name."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import Counter
from typing import IO, Any

__all__ = [
    "import_pyarrow",
    "read_csv",
    "read_jsonl",
    "read_parquet",
    "write_csv",
    "write_parquet",
    "write_text",
]

Columns = dict[str, list[Any]]


def read_csv(file: IO[str], origin: str) -> Columns:
    """Read CSV; cells are str, and empty lines are no rows."""
    limit = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a text may be long
    try:
        return _parse_csv(csv.reader(file, strict=True), origin)
    finally:
        csv.field_size_limit(limit)


def _parse_csv(reader: Any, origin: str) -> Columns:
    names: list[str] | None = None
    rows: list[list[str]] = []
    line = 1
    try:
        for row in reader:
            if not row:
                pass  # an empty line; a row of one empty cell is written ""
            elif names is None:
                names = row
                _check_names(names, origin)
            elif len(row) != len(names):
                raise ValueError(
                    f"{origin}, line {line}: the header has {_n(len(names), 'column')}, this row "
                    f"has {len(row)}."
                )
            else:
                rows.append(row)
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{origin}, line {line}: {error}.") from error
    if names is None:
        return {}
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


def read_jsonl(file: IO[str], origin: str) -> Columns:
    """Read one object a line; a name that a line lacks is None there."""
    rows: list[dict[str, Any]] = []
    names: dict[str, None] = {}
    for line, text in enumerate(file, start=1):
        if not text.strip():
            continue
        try:
            row = json.loads(text, object_pairs_hook=_unique)
        except ValueError as error:
            raise ValueError(f"{origin}, line {line}: no valid JSON: {_reason(error)}.") from error
        if not isinstance(row, dict):
            raise ValueError(
                f"{origin}, line {line}: one object a line is expected, such as "
                f'{{"text": "...", "label": "..."}}, got {type(row).__name__}.'
            )
        rows.append(row)
        names.update(dict.fromkeys(row))
    return {name: [row.get(name) for row in rows] for name in names}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    counts = Counter(name for name, _ in pairs)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise ValueError(f"the name {twice[0]!r} occurs {counts[twice[0]]} times")
    return dict(pairs)


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.colno}"
    return str(error)


def read_parquet(file: IO[bytes], origin: str) -> Columns:
    """Read Parquet."""
    pyarrow = import_pyarrow()
    from pyarrow import parquet

    try:
        content = parquet.read_table(file)
        _check_names(content.column_names, origin)
        return {
            name: column.to_pylist()
            for name, column in zip(content.column_names, content.columns, strict=True)
        }
    except pyarrow.ArrowException as error:
        raise ValueError(f"{origin} cannot be read as Parquet: {error}") from error


def _check_names(names: list[str], origin: str) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{origin} has {names.count(twice[0])} columns named {twice[0]!r}.")


def write_text(columns: Columns, file: Any, kind: str) -> None:
    """Write CSV or lines of JSON into a binary file."""
    # Half of a surrogate pair, which JSON can hold and UTF-8 cannot, is written as its escape.
    text = io.TextIOWrapper(file, "utf-8", errors="backslashreplace", newline="")
    try:
        (write_csv if kind == "csv" else _write_jsonl)(columns, text)
        text.flush()
    finally:
        text.detach()


def write_csv(columns: Columns, file: IO[str]) -> None:
    """Write CSV into a text file that does not translate newlines."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow(map(_csv_cell, row))


def _write_jsonl(columns: Columns, file: IO[str]) -> None:
    for row in zip(*columns.values(), strict=True):
        cells = dict(zip(columns, map(_json_cell, row), strict=True))
        file.write(json.dumps(cells, ensure_ascii=False, default=str) + "\n")


def write_parquet(columns: Columns, file: IO[bytes]) -> None:
    """Write Parquet."""
    pyarrow = import_pyarrow()
    from pyarrow import parquet

    try:
        parquet.write_table(pyarrow.table(columns), file)
    except pyarrow.ArrowException as error:
        raise ValueError(f"A column cannot be written as Parquet: {error}") from error


def import_pyarrow() -> Any:
    """Import pyarrow, or say how to get it."""
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError(
            'Parquet files need pyarrow: pip install "sktransfer[parquet]"'
        ) from error
    return pyarrow


def _csv_cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _json_cell(value: Any) -> Any:
    # JSON has no NaN, whatever Python's writer thinks.
    return None if isinstance(value, float) and value != value else value


def _n(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
