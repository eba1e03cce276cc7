import csv
import io
import json
import os

import pytest
from pandas import DataFrame

from sktransfer import load
from sktransfer.cli._measures import measure
from sktransfer.cli.output import write_table
from sktransfer.cli.table import read_table
from sktransfer.datasets import fetch_review_snippets

TEXTS = ["a lovely film", "great fun, all of it", "a dull film", "boring from start to end"] * 4
LABELS = ["good", "good", "bad", "bad"] * 4
SUFFIXES = [".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_train_predict_evaluate(tmp_path, sktransfer, train_quickly, suffix):
    data, out, model = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}", tmp_path / "model"
    write_table(DataFrame({"text": TEXTS, "label": LABELS, "note": ["x"] * 16}), data)

    done = train_quickly(data, model)
    assert done.exit_code == 0, done.output
    assert "bad 8, good 8" in done.stdout or "good 8, bad 8" in done.stdout
    assert "Frozen(): as asked for" in done.stdout

    done = sktransfer("predict", model, data, "--output", out, "--proba")
    assert done.exit_code == 0, done.output
    table = read_table(out)
    assert list(table.columns) == [
        "text", "label", "note", "prediction", "proba_bad", "proba_good"
    ]  # fmt: skip
    clf = load(model)
    assert table["text"].tolist() == TEXTS
    assert table["prediction"].tolist() == clf.predict(TEXTS).tolist()
    proba = [float(each) for each in table["proba_good"].tolist()]
    assert proba == clf.predict_proba(TEXTS)[:, 1].tolist()

    done = sktransfer("evaluate", model, out, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["accuracy"] == clf.score(TEXTS, LABELS)


def test_real_texts(tmp_path, sktransfer, train_quickly):
    try:
        texts, signs = fetch_review_snippets("amazon", return_X_y=True)
    except OSError as error:
        pytest.skip(str(error))
    for name, part in (("train", slice(0, 400)), ("test", slice(400, 800))):
        table = DataFrame({"review": texts[part], "sign": signs[part].tolist()})
        write_table(table, tmp_path / f"{name}.csv")
    columns = ("--text", "review", "--label", "sign")
    more = (*columns, "--freeze", "full", "--max-epochs", 5)
    assert train_quickly(tmp_path / "train.csv", tmp_path / "m", *more).exit_code == 0
    done = sktransfer("evaluate", tmp_path / "m", tmp_path / "test.csv", *columns)
    assert done.exit_code == 0, done.output
    accuracy = float(done.stdout.partition("accuracy")[2].split()[0])
    assert accuracy > 0.6


def test_tables_of_other_programs_are_read(tmp_path, trained, sktransfer):
    pytest.importorskip("openpyxl")
    frame = DataFrame({"text": ["très " + text for text in TEXTS], "label": LABELS})
    frame.to_csv(tmp_path / "a.csv", sep=";", encoding="cp1252", index=False)
    frame.to_excel(tmp_path / "a.xlsx", index=False)
    write_table(frame, tmp_path / "b.csv")
    measured = [
        json.loads(sktransfer("evaluate", trained, tmp_path / name, "--json", *more).stdout)
        for name, *more in (("a.csv", "--encoding", "cp1252"), ("a.xlsx",), ("b.csv",))
    ]
    assert measured[0] == measured[1] == measured[2]
    assert measured[0]["rows"] == 16


def test_labels_keep_the_type_that_the_file_gives_them(tmp_path, sktransfer, train_quickly):
    numbers = [int(label == "good") for label in LABELS]
    write_table(DataFrame({"text": TEXTS, "label": numbers}), tmp_path / "data.jsonl")
    write_table(DataFrame({"text": TEXTS, "label": numbers}), tmp_path / "data.csv")
    assert train_quickly(tmp_path / "data.jsonl", tmp_path / "m").exit_code == 0
    assert load(tmp_path / "m").classes_.tolist() == [0, 1]
    measured = [
        json.loads(sktransfer("evaluate", tmp_path / "m", tmp_path / name, "--json").stdout)
        for name in ("data.jsonl", "data.csv")
    ]
    assert measured[0] == measured[1]
    assert list(measured[0]["labels"]) == ["0", "1"]
    assert measured[0]["unknown_labels"] == {}


def test_a_source_with_other_labels(tmp_path, data, trained, train_quickly):
    write_table(DataFrame({"text": TEXTS, "label": ["x", "y"] * 8}), tmp_path / "target.csv")
    done = train_quickly(tmp_path / "target.csv", tmp_path / "m", "--source", trained)
    assert done.exit_code == 0, done.output
    clf = load(tmp_path / "m")
    assert clf.classes_.tolist() == ["x", "y"]
    assert [stage["stage"] for stage in clf.stages_] == ["target"]


def test_the_same_seed_gives_the_same_model(tmp_path, data, sktransfer, train_quickly):
    seeds = {"a": 3, "b": 3, "c": 4}
    for name, seed in seeds.items():
        more = ("--freeze", "full", "--max-epochs", 1, "--seed", seed)
        done = train_quickly(data, tmp_path / name, *more)
        assert done.exit_code == 0, done.output
    proba = {name: load(tmp_path / name).predict_proba(TEXTS).tolist() for name in seeds}
    assert proba["a"] == proba["b"] != proba["c"]


def test_options_reach_the_estimator(tmp_path, data, train_quickly):
    more = ["--freeze", "full", "--head", "mlp", "--max-epochs", 2, "--batch-size", 4, "--lr", 0.01]
    more += ["--balanced", "--early-stopping", "--validation-fraction", 0.25, "--seed", 7]
    assert train_quickly(data, tmp_path / "m", *more).exit_code == 0
    clf = load(tmp_path / "m")
    assert (clf.head, clf.max_epochs, clf.batch_size, clf.lr) == ("mlp", 2, 4, 0.01)
    assert (clf.class_weight, clf.early_stopping) == ("balanced", True)
    assert (clf.validation_fraction, clf.random_state) == (0.25, 7)
    assert clf.stages_[0]["rows_held_out"] == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--freeze", "frozen"), "0, the head fitted to convergence, on cpu in"),
        (("--freeze", "lp_ft", "--max-epochs", 3), "2, after the head fitted to convergence, on"),
        (("--freeze", "full", "--max-epochs", 2), "2 on cpu in"),
    ],
)
def test_the_epochs_that_are_told_are_those_that_were_trained(
    tmp_path, data, train_quickly, options, words
):
    done = train_quickly(data, tmp_path / "m", *options)
    assert done.exit_code == 0, done.output
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("epochs")]
    assert line.removeprefix("epochs").strip().startswith(words)
    assert done.stderr == ""


def test_options_about_epochs_that_had_no_effect_are_named(tmp_path, data, train_quickly):
    done = train_quickly(data, tmp_path / "m", "--max-epochs", 5, "--early-stopping")
    assert done.exit_code == 0, done.output
    assert done.stderr.startswith("warning: --max-epochs and --early-stopping had no effect")
    assert "--freeze" in done.stderr


def test_predictions_go_to_the_standard_output(data, trained, sktransfer):
    done = sktransfer("predict", trained, data)
    assert done.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert list(rows[0]) == ["id", "text", "label", "prediction"]
    assert len(rows) == 16
    assert done.stderr == ""


def test_an_output_is_only_replaced_by_force(tmp_path, data, trained, sktransfer, error_of):
    out = tmp_path / "out.csv"
    out.write_text("mine")
    assert "pass --force" in error_of(sktransfer("predict", trained, data, "--output", out))
    assert out.read_text() == "mine"
    assert sktransfer("predict", trained, data, "--output", out, "--force").exit_code == 0
    assert "prediction" in out.read_text()


def test_an_input_is_not_replaced_even_by_force(data, trained, sktransfer, error_of):
    before = data.read_bytes()
    done = sktransfer("predict", trained, data, "--output", data, "--force")
    assert "never overwritten" in error_of(done)
    assert data.read_bytes() == before


def test_a_model_is_only_replaced_by_force(tmp_path, data, train_quickly, error_of):
    assert train_quickly(data, tmp_path / "m").exit_code == 0
    assert "pass --force" in error_of(train_quickly(data, tmp_path / "m"))
    assert train_quickly(data, tmp_path / "m", "--force").exit_code == 0


def test_a_folder_that_is_no_model_is_never_replaced(tmp_path, data, train_quickly, error_of):
    (tmp_path / "mine").mkdir()
    done = train_quickly(data, tmp_path / "mine", "--force")
    assert f"{tmp_path / 'mine'} exists" in error_of(done)
    assert (tmp_path / "mine").is_dir()


def test_a_prediction_column_is_not_lost(tmp_path, trained, sktransfer, error_of):
    write_table(DataFrame({"text": TEXTS, "prediction": LABELS}), tmp_path / "a.csv")
    done = sktransfer("predict", trained, tmp_path / "a.csv")
    assert "has a column 'prediction' already" in error_of(done)


def test_unknown_labels_count_as_errors(tmp_path, trained, sktransfer):
    write_table(DataFrame({"text": TEXTS, "label": ["ugly", *LABELS[1:]]}), tmp_path / "a.csv")
    done = sktransfer("evaluate", trained, tmp_path / "a.csv")
    assert done.exit_code == 0
    assert "warning: 1 of 16 rows have a label" in done.stderr
    assert "'ugly' (1)" in done.stderr
    assert "ugly" in done.stdout


def test_measure_agrees_with_sklearn():
    from sklearn.metrics import accuracy_score, f1_score

    true = ["1", "2", "10", "1", "3", "accuracy"]
    predicted = [1, 2, 2, 2, 10, 10]
    got = measure(true, predicted, [1, 2, 10])
    as_str = [str(each) for each in predicted]
    assert got["accuracy"] == accuracy_score(true, as_str)
    assert got["macro_f1"] == pytest.approx(f1_score(true, as_str, average="macro"))
    assert list(got["labels"]) == ["1", "2", "10", "3", "accuracy"]
    assert got["unknown_labels"] == {"3": 1, "accuracy": 1}
    assert got["labels"]["1"] == {
        "precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "rows": 2
    }  # fmt: skip


def test_measure_knows_bools():
    assert measure(["True", False], [True, False], [False, True])["accuracy"] == 1.0


def test_labels_are_no_markup(tmp_path, sktransfer, train_quickly):
    labels = ["[red]a[/red]", "[/nothing] :smile:"] * 8
    write_table(DataFrame({"text": TEXTS, "label": labels}), tmp_path / "a.csv")
    done = train_quickly(tmp_path / "a.csv", tmp_path / "m")
    assert done.exit_code == 0, done.output
    done = sktransfer("evaluate", tmp_path / "m", tmp_path / "a.csv")
    assert "[red]a[/red]" in done.stdout
    assert "[/nothing] :smile:" in done.stdout


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--text", "txet", "has no column 'txet'. Did you mean 'text'?"),
        ("--label", "lable", "has no column 'lable'. Did you mean 'label'?"),
        ("--backbone", "hasing", "Did you mean 'hashing'?"),
        ("--freeze", "frozzen", "Did you mean 'frozen'?"),
        ("--head", "liner", "Did you mean 'linear'?"),
        ("--source", "none", "none"),
        ("--max-epochs", "0", "max_epochs"),
        ("--lr", "-1", "lr"),
        ("--validation-fraction", "2", "validation_fraction"),
        ("--max-length", "8", "max_length"),
    ],
)
def test_what_train_refuses(tmp_path, data, train_quickly, error_of, option, value, message):
    assert message in error_of(train_quickly(data, tmp_path / "m", option, value))
    assert not (tmp_path / "m").exists()
    assert sorted(os.listdir(tmp_path)) == ["data.csv"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": ["a", None, "b"], "label": ["x", "y", "x"]}, "lacks 'text' in 1 of 3 rows"),
        ({"text": ["a", "b", "c"], "label": ["x", None, "x"]}, "lacks 'label' in 1 of 3 rows"),
        ({"text": ["a", "b", "c"], "label": ["x", "", "y"]}, "lacks 'label' in 1 of 3 rows"),
        ({"text": [1, 2, 3], "label": ["x", "y", "x"]}, "X has to hold str"),
        ({"text": ["a", "b", "c"], "label": ["x", "x", "x"]}, "only one class"),
        ({"text": ["a", "b", "c"], "label": ["x", 1, "x"]}, "mixes labels"),
        ({"text": ["", " ", ""], "label": ["x", "y", "x"]}, "X has no text"),
    ],
)
def test_data_that_cannot_be_learned_from(tmp_path, train_quickly, error_of, columns, message):
    write_table(DataFrame(columns, dtype=object), tmp_path / "a.jsonl")
    assert message in error_of(train_quickly(tmp_path / "a.jsonl", tmp_path / "m"))


def test_blank_texts_warn_on_one_line(tmp_path, train_quickly):
    write_table(DataFrame({"text": ["", *TEXTS[1:]], "label": LABELS}), tmp_path / "a.csv")
    done = train_quickly(tmp_path / "a.csv", tmp_path / "m")
    assert done.exit_code == 0
    assert done.stderr.startswith("warning: 1 of 16 texts")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_models_that_are_none(tmp_path, data, sktransfer, error_of, command):
    assert "none" in error_of(sktransfer(command, tmp_path / "none", data))
    (tmp_path / "empty").mkdir()
    assert "empty" in error_of(sktransfer(command, tmp_path / "empty", data))


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_tables_that_are_none(tmp_path, trained, sktransfer, error_of, command):
    missing = tmp_path / "none.csv"
    message = error_of(sktransfer(command, trained, missing))
    assert message == f"{missing}: No such file or directory"


def test_a_damaged_model_names_the_file(tmp_path, data, sktransfer, train_quickly, error_of):
    assert train_quickly(data, tmp_path / "m").exit_code == 0
    path = tmp_path / "m" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert "weights.safetensors" in error_of(sktransfer("predict", tmp_path / "m", data))


def test_predict_takes_regressors_and_several_labels_too(tmp_path, sktransfer):
    import numpy as np

    from sktransfer import TransferTextClassifier, TransferTextRegressor

    texts = ["a good film", "a bad film", "dull", "great"] * 3
    reg = TransferTextRegressor("hashing", freeze="frozen", random_state=0)
    reg.fit(texts, [4.0, 2.0, 1.0, 5.0] * 3).save(tmp_path / "stars")
    clf = TransferTextClassifier("hashing", freeze="frozen", random_state=0, threshold=1e-6)
    clf.fit(texts, np.array([[1, 0], [0, 1], [0, 0], [1, 1]] * 3)).save(tmp_path / "tags")
    (tmp_path / "new.csv").write_text("text\na good film\n")
    numbers = sktransfer("predict", tmp_path / "stars", tmp_path / "new.csv")
    assert 0 < float(numbers.stdout.splitlines()[1].split(",")[1]) < 6
    tags = sktransfer("predict", tmp_path / "tags", tmp_path / "new.csv", "--proba")
    assert tags.stdout.splitlines()[0] == "text,prediction,proba_0,proba_1"
    assert tags.stdout.splitlines()[1].startswith("a good film,0|1,")


def test_predictions_come_from_an_onnx_file_where_one_is_given(
    data, trained, sktransfer, tmp_path, monkeypatch, error_of
):
    from sktransfer import load
    from sktransfer.training.module import TransferModule

    file = tmp_path / "model.onnx"
    load(trained).export_onnx(file)
    wanted = sktransfer("predict", trained, data, "--proba").stdout.splitlines()

    def outputs(self, features):
        raise AssertionError("torch was asked")

    monkeypatch.setattr(TransferModule, "outputs", outputs)
    found = sktransfer("predict", trained, data, "--proba", "--onnx", file)
    assert found.exit_code == 0, found.output
    for a, b in zip(csv.reader(found.stdout.splitlines()), csv.reader(wanted), strict=True):
        assert a[:4] == b[:4]
        if a != b:
            assert [float(x) for x in a[4:]] == pytest.approx([float(x) for x in b[4:]], abs=1e-4)
    assert "no ONNX model" in error_of(sktransfer("predict", trained, data, "--onnx", data))


def test_a_missing_text_has_no_prediction_and_a_reason(tmp_path, sktransfer, train_quickly):
    data, model = tmp_path / "in.jsonl", tmp_path / "model"
    write_table(DataFrame({"text": TEXTS, "label": LABELS}), data)
    assert train_quickly(data, model).exit_code == 0
    gaps = tmp_path / "gaps.jsonl"
    write_table(DataFrame({"text": ["a lovely film", None, "boring", ""]}, dtype=object), gaps)
    out = tmp_path / "out.csv"
    done = sktransfer("predict", model, gaps, "--output", out)
    assert done.exit_code == 0, done.output
    assert "1 of 4 texts cannot be read; no prediction" in done.stderr
    assert f"Row 2 of {gaps} is missing" in done.stderr
    table = read_table(out)
    assert list(table.columns) == ["text", "prediction", "error"]
    assert table["prediction"].tolist()[1] == ""
    assert all(each in ("good", "bad") for each in table["prediction"].tolist()[::2])
    assert table["error"].tolist() == ["", "is missing", "", ""]
    write_table(DataFrame({"text": [None, None]}, dtype=object), gaps, force=True)
    done = sktransfer("predict", model, gaps)
    assert done.exit_code == 1
    assert "None of 2 rows can be read" in done.stderr
