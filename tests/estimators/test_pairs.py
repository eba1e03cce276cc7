"""Pairs of texts: two columns in their order, which are never taken for single texts."""

from __future__ import annotations

import json
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from sklearn.model_selection import GridSearchCV, cross_val_score

from sktransfer import TransferTextClassifier, TransferTextEncoder, TransferTextRegressor, load
from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.heads.linear import LinearHead
from sktransfer.persistence.folder import write_manifest

HASHING = HashingBackbone(dim=32, n_buckets=4096)
FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}


@pytest.fixture(params=["hashing", "tiny"])
def backbone(request, tiny_model):
    return HASHING if request.param == "hashing" else TransformerBackbone(tiny_model)


@pytest.fixture(scope="module")
def texts(movie):
    return [text[:20] for text in movie[0][:60]], [text[:20] for text in movie[0][60:120]]


@pytest.fixture(scope="module")
def labels(movie):
    return movie[1][:60]


def frame(texts, kind="pandas"):
    return FRAMES[kind]({"question": texts[0], "answer": texts[1]})


def quick(backbone, cls=TransferTextClassifier, **params):
    defaults = {"freeze": "frozen", "random_state": 0, "precision": "fp32", "pairs": True}
    params = defaults | params
    return cls(backbone, **params)


def encoded(backbone, X, pairs=True):
    return quick(backbone, TransferTextEncoder, pairs=pairs).fit_transform(X)


# --- what a pair becomes ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FRAMES)
def test_pairs_are_the_same_whatever_frame_they_come_in(backbone, texts, kind):
    encoder = quick(backbone, TransferTextEncoder).fit(frame(texts))
    assert encoder.pairs_
    found = encoder.transform(frame(texts, kind))
    np.testing.assert_array_equal(found, encoder.transform(frame(texts)))
    assert found.shape[0] == 60


def test_the_order_of_a_pair_matters(backbone, texts):
    there, back = encoded(backbone, frame(texts)), encoded(backbone, frame(texts[::-1]))
    assert (np.abs(there - back).max(axis=1) > 1e-3).all()


def test_both_texts_of_a_pair_matter(backbone, texts):
    pairs = encoded(backbone, frame(texts))
    for changed in ((texts[0], texts[1][::-1]), (texts[0][::-1], texts[1])):
        assert (np.abs(encoded(backbone, frame(changed)) - pairs).max(axis=1) > 1e-3).all()


def test_a_pair_is_not_the_joined_text(backbone, texts):
    joined = [f"{a} {b}" for a, b in zip(*texts, strict=True)]
    difference = np.abs(encoded(backbone, frame(texts)) - encoded(backbone, joined, pairs=False))
    assert (difference.max(axis=1) > 1e-3).all()


def test_columns_may_be_numbered_as_pandas_numbers_them(texts, labels):
    array = np.array(texts, dtype=object).T
    clf = quick(HASHING).fit(frame(texts), labels)
    expected = clf.predict_proba(frame(texts))
    np.testing.assert_array_equal(clf.predict_proba(pd.DataFrame(array)), expected)
    one = quick(HASHING, pairs=False).fit(pd.DataFrame(texts[0]), labels)
    np.testing.assert_array_equal(
        one.predict_proba(pd.DataFrame(texts[0], columns=[7])), one.predict_proba(texts[0])
    )


def test_other_names_of_columns_do_not_matter_and_another_order_of_the_same_is_refused(texts):
    clf = quick(HASHING, TransferTextEncoder).fit(frame(texts))
    renamed = frame(texts).rename(columns={"question": "z", "answer": "a"})
    np.testing.assert_array_equal(clf.transform(renamed), clf.transform(frame(texts)))
    with pytest.raises(ValueError, match=r"pass X\[\['question', 'answer'\]\]"):
        clf.transform(frame(texts)[["answer", "question"]])
    turned = renamed[["a", "z"]]
    assert not np.array_equal(clf.transform(turned), clf.transform(renamed))


def test_bert_is_told_which_text_each_token_belongs_to(tiny_model):
    encoder = TransformerBackbone(tiny_model).load(device="cpu", random_state=0)
    encoder.module.eval()
    rows = encoder.prepare([("a film", "it is good"), ("dull", "")])
    batch = encoder.collate(rows)
    assert rows[0].types == [0, 0, 0, 0, 1, 1, 1, 1]
    assert batch["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 0, 0, 0, 0]]
    ids = encoder._tokenizer("a film", "it is good")
    assert rows[0].ids == ids["input_ids"]
    assert "token_type_ids" not in encoder.collate(encoder.prepare(["a film"]))
    with torch.no_grad():
        found = encoder.forward(batch)[0]
        whole = {name: torch.tensor([value]) for name, value in ids.items()}
        states = encoder.module(**whole).last_hidden_state[0]
        untold = encoder.module(input_ids=whole["input_ids"]).last_hidden_state[0]
    torch.testing.assert_close(found, states.mean(dim=0))
    assert (found - untold.mean(dim=0)).abs().max() > 1e-3


def test_the_longer_text_of_a_pair_is_cut_and_counted(tiny_model):
    backbone = TransformerBackbone(tiny_model, max_length=12)  # three tokens are special
    encoder = backbone.load(device="cpu", random_state=0)
    long = " ".join(["film"] * 20)
    pairs = [(long, "a dull movie"), ("a dull movie", long), ("a film", "dull"), (long, long)]
    rows = encoder.prepare(pairs)
    assert [len(row) for row in rows] == [12, 12, 6, 12]
    assert [(row.tokens, row.cut) for row in rows] == [(23, 14), (23, 14), (3, 0), (40, 31)]
    dull = encoder._tokenizer.convert_tokens_to_ids("dull")
    assert all(dull in row.ids for row in rows[:3])  # the short text is still there
    table = pd.DataFrame(pairs)
    with pytest.warns(
        UserWarning, match="66% of the training texts' tokens are cut off, in 3 of 4"
    ):
        fitted = quick(backbone, TransferTextEncoder).fit(table)
    report = fitted.truncation_report_
    assert report == {"texts": 4, "texts_cut": 3, "tokens": 89, "tokens_cut": 59}


def test_a_pair_of_a_million_words_is_read_in_bounded_time_and_space(tiny_model):
    encoder = TransformerBackbone(tiny_model).load(device="cpu", random_state=0)
    rows = encoder.prepare([("good " * 1_000_000, "bad " * 1_000_000)])
    assert len(rows[0]) == 64
    good, bad = encoder._tokenizer.convert_tokens_to_ids(["good", "bad"])
    assert rows[0].ids.count(good) + rows[0].ids.count(bad) == 61
    assert min(rows[0].ids.count(good), rows[0].ids.count(bad)) >= 30


def test_features_of_pairs_do_not_depend_on_the_batch(backbone, texts):
    encoder = quick(backbone, TransferTextEncoder).fit(frame(texts))
    together = encoder.transform(frame(texts))
    alone = [encoder.transform(frame(texts).iloc[[i]])[0] for i in range(10)]
    np.testing.assert_allclose(together[:10], alone, atol=1e-5)


# --- what is learned ----------------------------------------------------------------------------


def questions(n, seed):
    """Pairs whose label is whether the first text is good: the second is there to mislead."""
    rng = np.random.RandomState(seed)
    words = np.array(["good", "bad"])
    first, second = rng.randint(2, size=(2, n))
    return frame((words[first], words[second])), first


@pytest.mark.parametrize("freeze", ["frozen", "full"])
def test_a_classifier_tells_the_first_text_from_the_second(backbone, freeze):
    params = {"freeze": freeze, "max_epochs": 8, "lr": 0.01, "head": LinearHead(C=1000.0)}
    clf = quick(backbone, **params).fit(*questions(60, seed=0))
    assert clf.score(*questions(100, seed=1)) == 1.0
    assert clf.pairs_


@pytest.mark.parametrize("cls", [TransferTextClassifier, TransferTextRegressor])
def test_the_tools_of_scikit_learn_split_frames_of_pairs(texts, cls):
    y = np.arange(60) % 2
    scores = cross_val_score(quick(HASHING, cls), frame(texts), y, cv=2, error_score="raise")
    assert np.isfinite(scores).all()
    search = GridSearchCV(quick(HASHING, cls), {"head": ["linear", "mlp"]}, cv=2)
    assert search.fit(frame(texts), y).predict(frame(texts)).shape == (60,)


def test_what_is_saved_still_reads_pairs(backbone, texts, labels, tmp_path):
    clf = quick(backbone).fit(frame(texts), labels)
    clf.save(tmp_path / "model")
    for again in (load(tmp_path / "model"), pickle.loads(pickle.dumps(clf)), clf):
        np.testing.assert_array_equal(
            again.predict_proba(frame(texts, "polars")), clf.predict_proba(frame(texts))
        )
        with pytest.raises(ValueError, match=r"X holds single texts .* pairs=True"):
            again.predict(texts[0])
    np.testing.assert_array_equal(
        clf.encoder_.transform(frame(texts)), encoded(backbone, frame(texts))
    )


def test_a_model_of_pairs_that_was_saved_before_the_parameter_reads_pairs(texts, labels, tmp_path):
    clf = quick(HASHING).fit(frame(texts), labels)
    clf.save(tmp_path / "model")
    path = tmp_path / "model" / "manifest.json"
    manifest = json.loads(path.read_text())
    assert manifest["params"].pop("pairs") is True
    del manifest["checksum"]
    path.unlink()
    write_manifest(tmp_path / "model", manifest)
    again = load(tmp_path / "model")
    assert again.pairs
    np.testing.assert_array_equal(
        again.predict_proba(frame(texts)), clf.predict_proba(frame(texts))
    )


def test_a_refit_may_be_of_the_other_kind(texts, labels):
    clf = quick(HASHING).fit(frame(texts), labels)
    assert not clf.set_params(pairs=False).fit(texts[0], labels).pairs_
    clf.predict(texts[0])
    assert clf.set_params(pairs=True).fit(frame(texts), labels).pairs_


def test_arrays_and_tuples_of_two_texts_are_the_same_pairs_as_a_frame(texts, labels):
    expected = quick(HASHING).fit(frame(texts), labels).predict_proba(frame(texts))
    pairs = list(zip(*texts, strict=True))
    for X in (pairs, [list(pair) for pair in pairs], np.array(pairs), np.array(pairs, object)):
        clf = quick(HASHING).fit(X, labels)
        np.testing.assert_array_equal(clf.predict_proba(X), expected)
        np.testing.assert_array_equal(clf.predict_proba(iter(pairs)), expected)


# --- what is refused ----------------------------------------------------------------------------

SINGLE = r"X holds single texts \(first at index 0: str\), but with pairs=True"
SEVERAL = r"X has 2 columns \(question, answer\).*pass X\['question'\].*pairs=True"


@pytest.mark.parametrize("on_pairs", [True, False])
@pytest.mark.parametrize("cls", [TransferTextClassifier, TransferTextRegressor])
def test_the_other_kind_is_refused_and_changes_nothing(texts, on_pairs, cls):
    kinds = [frame(texts), texts[0]]
    right, wrong = kinds if on_pairs else kinds[::-1]
    y = np.arange(60) % 2
    fitted = quick(HASHING, cls, pairs=on_pairs).fit(right, y)
    state, before = dict(vars(fitted)), fitted.predict(right)
    message = SINGLE if on_pairs else SEVERAL
    for name in ("predict", "predict_proba", "decision_function"):
        if hasattr(fitted, name):
            with pytest.raises(ValueError, match=message):
                getattr(fitted, name)(wrong)
    with pytest.raises(ValueError, match=message):
        fitted.encoder_.transform(wrong)
    with pytest.raises(ValueError, match=message):
        fitted.partial_fit(wrong, y)
    with pytest.raises(ValueError, match=message):
        fitted.fit(wrong, y)
    assert vars(fitted) == state
    np.testing.assert_array_equal(fitted.predict(right), before)


def test_another_value_of_pairs_than_in_the_fit_is_refused(texts, labels):
    clf = quick(HASHING).fit(frame(texts), labels).set_params(pairs=False)
    with pytest.raises(ValueError, match=r"pairs=False, but .* fitted with pairs=True"):
        clf.predict(texts[0])


def test_a_column_of_labels_beside_the_texts_is_not_read_as_their_second_half(texts, labels):
    table = pd.DataFrame({"text": texts[0], "label": labels})
    with pytest.raises(ValueError, match=r"X has 2 columns \(text, label\).*pass X\['text'\]"):
        quick(HASHING, pairs=False).fit(table, labels)


def test_more_columns_are_refused_with_the_transformer_that_encodes_them(texts, labels):
    table = pd.DataFrame({"id": range(60), "title": texts[0], "body": texts[1]})
    with pytest.raises(ValueError, match=r"X has 3 columns .*X\['title'\].*ColumnTransformer"):
        quick(HASHING, pairs=False).fit(table, labels)
    with pytest.raises(ValueError, match=r"X has 3 columns .*pairs=True"):
        quick(HASHING).fit(table, labels)


def test_a_backbone_that_reads_no_pairs_is_refused(texts, labels, monkeypatch):
    monkeypatch.setattr(HashingBackbone, "reads_pairs", False)
    with pytest.raises(ValueError, match=r"pairs=True needs .*'minilm', but backbone is Hashing"):
        quick(HASHING).fit(frame(texts), labels)


def test_lists_in_lists_are_answered_with_what_to_type(texts, labels):
    for X, hint in (
        ([[text] for text in texts[0]], r"\[x\[0\] for x in X\]"),
        (list(zip(*texts, strict=True)), "pairs=True"),
        ([[*text.split(), "a", "b"] for text in texts[0]], r"' '\.join"),
    ):
        with pytest.raises(TypeError, match=r"60 of 60 are not \(first at index 0: .*" + hint):
            quick(HASHING, pairs=False).fit(X, labels)
    with pytest.raises(ValueError, match=r"shape \(60, 2\).*X\[:, 0\].*pairs=True"):
        quick(HASHING, pairs=False).fit(np.array(texts).T, labels)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
@pytest.mark.parametrize(("column", "name"), [(0, "question"), (1, "answer")])
def test_missing_values_are_counted_with_their_column_and_index(texts, labels, kind, column, name):
    sides = [list(side) for side in texts]
    sides[column][7] = sides[column][9] = None
    message = rf"column '{name}'.*2 missing value\(s\) among 60 texts \(first at index 7"
    with pytest.raises(ValueError, match=message):
        quick(HASHING).fit(frame(sides, kind), labels)
    fitted = quick(HASHING).fit(frame(texts), labels)
    with pytest.raises(ValueError, match=message):
        fitted.predict(frame(sides, kind))


def test_numbers_in_a_column_are_named_with_their_type(texts, labels):
    table = frame(texts).assign(answer=range(60))
    with pytest.raises(TypeError, match=r"column 'answer'.*60 of 60 are not .* index 0: int"):
        quick(HASHING).fit(table, labels)


def test_a_blank_second_text_is_no_reason_to_warn_and_a_blank_first_one_is(texts, labels):
    sides = list(texts[0]), [""] * 60
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(HASHING).fit(frame(sides), labels)
    sides[0][3] = " "
    with pytest.warns(
        UserWarning, match=r"1 of 60 texts in X are empty or blank \(first at index 3"
    ):
        quick(HASHING).fit(frame(sides), labels)
