"""What a column of labels is taken for: one label a row, several, or numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pandas import DataFrame

from sktransfer import load
from sktransfer.cli.output import write_table
from sktransfer.cli.table import read_table

TEXTS = ["a lovely film", "great fun, all of it", "a dull film", "boring from start to end"] * 6
PRICES = [f"{20 + i / 7:.2f}" for i in range(24)]


@pytest.fixture
def train(tmp_path, train_quickly):
    """Train on texts with these labels; give what the command did, and the model's folder."""

    def run(labels, *more):
        data, model = tmp_path / "in.csv", tmp_path / "model"
        write_table(DataFrame({"text": TEXTS, "label": labels}, dtype=object), data, force=True)
        return train_quickly(data, model, "--force", *more), model

    return run


@pytest.mark.parametrize(
    ("labels", "more", "name", "said"),
    [
        (["1", "2", "3", "4"] * 6, (), "TransferTextClassifier", ""),
        (PRICES, (), "TransferTextRegressor", "24 different numbers"),
        (["4.5", "3.5", "1.0", "2.5"] * 6, (), "TransferTextRegressor", "4 different numbers"),
        (["4.5", "3.5"] * 12, ("--task", "classification"), "TransferTextClassifier", ""),
        (["1", "2"] * 12, ("--task", "regression"), "TransferTextRegressor", ""),
        (["joy|calm", "joy", "anger", "anger"] * 6, (), "TransferTextClassifier", "'joy|calm'"),
    ],
    ids=["stars", "prices", "halves", "labels", "numbers", "several"],
)
def test_the_task_is_read_off_the_labels_with_a_word_unless_it_is_given(
    train, labels, more, name, said
):
    done, model = train(labels, *more)
    assert done.exit_code == 0, done.output
    assert type(load(model)).__name__ == name
    assert said in done.stderr
    assert "--task classification" in done.stderr or not said


def test_several_labels_of_a_cell_are_predicted_by_themselves(train, tmp_path, sktransfer):
    done, model = train(["joy; calm", "joy", "anger", "anger"] * 6, "--label-sep", ";")
    assert done.exit_code == 0, done.output
    clf = load(model)
    assert clf.classes_.tolist() == ["anger", "calm", "joy"]
    assert clf.multilabel_
    assert "anger 12, calm 6" in done.stdout or "joy 12, anger 12, calm 6" in done.stdout
    done = sktransfer("predict", model, tmp_path / "in.csv", "--output", tmp_path / "out.csv")
    assert done.exit_code == 0, done.output
    found = read_table(tmp_path / "out.csv")["prediction"].tolist()
    assert set("|".join(found).split("|")) <= {"anger", "calm", "joy", ""}


def test_numbers_are_predicted_and_measured_as_numbers(train, tmp_path, sktransfer):
    done, model = train(PRICES)
    assert "numbers from 20 to 23.29" in " ".join(done.stdout.split())
    done = sktransfer("evaluate", model, tmp_path / "in.csv", "--json")
    assert done.exit_code == 0, done.output
    assert np.isfinite(json.loads(done.stdout)["rmse"])


@pytest.mark.parametrize(
    ("labels", "more", "said"),
    [
        ([f"label {i}" for i in range(24)], (), "another label in each of 24 rows"),
        (["1", "two"] * 12, ("--task", "regression"), "'two' as 'label' in row 2 (line 3)"),
        (["1", "2"] * 12, ("--task", "regression", "--balanced"), "--balanced"),
        (["a", "b"] * 12, ("--task", "clustering"), "'clustering'"),
    ],
    ids=["ids", "no number", "balanced", "no task"],
)
def test_labels_that_do_not_fit_the_task_are_named(train, labels, more, said):
    done, model = train(labels, *more)
    assert done.exit_code != 0
    assert said in " ".join(done.stderr.split())
    assert not model.exists()


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_separator_of_labels_and_a_task_without_several_are_refused_together(train, task):
    done, model = train(["1", "2"] * 12, "--task", task, "--label-sep", "|")
    assert done.exit_code == 2
    said = " ".join(done.stderr.replace("│", " ").split())
    assert (
        f"Invalid value for --label-sep: it parts several labels of a cell, and --task {task}"
        in (said)
    )
    assert not model.exists()


def test_a_separator_of_labels_that_is_typed_asks_for_several(train):
    done, model = train(["joy", "anger", "joy; anger", "joy"] * 6, "--label-sep", ";")
    assert done.exit_code == 0, done.output
    assert load(model).multilabel_


@pytest.mark.parametrize(
    ("labels", "hint"),
    [
        (["joy; anger", "joy", "anger", "calm"] * 6, "--label-sep ';'"),
        (["joy, anger", "joy", "anger", "calm"] * 6, "--label-sep ','"),
        (["Oils, fats", "Bread", "Fish, meat", "Tea"] * 6, ""),
    ],
)
def test_labels_of_which_parts_are_labels_are_asked_for_their_separator(train, labels, hint):
    done, model = train(labels)
    assert done.exit_code == 0, done.output
    assert not load(model).multilabel_
    assert ("--label-sep" in done.stderr) == bool(hint)
    assert hint in done.stderr


def test_many_whole_numbers_are_asked_for_the_task(tmp_path, train_quickly, error_of):
    rows = DataFrame(
        {"text": [f"film {i}" for i in range(200)], "label": [i % 50 for i in range(200)]}
    )
    write_table(rows, tmp_path / "ratings.csv")
    said = error_of(train_quickly(tmp_path / "ratings.csv", tmp_path / "m"))
    assert said.startswith("the column 'label' holds 50 different whole numbers")
    assert "--task regression" in said
    assert "--task classification" in said
    done = train_quickly(tmp_path / "ratings.csv", tmp_path / "m", "--task", "classification")
    assert done.exit_code == 0, done.output
    assert len(load(tmp_path / "m").classes_) == 50


def test_a_search_goes_by_a_score_of_the_task(tmp_path, sktransfer):
    data = tmp_path / "in.csv"
    write_table(DataFrame({"text": TEXTS, "label": PRICES}, dtype=object), data)
    done = sktransfer(
        *("tune", data, "--backbone", "hashing", "--freeze", "frozen", "--trials", 1, "--cv", 2)
    )
    assert done.exit_code == 0, done.output
    assert "r2" in done.stdout
