"""A task with a target for each word comes with its estimator, written against the contracts."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from tags import SentenceModality, TagTask, TransferTagger, WordBackbone  # noqa: E402

from sktransfer import TransferSearchCV, load  # noqa: E402
from sktransfer.backbones.transformer import TransformerBackbone  # noqa: E402
from sktransfer.contracts import registry  # noqa: E402
from sktransfer.estimators import _chunking  # noqa: E402
from sktransfer.plugins import register  # noqa: E402

REGISTER = (
    "from tags import SentenceModality, TransferTagger, WordBackbone\n"
    "from sktransfer.plugins import register\n"
    "register('modality', 'sentence', SentenceModality)\n"
    "register('backbone', 'words', WordBackbone)\n"
    "register('estimator', 'TransferTagger', TransferTagger)\n"
)


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setattr(registry, "_RUNTIME", {})
    register("modality", "sentence", SentenceModality)
    register("backbone", "words", WordBackbone)
    register("estimator", "TransferTagger", TransferTagger)


@pytest.fixture(scope="module")
def data():
    """Tag a word by what it is, and "film" by the word before it."""
    rng = np.random.default_rng(0)
    X, y = [], []
    for _ in range(60):
        words = rng.choice(["a", "good", "bad", "dull", "movie"], rng.integers(2, 7)).tolist()
        words += [str(rng.choice(["good", "bad"])), "film"]
        kinds = {"good": "P", "bad": "N", "dull": "N", "film": f"F-{words[-2]}"}
        X.append(words)
        y.append([kinds.get(word, "O") for word in words])
    return X, y


def quick(tiny_model, **params):
    shared = {"freeze": "full", "max_epochs": 12, "lr": 3e-3, "random_state": 0}
    return TransferTagger(WordBackbone(TransformerBackbone(tiny_model)), **shared | params)


def test_words_are_tagged_by_what_stands_around_them(tiny_model, data):
    tagger = quick(tiny_model).fit(*data)
    assert tagger.score(*data) > 0.97
    predicted = tagger.predict(data[0])
    assert [len(tags) for tags in predicted] == [len(words) for words in data[0]]
    assert tagger.tags_.tolist() == sorted({tag for tags in data[1] for tag in tags})
    frozen = quick(tiny_model, freeze="frozen").fit(*data)
    assert frozen.history_[0]["solver_iterations"] > 0
    assert frozen.score(*data) > 0.6


def test_sentences_weigh_by_sample_weight_and_are_held_out_whole(tiny_model, data):
    weights = np.ones(len(data[0]))
    weights[30:] = 0
    some = quick(tiny_model, max_epochs=2).fit(*data, sample_weight=weights)
    assert some.stages_[0]["rows"] == 30
    stopped = quick(tiny_model, early_stopping=True, validation_fraction=0.2, max_epochs=3)
    stopped.fit(*data)
    assert stopped.stages_[0]["rows_held_out"] == 12
    assert 0 <= stopped.history_[-1]["valid_score"] <= 1


def test_scikit_learns_tools_take_lists_of_lists(tiny_model, data):
    assert clone(quick(tiny_model)).max_epochs == 12
    assert cross_val_score(quick(tiny_model, max_epochs=1), *data, cv=2).shape == (2,)
    grid = GridSearchCV(quick(tiny_model, max_epochs=1), {"freeze": ["frozen", "full"]}, cv=2)
    assert grid.fit(*data).best_score_ > 0.3
    search = TransferSearchCV(quick(tiny_model, max_epochs=1), n_trials=2, cv=2, random_state=0)
    assert len(search.fit(*data).cv_results_["params"]) == 2


def test_what_is_saved_is_loaded_in_a_new_process(tiny_model, data, tmp_path):
    tagger = quick(tiny_model, max_epochs=2).fit(*data)
    tagger.save(tmp_path / "model")
    sentence = ["a", "good", "film"]
    assert load(tmp_path / "model").predict([sentence])[0] == tagger.predict([sentence])[0]
    code = REGISTER + (
        "import sys, json; from sktransfer import load\n"
        "print(json.dumps(load(sys.argv[1]).predict([sys.argv[2].split()])[0]))"
    )
    path = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model"), " ".join(sentence)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert json.loads(done.stdout) == tagger.predict([sentence])[0]


def test_a_task_of_states_is_not_exported_and_says_what_is(tiny_model, data, tmp_path):
    tagger = quick(tiny_model, freeze="frozen").fit(*data)
    with pytest.raises(ValueError, match=r"ONNX.*each state.*save\(path\)"):
        tagger.export_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_as_many_tags_as_words_are_needed(tiny_model, data):
    y = [tags[:-1] for tags in data[1]]
    with pytest.raises(ValueError, match=r"states for .* targets"):
        quick(tiny_model).fit(data[0], y)


class ListingTagTask(TagTask):
    def predict(self, head, outputs, lengths=()):
        return super().predict(head, outputs, lengths).tolist()


class ListingTagger(TransferTagger):
    def _fitted_task(self):
        return ListingTagTask.from_attributes(vars(self))


def test_a_task_may_predict_a_list_also_of_equal_inputs_and_of_an_iterator(
    tiny_model, data, monkeypatch
):
    monkeypatch.setattr(_chunking, "_PART", 7)
    tagger = quick(tiny_model, max_epochs=1).fit(*data)
    listing = ListingTagger(**tagger.get_params(deep=False))
    vars(listing).update(vars(tagger))
    X = [*data[0], *data[0][:5]]
    expected = tagger.predict(X).tolist()
    for found in (listing.predict(X), listing.predict(iter(X))):
        assert isinstance(found, list)
        assert found == expected


@pytest.mark.parametrize("as_array", [False, True])
def test_none_and_an_empty_list_mark_sentences_without_tags_and_minus_one_is_a_tag(
    tiny_model, as_array
):
    X, domains = [["good", "bad", "a"]] * 40, np.repeat([0, -1], 20)
    y = [np.array([1, -1, 0]) if as_array else [1, -1, 0] for _ in X]
    y[30] = np.array([-1, -1, -1]) if as_array else [-1, -1, -1]
    whole = quick(tiny_model, max_epochs=1).fit(X, y, sample_domain=domains)
    assert whole.stages_[0]["rows"] == 40
    assert whole.tags_.tolist() == [-1, 0, 1]
    y[38:] = [None, []]
    with pytest.warns(UserWarning, match="2 of 40 rows have no label"):
        assert whole.fit(X, y, sample_domain=domains).stages_[0]["rows"] == 38


def conll(split, n):
    folder = Path(os.environ["SKTRANSFER_DATA"]) / "ner_conll2003"
    with gzip.open(folder / "ner_conll2003.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    rows = [row for row in rows if row["split"] == split][:n]
    return [row["tokens"] for row in rows], [row["tags"] for row in rows]


def entity_accuracy(predicted, y):
    pairs = [p for a, b in zip(predicted, y, strict=True) for p in zip(a, b, strict=True)]
    of_entities = [(found, tag) for found, tag in pairs if found != "O" or tag != "O"]
    return float(np.mean([found == tag for found, tag in of_entities]))


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.weights("minilm")
def test_names_are_found_that_400_sentences_do_not_have():
    X, y = conll("train", 400)
    X_test, y_test = conll("test", 300)
    memory = defaultdict(Counter)
    for words, tags in zip(X, y, strict=True):
        for word, tag in zip(words, tags, strict=True):
            memory[word][tag] += 1
    remembered = [
        [memory[w].most_common(1)[0][0] if w in memory else "O" for w in words] for words in X_test
    ]
    tagger = TransferTagger(WordBackbone("minilm"), freeze="frozen", random_state=0).fit(X, y)
    floor, found = (entity_accuracy(p, y_test) for p in (remembered, tagger.predict(X_test)))
    assert found > floor + 0.1, (found, floor)
