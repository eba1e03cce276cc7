"""Commands that are given a table with a column of paths of images."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest

from sktransfer import TransferImageClassifier, TransferImageRegressor, load
from sktransfer.cli.table import read_table
from sktransfer.datasets import read_image_folder

pytest.importorskip("sktransfer_vision", reason="pip install ./plugins/sktransfer-vision")
Image = pytest.importorskip("PIL.Image")

COLUMN = ("--image", "file")


def write(path, rows, names=("id", "file", "label")):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])
    return path


def rows_of(folder):
    """Give (id, path relative to the folder, class) of all images below it."""
    paths, classes = read_image_folder(folder / "photos", return_X_y=True)
    relative = [os.path.relpath(path, folder) for path in paths]
    return list(zip(range(len(paths)), relative, classes.tolist(), strict=True))


@pytest.fixture
def table(tmp_path, photos):
    """Twelve images of two classes, in a table beside their folder."""
    return write(tmp_path / "labels.csv", rows_of(tmp_path))


@pytest.fixture
def damaged_table(tmp_path, damaged):
    """The same, with one that is no image in row 8 and one that is missing in row 14."""
    return write(tmp_path / "labels.csv", [*rows_of(tmp_path), (13, "photos/none.png", "lying")])


def predictions(done):
    assert done.exit_code == 0, done.output
    return list(csv.DictReader(io.StringIO(done.stdout)))


def usage_error_of(done):
    assert done.exit_code == 2, done.output
    return " ".join(done.stderr.replace("│", " ").split())


# --- what all commands do -------------------------------------------------------------------------


def test_a_table_of_images_trains_what_their_folders_train(
    tmp_path, photos, table, train_on_images
):
    done = train_on_images(table, tmp_path / "m", *COLUMN)
    assert done.exit_code == 0, done.output
    assert "lying 6, upright 6" in done.stdout
    assert train_on_images(photos, tmp_path / "of_folder").exit_code == 0
    paths = read_image_folder(photos, return_X_y=True)[0]
    found, expected = load(tmp_path / "m"), load(tmp_path / "of_folder")
    assert type(found) is TransferImageClassifier
    assert (found.predict_proba(paths) == expected.predict_proba(paths)).all()


def test_labels_are_in_the_column_that_is_named(tmp_path, photos, train_on_images):
    rows = [(i, path, "even" if i % 2 else "odd") for i, path, _ in rows_of(tmp_path)]
    table = write(tmp_path / "t.csv", rows, names=("id", "file", "kind"))
    done = train_on_images(table, tmp_path / "m", *COLUMN, "--label", "kind")
    assert done.exit_code == 0, done.output
    assert load(tmp_path / "m").classes_.tolist() == ["even", "odd"]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl.gz", ".parquet"])
def test_predictions_stand_beside_all_columns(tmp_path, table, of_images, sktransfer, suffix):
    out = tmp_path / f"out{suffix}"
    done = sktransfer("predict", of_images, table, *COLUMN, "--output", out)
    assert done.exit_code == 0, done.output
    found = read_table(out)
    assert list(found.columns) == ["id", "file", "label", "prediction", "error"]
    assert found["file"].tolist() == [path for _, path, _ in rows_of(tmp_path)]
    paths = read_image_folder(tmp_path / "photos", return_X_y=True)[0]
    assert found["prediction"].tolist() == load(of_images).predict(paths).tolist()


def test_scores_and_the_sheet_are_those_of_the_folders(
    tmp_path, photos, table, of_images, sktransfer
):
    reports, sheets = [], []
    for i, data in enumerate(((table, *COLUMN), (photos,))):
        sheet, errors = tmp_path / f"{i}.png", tmp_path / f"{i}.csv"
        more = ("--json", "--sheet", sheet, "--errors", errors)
        done = sktransfer("evaluate", of_images, *data, *more)
        assert done.exit_code == 0, done.output
        reports.append(json.loads(done.stdout))
        sheets.append(sheet.read_bytes())
    assert reports[0] == reports[1]
    assert sheets[0] == sheets[1]
    assert list(read_table(tmp_path / "0.csv").columns)[:4] == ["id", "file", "label", "prediction"]


def test_settings_are_searched_on_a_table_of_images(tmp_path, table, network, sktransfer):
    more = ("--trials", 1, "--cv", 2, "--freeze", "frozen", "--device", "cpu", "--image-size", 24)
    done = sktransfer(
        "tune", table, *COLUMN, "--backbone", network, *more, "--model", tmp_path / "m"
    )
    assert done.exit_code == 0, done.output
    assert "trained with the best settings on 12 images" in " ".join(done.stderr.split())
    assert load(tmp_path / "m").image_size == 24


# --- where images are looked for ------------------------------------------------------------------


def test_relative_paths_are_relative_to_the_table_and_absolute_ones_are_kept(
    tmp_path, monkeypatch, table, of_images, sktransfer
):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    rows = [("0", rows_of(tmp_path)[0][1]), ("1", str(tmp_path / rows_of(tmp_path)[1][1]))]
    mixed = write(tmp_path / "mixed.csv", rows, names=("id", "file"))
    found = predictions(sktransfer("predict", of_images, mixed, *COLUMN))
    assert [row["error"] for row in found] == ["", ""]
    found = predictions(sktransfer("predict", of_images, Path("..", "labels.csv"), *COLUMN))
    assert {row["error"] for row in found} == {""}


def test_the_folder_of_the_images_can_be_named(tmp_path, photos, of_images, sktransfer):
    names = sorted(each.name for each in (photos / "lying").iterdir())
    table = write(tmp_path / "t.csv", [(name,) for name in names], names=("file",))
    folder = ("--image-folder", photos / "lying")
    found = predictions(sktransfer("predict", of_images, table, *COLUMN, *folder))
    paths = [photos / "lying" / name for name in names]
    assert [row["prediction"] for row in found] == load(of_images).predict(paths).tolist()


def test_images_that_are_not_beside_the_table_are_not_taken_from_the_current_folder(
    tmp_path, monkeypatch, photos, of_images, sktransfer, error_of
):
    (tmp_path / "lists").mkdir()
    table = write(tmp_path / "lists" / "t.csv", rows_of(tmp_path))
    monkeypatch.chdir(tmp_path)
    said = error_of(sktransfer("predict", of_images, table, *COLUMN))
    first = rows_of(tmp_path)[0][1]
    for part in (" 12 images", str(table), "'file'", str(tmp_path / "lists" / first)):
        assert part in said
    assert said.endswith(" --image-folder .")
    done = sktransfer("predict", of_images, table, *COLUMN, "--image-folder", ".")
    assert {row["error"] for row in predictions(done)} == {""}


def test_a_tilde_is_the_home_folder(tmp_path, photos, of_images, sktransfer, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(photos))
    table = write(tmp_path / "t.csv", [("~/lying/0.png",)], names=("file",))
    (row,) = predictions(sktransfer("predict", of_images, table, *COLUMN))
    assert row["error"] == ""
    assert row["prediction"]


def test_images_that_are_nowhere(tmp_path, of_images, sktransfer, error_of):
    table = write(tmp_path / "t.csv", [("a.png",)], names=("file",))
    said = error_of(sktransfer("predict", of_images, table, *COLUMN))
    assert str(tmp_path / "a.png") in said
    assert said.endswith(" --image-folder FOLDER")
    table = write(tmp_path / "t.csv", [("/nowhere/a.png",)], names=("file",))
    said = error_of(sktransfer("predict", of_images, table, *COLUMN))
    assert said.endswith(" /nowhere/a.png.")
    done = sktransfer("predict", of_images, table, *COLUMN, "--image-folder", tmp_path / "no")
    assert "Invalid value for '--image-folder'" in usage_error_of(done)


# --- cells that are no images ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("", "1 of 3 rows"),
        (" ", "blank"),
        ("https://b.org/1.jpg", "'https://b.org/1.jpg'"),
    ],
)
@pytest.mark.parametrize("command", ["train", "predict", "evaluate", "tune"])
def test_blank_paths_and_urls_are_refused_whatever_is_skipped(
    tmp_path, of_images, sktransfer, error_of, command, cell, message
):
    (tmp_path / "a.png").touch()
    rows = [(0, "a.png", "x"), (1, cell, "y"), (2, "a.png", "y")]
    table = write(tmp_path / "t.csv", rows)
    before = (of_images,) if command in ("predict", "evaluate") else ()
    more = {"train": ("--model", tmp_path / "m"), "tune": ("--trials", 1)}.get(command, ())
    skip = () if command == "predict" else ("--on-bad-image", "skip")
    said = error_of(sktransfer(command, *before, table, *COLUMN, *more, *skip))
    if command == "predict" and not cell:
        # A missing path has no prediction; and the two other files are damaged.
        assert said.startswith("None of 3 images can be read")
        return
    for part in (str(table), "'file'", "row 2", message):
        assert part in said


def test_a_path_is_text(tmp_path, of_images, sktransfer, error_of):
    table = tmp_path / "t.jsonl"
    table.write_text('{"file": "a.png"}\n{"file": 7}\n')
    said = error_of(sktransfer("predict", of_images, table, *COLUMN))
    for part in (str(table), "'file'", "row 2", " int;"):
        assert part in said


def test_training_stops_at_the_row_whose_image_cannot_be_read(
    tmp_path, damaged_table, train_on_images, error_of
):
    said = error_of(train_on_images(damaged_table, tmp_path / "m", *COLUMN))
    bad = tmp_path / "photos" / "lying" / "3x.jpg"
    row = read_table(damaged_table)["file"].tolist().index("photos/lying/3x.jpg") + 1
    assert said.startswith(
        f"2 of 14 images cannot be read. {bad} (row {row} of {damaged_table}) cannot be read as an "
    )
    assert said.endswith("leave it out with --on-bad-image skip.")


def test_rows_are_left_out_on_request(
    tmp_path, damaged_table, of_images, sktransfer, train_on_images
):
    skip = (*COLUMN, "--on-bad-image", "skip")
    done = train_on_images(damaged_table, tmp_path / "m", *skip)
    assert done.exit_code == 0, done.output
    assert "lying 6, upright 6" in done.stdout
    assert f"(row 14 of {damaged_table}) cannot be read as an image: No such file" in done.stderr
    done = sktransfer("evaluate", of_images, damaged_table, *skip, "--json")
    assert json.loads(done.stdout)["rows"] == 12


def test_rows_whose_image_cannot_be_read_are_kept_without_a_prediction(
    damaged_table, of_images, sktransfer
):
    done = sktransfer("predict", of_images, damaged_table, *COLUMN, "--proba")
    found = predictions(done)
    assert [row["file"] for row in found] == read_table(damaged_table)["file"].tolist()
    bad = [row for row in found if row["error"]]
    assert [row["file"] for row in bad] == ["photos/lying/3x.jpg", "photos/none.png"]
    assert {row[name] for row in bad for name in ("prediction", "proba_lying")} == {""}
    assert all(row["prediction"] for row in found if not row["error"])
    assert done.stderr.startswith("warning: 2 of 14 images cannot be read; no prediction: ")


@pytest.mark.parametrize("name", ["prediction", "error"])
def test_a_column_that_would_be_replaced_is_refused_before_images_are_read(
    tmp_path, of_images, sktransfer, error_of, name
):
    (tmp_path / "a.png").write_bytes(b"no image")
    table = write(tmp_path / "t.csv", [("a.png", "mine")], names=("file", name))
    said = error_of(sktransfer("predict", of_images, table, *COLUMN))
    assert f"has a column {name!r} already" in said


# --- texts or images ------------------------------------------------------------------------------


def test_texts_and_images_are_not_read_at_once(tmp_path, table, train_on_images):
    done = train_on_images(table, tmp_path / "m", *COLUMN, "--text", "id")
    assert "Invalid value for --text: " in usage_error_of(done)


def test_options_of_texts_are_refused_for_a_table_of_images(tmp_path, table, train_on_images):
    said = usage_error_of(train_on_images(table, tmp_path / "m", *COLUMN, "--max-length", 9))
    assert "--max-length: it is for a table of texts, and" in said
    assert "is a table of images" in said


@pytest.mark.parametrize("option", [COLUMN, ("--image-folder", ".")])
def test_options_of_tables_are_refused_for_folders(tmp_path, photos, train_on_images, option):
    said = usage_error_of(train_on_images(photos, tmp_path / "m", *option))
    assert f"{option[0]}: it is for a table of images, and" in said
    assert "is a folder of images" in said


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_model_of_images_is_told_which_column_holds_them(
    table, of_images, sktransfer, error_of, command
):
    said = error_of(sktransfer(command, of_images, table))
    assert "TransferImageClassifier" in said
    assert "--image COLUMN: 'id', 'file', 'label'." in said


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_model_of_texts_is_told_which_column_holds_them(
    table, trained, sktransfer, error_of, command
):
    said = error_of(sktransfer(command, trained, table, *COLUMN))
    assert "TransferTextClassifier" in said
    assert "--text COLUMN: 'id', 'file', 'label'." in said


@pytest.mark.parametrize("command", ["train", "tune"])
def test_a_source_of_the_other_kind_is_refused_before_images_are_read(
    tmp_path, damaged_table, photos, trained, of_images, sktransfer, error_of, command
):
    (tmp_path / "m").mkdir()
    model = ("--model", tmp_path / "m" / "m")
    for data, source, expected, got in [
        ((damaged_table,), of_images, "a folder of images", "a table of texts"),
        ((damaged_table, *COLUMN), trained, "a table of texts", "a table of images"),
        ((photos,), trained, "a table of texts", "a folder of images"),
    ]:
        said = error_of(sktransfer(command, *data, *model, "--source", source))
        assert said.startswith(str(source))
        assert f"expects {expected}" in said
        assert said.endswith(f"{data[0]}, {got}.")


def test_a_table_without_texts_says_how_columns_are_named(
    tmp_path, table, train_on_images, error_of
):
    said = error_of(train_on_images(table, tmp_path / "m"))
    assert "has no column 'text'. It has: 'id', 'file', 'label'." in said
    assert "--text COLUMN, or one of paths of images with --image COLUMN." in said


def test_a_column_of_images_that_is_not_there(tmp_path, table, train_on_images, error_of):
    said = error_of(train_on_images(table, tmp_path / "m", "--image", "fiel"))
    assert "has no column 'fiel'. Did you mean 'file'? It has: 'id', 'file', 'label'." in said


def test_a_column_of_paths_that_is_trained_on_as_texts_is_warned_of(tmp_path, table, train_quickly):
    done = train_quickly(table, tmp_path / "m", "--text", "file")
    assert done.exit_code == 0, done.output
    (line,) = done.stderr.splitlines()
    assert line.startswith("warning: X looks like paths of images ('photos/lying/0.png')")
    assert line.endswith("name the column of paths with --image COLUMN.")


# --- models that predict numbers ----------------------------------------------------------------


@pytest.fixture
def prices(tmp_path, photos):
    """Paths of twelve images, and a number for each."""
    return {str(tmp_path / path): 5.0 + i for i, path, _ in rows_of(tmp_path)}


@pytest.fixture
def numbered(tmp_path, prices):
    """The same as a table."""
    rows = [(os.path.relpath(path, tmp_path), price) for path, price in prices.items()]
    return write(tmp_path / "numbers.csv", rows, ("file", "price"))


@pytest.fixture
def of_prices(tmp_path, network, prices):
    """A model of these numbers."""
    reg = TransferImageRegressor(network, freeze="frozen", device="cpu", random_state=0)
    reg.fit(list(prices), list(prices.values())).save(tmp_path / "prices")
    return tmp_path / "prices"


def test_numbers_of_images_are_predicted(prices, of_prices, numbered, sktransfer):
    found = predictions(sktransfer("predict", of_prices, numbered, *COLUMN))
    expected = load(of_prices).predict(list(prices))
    assert [float(row["prediction"]) for row in found] == pytest.approx(expected.tolist())
    assert {row["error"] for row in found} == {""}


def test_numbers_of_images_are_compared_with_a_column(prices, of_prices, numbered, sktransfer):
    done = sktransfer("evaluate", of_prices, numbered, *COLUMN, "--label", "price", "--json")
    assert done.exit_code == 0, done.output
    errors = load(of_prices).predict(list(prices)) - list(prices.values())
    measured = json.loads(done.stdout)
    assert (measured["rows"], measured["mae"]) == (12, pytest.approx(abs(errors).mean()))


@pytest.mark.parametrize("option", ["--sheet", "--confusion"])
def test_numbers_have_no_picture_of_labels(tmp_path, of_prices, numbered, sktransfer, option):
    picture = tmp_path / "drawn.png"
    done = sktransfer("evaluate", of_prices, numbered, *COLUMN, "--label", "price", option, picture)
    assert option in usage_error_of(done)
    assert not picture.exists()
