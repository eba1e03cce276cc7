"""Vectors by name: the genuine ones, and names that nothing has."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from sktransfer_wordvectors import FastText, TextCNN, read_vectors
from sktransfer_wordvectors.known import absolute, convert_glove, path_of

from sktransfer import TransferTextClassifier
from sktransfer.plugins import find_weights


@pytest.fixture(scope="module")
def glove():
    """The genuine vectors, converted once into the user's cache."""
    try:
        folder = find_weights("glove-6b-50d")
    except OSError as error:
        pytest.skip(str(error))
    return read_vectors(folder / "vectors.npy")


def test_the_genuine_vectors_know_what_words_mean(glove):
    assert (len(glove), glove.dim) == (400_000, 50)
    assert isinstance(glove.matrix, np.memmap)
    # The first line of the file that Stanford publishes.
    assert glove.words[0] == "the"
    np.testing.assert_allclose(glove.matrix[0, :3], [0.418, 0.24968, -0.41242], rtol=1e-6)
    king, man, woman = glove.of(["king", "man", "woman"])
    wanted = king - man + woman
    lengths = np.linalg.norm(glove.matrix, axis=1) * np.linalg.norm(wanted)
    nearest = np.argsort(-(glove.matrix @ wanted) / lengths)[:3]
    assert "queen" in {glove.words[i] for i in nearest}


def test_words_that_no_training_had_are_told_apart_by_their_vectors(glove):
    X = ["good film", "great book", "fine actors", "bad film", "poor book", "awful actors"]
    new = ["excellent novel", "lovely movie", "superb cast", "terrible novel", "horrible movie"]
    named = FastText(vectors="glove-6b-50d")
    clf = TransferTextClassifier(named, freeze="frozen", random_state=0).fit(X, [1] * 3 + [0] * 3)
    # The new words have no row yet; as those of a target they get their vectors.
    clf.partial_fit([*X, *new[:1], *new[3:4]], [1, 1, 1, 0, 0, 0, 1, 0])
    assert clf.predict(["excellent book", "terrible book"]).tolist() == [1, 0]
    assert clf.backbone_.pretrained
    assert clf.backbone_.english_only
    fresh = TransferTextClassifier(named, freeze="frozen", random_state=0)
    fresh.fit([*X, *new], [1] * 3 + [0] * 3 + [1] * 3 + [0] * 2)
    assert fresh.score(new, [1, 1, 1, 0, 0]) == 1.0


@pytest.mark.parametrize("vectors", ["glove-6b-50", "glove", "glove.6b"])
def test_a_name_that_nothing_has_is_answered_with_those_that_are_there(vectors):
    with pytest.raises(ValueError, match=r"glove-6b-50d"):
        TextCNN(vectors=vectors).learned_from(["a text"])


def test_a_string_with_an_ending_or_a_folder_is_a_path(tmp_path):
    assert str(path_of("glove.txt")) == "glove.txt"
    assert str(path_of("./glove")) == "glove"
    assert path_of(tmp_path / "glove") == tmp_path / "glove"
    assert absolute("glove-6b-50d") == "glove-6b-50d"
    assert absolute("glove.npy") == Path.cwd() / "glove.npy"


def test_what_reads_the_list_of_words_is_named_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install pyarrow"):
        convert_glove(tmp_path, tmp_path)
