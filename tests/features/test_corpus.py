"""Features that all fits of a search share: computed once, the same for every fit."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import threading

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from sktransfer import TransferSearchCV, TransferTextClassifier
from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.contracts import HashedInput
from sktransfer.features import corpus, encode
from sktransfer.features.corpus import CorpusStore, corpus_of, forgetting
from sktransfer.features.encode import encode_rows
from sktransfer.features.store import MemoryStore

TEXTS = [f"text {i}" for i in range(12)]


@pytest.fixture
def prepared(monkeypatch):
    """Count how often each text is prepared for the encoder."""
    counts: dict[str, int] = {}
    encoder = type(HashingBackbone(dim=4).load(device="cpu", random_state=0))
    prepare = encoder.prepare

    def counting(self, X):
        for x in X:
            counts[x] = counts.get(x, 0) + 1
        return prepare(self, X)

    monkeypatch.setattr(encoder, "prepare", counting)
    return counts


def test_the_whole_corpus_is_computed_at_once_and_nothing_else_is_kept():
    store, asked = CorpusStore(TEXTS), []

    def compute(X):
        asked.append(list(X))
        return np.ones((len(X), 3), np.float32)

    store.fill("one", TEXTS[:2], 3, compute)
    store.fill("one", TEXTS[1:], 3, compute)
    store.fill("other", TEXTS, 3, compute)
    assert asked == [TEXTS, TEXTS]
    n = len(store)
    store.put([(b"key", np.ones(3))])
    assert len(store) == n == 2 * len(TEXTS)


def test_a_corpus_that_is_too_large_is_not_computed():
    store = CorpusStore(TEXTS, max_bytes=100)
    store.fill("one", TEXTS, 3, lambda X: pytest.fail("computed"))


class Shown(HashedInput):
    """A text as it is shown in some way."""

    def __init__(self, text, how):
        self._text, self.how = text, how

    @property
    def origin(self):
        return self._text

    @property
    def digest(self):
        return f"{self._text} {self.how}".encode()

    def of(self, other):
        return Shown(other, self.how)

    def __eq__(self, other):
        return isinstance(other, Shown) and self.digest == other.digest

    def __hash__(self):
        return hash(self.digest)


def test_each_view_that_is_asked_for_is_computed_of_the_whole_corpus():
    store, asked = CorpusStore(TEXTS), []

    def compute(X):
        asked.append(list(X))
        return np.ones((len(X), 3), np.float32)

    large, small = ([Shown(text, how) for text in TEXTS] for how in ("large", "small"))
    assert store.covers([*TEXTS[:2], *large[:3]])
    assert not store.covers([Shown("unknown", "large")])
    store.fill("one", [*TEXTS[:2], *large[:3]], 3, compute)
    store.fill("one", [*large[1:], *small[:1]], 3, compute)
    assert asked == [TEXTS, large, small]
    few = CorpusStore(TEXTS, max_bytes=3 * 4 * len(TEXTS))
    few.fill("one", [*TEXTS, *large], 3, lambda X: pytest.fail("computed"))


def test_states_of_a_view_are_computed_once_if_there_is_room_for_all_views(monkeypatch):
    store, asked = CorpusStore(TEXTS), []

    def compute(X):
        asked.append(list(X))
        return [Row(10) for _ in X]

    large = [Shown(text, "large") for text in TEXTS]
    plain = store.states("key", TEXTS[:3], compute, n_views=2)
    first = store.states("key", large[:3], compute, n_views=2)
    assert store.states("key", large[2:5], compute, n_views=2)[0] is first[2]
    assert store.states("key", TEXTS[2:5], compute, n_views=2)[0] is plain[2]
    assert asked == [TEXTS, large]
    monkeypatch.setattr(corpus, "_MAX_STATES", 200)
    assert store.states("other", TEXTS[:3], compute, n_views=1) is not None
    assert store.states("another", TEXTS[:3], compute, n_views=2) is None


class Row:
    def __init__(self, nbytes):
        self.nbytes = nbytes


@pytest.mark.parametrize("n_some", [5, 64])
def test_states_are_computed_once_for_inputs_of_the_corpus(monkeypatch, n_some):
    monkeypatch.setattr(corpus, "_SOME", n_some)
    store, asked = CorpusStore(TEXTS), []

    def compute(X):
        asked.append(len(X))
        return [Row(10) for _ in X]

    first = store.states("key", TEXTS[:3], compute)
    assert store.states("key", TEXTS[2:4], compute)[0] is first[2]
    assert asked == ([12] if n_some > 12 else [5, 12])  # some to learn how large they are
    assert store.states("key", ["unknown"], compute) is None
    monkeypatch.setattr(corpus, "_MAX_STATES", 50)
    assert store.states("larger", TEXTS[:3], compute) is None


def _filled(store, answers):
    store.fill("other", TEXTS, 3, lambda X: np.ones((len(X), 3), np.float32))
    answers.put(len(store))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_that_is_forked_while_a_store_is_filled_does_not_wait_for_it():
    with forgetting():
        store = corpus_of(TEXTS)
        context = multiprocessing.get_context("fork")
        answers, begun, go_on = context.Queue(), threading.Event(), threading.Event()

        def compute(X):
            begun.set()
            go_on.wait(60)
            return np.ones((len(X), 3), np.float32)

        filling = threading.Thread(target=store.fill, args=("one", TEXTS, 3, compute))
        filling.start()
        begun.wait(60)
        process = context.Process(target=_filled, args=(store, answers))
        process.start()
        try:
            assert answers.get(timeout=30) == len(TEXTS)
        finally:
            process.kill()
            go_on.set()
            filling.join()


def test_one_process_has_one_store_for_the_same_inputs_until_it_is_let_go():
    with forgetting():
        store = corpus_of(TEXTS)
        assert corpus_of([*TEXTS, TEXTS[0]]) is store
        assert copy.deepcopy(store) is store
        assert pickle.loads(pickle.dumps(store)) is store
        assert corpus_of(TEXTS[1:]) is not store
    assert corpus_of(TEXTS) is not store


def test_a_store_may_stand_in_for_the_name_of_a_cache():
    store = MemoryStore()
    clf = TransferTextClassifier("hashing", freeze="frozen", cache=store, random_state=0)
    clone(clf).fit(TEXTS, [0, 1] * 6)
    assert len(store) == len(TEXTS)
    assert len(pickle.loads(pickle.dumps(store))) == 0


@pytest.mark.parametrize("n_trials", [1, 4])
def test_a_search_over_heads_encodes_each_text_once(monkeypatch, n_trials):
    encoded = []

    def counting(encoder, rows, *args, **kwargs):
        encoded.append(len(rows))
        return encode_rows(encoder, rows, *args, **kwargs)

    monkeypatch.setattr(encode, "encode_rows", counting)
    clf = TransferTextClassifier(HashingBackbone(dim=4), freeze="frozen", random_state=0)
    search = TransferSearchCV(
        clf, {"head__C": [0.1, 1.0, 10.0]}, n_trials=n_trials, cv=3, refit=False, random_state=0
    ).fit(TEXTS, [0, 1] * 6)
    assert encoded == [len(TEXTS)]
    assert not corpus._CORPORA
    assert len(search.study_.trials) == n_trials


def test_texts_that_a_pipeline_made_are_not_of_the_corpus(prepared):
    clf = TransferTextClassifier(HashingBackbone(dim=4), freeze="frozen", random_state=0)
    upper = FunctionTransformer(lambda X: [x.upper() for x in X])
    pipe = Pipeline([("upper", upper), ("clf", clf)])
    space = {"clf__head__C": [0.1, 1.0]}
    TransferSearchCV(pipe, space, n_trials=2, cv=3, refit=False).fit(TEXTS, [0, 1] * 6)
    assert set(prepared) == {x.upper() for x in TEXTS}
