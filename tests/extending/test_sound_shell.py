"""The command line reads a third modality, which no line of the core names."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from test_sound import distribution, tones  # noqa: F401
from typer.testing import CliRunner

from sktransfer import load
from sktransfer.cli.main import app

FAST = ("--freeze", "frozen", "--device", "cpu")


@pytest.fixture(autouse=True)
def _installed(distribution, monkeypatch):  # noqa: F811
    monkeypatch.syspath_prepend(distribution)


@pytest.fixture
def shell():
    """Run a command; give what it printed."""

    def run(*arguments, exit_code=0):
        done = CliRunner().invoke(app, [str(each) for each in arguments], prog_name="sktransfer")
        assert done.exit_code == exit_code, done.output
        return done.stdout if exit_code == 0 else " ".join(done.stderr.replace("│", " ").split())

    return run


@pytest.fixture
def clips(tmp_path):
    """Files of tones, one folder a class."""
    folder = tmp_path / "clips"
    X, y = tones(24, np.random.default_rng(0))
    for i, (x, label) in enumerate(zip(X, y, strict=True)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        np.save(folder / label / f"{i:02}.npy", x)
    return folder


@pytest.fixture
def model(tmp_path, clips, shell):
    shell("train", clips, "--model", tmp_path / "model", *FAST)
    return tmp_path / "model"


def test_a_folder_of_sounds_trains_a_classifier_of_sounds(model):
    clf = load(model)
    assert type(clf).__name__ == "TransferSoundClassifier"
    assert clf.classes_.tolist() == ["high", "low"]


def test_sounds_are_predicted_and_measured(model, clips, shell):
    rows = list(csv.DictReader(io.StringIO(shell("predict", model, clips, "--proba"))))
    assert list(rows[0]) == ["path", "prediction", "proba_high", "proba_low"]
    paths = sorted(str(path) for path in clips.rglob("*.npy"))
    assert [row["path"] for row in rows] == paths
    assert [row["prediction"] for row in rows] == load(model).predict(paths).tolist()
    one = next(csv.DictReader(io.StringIO(shell("predict", model, paths[0]))))
    assert one["prediction"] == rows[0]["prediction"]
    measured = json.loads(shell("evaluate", model, clips, "--json"))
    assert measured["rows"] == 24
    assert measured["accuracy"] > 0.7


def test_a_model_without_a_baseline_is_scored_alone(tmp_path, clips):
    train = ("train", clips, "--model", tmp_path / "m", "--hold-out", 0.25, *FAST)
    done = CliRunner().invoke(app, [str(each) for each in train])
    assert done.exit_code == 0, done.output
    assert "this model" in done.stdout
    assert "baseline" not in done.stdout
    assert "warning: there is no baseline to compare with: SoundModality has no" in done.stderr


def test_settings_are_searched_for_sounds(clips, shell):
    done = shell("tune", clips, "--trials", 2, "--cv", 2, *FAST)
    assert "backbone__dim=" in " ".join(done.split())


def test_a_column_of_a_table_names_files_of_sounds(tmp_path, model, clips, shell):
    table = tmp_path / "table.csv"
    paths = sorted(clips.rglob("*.npy"))
    rows = [f"{path.relative_to(clips)},{path.parent.name}\n" for path in paths]
    table.write_text("clip,label\n" + "".join(rows))
    columns = ("--sound", "clip", "--sound-folder", clips)
    assert json.loads(shell("evaluate", model, table, *columns, "--json"))["rows"] == 24
    shell("train", table, *columns, "--max-samples", 32, "--model", tmp_path / "m", *FAST)
    assert load(tmp_path / "m").max_samples == 32


def test_options_for_sounds_are_listed_and_refused_for_others(tmp_path, clips, shell):
    assert "--max-samples" in shell("train", "--help")
    assert "--max-samples" not in shell("predict", "--help")
    (tmp_path / "texts.csv").write_text("text,label\na,b\n")
    train = ("train", tmp_path / "texts.csv", "--model", tmp_path / "m")
    said = shell(*train, "--max-samples", 32, exit_code=2)
    assert "--max-samples" in said
    assert "--sound COLUMN" in said
    said = shell("train", clips, "--model", tmp_path / "m", "--image-size", 9, exit_code=2)
    assert "a folder of sounds" in said


def test_plugins_lists_what_it_brings(shell):
    lines = [line.split() for line in shell("plugins", "--check").splitlines()]
    assert ["modality", "sound", "sktransfer-sound", "ok"] in lines
    assert ["backbone", "spectrum", "sound", "sktransfer-sound", "ok"] in lines
