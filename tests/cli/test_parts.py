"""Rows that are not trained on: by a column of the table, or as a share that is held out."""

from __future__ import annotations

import re

import numpy as np
import pytest
from pandas import DataFrame
from sklearn.metrics import accuracy_score, f1_score, r2_score

from sktransfer import load
from sktransfer.cli._comparison import score_baseline
from sktransfer.cli._measures import measure_label_sets
from sktransfer.cli._targets import Targets
from sktransfer.cli.output import write_table
from sktransfer.datasets import fetch_bbc_news, fetch_review_snippets
from sktransfer.modalities.text.modality import TextModality

PARTS = ["train", "Training ", "test", "dev"] * 60


@pytest.fixture(scope="module")
def snippets():
    try:
        texts, signs = fetch_review_snippets("amazon", return_X_y=True)
    except OSError as error:
        pytest.skip(str(error))
    return texts[:240], [str(sign) for sign in signs[:240]]


@pytest.fixture
def data(tmp_path, snippets):
    """Real texts, of which half are trained on and a quarter is scored."""
    texts, signs = snippets
    columns = {"text": texts, "label": signs, "part": PARTS}
    write_table(DataFrame(columns, dtype=object), tmp_path / "in.csv")
    return tmp_path / "in.csv"


def scores_of(done):
    """Give the numbers that were printed of the model and of the baseline."""
    assert done.exit_code == 0, done.output
    lines = [re.split(r"\s{2,}", line.strip()) for line in done.stdout.splitlines() if line]
    ours = next(line for line in lines if line[0] == "this model")
    plain = next((line for line in lines if line[0].startswith("baseline: ")), [])
    return [float(each) for each in ours[1:]], [float(each) for each in plain[1:]]


def rows_trained_on(done):
    return next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("rows "))


def usage_error_of(done):
    assert done.exit_code == 2, done.output
    return " ".join(done.stderr.replace("│", " ").split())


# --- a column of parts ----------------------------------------------------------------------------


def test_a_column_of_parts_says_what_is_trained_on_and_what_is_scored(
    tmp_path, data, snippets, train_quickly
):
    done = train_quickly(data, tmp_path / "m", "--split", "part")
    ours, plain = scores_of(done)
    assert rows_trained_on(done) == "120"
    assert "\n60 rows that it was not trained on" in done.stdout
    assert "fitted on 120 of 240 rows. 60 rows for validation are not used" in done.stderr
    assert "leave --split out" in done.stderr
    texts, signs = (list(each) for each in snippets)
    predicted = load(tmp_path / "m").predict(texts[2::4])
    assert ours[0] == pytest.approx(accuracy_score(signs[2::4], predicted), abs=1e-4)
    assert ours[1] == pytest.approx(f1_score(signs[2::4], predicted, average="macro"), abs=1e-4)
    train = [i for i in range(240) if i % 4 < 2]
    baseline = TextModality().baseline().fit([texts[i] for i in train], [signs[i] for i in train])
    assert plain[0] == pytest.approx(baseline.score(texts[2::4], signs[2::4]), abs=1e-4)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (["train", "test", "extra", "7"], ("'extra' (60)", "'7' (60)", "validation")),
        (["test", "dev"] * 2, ("no rows for training", "'test', 'dev'", "train, training")),
        (["train", "dev"] * 2, ("no rows for test", "'train', 'dev'", "test, testing")),
        (["train", "test", "", "dev"], ("lacks 'part' in 60 of 240 rows", "row 3 (line 4)")),
    ],
)
def test_a_column_that_names_no_parts_is_refused_by_its_names(
    tmp_path, snippets, train_quickly, error_of, parts, words
):
    columns = {"text": snippets[0], "label": snippets[1], "part": parts * 60}
    write_table(DataFrame(columns, dtype=object), tmp_path / "in.csv")
    said = error_of(train_quickly(tmp_path / "in.csv", tmp_path / "m", "--split", "part"))
    for word in words:
        assert word in said
    assert not (tmp_path / "m").exists()


def test_a_column_of_parts_that_is_not_there(tmp_path, data, train_quickly, error_of):
    said = error_of(train_quickly(data, tmp_path / "m", "--split", "prat"))
    assert "no column 'prat'. Did you mean 'part'?" in said


def test_a_label_that_is_only_tested_counts_as_wrong(tmp_path, data, snippets, train_quickly):
    texts, signs = snippets
    labels = ["odd" if i == 2 else sign for i, sign in enumerate(signs)]
    columns = {"text": texts, "label": labels, "part": PARTS}
    write_table(DataFrame(columns, dtype=object), data, force=True)
    ours, _ = scores_of(train_quickly(data, tmp_path / "m", "--split", "part"))
    clf = load(tmp_path / "m")
    assert "odd" not in clf.classes_
    predicted = clf.predict(list(texts[2::4]))
    assert ours[0] == pytest.approx(accuracy_score(labels[2::4], predicted), abs=1e-4)


# --- a share of the rows --------------------------------------------------------------------------


def test_a_share_is_held_out_with_labels_in_equal_shares(tmp_path, data, snippets, train_quickly):
    done = train_quickly(data, tmp_path / "m", "--hold-out", 0.25, "--seed", 3)
    scores_of(done)
    assert rows_trained_on(done) == "180"
    assert "fitted on 180 of 240 rows" in done.stderr
    assert "leave --hold-out out" in done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("labels"))
    shares = dict(zip(*[iter(line.replace(",", "").split()[1:])] * 2, strict=True))
    for sign in set(snippets[1]):
        assert abs(int(shares[sign]) - 0.75 * snippets[1].count(sign)) < 1
    again = train_quickly(data, tmp_path / "n", "--hold-out", 0.25, "--seed", 3)
    assert scores_of(again)[0][:2] == scores_of(done)[0][:2]


def test_equal_texts_are_on_the_same_side(tmp_path, snippets, train_quickly, monkeypatch):
    import sktransfer.cli.train as room

    texts, signs = (list(each[:60]) * 4 for each in snippets)
    write_table(DataFrame({"text": texts, "label": signs}), tmp_path / "in.csv")
    parts = []
    whole = room.parts_by_share
    monkeypatch.setattr(room, "parts_by_share", lambda *a: parts.append(whole(*a)) or parts[-1])
    scores_of(train_quickly(tmp_path / "in.csv", tmp_path / "m", "--hold-out", 0.2))
    (found,) = parts
    assert not {texts[i] for i in found.train} & {texts[i] for i in found.test}
    assert len(found.test) == 48


@pytest.mark.parametrize("share", ["0", "1", "-0.2", "20", "nan"])
def test_a_share_lies_between_0_and_1(tmp_path, data, train_quickly, share):
    said = usage_error_of(train_quickly(data, tmp_path / "m", "--hold-out", share))
    assert "Invalid value for --hold-out" in said
    assert "between 0 and 1" in said


def test_a_share_that_leaves_nothing_is_refused(tmp_path, train_quickly, error_of):
    write_table(DataFrame({"text": ["a", "b"], "label": ["x", "y"]}), tmp_path / "in.csv")
    said = error_of(train_quickly(tmp_path / "in.csv", tmp_path / "m", "--hold-out", 0.9))
    assert "--hold-out 0.9 leaves none of 2 rows to train on" in said


def test_both_ways_at_once_are_refused(tmp_path, data, train_quickly):
    both = ("--hold-out", 0.2, "--split", "part")
    assert "--split says already" in usage_error_of(train_quickly(data, tmp_path / "m", *both))


def test_numbers_and_several_labels_are_scored_beside_a_baseline_of_their_own(
    tmp_path, snippets, train_quickly
):
    texts, signs = snippets
    lengths = [float(len(text)) + 0.5 for text in texts]
    write_table(DataFrame({"text": texts, "label": lengths}), tmp_path / "n.csv")
    done = train_quickly(tmp_path / "n.csv", tmp_path / "n", "--hold-out", 0.25)
    ours, plain = scores_of(done)
    assert "MAE" in done.stdout
    assert "ridge regression" in done.stdout
    assert len(ours) == len(plain) == 4
    labels = [f"{sign}|long" if len(t) > 60 else sign for t, sign in zip(texts, signs, strict=True)]
    write_table(DataFrame({"text": texts, "label": labels}), tmp_path / "s.csv")
    done = train_quickly(tmp_path / "s.csv", tmp_path / "s", "--hold-out", 0.25)
    ours, plain = scores_of(done)
    assert "a logistic regression a label" in done.stdout
    assert load(tmp_path / "s").multilabel_
    assert 0 < ours[0] <= 1
    assert 0 < plain[0] <= 1


def test_folders_of_images_are_held_out_too(tmp_path, photos, train_on_images):
    pytest.importorskip("sktransfer_vision", reason="pip install ./plugins/sktransfer-vision")
    done = train_on_images(photos, tmp_path / "m", "--hold-out", 0.34)
    _, plain = scores_of(done)
    assert rows_trained_on(done) == "7"
    assert "16x16 pixels, PCA, support vector machine" in done.stdout
    assert plain[0] >= 0.6
    said = usage_error_of(train_on_images(photos, tmp_path / "n", "--split", "part"))
    assert "Invalid value for --split: it is for a table" in said


# --- baselines ------------------------------------------------------------------------------------


def test_the_baseline_of_texts_tells_topics_of_real_news():
    try:
        texts, topics = fetch_bbc_news(return_X_y=True)
    except OSError as error:
        pytest.skip(str(error))
    order = np.random.RandomState(0).permutation(len(texts))
    X, y = [texts[i] for i in order[:600]], [str(topics[i]) for i in order[:600]]
    known, held = (Targets("classification", part) for part in (y[:400], y[400:]))
    scored = score_baseline(TextModality(), known, X[:400], held, X[400:])
    assert scored.measured["accuracy"] > 0.9
    assert scored.seconds > 0
    lengths = [float(np.log(len(x))) for x in X]
    pipeline = TextModality().baseline("regression").fit(X[:400], lengths[:400])
    assert r2_score(lengths[400:], pipeline.predict(X[400:])) > 0


def test_the_baseline_of_texts_reads_pairs_and_texts_of_single_letters():
    pairs = [("a question", "x"), ("another one", "y")] * 5
    pipeline = TextModality(pairs=True).baseline().fit(pairs, ["x", "y"] * 5)
    assert pipeline.predict(pairs[:2]).tolist() == ["x", "y"]
    assert TextModality().baseline().fit(["a", "b"] * 5, [0, 1] * 5).predict(["b"]) == [1]


def test_label_sets_are_measured_as_scikit_learn_measures_a_matrix():
    true, predicted = [["a", "b"], ["b"], [], ["c"]], [["a"], ["b", "a"], [], []]
    matrix = [[[int(x in row) for x in "abc"] for row in rows] for rows in (true, predicted)]
    measured = measure_label_sets(true, predicted)
    for name in ("macro", "micro"):
        expected = f1_score(*map(np.array, matrix), average=name, zero_division=0)
        assert measured[f"{name}_f1"] == pytest.approx(expected)
