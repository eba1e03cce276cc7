import bz2
import csv
import gzip
import json
import lzma
import os
import re
import sys
import zipfile
from pathlib import Path

import pytest
from pandas import DataFrame

from sktransfer.cli.columns import add_columns, column
from sktransfer.cli.output import check_output, encode_csv, write_table
from sktransfer.cli.table import read_table

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


def columns_of(path):
    return read_table(path).to_dict("list")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_was_written_is_read(tmp_path, suffix):
    path = tmp_path / f"table{suffix}"
    write_table(DataFrame(COLUMNS), path)
    assert columns_of(path) == COLUMNS
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_types_and_missing_cells_survive(tmp_path, suffix):
    columns = {"i": [1, 2, None], "b": [True, None, False], "x": [0.5, 1.5, None]}
    write_table(DataFrame(columns, dtype=object), tmp_path / f"table{suffix}")
    assert columns_of(tmp_path / f"table{suffix}") == columns


def test_numbers_beside_missing_cells_are_written_as_they_are(tmp_path):
    table = DataFrame({"i": [1, None, 2**60], "x": [0.1, float("nan"), 1]}, dtype=object)
    write_table(table, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == f"i,x\n1,0.1\n,\n{2**60},1\n"


@pytest.mark.parametrize("suffix", [".csv.gz", ".jsonl.gz"])
def test_the_same_table_gives_the_same_gzip_file(tmp_path, suffix):
    for name in "ab":
        write_table(DataFrame(COLUMNS), tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_a_suffix_in_capitals_is_known(tmp_path):
    assert columns_of(written(tmp_path / "a.CSV", "x\n1\n")) == {"x": ["1"]}


def test_csv_as_excel_writes_it(tmp_path):
    path = written(tmp_path / "a.csv", b"\xef\xbb\xbftext,label\r\nx,1\r\n\r\ny,2\r\n")
    assert columns_of(path) == {"text": ["x", "y"], "label": ["1", "2"]}


def test_a_long_cell_is_read(tmp_path):
    before = csv.field_size_limit()
    path = written(tmp_path / "a.csv", "text\n" + "x" * 200_000 + "\n")
    assert [len(cell) for cell in read_table(path)["text"]] == [200_000]
    assert csv.field_size_limit() == before


def test_rows_of_json_may_lack_names(tmp_path):
    path = written(tmp_path / "a.jsonl", '{"a": 1}\n\n  \n{"b": 2}\n')
    assert columns_of(path) == {"a": [1, None], "b": [None, 2]}


def test_half_a_surrogate_pair_is_written_as_its_escape(tmp_path):
    path = written(tmp_path / "a.jsonl", '{"a": "\\ud800"}\n')
    table = read_table(path)
    write_table(table, tmp_path / "b.jsonl")
    assert columns_of(tmp_path / "b.jsonl") == {"a": ["\ud800"]}


def test_nan_is_null_in_json(tmp_path):
    write_table(DataFrame({"a": [float("nan"), 1.0]}), tmp_path / "a.jsonl")
    rows = (tmp_path / "a.jsonl").read_text().splitlines()
    assert [json.loads(row) for row in rows] == [{"a": None}, {"a": 1.0}]


def test_csv_holds_nested_cells_as_json():
    content = encode_csv(DataFrame({"a": [None, [1, "é"], True]}, dtype=object)).decode()
    assert list(csv.reader(content.splitlines())) == [["a"], [""], ['[1, "é"]'], ["True"]]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".xlsx"])
def test_words_that_other_programs_take_for_missing_cells_are_texts(tmp_path, suffix):
    words = {"text": ["NA", "null", "None", "nan", "N/A"], "label": ["001", "1e3", "inf", "", "-"]}
    path = tmp_path / f"a{suffix}"
    if suffix == ".xlsx":
        pytest.importorskip("openpyxl")
        DataFrame(words).to_excel(path, index=False)
    else:
        write_table(DataFrame(words), path)
    assert columns_of(path) == words


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("packing", ["bz2", "xz", "zip"])
def test_packed_tables_are_read(tmp_path, kind, packing):
    write_table(DataFrame(COLUMNS), tmp_path / f"a.{kind}")
    path, content = tmp_path / f"a.{kind}.{packing}", (tmp_path / f"a.{kind}").read_bytes()
    if packing == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("whatever", content)
    else:
        path.write_bytes({"bz2": bz2, "xz": lzma}[packing].compress(content))
    assert columns_of(path) == COLUMNS


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("text;label\na, b;1\n", {"text": ["a, b"], "label": ["1"]}),
        ("text\tlabel\na, b\t1\n", {"text": ["a, b"], "label": ["1"]}),
        ('"a; b",label\nx,1\n', {"a; b": ["x"], "label": ["1"]}),
        ("text\na; b, c\n"[:9], {"text": ["a; b"]}),
        ('\n\ntext\n\n \n""\nx\n', {"text": [" ", "", "x"]}),
    ],
)
def test_the_header_says_what_separates_columns(tmp_path, content, columns):
    assert columns_of(written(tmp_path / "a.csv", content)) == columns


@pytest.mark.parametrize("suffix", [".tsv", ".tsv.gz"])
def test_a_tsv_is_separated_by_tabs(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_table(DataFrame(COLUMNS), path)
    assert columns_of(path) == COLUMNS
    content = path.read_bytes()
    assert (gzip.decompress(content) if suffix == ".tsv.gz" else content)[:11] == b"text\tlabel\n"


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_an_encoding_can_be_named(tmp_path, name):
    content = {"a.csv": "text\nnaïve\n", "a.jsonl": '{"text": "naïve"}\n'}[name]
    for encoding in ("cp1252", "utf-16-le"):
        path = written(tmp_path / name, content.encode(encoding))
        with pytest.raises(ValueError, match=rf"{name}.*utf-8.*--encoding {encoding}"):
            read_table(path)
        assert read_table(path, encoding)["text"].tolist() == ["naïve"]
    with pytest.raises(ValueError, match="cp0"):
        read_table(path, "cp0")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(("name", "content"), [("a.csv", "text\nx\n"), ("a.jsonl", '{"text": 1}')])
def test_ascii_in_utf_16_without_a_mark_is_no_utf_8(tmp_path, name, content, encoding):
    path = written(tmp_path / name, content.encode(encoding))
    with pytest.raises(ValueError, match=rf"{name} is not .*utf-8.*NUL.*--encoding {encoding}\."):
        read_table(path)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.jsonl.xz"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_that_is_marked_says_its_encoding_itself(tmp_path, name, encoding):
    content = '{"text": "naïve"}\n' if "json" in name else "text\nnaïve\n"
    pack = {".gz": gzip.compress, ".xz": lzma.compress}.get(Path(name).suffix, bytes)
    path = written(tmp_path / name, pack(content.encode(encoding)))
    for named in ("utf-8", encoding):
        assert read_table(path, named).to_dict("list") == {"text": ["naïve"]}


def test_cells_of_excel_keep_their_types(tmp_path):
    pytest.importorskip("openpyxl")
    path, columns = tmp_path / "a.xlsx", {"text": ["x", "07"], "label": [1, 2], "price": [0.5, 3]}
    frame = DataFrame(columns | {"empty": [None, None]}, dtype=object)
    frame.to_excel(path, index=False, startrow=2, startcol=1, header=[*columns, ""])
    found = columns_of(path)
    assert found == columns
    assert [type(cell) for cell in found["label"]] == [int, int]


def test_the_index_of_a_frame_in_parquet_is_a_column(tmp_path):
    pytest.importorskip("pyarrow")
    frame = DataFrame({"text": ["a", "b"], "tags": [[1, 2], []]}, index=[7, 3])
    frame.to_parquet(tmp_path / "a.parquet")
    assert columns_of(tmp_path / "a.parquet") == {"text": ["a", "b"], "tags": [[1, 2], []]}
    frame.rename_axis("id").to_parquet(tmp_path / "a.parquet")
    assert columns_of(tmp_path / "a.parquet")["id"] == [7, 3]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "empty"),
        ("a.csv", "\n\n", "empty"),
        ("a.csv", "text,label\n", "no rows"),
        ("a.csv", "a,b\n1,2\n1,2,3\n", "2 .*line 3.* 3"),
        ("a.csv", 'a,b\n"two\nlines",2\n1\n', "row 2 .*1 cells.*2"),
        ("a.csv", "a,b,c\n1,2,\n1,2\n", r"row 2 \(line 3\) .*2 cells.*3"),
        ("a.csv", '\na,b\n"two\nlines",2\n\n1\n', r"row 2 \(line 6\) .*1 cells.*2"),
        ("a.csv", b"PK\x03\x04\x14\0", r"Excel .*\.xlsx"),
        ("a.jsonl", b"\xd0\xcf\x11\xe0\xa1", r"Excel .*\.xlsx"),
        ("a.csv", GZIPPED, r"gzip.*\.gz"),
        ("a.csv", b"PAR1\x15", r"Parquet.*\.parquet"),
        ("a.csv", 'a,b\n1,"open\n', "end of data"),
        ("a.csv", b"a\n\xff\n", "utf-8.*0xff.*--encoding"),
        ("a.jsonl", "", "empty"),
        ("a.jsonl", '{"a": 1}\n\n{"a": \n', "line 3, character 7"),
        ("a.jsonl", "[1, 2]\n", "entry 1.*int"),
        ("a.json", '[{"a": 1}, {"a": ]', "character|line"),
        ("a.jsonl", '{"a": 1, "a": 2}\n', "line 1.*'a'"),
        ("a.csv.gz", b"no gzip", "gzip"),
        ("a.csv.gz", GZIPPED[:-6], "end"),
        ("a.csv.gz", GZIPPED[:10] + b"\xff" * 9, "decompressing"),
        ("a.csv.xz", b"no xz", "format"),
        ("a.csv.zip", b"no zip", "zip"),
        ("a.parquet", b"no parquet", "Parquet"),
        ("a.xlsx", b"no excel", "Excel"),
        ("a.txt", "x", r"\*\.csv"),
        ("a.gz", b"x", r"\*\.csv"),
        ("a", "x", r"\*\.csv"),
        ("a.parquet.gz", b"x", r"\*\.csv"),
    ],
)
def test_a_bad_file_is_explained(tmp_path, name, content, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_table(written(tmp_path / name, content))
    assert name in str(caught.value)


@pytest.mark.parametrize("name", ["a.xlsx", "a.csv.zip", "a.csv.bz2", "a.txt"])
def test_what_is_not_written_is_refused_before_any_work(tmp_path, name):
    with pytest.raises(ValueError, match=rf"{name} .*\*\.csv"):
        check_output(tmp_path / name)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".xlsx"])
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
    with pytest.raises(ValueError, match=r"a\.parquet .*\ba\b"):
        read_table(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("name", "package", "command"),
    [
        ("a.parquet", "pyarrow", "pip install 'sktransfer[parquet]'"),
        ("a.xlsx", "openpyxl", "pip install 'sktransfer[excel]'"),
        ("a.csv.zst", "zstandard", "pip install zstandard"),
    ],
)
def test_without_a_package_the_command_that_installs_it_is_named(
    tmp_path, monkeypatch, name, package, command
):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=re.escape(name)) as caught:
        read_table(written(tmp_path / name, b"PK"))
    assert str(caught.value).endswith(f"{command}.")
    if package == "pyarrow":
        with pytest.raises(ImportError, match="pyarrow"):
            check_output(tmp_path / "a.parquet")


def test_a_zst_is_unpacked(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    path = written(tmp_path / "a.csv.zst", zstandard.compress(b"text\nx\n"))
    assert columns_of(path) == {"text": ["x"]}


def test_mixed_types_cannot_be_parquet(tmp_path):
    with pytest.raises(ValueError, match="Parquet"):
        write_table(DataFrame({"a": [1, "x"]}, dtype=object), tmp_path / "a.parquet")
    assert os.listdir(tmp_path) == []


def test_a_missing_column_is_named_with_its_neighbours():
    with pytest.raises(ValueError, match=r"a\.csv .*'lable'.*'label'.*'text', 'label'"):
        column(DataFrame(COLUMNS), "lable", "a.csv")


def test_missing_cells_are_counted():
    table = DataFrame({"a": ["x", None, "", float("nan")]}, range(1, 5), dtype=object)
    with pytest.raises(ValueError, match=r"a\.csv .*'a' in 2 of 4 rows, first in row 2\."):
        column(table, "a", "a.csv")
    with pytest.raises(ValueError, match=r"3 of 4 rows, first in row 2\."):
        column(table, "a", "a.csv", blank_is_missing=True)


def test_a_column_is_not_replaced():
    with pytest.raises(ValueError, match=r"a\.csv .*'text'"):
        add_columns(DataFrame(COLUMNS), {"text": COLUMNS["text"]}, "a.csv")


def test_an_input_is_never_overwritten(tmp_path):
    path = written(tmp_path / "a.csv", "a\n1\n")
    (tmp_path / "link.csv").symlink_to(path)
    for output in (path, tmp_path / "." / "a.csv", tmp_path / "link.csv"):
        with pytest.raises(ValueError, match="never overwritten"):
            write_table(DataFrame({"a": [2]}), output, inputs=[path], force=True)
    assert path.read_text() == "a\n1\n"


def test_another_file_is_overwritten_when_told(tmp_path):
    path = written(tmp_path / "a.csv", "a\n1\n")
    with pytest.raises(FileExistsError, match="--force"):
        write_table(DataFrame({"a": [2]}), path)
    write_table(DataFrame({"a": [2]}), path, force=True)
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

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_table(DataFrame({"a": [2]}), path, force=True)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.jsonl"]


def test_columns_of_equal_names_are_kept_and_refused_only_where_one_is_asked_for(tmp_path):
    path = written(tmp_path / "spam.csv", "v1,v2,,,\nham,hello,x,,y\nspam,win,,,z\n")
    table = read_table(path)
    assert list(table.columns) == ["v1", "v2", "", "", ""]
    assert column(table, "v2", "spam.csv") == ["hello", "win"]
    with pytest.raises(ValueError, match="several columns named ''"):
        column(table, "", "spam.csv")
    more = add_columns(table, {"prediction": ["ham", "ham"]}, "spam.csv")
    write_table(more, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == (
        "v1,v2,,,,prediction\nham,hello,x,,y,ham\nspam,win,,,z,ham\n"
    )
    with pytest.raises(ValueError, match=r"''.*CSV"):
        write_table(more, tmp_path / "out.jsonl")


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_of_objects_is_read_as_their_lines_are(tmp_path, indent):
    rows = [{"text": "one\nline", "label": 1}, {"text": "[two]", "label": None}]
    path = written(tmp_path / "a.json", json.dumps(rows, indent=indent))
    assert columns_of(path) == {"text": ["one\nline", "[two]"], "label": [1, None]}


def test_rows_are_counted_and_their_lines_named_where_they_differ(tmp_path):
    path = written(tmp_path / "a.csv", 'text,label\n"two\nlines",a\n\nx,\n')
    with pytest.raises(ValueError, match=r"'label' in 1 of 2 rows, first in row 2 \(line 5\)\."):
        column(read_table(path), "label", "a.csv", blank_is_missing=True)
    path = written(tmp_path / "a.jsonl", '{"label": 1}\n{"label": null}\n')
    with pytest.raises(ValueError, match=r"'label' in 1 of 2 rows, first in row 2\."):
        column(read_table(path), "label", "a.jsonl")


@pytest.mark.parametrize(
    ("content", "separator"), [("text;label\nx;1\n", ","), ("text|label\nx|1\n", "")]
)
def test_a_header_of_one_column_is_asked_for_its_separator(tmp_path, content, separator):
    table = read_table(written(tmp_path / "a.csv", content), separator=separator)
    meant = content[4]
    with pytest.raises(ValueError, match=rf"Is the separator '\{meant}'\? .*--sep '\{meant}'"):
        column(table, "label", "a.csv")


def test_a_separator_can_be_named(tmp_path):
    path = written(tmp_path / "a.csv", "text|a,b\nx|1\n")
    assert list(read_table(path, separator="|").columns) == ["text", "a,b"]
    tabs = written(tmp_path / "b.csv", "text\ta,b,c\nx\t1\n")
    assert list(read_table(tabs, separator="\\t").columns) == ["text", "a,b,c"]
    with pytest.raises(ValueError, match="one character, got '::'"):
        read_table(path, separator="::")
