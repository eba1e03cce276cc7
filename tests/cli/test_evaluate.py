import json
import os
import sys

import numpy as np
import pytest
from pandas import DataFrame
from sklearn.metrics import classification_report

from sktransfer import TransferTextClassifier, TransferTextEncoder, TransferTextRegressor, load
from sktransfer.cli._measures import measure, measure_numbers
from sktransfer.cli._mistakes import wrong_labels
from sktransfer.cli.output import write_table
from sktransfer.cli.table import read_table

TEXTS = ["a lovely film", "great fun, all of it", "a dull film", "boring from start to end"] * 4
LABELS = ["good", "good", "bad", "bad"] * 4
# Rows 0 and 3 are held to be what they are not, and row 5 to be what the model does not know.
HELD = ["bad", *LABELS[1:3], "good", LABELS[4], "ugly", *LABELS[6:]]
NUMBERS = [1.0, 2.0, 3.0, 4.0] * 4
SUFFIXES = [".csv", ".csv.gz", ".jsonl", ".parquet"]


@pytest.fixture
def held(tmp_path):
    """A table that the model gets wrong in rows 0, 3 and 5."""
    columns = {"id": list(range(16)), "text": TEXTS, "label": HELD}
    write_table(DataFrame(columns), tmp_path / "held.csv")
    return tmp_path / "held.csv"


@pytest.fixture(scope="module")
def regressor(tmp_path_factory):
    folder = tmp_path_factory.mktemp("regressor") / "model"
    TransferTextRegressor("hashing", freeze="frozen", random_state=0).fit(TEXTS, NUMBERS).save(
        folder
    )
    return folder


@pytest.fixture
def numbers(tmp_path):
    write_table(DataFrame({"text": TEXTS, "label": [9.0, *NUMBERS[1:]]}), tmp_path / "numbers.csv")
    return tmp_path / "numbers.csv"


def test_the_report_is_that_of_scikit_learn(trained, held, sktransfer):
    done = sktransfer("evaluate", trained, held)
    assert done.exit_code == 0, done.output
    report = classification_report(
        HELD, load(trained).predict(TEXTS), digits=4, zero_division=0, output_dict=True
    )
    printed = [line.split() for line in done.stdout.splitlines() if line.strip()]
    rows = {"rows": "16", "accuracy": f"{report['accuracy']:.4f}"}
    assert {words[0]: words[1] for words in printed[:2]} == rows
    assert printed[2] == ["label", "precision", "recall", "F1", "rows"]
    expected = []
    for name, ours in [
        ("bad", ["bad"]),
        ("good", ["good"]),
        ("ugly", ["ugly"]),
        ("macro avg", ["macro", "average"]),
        ("weighted avg", ["weighted", "average"]),
    ]:
        scores = [f"{report[name][key]:.4f}" for key in ("precision", "recall", "f1-score")]
        expected.append([*ours, *scores, f"{report[name]['support']:.0f}"])
    assert printed[3:] == expected


def test_json_has_what_is_printed(trained, held, sktransfer):
    done = sktransfer("evaluate", trained, held, "--json")
    measured = json.loads(done.stdout)
    assert measured["averages"]["macro"]["f1"] == measured["macro_f1"]
    report = classification_report(
        HELD, load(trained).predict(TEXTS), zero_division=0, output_dict=True
    )
    assert measured["averages"]["weighted"]["recall"] == pytest.approx(
        report["weighted avg"]["recall"]
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_errors_are_written_in_every_format(tmp_path, trained, held, sktransfer, suffix):
    out = tmp_path / f"errors{suffix}"
    done = sktransfer("evaluate", trained, held, "--errors", out)
    assert done.exit_code == 0, done.output
    assert f"3 rows written to {out}" in done.stderr.replace("\n", "")
    table = read_table(out)
    assert list(table.columns) == [
        "id", "text", "label", "prediction", "confidence", "probability_of_label"
    ]  # fmt: skip
    clf = load(trained)
    probabilities = clf.predict_proba(TEXTS)
    ids = [int(each) for each in table["id"].tolist()]
    assert sorted(ids) == [0, 3, 5]
    confidence = [float(each) for each in table["confidence"].tolist()]
    assert confidence == sorted(confidence, reverse=True)
    assert confidence == [probabilities[i].max() for i in ids]
    assert table["text"].tolist() == [TEXTS[i] for i in ids]
    assert table["label"].tolist() == [HELD[i] for i in ids]
    assert table["prediction"].tolist() == clf.predict([TEXTS[i] for i in ids]).tolist()
    of_label = dict(zip(ids, table["probability_of_label"].tolist(), strict=True))
    assert float(of_label[0]) == probabilities[0, 0]
    assert float(of_label[3]) == probabilities[3, 1]
    assert of_label[5] in ("", None)


def test_equally_confident_errors_stay_in_the_order_of_the_table():
    probabilities = np.array([[0.6, 0.4], [0.1, 0.9], [0.4, 0.6], [0.9, 0.1], [0.6, 0.4]])
    table = DataFrame({"id": [0, 1, 2, 3, 4]})
    wrong = wrong_labels(table, [True, "False", "x", "False", "True"], probabilities, [False, True])
    assert wrong["id"].tolist() == [1, 0, 2, 4]
    assert wrong["prediction"].tolist() == [True, False, True, False]
    assert wrong["probability_of_label"].tolist() == [0.1, 0.4, None, 0.4]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_model_without_errors_gives_an_empty_table(tmp_path, trained, data, sktransfer, suffix):
    out = tmp_path / f"errors{suffix}"
    done = sktransfer("evaluate", trained, data, "--errors", out)
    assert done.exit_code == 0, done.output
    assert "0 rows written" in done.stderr
    assert out.exists()


def test_errors_need_columns_that_are_free(tmp_path, trained, sktransfer, error_of):
    columns = {"text": TEXTS, "label": LABELS, "confidence": [1.0] * 16}
    write_table(DataFrame(columns), tmp_path / "a.csv")
    message = error_of(
        sktransfer("evaluate", trained, tmp_path / "a.csv", "--errors", tmp_path / "e.csv")
    )
    assert "has a column 'confidence' already" in message
    assert sktransfer("evaluate", trained, tmp_path / "a.csv").exit_code == 0


def test_a_confusion_matrix_is_drawn(tmp_path, trained, held, sktransfer, monkeypatch):
    image = pytest.importorskip("matplotlib.image")
    import sktransfer.inspection.confusion as room

    calls = []
    draw = room.write_confusion
    monkeypatch.setattr(
        room, "write_confusion", lambda *a, **k: (calls.append((*a[:2], k)), draw(*a, **k))
    )
    done = sktransfer("evaluate", trained, held, "--confusion", tmp_path / "c.png")
    assert done.exit_code == 0, done.output
    assert image.imread(tmp_path / "c.png").ndim == 3
    ((true, predicted, options),) = calls
    assert true == HELD
    assert predicted == load(trained).predict(TEXTS).tolist()
    assert options == {"labels": ["bad", "good", "ugly"]}
    assert sorted(os.listdir(tmp_path)) == ["c.png", "held.csv"]


def test_labels_of_any_type_are_drawn(tmp_path, sktransfer, train_quickly):
    pytest.importorskip("matplotlib")
    write_table(DataFrame({"text": TEXTS, "label": [0, 0, 10, 10] * 4}), tmp_path / "data.jsonl")
    write_table(DataFrame({"text": TEXTS, "label": [0, 0, 10, 9] * 4}), tmp_path / "data.csv")
    assert train_quickly(tmp_path / "data.jsonl", tmp_path / "m").exit_code == 0
    outputs = ("--confusion", tmp_path / "c.png", "--errors", tmp_path / "e.jsonl")
    done = sktransfer("evaluate", tmp_path / "m", tmp_path / "data.csv", *outputs)
    assert done.exit_code == 0, done.output
    assert read_table(tmp_path / "e.jsonl")["prediction"].tolist() == [10] * 4


@pytest.mark.parametrize(("option", "name"), [("--confusion", "o.png"), ("--errors", "o.csv")])
def test_an_output_is_only_replaced_by_force(
    tmp_path, trained, held, sktransfer, error_of, option, name
):
    pytest.importorskip("matplotlib")
    out = tmp_path / name
    out.write_text("mine")
    assert "pass --force" in error_of(sktransfer("evaluate", trained, held, option, out))
    assert out.read_text() == "mine"
    assert sktransfer("evaluate", trained, held, option, out, "--force").exit_code == 0
    assert out.read_bytes() != b"mine"


@pytest.mark.parametrize(
    ("option", "name", "message"),
    [
        ("--confusion", "c.jpg", "*.png"),
        ("--confusion", "none/c.png", "There is no folder"),
        ("--errors", "e.txt", "*.csv"),
        ("--errors", "none/e.csv", "There is no folder"),
        ("--errors", "held.csv", "never overwritten"),
    ],
)
def test_outputs_are_checked_before_anything_is_read(
    tmp_path, held, sktransfer, error_of, option, name, message
):
    before = held.read_bytes()
    done = sktransfer("evaluate", tmp_path / "no model", held, option, tmp_path / name, "--force")
    assert message in error_of(done)
    assert os.listdir(tmp_path) == ["held.csv"]
    assert held.read_bytes() == before


def test_without_matplotlib_the_error_says_what_to_install(
    tmp_path, trained, held, sktransfer, error_of, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = sktransfer("evaluate", trained, held, "--confusion", tmp_path / "c.png")
    assert "matplotlib" in error_of(done)
    assert "pip install 'sktransfer[plot]'" in error_of(done)
    assert sktransfer("evaluate", trained, held, "--errors", tmp_path / "e.csv").exit_code == 0


def test_a_picture_that_fails_leaves_the_old_file(tmp_path, trained, held, sktransfer, monkeypatch):
    pytest.importorskip("matplotlib")

    def fail(true, predicted, file, labels):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sktransfer.inspection.confusion.write_confusion", fail)
    (tmp_path / "c.png").write_text("old")
    done = sktransfer("evaluate", trained, held, "--confusion", tmp_path / "c.png", "--force")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1] == "error: [Errno 28] No space left on device"
    assert (tmp_path / "c.png").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["c.png", "held.csv"]


def test_numbers_are_measured_by_how_far_they_are_off(regressor, numbers, sktransfer):
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    done = sktransfer("evaluate", regressor, numbers)
    assert done.exit_code == 0, done.output
    true, predicted = [9.0, *NUMBERS[1:]], load(regressor).predict(TEXTS)
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["rows", "16"],
        ["MAE", f"{mean_absolute_error(true, predicted):.4g}"],
        ["RMSE", f"{root_mean_squared_error(true, predicted):.4g}"],
        ["R2", f"{r2_score(true, predicted):.4f}"],
    ]
    measured = json.loads(sktransfer("evaluate", regressor, numbers, "--json").stdout)
    assert measured == {
        "rows": 16,
        "mae": pytest.approx(mean_absolute_error(true, predicted)),
        "rmse": pytest.approx(root_mean_squared_error(true, predicted)),
        "r2": pytest.approx(r2_score(true, predicted)),
    }


def test_rows_of_numbers_are_sorted_by_how_far_they_are_off(
    tmp_path, regressor, numbers, sktransfer
):
    out = tmp_path / "errors.jsonl"
    assert sktransfer("evaluate", regressor, numbers, "--errors", out).exit_code == 0
    table = read_table(out)
    assert list(table.columns) == ["text", "label", "prediction", "error"]
    errors = table["error"].tolist()
    assert len(errors) == 16
    assert [abs(each) for each in errors] == sorted(map(abs, errors), reverse=True)
    assert table["label"].tolist()[0] == "9.0"
    # Beside other texts the last digit may be another.
    alone = load(regressor).predict(TEXTS[:1])[0]
    assert table["prediction"].tolist()[0] == pytest.approx(alone, rel=1e-6)
    assert errors[0] == table["prediction"].tolist()[0] - 9.0


def test_a_single_number_has_no_r2(tmp_path, regressor, sktransfer):
    assert measure_numbers([1.0], [3.0]) == {"rows": 1, "mae": 2.0, "rmse": 2.0, "r2": None}
    write_table(DataFrame({"text": TEXTS[:1], "label": [1]}), tmp_path / "a.csv")
    assert "needs two rows" in sktransfer("evaluate", regressor, tmp_path / "a.csv").stdout


def test_numbers_have_no_confusion_matrix(tmp_path, regressor, numbers, sktransfer):
    pytest.importorskip("matplotlib")
    done = sktransfer("evaluate", regressor, numbers, "--confusion", tmp_path / "c.png")
    assert done.exit_code == 2
    said = " ".join(done.stderr.replace("│", " ").split())
    assert "Invalid value for --confusion" in said
    assert "predicts numbers; only labels can be taken for one another." in said
    assert done.stdout == ""
    assert not (tmp_path / "c.png").exists()


@pytest.mark.parametrize("cell", ["many", "inf", "nan"])
def test_a_number_is_expected_of_numbers(tmp_path, regressor, sktransfer, error_of, cell):
    write_table(DataFrame({"text": TEXTS[:2], "label": ["1", cell]}), tmp_path / "a.csv")
    message = error_of(sktransfer("evaluate", regressor, tmp_path / "a.csv"))
    assert f"a.csv has {cell!r} as 'label' in row 2 (line 3); the model predicts numbers" in message


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda fast: TransferTextClassifier(**fast).fit(TEXTS, [[0, 1], [1, 0]] * 8),
            "any number of labels a row",
        ),
        (
            lambda fast: TransferTextRegressor(**fast).fit(TEXTS, [[0.5, 1], [1, 0.5]] * 8),
            "predicts 2 numbers a row",
        ),
        (
            lambda fast: TransferTextEncoder(**fast).fit(TEXTS),
            "a TransferTextEncoder, which predicts nothing",
        ),
    ],
    ids=["many labels", "many numbers", "encoder"],
)
def test_models_that_cannot_be_measured(tmp_path, held, sktransfer, error_of, make, message):
    fast = {"backbone": "hashing", "freeze": "frozen", "random_state": 0}
    make(fast).save(tmp_path / "m")
    assert message in error_of(sktransfer("evaluate", tmp_path / "m", held))


def test_averages_are_over_labels_that_occur():
    measured = measure(["a", "b", "b"], ["a", "b", "b"], ["a", "b", "never"])
    assert list(measured["labels"]) == ["a", "b"]
    assert measured["averages"]["macro"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0}
