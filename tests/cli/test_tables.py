import csv
import gzip
import io
import json
import os
import sys
from pathlib import Path

import pytest

from sktransfer.cli._formats import write_csv
from sktransfer.cli.tables import Table, check_output, read_table, write_table

COLUMNS = {
    "text": ["plain", 'comma, "quotes"', "two\nlines", "", "naïve — 日本", "[red]x[/red]\u2028y"],
    "label": ["a", "b", "a", "b", "a", "b"],
}
# A fixed time, since the content names the tests, and each worker has to find the same names.
GZIPPED = gzip.compress(b"a\n1\n", mtime=0)
SUFFIXES = [
    ".csv",
    ".csv.gz",
    ".jsonl",
    ".jsonl.gz",
    ".ndjson",
    ".ndjson.gz",
    ".json",
    ".json.gz",
    ".parquet",
]


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_was_written_is_read(tmp_path, suffix):
    path = tmp_path / f"table{suffix}"
    write_table(Table(COLUMNS), path)
    table = read_table(path)
    assert table.columns == COLUMNS
    assert table.n_rows == 6
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_types_and_missing_cells_survive(tmp_path, suffix):
    columns = {"i": [1, 2, None], "b": [True, None, False], "x": [0.5, 1.5, None]}
    write_table(Table(columns), tmp_path / f"table{suffix}")
    assert read_table(tmp_path / f"table{suffix}").columns == columns


@pytest.mark.parametrize("suffix", [".csv.gz", ".jsonl.gz"])
def test_the_same_table_gives_the_same_gzip_file(tmp_path, suffix):
    for name in "ab":
        write_table(Table(COLUMNS), tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_a_suffix_in_capitals_is_known(tmp_path):
    assert read_table(written(tmp_path / "a.CSV", "x\n1\n")).columns == {"x": ["1"]}


def test_csv_as_excel_writes_it(tmp_path):
    path = written(tmp_path / "a.csv", b"\xef\xbb\xbftext,label\r\nx,1\r\n\r\ny,2\r\n")
    assert read_table(path).columns == {"text": ["x", "y"], "label": ["1", "2"]}


def test_a_long_cell_is_read(tmp_path):
    before = csv.field_size_limit()
    path = written(tmp_path / "a.csv", "text\n" + "x" * 200_000 + "\n")
    assert len(read_table(path).columns["text"][0]) == 200_000
    assert csv.field_size_limit() == before


def test_rows_of_json_may_lack_names(tmp_path):
    path = written(tmp_path / "a.jsonl", '{"a": 1}\n\n{"b": 2}\n')
    assert read_table(path).columns == {"a": [1, None], "b": [None, 2]}


def test_half_a_surrogate_pair_is_written_as_its_escape(tmp_path):
    path = written(tmp_path / "a.jsonl", '{"a": "\\ud800"}\n')
    table = read_table(path)
    write_table(table, tmp_path / "b.jsonl")
    assert read_table(tmp_path / "b.jsonl").columns == table.columns


def test_nan_is_null_in_json(tmp_path):
    write_table(Table({"a": [float("nan"), 1.0]}), tmp_path / "a.jsonl")
    rows = (tmp_path / "a.jsonl").read_text().splitlines()
    assert [json.loads(row) for row in rows] == [{"a": None}, {"a": 1.0}]


def test_csv_holds_nested_cells_as_json():
    file = io.StringIO()
    write_csv({"a": [None, [1, "é"], True]}, file)
    assert list(csv.reader(io.StringIO(file.getvalue()))) == [["a"], [""], ['[1, "é"]'], ["True"]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "\n\n", "is empty"),
        ("a.csv", "text,label\n", "no rows"),
        ("a.csv", "a,b\n1,2\n1,2,3\n", "line 3: the header has 2 columns, this row has 3"),
        ("a.csv", 'a,b\n"two\nlines",2\n1\n', "line 4: the header has 2 columns, this row has 1"),
        ("a.csv", 'a,b\n1,"open\n', "line 2: unexpected end of data"),
        ("a.csv", "a,b,a\n1,2,3\n", "2 columns named 'a'"),
        ("a.csv", b"a\n\xff\n", "is not encoded in UTF-8"),
        ("a.jsonl", "", "is empty"),
        ("a.jsonl", '{"a": 1}\n{"a": \n', "line 2: no valid JSON: Expecting value"),
        ("a.jsonl", "[1, 2]\n", "line 1: one object a line is expected"),
        ("a.jsonl", '{"a": 1, "a": 2}\n', "line 1: no valid JSON: the name 'a' occurs 2 times"),
        ("a.csv.gz", b"no gzip", "is no complete gzip file"),
        ("a.csv.gz", GZIPPED[:-6], "is no complete gzip file"),
        ("a.csv.gz", GZIPPED[:10] + b"\xff" * 9, "is no complete gzip file"),
        ("a.parquet", b"no parquet", "cannot be read as Parquet"),
        ("a.txt", "x", r"no suffix .* \*\.csv, \*\.jsonl"),
        ("a.gz", b"x", "no suffix"),
        ("a", "x", "no suffix"),
        ("a.parquet.gz", b"x", "no suffix"),
    ],
)
def test_a_bad_file_is_explained(tmp_path, name, content, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_table(written(tmp_path / name, content))
    assert name in str(caught.value)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_no_file_and_a_folder(tmp_path, suffix):
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / f"none{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        read_table(tmp_path / f"folder{suffix}")


def test_columns_of_equal_names_in_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    twice = pyarrow.Table.from_arrays([pyarrow.array([1])] * 2, names=["a", "a"])
    parquet.write_table(twice, tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"columns named 'a'|cannot be read"):
        read_table(tmp_path / "a.parquet")


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "a.parquet"
    for act in (lambda: check_output(path), lambda: read_table(written(path, b""))):
        with pytest.raises(ImportError, match=r'pip install "sktransfer\[parquet\]"'):
            act()


def test_mixed_types_cannot_be_parquet(tmp_path):
    with pytest.raises(ValueError, match="cannot be written as Parquet"):
        write_table(Table({"a": [1, "x"]}), tmp_path / "a.parquet")
    assert os.listdir(tmp_path) == []


def test_a_missing_column_is_named_with_its_neighbours():
    table = Table(COLUMNS, "a.csv")
    with pytest.raises(ValueError, match=r"a\.csv has no column 'lable'.*'label'\? It has: 'text'"):
        table.column("lable")


def test_missing_cells_are_counted():
    table = Table({"a": ["x", None, "", float("nan")]}, "a.csv")
    with pytest.raises(ValueError, match=r"lacks 'a' in 2 of 4 rows \(first in row 2\)"):
        table.column("a")
    with pytest.raises(ValueError, match=r"in 3 of 4 rows"):
        table.column("a", blank_is_missing=True)


def test_a_column_is_not_replaced():
    with pytest.raises(ValueError, match="has a column 'text' already"):
        Table(COLUMNS).with_columns({"text": []})


def test_an_input_is_never_overwritten(tmp_path):
    path = written(tmp_path / "a.csv", "a\n1\n")
    (tmp_path / "link.csv").symlink_to(path)
    for output in (path, tmp_path / "." / "a.csv", tmp_path / "link.csv"):
        with pytest.raises(ValueError, match="never overwritten"):
            write_table(Table({"a": [2]}), output, inputs=[path], force=True)
    assert path.read_text() == "a\n1\n"


def test_another_file_is_overwritten_when_told(tmp_path):
    path = written(tmp_path / "a.csv", "a\n1\n")
    with pytest.raises(FileExistsError, match="--force"):
        write_table(Table({"a": [2]}), path)
    write_table(Table({"a": [2]}), path, force=True)
    assert path.read_text() == "a\n2\n"


def test_a_place_that_cannot_be_written_to(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        check_output(tmp_path / "none" / "a.csv")
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(IsADirectoryError):
        check_output(tmp_path / "a.csv", force=True)
    check_output(Path("a-name-that-nobody-has.csv"))


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = written(tmp_path / "a.jsonl", "old")

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sktransfer.cli._formats.json.dumps", fail)
    with pytest.raises(OSError, match="No space"):
        write_table(Table({"a": [2]}), path, force=True)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.jsonl"]
