"""Commands that are given images: folders with one folder a class, and single files."""

from __future__ import annotations

import csv
import io
import json
import os

import numpy as np
import pytest

from sktransfer import ImageAugmentation, TransferImageClassifier, TransferImageEncoder, load
from sktransfer.cli.table import read_table
from sktransfer.datasets import read_image_folder
from sktransfer.inspection import mistakes_sheet

pytest.importorskip("sktransfer_vision", reason="pip install ./plugins/sktransfer-vision")
Image = pytest.importorskip("PIL.Image")

DAMAGED = "cannot be read as an image"


@pytest.fixture
def wrongly_labelled(tmp_path, draw_folder, draw):
    """Images of which one lies in the other's folder, and one in that of an unknown class."""
    folder = draw_folder(tmp_path / "held", seed=2)
    draw(folder / "upright" / "moved.png", "lying", 300)
    draw(folder / "dotted" / "odd.png", "lying", 301)
    return folder


def rows_of(done):
    assert done.exit_code == 0, done.output
    return list(csv.DictReader(io.StringIO(done.stdout)))


def usage_error_of(done):
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    return " ".join(done.stderr.replace("│", " ").split())


# --- train ----------------------------------------------------------------------------------------


def test_a_folder_of_images_trains_a_classifier_of_images(tmp_path, photos, train_on_images):
    done = train_on_images(photos, tmp_path / "m")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    assert "lying 6, upright 6" in done.stdout
    assert "Frozen(): as asked for" in done.stdout
    clf = load(tmp_path / "m")
    assert type(clf) is TransferImageClassifier
    assert clf.classes_.tolist() == ["lying", "upright"]
    assert (clf.image_size, clf.augmentation, clf.random_state) == (None, None, 0)


def test_options_reach_the_estimator(tmp_path, photos, train_on_images):
    more = ["--augment", "--image-size", 24, "--head", "mlp", "--freeze", "full", "--max-epochs", 2]
    more += ["--batch-size", 4, "--lr", 0.01, "--balanced", "--seed", 7]
    done = train_on_images(photos, tmp_path / "m", *more)
    assert done.exit_code == 0, done.output
    clf = load(tmp_path / "m")
    assert repr(clf.augmentation) == repr(ImageAugmentation())
    assert (clf.image_size, clf.head, clf.max_epochs, clf.batch_size) == (24, "mlp", 2, 4)
    assert (clf.lr, clf.class_weight, clf.random_state) == (0.01, "balanced", 7)


def test_a_source_with_other_classes(tmp_path, photos, of_images, train_on_images, draw):
    draw(photos / "dotted" / "1.png", "lying", 5)
    done = train_on_images(photos, tmp_path / "m", "--source", of_images)
    assert done.exit_code == 0, done.output
    (stage,) = load(tmp_path / "m").stages_
    assert (stage["stage"], stage["labels_added"]) == ("target", ["dotted"])


def test_the_backbone_is_the_estimators_own_unless_given(tmp_path, photos, sktransfer, draw_folder):
    from sktransfer.plugins import find_weights

    try:
        find_weights("efficientnet-lite0")
    except OSError as error:
        pytest.skip(str(error))
    done = sktransfer("train", photos, "--model", tmp_path / "m", "--freeze", "frozen")
    assert done.exit_code == 0, done.output
    assert load(tmp_path / "m").backbone == "efficientnet-lite0"
    held = draw_folder(tmp_path / "held", seed=2)
    done = sktransfer("evaluate", tmp_path / "m", held, "--json")
    assert json.loads(done.stdout)["accuracy"] > 0.8


def test_images_that_cannot_be_read_are_an_error_that_says_what_to_type(
    tmp_path, damaged, train_on_images, error_of
):
    said = error_of(train_on_images(damaged, tmp_path / "m"))
    assert said.startswith("1 of 13 images cannot be read. ")
    assert f"{damaged / 'lying' / '3x.jpg'} {DAMAGED}" in said
    assert said.endswith("leave it out with --on-bad-image skip.")
    assert not (tmp_path / "m").exists()


def test_images_that_cannot_be_read_are_left_out_on_request(tmp_path, damaged, train_on_images):
    done = train_on_images(damaged, tmp_path / "m", "--on-bad-image", "skip")
    assert done.exit_code == 0, done.output
    (line,) = done.stderr.splitlines()
    assert line.startswith("warning: 1 of 13 images cannot be read; left out: ")
    assert "3x.jpg" in line
    assert "lying 6, upright 6" in done.stdout


def test_a_folder_in_which_nothing_can_be_read(tmp_path, train_on_images, error_of):
    for name in ("a", "b"):
        (tmp_path / "p" / name).mkdir(parents=True)
        (tmp_path / "p" / name / "1.jpg").write_bytes(b"no image")
    said = error_of(train_on_images(tmp_path / "p", tmp_path / "m", "--on-bad-image", "skip"))
    assert said.startswith(f"None of 2 images can be read. {tmp_path / 'p'}")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--backbone", "minilm", "TransferImageClassifier is for images, but backbone='minilm'"),
        ("--backbone", "efficientnet-light0", "Did you mean 'efficientnet-lite0'?"),
        ("--freeze", "frozzen", "Did you mean 'frozen'?"),
    ],
)
def test_what_train_refuses(tmp_path, photos, train_on_images, error_of, option, value, message):
    assert message in error_of(train_on_images(photos, tmp_path / "m", option, value))
    assert os.listdir(tmp_path) == ["photos"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.csv"], "There are no images in folders of"),
        (["1.png", "2.png"], "are the classes, as in "),
        (["cats/1.png"], "are of one class, 'cats'"),
        (["train/a/1.png", "train/b/1.png", "test/a/2.png", "test/b/2.png"], "Give one of them"),
    ],
)
def test_folders_that_are_not_one_a_class(tmp_path, train_on_images, error_of, names, message):
    for name in names:
        path = tmp_path / "p" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    said = error_of(train_on_images(tmp_path / "p", tmp_path / "m"))
    assert message in said
    assert "read_image_folder" not in said


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "nowhere; expected a folder of images, or a table (*.csv"),
        ("photos.zip", "photos.zip has no suffix of an image or a table"),
        ("photos.zip", "Unpack it first."),
        ("notes.txt", "notes.txt has no suffix of an image or a table"),
        ("one.png", "one.png' is a file; expected a folder with one folder a class"),
    ],
)
def test_what_is_neither_a_folder_nor_a_table(tmp_path, train_on_images, error_of, name, message):
    if name != "nowhere":
        (tmp_path / name).touch()
    assert message in error_of(train_on_images(tmp_path / name, tmp_path / "m"))


# --- options of the other kind --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("train", ("--text", "text")),
        ("train", ("--label", "label")),
        ("train", ("--max-length", 32)),
        ("tune", ("--max-length", 32)),
        ("evaluate", ("--label", "x")),
        ("predict", ("--text", "x")),
    ],
)
def test_options_of_texts_are_refused_for_images(
    photos, tmp_path, of_images, sktransfer, command, option
):
    model = {"train": ("--model", tmp_path / "m"), "tune": ()}.get(command)
    before = (of_images,) if model is None else ()
    done = sktransfer(command, *before, photos, *(model or ()), *option)
    said = usage_error_of(done)
    assert f"Invalid value for {option[0]}: it is for " in said
    assert "a table of texts" in said
    assert "is a folder of images" in said


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("train", ("--augment",)),
        ("train", ("--image-size", 64)),
        ("train", ("--on-bad-image", "raise")),
        ("tune", ("--augment",)),
        ("evaluate", ("--sheet", "sheet.png")),
        ("evaluate", ("--on-bad-image", "skip")),
    ],
)
def test_options_of_images_are_refused_for_texts(
    data, tmp_path, trained, sktransfer, command, option
):
    model = {"train": ("--model", tmp_path / "m"), "tune": ()}.get(command)
    before = (trained,) if model is None else ()
    done = sktransfer(command, *before, data, *(model or ()), *option)
    said = usage_error_of(done)
    assert f"Invalid value for {option[0]}: it is for a table of images or a folder of" in said
    assert "is a table of texts" in said
    assert "--image COLUMN" in said


# --- predict --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".jsonl.gz", ".parquet"])
def test_predictions_stand_beside_the_paths(tmp_path, photos, of_images, sktransfer, suffix):
    out = tmp_path / f"out{suffix}"
    done = sktransfer("predict", of_images, photos, "--output", out, "--proba")
    assert done.exit_code == 0, done.output
    table = read_table(out)
    assert list(table.columns) == ["path", "prediction", "proba_lying", "proba_upright", "error"]
    paths = read_image_folder(photos, return_X_y=True)[0]
    clf = load(of_images)
    assert table["path"].tolist() == paths
    assert table["prediction"].tolist() == clf.predict(paths).tolist()
    proba = [float(each) for each in table["proba_upright"].tolist()]
    assert proba == clf.predict_proba(paths)[:, 1].tolist()
    assert set(table["error"].tolist()) <= {"", None}


def test_folders_without_classes_and_single_files_are_predicted(
    tmp_path, photos, of_images, sktransfer, draw
):
    flat = tmp_path / "flat"
    draw(flat / "a.png", "lying", 8)
    draw(flat / "deeper" / "b.PNG", "upright", 9)
    one = photos / "lying" / "0.png"
    rows = rows_of(sktransfer("predict", of_images, one))
    assert [row["path"] for row in rows] == [str(one)]
    rows = rows_of(sktransfer("predict", of_images, one, flat, flat / "a.png"))
    # What is given twice is predicted once.
    assert [row["path"] for row in rows] == [
        str(one),
        str(flat / "a.png"),
        str(flat / "deeper" / "b.PNG"),
    ]
    assert list(rows[0]) == ["path", "prediction", "error"]


def test_predictions_go_on_where_images_cannot_be_read(damaged, of_images, sktransfer):
    done = sktransfer("predict", of_images, damaged, "--proba")
    rows = rows_of(done)
    assert len(rows) == 13
    (bad,) = [row for row in rows if row["error"]]
    assert bad["path"] == str(damaged / "lying" / "3x.jpg")
    assert bad["error"].startswith(f"{DAMAGED}: ")
    assert bad["prediction"] == bad["proba_lying"] == bad["proba_upright"] == ""
    good = [row for row in rows if not row["error"]]
    clf = load(of_images)
    assert [row["prediction"] for row in good] == clf.predict([r["path"] for r in good]).tolist()
    (line,) = done.stderr.splitlines()
    assert line.startswith("warning: 1 of 13 images cannot be read; no prediction: ")


def test_predicting_nothing_is_an_error(tmp_path, of_images, sktransfer, error_of):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.png").write_bytes(b"no image")
    for given, message in [
        (tmp_path / "empty", f"There are no images in {tmp_path / 'empty'}"),
        (tmp_path / "bad.png", f"None of 1 images can be read. {tmp_path / 'bad.png'} {DAMAGED}"),
        (tmp_path / "none.png", f"There is no {tmp_path / 'none.png'}; expected an image."),
        (tmp_path / "none", f"There is no {tmp_path / 'none'}; expected a folder of images"),
        ("https://b.org/1.jpg", "expected an image. URLs are not fetched: download it first."),
    ]:
        assert message in error_of(sktransfer("predict", of_images, given))


def test_files_of_formats_that_are_not_read_are_named(
    tmp_path, photos, of_images, sktransfer, train_on_images, error_of
):
    (tmp_path / "only").mkdir()
    for file in (tmp_path / "IMG_1.HEIC", tmp_path / "only" / "1.dng", photos / "lying" / "2.heic"):
        file.write_bytes(b"x")
    said = error_of(sktransfer("predict", of_images, tmp_path / "IMG_1.HEIC"))
    assert said.endswith("IMG_1.HEIC is of a format that is not read (.heic): convert it to JPEG.")
    said = error_of(sktransfer("predict", of_images, tmp_path / "none.HEIC"))
    assert said.startswith(f"There is no {tmp_path / 'none.HEIC'}")
    said = error_of(sktransfer("predict", of_images, tmp_path / "only"))
    assert "There are no images in" in said
    assert said.endswith(
        "1 file of a format that is not read (.dng) is left out: convert it to JPEG."
    )
    for done in (
        sktransfer("predict", of_images, photos),
        train_on_images(photos, tmp_path / "m"),
    ):
        assert done.exit_code == 0, done.output
        (line,) = done.stderr.splitlines()
        assert line.startswith("warning: ")
        assert "1 file of a format that is not read (.heic) is left out" in line


def test_a_table_stands_alone(photos, data, trained, sktransfer, error_of):
    for given in ((photos, data), (data, data)):
        said = error_of(sktransfer("predict", trained, *given))
        assert said.startswith(f"{data} is a table")
        assert " 2 paths" in said


def test_a_model_that_predicts_nothing(tmp_path, photos, network, sktransfer, error_of):
    paths = read_image_folder(photos, return_X_y=True)[0]
    TransferImageEncoder(network, random_state=0).fit(paths).save(tmp_path / "m")
    for command in ("predict", "evaluate"):
        said = error_of(sktransfer(command, tmp_path / "m", photos))
        assert "holds a TransferImageEncoder, which predicts nothing" in said


# --- models of the other kind ---------------------------------------------------------------------


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_model_of_texts_is_given_no_images(trained, photos, sktransfer, error_of, command):
    said = error_of(sktransfer(command, trained, photos))
    assert f"{trained} holds a TransferTextClassifier, which expects a table of texts" in said
    assert said.endswith(f"{photos}, a folder of images.")
    if command == "predict":
        said = error_of(sktransfer(command, trained, photos / "lying" / "0.png"))
        assert said.endswith("0.png, an image.")


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_model_of_images_is_given_no_texts(tmp_path, of_images, sktransfer, error_of, command):
    # Its columns are no matter.
    (tmp_path / "files.csv").write_text("file,class\na.jpg,cat\n")
    said = error_of(sktransfer(command, of_images, tmp_path / "files.csv"))
    assert "holds a TransferImageClassifier, which expects a folder of images" in said
    assert said.endswith("files.csv, a table of texts.")


# --- evaluate -------------------------------------------------------------------------------------


def test_scores_are_those_of_the_folders(wrongly_labelled, of_images, sktransfer):
    done = sktransfer("evaluate", of_images, wrongly_labelled, "--json")
    assert done.exit_code == 0, done.output
    measured = json.loads(done.stdout)
    paths, labels = read_image_folder(wrongly_labelled, return_X_y=True)
    right = load(of_images).predict(paths) == labels
    assert measured["rows"] == 14
    assert measured["accuracy"] == pytest.approx(right.mean())
    assert measured["unknown_labels"] == {"dotted": 1}
    assert "warning: 1 of 14 rows have a label that the model does not know" in done.stderr


def test_mistakes_are_written_and_drawn(tmp_path, wrongly_labelled, of_images, sktransfer):
    out, sheet = tmp_path / "errors.csv", tmp_path / "sheet.png"
    done = sktransfer("evaluate", of_images, wrongly_labelled, "--errors", out, "--sheet", sheet)
    assert done.exit_code == 0, done.output
    said = done.stderr.replace("\n", " ")
    assert "the most confident mistakes drawn in" in said
    table = read_table(out)
    assert list(table.columns) == [
        "path", "label", "prediction", "confidence", "probability_of_label"
    ]  # fmt: skip
    names = {os.path.relpath(path, wrongly_labelled) for path in table["path"].tolist()}
    assert os.path.join("dotted", "odd.png") in names
    expected = mistakes_sheet(
        load(of_images), *read_image_folder(wrongly_labelled, return_X_y=True)
    )
    with Image.open(sheet) as drawn:
        assert drawn.format == "PNG"
        assert (np.asarray(drawn) == np.asarray(expected)).all()
    assert sorted(os.listdir(tmp_path)) == ["errors.csv", "held", "sheet.png"]


def test_a_sheet_is_drawn_where_all_is_right(tmp_path, photos, of_images, sktransfer):
    paths = read_image_folder(photos, return_X_y=True)[0]
    for i, (path, name) in enumerate(zip(paths, load(of_images).predict(paths), strict=True)):
        right = tmp_path / "right" / name / f"{i}{os.path.splitext(path)[1]}"
        right.parent.mkdir(parents=True, exist_ok=True)
        os.rename(path, right)
    outputs = ("--sheet", tmp_path / "s.png", "--errors", tmp_path / "e.csv")
    done = sktransfer("evaluate", of_images, tmp_path / "right", *outputs)
    assert done.exit_code == 0, done.output
    assert "0 rows written" in done.stderr
    assert f"no mistakes to draw; {tmp_path / 's.png'} says so" in done.stderr
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.height < 120


def test_what_cannot_be_read_is_not_measured(tmp_path, damaged, of_images, sktransfer, error_of):
    said = error_of(sktransfer("evaluate", of_images, damaged, "--sheet", tmp_path / "s.png"))
    assert said.startswith("1 of 13 images cannot be read. ")
    assert not (tmp_path / "s.png").exists()
    done = sktransfer("evaluate", of_images, damaged, "--json", "--on-bad-image", "skip")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["rows"] == 12
    assert done.stderr.startswith("warning: 1 of 13 images cannot be read; left out: ")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("s.jpg", "*.png"),
        ("none/s.png", "There is no folder"),
        ("there.png", "pass --force"),
    ],
)
def test_a_sheet_is_checked_before_anything_is_read(
    tmp_path, photos, sktransfer, error_of, name, message
):
    (tmp_path / "there.png").write_text("mine")
    done = sktransfer("evaluate", tmp_path / "no model", photos, "--sheet", tmp_path / name)
    assert message in error_of(done)
    assert (tmp_path / "there.png").read_text() == "mine"


def test_two_pictures_are_two_files(tmp_path, photos, of_images, sktransfer, error_of):
    both = ("--sheet", tmp_path / "p.png", "--confusion", tmp_path / "p.png")
    assert "are the same file" in error_of(sktransfer("evaluate", of_images, photos, *both))


# --- tune -----------------------------------------------------------------------------------------


def test_settings_for_images_are_searched_and_the_best_model_is_saved(
    tmp_path, damaged, network, sktransfer
):
    more = ("--cv", 2, "--freeze", "frozen", "--device", "cpu", "--on-bad-image", "skip")
    more += ("--image-size", 24, "--model", tmp_path / "m")
    done = sktransfer("tune", damaged, "--backbone", network, "--trials", 2, *more)
    assert done.exit_code == 0, done.output
    assert done.stdout.split()[:3] == ["trial", "accuracy", "settings"]
    said = " ".join(done.stderr.split())
    assert "warning: 1 of 13 images cannot be read; left out" in said
    assert "trained with the best settings on 12 images, in" in said
    clf = load(tmp_path / "m")
    assert (type(clf), clf.image_size) == (TransferImageClassifier, 24)


def test_tuning_stops_at_images_that_cannot_be_read(damaged, network, sktransfer, error_of):
    said = error_of(sktransfer("tune", damaged, "--backbone", network, "--trials", 1, "--cv", 2))
    assert said.startswith("1 of 13 images cannot be read. ")
