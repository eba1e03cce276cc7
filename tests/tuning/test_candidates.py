"""Fitted models and folders as candidates: searched, and printed apart."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from sktransfer import TransferSearchCV, TransferTextClassifier
from sktransfer.tuning.candidates import NamedFrozen, short_name

X, Y = ["good film", "bad film", "fine thing", "poor thing"] * 5, np.array([1, 0, 1, 0] * 5)


def quick(**params):
    shared = {"freeze": "full", "max_epochs": 1, "random_state": 0}
    return TransferTextClassifier("hashing", **shared | params)


@pytest.fixture(scope="module")
def models():
    return [FrozenEstimator(quick().fit(X, y)) for y in (Y, 1 - Y)]


def search(estimator, space, **params):
    shared = {"n_trials": 5, "cv": 2, "random_state": 0}
    return TransferSearchCV(estimator, space, **shared | params)


def test_two_fitted_models_never_print_the_same(models):
    one, other = map(short_name, models)
    assert one != other
    assert one.startswith("TransferTextClassifier#")
    assert short_name(FrozenEstimator(quick().fit(X, Y))) == one


def test_a_folder_prints_as_its_name(tmp_path):
    folder = tmp_path / "reviews"
    folder.mkdir()
    assert short_name(folder) == "reviews"
    assert short_name(str(folder)) == "reviews"
    assert short_name("hashing") == "hashing"


def test_fitted_models_are_searched_and_shown_by_their_hash(models, capfd):
    found = search(quick(), {"source": [None, *models]}, verbose=3).fit(X, Y)
    tried = [params["source"] for params in found.cv_results_["params"]]
    assert {str(source) for source in tried} == {"None", *map(short_name, models)}
    printed = capfd.readouterr().out
    for model in models:
        assert f"source={short_name(model)}" in printed
        assert [t.params["source"] for t in found.study_.trials].count(short_name(model))
    assert isinstance(found.best_estimator_.source, NamedFrozen | None)
    assert found.best_estimator_.predict(X).shape == (20,)


def test_a_model_that_stands_is_shown_by_its_hash(models):
    found = search(quick(source=models[0]), {"source": [None]}, n_trials=1).fit(X, Y)
    assert repr(found.cv_results_["params"][0]["source"]) == short_name(models[0])


def test_a_study_with_models_goes_on_and_tells_them_apart(models, tmp_path):
    space = {"source": [None, models[0]]}
    first = search(quick(), space, storage=tmp_path / "s.db", n_trials=2).fit(X, Y)
    again = search(quick(), space, storage=tmp_path / "s.db", n_trials=3).fit(X, Y)
    assert [str(p) for p in again.cv_results_["params"][:2]] == [
        str(p) for p in first.cv_results_["params"]
    ]
    with pytest.raises(ValueError, match="another search_space: source differ"):
        search(quick(), {"source": [None, models[1]]}, storage=tmp_path / "s.db").fit(X, Y)


def test_folders_are_searched_as_paths(models, tmp_path):
    for name, model in zip("ab", models, strict=True):
        model.estimator.save(tmp_path / name)
    folders = [tmp_path / "a", tmp_path / "b"]
    found = search(quick(), {"source": folders}, error_score="raise").fit(X, Y)
    tried = [params["source"] for params in found.cv_results_["params"]]
    assert set(tried) == {None, *folders}


def test_a_fitted_model_may_be_a_backbone(models):
    encoder = models[0].estimator.encoder_
    found = search(
        quick(freeze="frozen"), {"backbone": ["hashing", encoder]}, error_score="raise"
    ).fit(X, Y)
    assert {str(p["backbone"]) for p in found.cv_results_["params"]} == {
        "hashing",
        short_name(encoder),
    }
