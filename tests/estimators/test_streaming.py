"""Predictions of an iterator, and of more inputs than fit into memory as features."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import sktransfer.estimators._chunking as chunking
from sktransfer import TransferTextClassifier, TransferTextEncoder, TransferTextRegressor
from sktransfer.backbones.hashing import HashingBackbone, HashingEncoder
from sktransfer.features import encode
from sktransfer.training.module import TransferModule

BACKBONE = HashingBackbone(dim=16, n_buckets=1024)
SETTINGS = {"backbone": BACKBONE, "freeze": "frozen", "random_state": 0}


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(chunking, "_PART", 7)
    monkeypatch.setattr(encode, "CHUNK", 3)


@pytest.fixture(scope="module")
def texts(movie):
    # Some stand twice, within a part and in different ones.
    return [*movie[0][:20], movie[0][0], movie[0][19], movie[0][3]]


@pytest.fixture(scope="module")
def fitted(movie):
    X, y = movie[0][:60], movie[1][:60]
    several = np.column_stack([y == "positive", ["the" in x for x in X]]).astype(int)
    return {
        "one label": TransferTextClassifier(**SETTINGS).fit(X, y),
        "several labels": TransferTextClassifier(**SETTINGS).fit(X, several),
        "sparse": TransferTextClassifier(**SETTINGS).fit(X, sparse.csr_matrix(several)),
        "number": TransferTextRegressor(**SETTINGS).fit(X, [len(x) for x in X]),
        "two numbers": TransferTextRegressor(**SETTINGS).fit(X, several.astype(float)),
        "features": TransferTextEncoder(BACKBONE, random_state=0).fit(X),
    }


CASES = [
    ("one label", "predict"),
    ("one label", "predict_proba"),
    ("one label", "decision_function"),
    ("several labels", "predict"),
    ("several labels", "predict_proba"),
    ("sparse", "predict"),
    ("number", "predict"),
    ("two numbers", "predict"),
    ("features", "transform"),
]


@pytest.mark.parametrize(("kind", "method"), CASES)
@pytest.mark.parametrize("n", [1, 7, 8, 23])
def test_an_iterator_gives_what_a_list_does(fitted, texts, kind, method, n):
    function = getattr(fitted[kind], method)
    one_by_one = [function([text]) for text in texts[:n]]
    for found in (function(texts[:n]), function(iter(texts[:n])), function(t for t in texts[:n])):
        if sparse.issparse(found):
            assert found.format == "csr"
            found, wanted = found.toarray(), sparse.vstack(one_by_one).toarray()
        else:
            wanted = np.concatenate(one_by_one)
        assert found.dtype == wanted.dtype or found.dtype.kind == "U"
        assert found.shape == wanted.shape
        if found.dtype.kind == "f":
            np.testing.assert_allclose(found, wanted, rtol=1e-12)
        else:
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(("kind", "method"), CASES)
def test_an_iterator_is_read_part_by_part(fitted, texts, monkeypatch, kind, method):
    read, seen = [], []
    real = HashingEncoder.prepare

    def prepare(self, X):
        seen.append(len(read))
        return real(self, X)

    monkeypatch.setattr(HashingEncoder, "prepare", prepare)

    def source():
        for text in texts:
            read.append(text)
            yield text

    getattr(fitted[kind], method)(source())
    assert len(read) == len(texts) == 23
    # When the first part was encoded, no more than it had been read.
    assert seen[0] == 7
    assert sorted(set(seen)) == [7, 14, 21, 23]


def test_features_of_a_list_are_not_kept_together(fitted, texts, monkeypatch):
    sizes = []
    real = TransferModule.outputs

    def outputs(self, features):
        sizes.append(len(features))
        return real(self, features)

    monkeypatch.setattr(TransferModule, "outputs", outputs)
    fitted["one label"].predict(texts)
    assert max(sizes) == 3
    assert sum(sizes) == 20  # each distinct text once


def test_an_error_in_a_later_part_says_where_it_is(fitted, texts):
    with pytest.raises(ValueError, match="first at index 9: None"):
        fitted["one label"].predict(iter([*texts[:9], None]))
    with pytest.raises(TypeError, match="first at index 20: int"):
        fitted["features"].transform(iter([*texts[:20], 3]))


def test_an_iterator_without_texts_is_refused(fitted):
    with pytest.raises(ValueError, match="X is empty"):
        fitted["one label"].predict(iter([]))
