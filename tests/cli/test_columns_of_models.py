"""A model knows the columns that it was trained on."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil

import pytest
from pandas import DataFrame

from sktransfer.cli.output import write_table
from sktransfer.datasets import read_image_folder
from sktransfer.persistence.about import about
from sktransfer.persistence.folder import MANIFEST, write_manifest

TEXTS = ["a lovely film", "great fun, all of it", "a dull film", "boring from start to end"] * 4
SIGNS = ["good", "good", "bad", "bad"] * 4
COLUMNS = ("--text", "review", "--label", "sign")


@pytest.fixture
def data(tmp_path):
    """A table whose columns have names of their own."""
    write_table(DataFrame({"review": TEXTS, "sign": SIGNS}), tmp_path / "in.csv")
    return tmp_path / "in.csv"


@pytest.fixture
def model(tmp_path, data, train_quickly):
    done = train_quickly(data, tmp_path / "model", *COLUMNS)
    assert done.exit_code == 0, done.output
    return tmp_path / "model"


def measured(done):
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_columns_of_the_training_are_those_of_predictions_and_scores(data, model, sktransfer):
    assert about(model).columns == {"input": "review", "label": "sign"}
    done = sktransfer("predict", model, data)
    assert done.exit_code == 0, done.output
    assert done.stdout == sktransfer("predict", model, data, "--text", "review").stdout
    known, named = (sktransfer("evaluate", model, data, "--json", *m) for m in ((), COLUMNS))
    assert measured(known) == measured(named)
    assert measured(known)["rows"] == 16


def test_a_column_that_is_named_wins(tmp_path, model, sktransfer, error_of):
    columns = {"review": TEXTS, "other": TEXTS[::-1], "sign": SIGNS, "label": SIGNS[::-1]}
    write_table(DataFrame(columns), tmp_path / "both.csv")
    more = ("--text", "other", "--label", "label", "--json")
    assert measured(sktransfer("evaluate", model, tmp_path / "both.csv", *more))["accuracy"] == 1
    more = ("--label", "label", "--json")
    assert measured(sktransfer("evaluate", model, tmp_path / "both.csv", *more))["accuracy"] == 0
    said = error_of(sktransfer("predict", model, tmp_path / "both.csv", "--text", "none"))
    assert "no column 'none'" in said


def test_a_table_without_them_is_read_as_ever(tmp_path, model, sktransfer):
    write_table(DataFrame({"text": TEXTS, "label": SIGNS}), tmp_path / "usual.csv")
    assert measured(sktransfer("evaluate", model, tmp_path / "usual.csv", "--json"))["rows"] == 16


def test_a_search_keeps_the_columns_too(tmp_path, data, sktransfer):
    fast = ("--backbone", "hashing", "--freeze", "frozen", "--trials", 1, "--cv", 2)
    done = sktransfer("tune", data, *COLUMNS, *fast, "--model", tmp_path / "m")
    assert done.exit_code == 0, done.output
    assert about(tmp_path / "m").columns == {"input": "review", "label": "sign"}


def rewritten(model, change):
    """Change the manifest of a model, with a checksum that fits."""
    manifest = json.loads((model / MANIFEST).read_text())
    (model / MANIFEST).unlink()
    content = {k: v for k, v in manifest.items() if k not in ("members", "checksum")}
    write_manifest(model, change(content))


def test_models_of_earlier_versions_have_no_columns(data, model, sktransfer):
    rewritten(model, lambda content: {k: v for k, v in content.items() if k != "columns"})
    assert about(model).columns == {}
    assert measured(sktransfer("evaluate", model, data, *COLUMNS, "--json"))["rows"] == 16
    assert sktransfer("evaluate", model, data).exit_code == 1


@pytest.mark.parametrize("columns", [["review"], {"input": 3}, {"other": "review"}])
def test_columns_that_save_does_not_write_are_refused(model, columns):
    rewritten(model, lambda content: content | {"columns": columns})
    with pytest.raises(ValueError, match=r"manifest\.json cannot be read: its columns are"):
        about(model)


def test_files_that_are_damaged_are_found_when_the_model_is_loaded(data, model, sktransfer):
    path = model / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert about(model).columns
    done = sktransfer("predict", model, data)
    assert done.exit_code == 1
    assert "weights.safetensors is damaged" in done.stderr


def test_a_model_of_a_column_of_paths_reads_it_again(tmp_path, photos, train_on_images, sktransfer):
    pytest.importorskip("sktransfer_vision", reason="pip install ./plugins/sktransfer-vision")
    paths, classes = read_image_folder(photos, return_X_y=True)
    files = [os.path.relpath(path, tmp_path) for path in paths]
    write_table(DataFrame({"file": files, "kind": classes.tolist()}), tmp_path / "t.csv")
    named = ("--image", "file", "--label", "kind")
    done = train_on_images(tmp_path / "t.csv", tmp_path / "m", *named)
    assert done.exit_code == 0, done.output
    done = sktransfer("predict", tmp_path / "m", tmp_path / "t.csv")
    assert done.exit_code == 0, done.output
    assert len(list(csv.DictReader(io.StringIO(done.stdout)))) == 12
    assert (
        measured(sktransfer("evaluate", tmp_path / "m", tmp_path / "t.csv", "--json"))["rows"] == 12
    )
    shutil.rmtree(tmp_path / "m")
    assert train_on_images(photos, tmp_path / "m").exit_code == 0
    assert about(tmp_path / "m").columns == {}
