"""``sktransfer tune`` and ``sktransfer dashboard``."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import urllib.request

import pytest
from pandas import DataFrame

from sktransfer import load
from sktransfer.cli.output import write_table
from sktransfer.tuning.candidates import short_name
from sktransfer.tuning.dashboard import make_dashboard

TEXTS = ["a lovely film", "great fun, all of it", "a dull film", "boring from start to end"] * 6
LABELS = ["good", "good", "bad", "bad"] * 6
FAST = ("--backbone", "hashing", "--freeze", "frozen", "--cv", 2, "--device", "cpu")


@pytest.fixture
def rows(tmp_path):
    write_table(DataFrame({"text": TEXTS, "label": LABELS}), tmp_path / "rows.csv")
    return tmp_path / "rows.csv"


@pytest.fixture
def study(tmp_path, rows, sktransfer):
    done = sktransfer("tune", rows, "--trials", 3, *FAST, "--storage", tmp_path / "study.db")
    assert done.exit_code == 0, done.output
    return tmp_path / "study.db"


def test_the_best_trials_are_listed_and_the_best_model_is_saved(tmp_path, rows, sktransfer):
    done = sktransfer("tune", rows, "--trials", 7, *FAST, "--model", tmp_path / "model")
    assert done.exit_code == 0, done.output
    head, *trials = done.stdout.splitlines()
    assert head.split() == ["trial", "accuracy", "settings"]
    firsts = [line for line in trials if line[0].isdigit()]
    assert len(firsts) == 5
    scores = [float(line.split()[1]) for line in firsts]
    assert scores == sorted(scores, reverse=True)
    assert all("head__C=" in line for line in firsts)
    assert "7/7 trials" in done.stderr
    model = load(tmp_path / "model")
    # What the first line says is what the model was trained with.
    assert f"head__C={short_name(model.head.C)}" in firsts[0]
    assert model.predict(["a lovely film", "a dull film"]).tolist() == ["good", "bad"]


def test_the_same_command_goes_on_with_a_study(study, rows, sktransfer):
    done = sktransfer("tune", rows, "--trials", 5, *FAST, "--storage", study)
    assert done.exit_code == 0, done.output
    assert "5/5 trials" in done.stderr
    assert f"sktransfer dashboard {study}" in " ".join(done.stderr.split())
    other = ("tune", rows, "--trials", 5, *FAST, "--scoring", "f1_macro", "--storage", study)
    failed = sktransfer(*other)
    assert failed.exit_code == 1
    assert "exists with scoring='accuracy', not 'f1_macro'" in failed.stderr


def test_the_same_command_goes_on_beside_the_model_and_keeps_it(tmp_path, rows, sktransfer):
    command = ("tune", rows, "--trials", 3, *FAST, "--model", tmp_path / "model")
    first = sktransfer(*command)
    assert first.exit_code == 0, first.output
    study = tmp_path / "model.study.db"
    assert f"the study is kept in {study}" in first.stderr
    assert "stopped after 3 of 3 trials" in first.stderr
    saved = (tmp_path / "model" / "manifest.json").stat().st_mtime_ns
    again = sktransfer(*command)
    assert again.exit_code == 0, again.output
    assert again.stdout == first.stdout
    assert f"going on with the study in {study}" in again.stderr
    assert "was trained with the best settings before" in again.stderr
    assert (tmp_path / "model" / "manifest.json").stat().st_mtime_ns == saved


def test_another_model_is_not_taken_for_that_of_the_study(
    tmp_path, rows, sktransfer, train_quickly
):
    command = ("tune", rows, "--trials", 2, *FAST, "--model", tmp_path / "model")
    assert sktransfer(*command).exit_code == 0
    other = train_quickly(rows, tmp_path / "model", "--force", "--seed", 3)
    assert other.exit_code == 0, other.output
    refused = sktransfer(*command)
    assert refused.exit_code == 1
    assert "pass --force to replace it" in refused.stderr
    forced = sktransfer(*command, "--force")
    assert forced.exit_code == 0, forced.output
    assert "trained with the best settings on" in forced.stderr


def test_a_model_that_is_gone_is_trained_again(tmp_path, rows, sktransfer):
    command = ("tune", rows, "--trials", 2, *FAST, "--model", tmp_path / "model")
    assert sktransfer(*command).exit_code == 0
    shutil.rmtree(tmp_path / "model")
    assert "trained with the best settings on" in sktransfer(*command).stderr
    assert load(tmp_path / "model").predict(["a lovely film"]).tolist() == ["good"]


def test_without_an_output_nothing_is_kept_and_the_reason_is_said(tmp_path, rows, sktransfer):
    before = sorted(tmp_path.iterdir())
    done = sktransfer("tune", rows, "--trials", 2, *FAST)
    assert done.exit_code == 0, done.output
    assert "the study is not kept: with --model or --storage" in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_strategies_are_narrowed_to_those_that_are_named(rows, sktransfer):
    more = ("--freeze", "full", "--max-epochs", 2)
    done = sktransfer("tune", rows, "--trials", 4, *FAST, *more)
    assert done.exit_code == 0, done.output
    assert "freeze=frozen" in done.stdout
    assert "freeze=full" in done.stdout
    assert "freeze=lp_ft" not in done.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--freeze", "frzen"), "frozen"),
        (("--scoring", "acuracy"), "acuracy"),
        (("--label", "sign"), "sign"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(rows, sktransfer, options, words):
    done = sktransfer("tune", rows, "--trials", 2, *FAST, *options)
    assert done.exit_code == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_scorer_gives_the_nearest_and_all_in_order_before_anything_is_read(
    rows, sktransfer, error_of
):
    rows.write_text("no such column\n1\n")
    said = error_of(sktransfer("tune", rows, "--scoring", "acc"))
    assert "no scorer named 'acc'. Did you mean 'accuracy'? It has: " in said
    names = said.partition("It has: ")[2].rstrip(".").split(", ")
    assert len(names) > 20
    assert names == sorted(names)


def test_a_model_is_not_replaced_after_a_search_but_refused_before(tmp_path, rows, sktransfer):
    (tmp_path / "model").mkdir()
    done = sktransfer("tune", rows, "--trials", 2, *FAST, "--model", tmp_path / "model")
    assert done.exit_code == 1
    assert "exists, and sktransfer did not save it" in done.stderr
    assert "trials" not in done.stderr


@pytest.fixture
def served(study):
    pytest.importorskip("optuna_dashboard")
    with make_dashboard(study, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def read(server, path):
    address = f"http://127.0.0.1:{server.server_port}/{path}"
    with urllib.request.urlopen(address, timeout=30) as answer:
        return answer.read().decode()


def test_the_dashboard_shows_the_study(served, capfd):
    (summary,) = json.loads(read(served, "api/studies"))["study_summaries"]
    assert summary["study_name"] == "search"
    trials = json.loads(read(served, f"api/studies/{summary['study_id']}"))["trials"]
    assert [trial["state"] for trial in trials] == ["Complete"] * 3
    assert "head__C" in {param["name"] for trial in trials for param in trial["params"]}
    assert "<title>" in read(served, "dashboard/")
    assert capfd.readouterr() == ("", "")


def test_a_port_that_is_taken_is_an_error(served, study, sktransfer):
    done = sktransfer("dashboard", study, "--port", served.server_port)
    assert done.exit_code == 1
    assert f"127.0.0.1:{served.server_port}" in done.stderr
    assert "port=0" in done.stderr


def test_only_studies_are_opened_and_nothing_is_written_elsewhere(tmp_path, sktransfer):
    pytest.importorskip("optuna_dashboard")
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("create table t (a)")
    before = other.read_bytes()
    for storage, words in [
        (tmp_path / "none.db", "There is no file"),
        (other, "holds no studies"),
        (tmp_path, "is a folder"),
        ("nosuch://host/name", "not a URL of a database"),
    ]:
        done = sktransfer("dashboard", storage)
        assert done.exit_code == 1
        assert words in done.stderr
    assert other.read_bytes() == before
    assert not (tmp_path / "none.db").exists()
