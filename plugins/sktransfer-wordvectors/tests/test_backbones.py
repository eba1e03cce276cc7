"""The backbones are held to the contract, and what they learn is carried along."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sktransfer_wordvectors import GRU, BiLSTM, FastText, TextCNN

from sktransfer import TransferTextClassifier, load
from sktransfer.testing import parametrize_with_contracts

TEXTS = [
    "good",
    "a rather long sentence about nothing in particular, with words enough to differ",
    "Not good. Not at all!",
]
SMALL = {
    TextCNN: {"n_filters": 6, "dim": 8, "n_buckets": 64},
    BiLSTM: {"width": 6, "dim": 8, "n_buckets": 64},
    GRU: {"width": 6, "dim": 8, "n_buckets": 64},
    FastText: {"dim": 8, "n_buckets": 64},
}
ALL = pytest.mark.parametrize("cls", list(SMALL), ids=lambda cls: cls.__name__)


@parametrize_with_contracts(
    [*SMALL, *(cls(**params).learned_from(TEXTS) for cls, params in SMALL.items())]
)
def test_contract(plugin, check):
    check(plugin)


@pytest.fixture
def vectors(tmp_path):
    """Vectors of which each word's sentiment is the first number."""
    words = {"good": 2, "fine": 2, "great": 2, "lovely": 2, "bad": -2, "poor": -2, "awful": -2}
    rng = np.random.default_rng(0)
    lines = [
        " ".join([word, str(sign), *(f"{x:.3f}" for x in rng.normal(size=7) / 4)])
        for word, sign in words.items()
    ]
    (tmp_path / "v.txt").write_text("\n".join(lines))
    return tmp_path / "v.txt"


X = ["a good thing", "a bad thing", "quite good", "quite bad"] * 6
Y = ["+", "-"] * 12


def quick(cls, **params):
    backbone = cls(**SMALL[cls], **params.pop("words", {}))
    settings = {"max_epochs": 15, "random_state": 0, "device": "cpu", "lr": 0.02, **params}
    return TransferTextClassifier(backbone, **settings)


@ALL
def test_a_classifier_learns_words(cls):
    clf = quick(cls, freeze="full").fit(X, Y)
    assert clf.score(X, Y) == 1.0
    assert set(clf.backbone_.vocabulary) == {"a", "good", "bad", "thing", "quite"}
    assert clf.backbone.vocabulary == ()
    assert clone(clf).backbone.vocabulary == ()


@ALL
def test_words_that_were_never_trained_are_known_by_their_vectors(cls, vectors):
    clf = quick(cls, words={"vectors": vectors}, freeze="frozen").fit(X, Y)
    # Not of the vocabulary yet: known by their n-grams alone.
    assert "great" not in clf.backbone_.vocabulary
    clf.partial_fit(["great stuff", "awful stuff"] * 4, ["+", "-"] * 4)
    words = clf.backbone_.vocabulary
    assert words[:5] == quick(cls, words={"vectors": vectors}).fit(X, Y).backbone_.vocabulary
    assert {"great", "awful", "stuff"} <= set(words)
    weights = clf.net_.module_.encoder.module["embeddings"].weight.detach()
    known = dict(zip(words, weights[-len(words) :].numpy(), strict=True))
    assert known["great"][0] == 2
    assert known["awful"][0] == -2


@ALL
def test_what_was_trained_of_a_word_stays_with_it(cls):
    clf = quick(cls, freeze="full").fit(X, Y)
    before = clf.net_.state.body["embeddings.weight"]
    words = clf.backbone_.vocabulary
    clf.set_params(freeze="frozen")
    clf.partial_fit(
        ["new words here", "other things there"] * 4, ["x", "y"] * 4, classes=["x", "y"]
    )
    after = clf.net_.state.body["embeddings.weight"]
    assert clf.backbone_.vocabulary[: len(words)] == words
    assert len(after) > len(before)
    assert torch.equal(after[: len(before)], before)


@ALL
def test_a_source_brings_its_words(cls):
    source = quick(cls, freeze="full").fit(X, Y)
    target = quick(cls, freeze="lp_ft", source=FrozenEstimator(source))
    for _ in range(2):
        target = clone(target).fit(["a fine thing", "a poor thing"] * 6, ["+", "-"] * 6)
        words = target.backbone_.vocabulary
        assert words[: len(source.backbone_.vocabulary)] == source.backbone_.vocabulary
        assert "fine" in words
        assert target.stages_[0]["labels_kept"] == ["+", "-"]


@ALL
def test_a_model_is_saved_with_its_words(cls, tmp_path, vectors):
    clf = quick(cls, words={"vectors": vectors}, freeze="full").fit(X, Y)
    expected = clf.predict_proba([*X, "never seen before"])
    clf.save(tmp_path / "model")
    for again in (load(tmp_path / "model"), pickle.loads(pickle.dumps(clf))):
        np.testing.assert_array_equal(again.predict_proba([*X, "never seen before"]), expected)
        assert tuple(again.backbone_.vocabulary) == clf.backbone_.vocabulary


def test_rows_of_zero_weight_bring_no_words():
    clf = quick(TextCNN, freeze="full", max_epochs=1)
    clf.fit([*X, "secret"], [*Y, "+"], sample_weight=[1.0] * 24 + [0.0])
    assert "secret" not in clf.backbone_.vocabulary
