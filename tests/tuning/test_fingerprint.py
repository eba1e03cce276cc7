"""A study belongs to what its search would fit, weights included, and to nothing else."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sktransfer import TransferSearchCV, TransferTextClassifier
from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.tuning._fingerprint import digest_of_data, settings_of_estimator

X, Y = ["good film", "bad film", "fine thing", "poor thing"] * 5, np.array([1, 0, 1, 0] * 5)


def quick(backbone="hashing", **params):
    shared = {"freeze": "full", "max_epochs": 1, "random_state": 0}
    return TransferTextClassifier(backbone, **shared | params)


@pytest.fixture(scope="module")
def fitted():
    a, b = quick().fit(X, Y), quick().fit(X, 1 - Y)
    features = [[float(len(x))] for x in X]
    forest = RandomForestClassifier(3, random_state=0)
    vote = VotingClassifier([("linear", LogisticRegression()), ("forest", forest)])
    of_sklearn = [clone(vote).fit(features, y) for y in (Y, np.arange(20) % 3 == 0)]
    words = [make_pipeline(TfidfVectorizer().fit(each), quick()) for each in (X, X[:3])]
    return {
        "source": [quick(source=FrozenEstimator(each)) for each in (a, b)],
        "source in a pipeline": [
            quick(source=FrozenEstimator(make_pipeline(FunctionTransformer(), each)))
            for each in (a, b)
        ],
        "backbone": [quick(each.encoder_) for each in (a, b)],
        "words": [make_pipeline(FrozenEstimator(each[0]), quick()) for each in words],
        "of scikit-learn": [make_pipeline(FrozenEstimator(each), quick()) for each in of_sklearn],
    }


PAIRS = {
    "backbone by path": [quick(Path("/models/a")), quick(Path("/models/b"))],
    "backbone object": [quick(TransformerBackbone(Path(f"/models/{each}"))) for each in "ab"],
    "source by path": [quick(source=Path("/models/a")), quick(source=Path("/models/b"))],
    "path or name": [quick(Path("hashing")), quick("hashing")],
    "scorer": [quick(scoring=make_scorer(f1_score, pos_label=i)) for i in (0, 1)],
    "function": [make_pipeline(FunctionTransformer(each), quick()) for each in (str.lower, list)],
}
OF_WEIGHTS = ["source", "source in a pipeline", "backbone", "words", "of scikit-learn"]


@pytest.mark.parametrize("name", [*PAIRS, *OF_WEIGHTS])
def test_estimators_that_give_other_models_have_other_settings(fitted, name):
    one, other = {**PAIRS, **fitted}[name]
    assert settings_of_estimator(one, {}) != settings_of_estimator(other, {})
    assert settings_of_estimator(one, {}) == settings_of_estimator(one, {})


@pytest.mark.parametrize("name", OF_WEIGHTS)
def test_settings_are_the_same_in_another_process(fitted, name, tmp_path):
    (tmp_path / "estimator.pkl").write_bytes(pickle.dumps(fitted[name][0]))
    code = (
        "import pickle, sys\n"
        "from sktransfer.tuning._fingerprint import settings_of_estimator\n"
        "print(settings_of_estimator(pickle.load(open(sys.argv[1], 'rb')), {}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "estimator.pkl")],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(settings_of_estimator(fitted[name][0], {}))


def test_the_same_training_gives_the_same_settings():
    one, other = (quick(source=FrozenEstimator(quick().fit(X, Y))) for _ in range(2))
    assert settings_of_estimator(one, {}) == settings_of_estimator(other, {})


def test_an_estimator_that_the_search_clones_may_be_fitted():
    assert settings_of_estimator(quick().fit(X, Y), {}) == settings_of_estimator(quick(), {})


@pytest.mark.parametrize("change", ["source", "backbone"])
def test_a_study_of_another_model_is_refused(fitted, tmp_path, change):
    one, other = fitted[change]

    def search(estimator):
        return TransferSearchCV(
            estimator.set_params(max_epochs=1),
            {"label_smoothing": [0.0]},
            n_trials=1,
            cv=2,
            storage=tmp_path / "s.db",
            refit=False,
        ).fit(X, Y)

    score = search(one).best_score_
    assert search(one).best_score_ == score
    with pytest.raises(ValueError, match=rf"another estimator: .*{change}.* differ"):
        search(other)


def test_paths_and_objects_in_the_data_are_told_apart():
    assert digest_of_data([Path("a.jpg")]) != digest_of_data([Path("b.jpg")])

    images = pytest.importorskip("PIL.Image")
    black, white = (images.new("RGB", (2, 2), color) for color in ("black", "white"))
    assert digest_of_data([black]) != digest_of_data([white])
    assert digest_of_data([black]) == digest_of_data([black.copy()])


class Locked(ClassifierMixin, BaseEstimator):
    """A fitted attribute of it cannot be pickled."""

    def fit(self, X, y):
        self.classes_, self.lock_ = np.unique(y), threading.Lock()
        return self

    def transform(self, X):
        return X


def test_what_cannot_be_described_needs_a_search_without_storage(tmp_path):
    frozen = FrozenEstimator(Locked().fit(X, Y))
    pipe = make_pipeline(frozen, TfidfVectorizer(), LogisticRegression())

    def search(storage):
        return TransferSearchCV(
            pipe,
            {"logisticregression__C": [1.0]},
            n_trials=1,
            cv=2,
            storage=storage,
            refit=False,
            error_score="raise",
        )

    with pytest.raises(ValueError, match=r"lock.*leave storage out"):
        search(tmp_path / "s.db").fit(X, Y)
    assert 0 <= search(None).fit(X, Y).best_score_ <= 1
