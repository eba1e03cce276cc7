"""Trials that end early: between folds, between epochs, and when time is over."""

from __future__ import annotations

import gc
import time

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import GridSampler
from optuna.trial import TrialState
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from sktransfer import TransferSearchCV, TransferTextClassifier
from sktransfer.training.state import FittedNet

X, Y = make_classification(90, 6, random_state=0)
LEVELS = [0.9, 0.8, 0.7, 0.6, 0.5, 0.95, 0.4, 0.3]


class Level(ClassifierMixin, BaseEstimator):
    """Scores as high as it is told; counts its fits."""

    n_fits = 0

    def __init__(self, level=0.5):
        self.level = level

    def fit(self, X, y):
        type(self).n_fits += 1
        self.classes_ = np.unique(y)
        return self

    def score(self, X, y):
        return self.level

    def predict(self, X):
        return np.zeros(len(X))


def levels(**params):
    Level.n_fits = 0
    space = {"level": CategoricalDistribution(LEVELS)}
    sampler = GridSampler({"level": LEVELS}, seed=1)
    settings = {"n_trials": 8, "cv": 5, "random_state": 0, "refit": False, "sampler": sampler}
    return TransferSearchCV(Level(), space, **{**settings, **params}).fit(X, Y)


def test_what_lies_below_the_median_is_not_fitted_on_further_folds():
    search = levels()
    results = search.cv_results_
    pruned = results["trial_state"] == "pruned"
    assert pruned.any()
    assert not pruned[:5].any()  # a median of nothing says nothing
    assert Level.n_fits == 5 * 8 - 4 * pruned.sum()
    assert np.isnan(results["mean_test_score"][pruned]).all()
    assert not np.isnan(results["split0_test_score"]).any()
    assert search.best_params_ == {"level": 0.95}
    for trial, level in zip(search.study_.trials, results["param_level"], strict=True):
        assert trial.value == pytest.approx(level)


def test_nothing_is_pruned_where_that_is_asked_for():
    search = levels(pruner=NopPruner())
    assert Level.n_fits == 5 * 8
    assert set(search.cv_results_["trial_state"]) == {"complete"}


def test_hyperband_prunes_by_tenths_of_folds():
    search = levels(pruner=HyperbandPruner(min_resource=10, max_resource=50, reduction_factor=3))
    states = [trial.state for trial in search.study_.trials]
    assert TrialState.PRUNED in states
    assert search.best_params_ == {"level": 0.95}


def test_a_function_that_picks_the_best_sees_complete_trials_alone():
    def last_of_the_best(results):
        assert np.isfinite(results["mean_test_score"]).all()
        return int(np.argmax(results["mean_test_score"]))

    search = levels(refit=last_of_the_best)
    assert search.best_params_ == {"level": 0.95}
    assert search.cv_results_["params"][search.best_index_] == {"level": 0.95}


class AtOnce(BasePruner):
    """Gives up at the first report of an epoch."""

    def prune(self, study, trial):
        return trial.last_step % 10 != 0


@pytest.mark.parametrize("in_a_pipeline", [False, True])
def test_a_training_is_ended_between_its_epochs(movie, in_a_pipeline):
    texts, labels = movie[0][:60], movie[1][:60]
    clf = TransferTextClassifier("hashing", freeze="full", max_epochs=8, random_state=0)
    pipe = Pipeline([("same", FunctionTransformer()), ("clf", clf)]) if in_a_pipeline else clf
    key = "clf__lr" if in_a_pipeline else "lr"
    space = {key: [1e-3, 1e-2]}
    pruned = TransferSearchCV(pipe, space, n_trials=2, cv=2, pruner=AtOnce(), refit=False)
    pruned.fit(texts, labels)
    # The first trial, the estimator as it stands, is never pruned.
    assert pruned.cv_results_["trial_state"].tolist() == ["complete", "pruned"]
    assert np.isnan(pruned.cv_results_["split0_test_score"][1])
    whole = TransferSearchCV(
        pipe, space, n_trials=2, cv=2, pruner=MedianPruner(), refit=False, random_state=0
    ).fit(texts, labels)
    steps = list(whole.study_.trials[0].intermediate_values)
    assert len(steps) > 10  # eight epochs in each of two folds
    assert {10, 20} <= set(steps)
    assert whole.study_.trials[0].intermediate_values[20] == pytest.approx(
        whole.study_.trials[0].value
    )


def test_watching_epochs_does_not_change_a_training(movie):
    texts, labels = movie[0][:60], movie[1][:60]
    clf = TransferTextClassifier("hashing", freeze="full", max_epochs=6, random_state=0)
    scores = [
        TransferSearchCV(
            clf, {"lr": [1e-3, 1e-2]}, n_trials=2, cv=2, pruner=pruner, refit=False, random_state=0
        )
        .fit(texts, labels)
        .cv_results_["mean_test_score"]
        for pruner in (NopPruner(), MedianPruner(n_startup_trials=9))
    ]
    np.testing.assert_array_equal(*scores)


def test_models_of_folds_that_are_over_are_let_go(movie):
    alive = []

    def accuracy(estimator, X, y):
        # Of earlier folds; this one's is there, and what it copies for the score of an epoch.
        alive.append(sum(type(each) is FittedNet for each in gc.get_objects()))
        return estimator.score(X, y)

    texts, labels = movie[0][:40], movie[1][:40]
    clf = TransferTextClassifier("hashing", freeze="full", max_epochs=3, random_state=0)
    gc.collect()
    before = sum(type(each) is FittedNet for each in gc.get_objects())
    space = {"lr": FloatDistribution(1e-4, 1e-2, log=True)}
    search = TransferSearchCV(
        clf, space, n_trials=3, cv=3, scoring=accuracy, random_state=0, refit=False
    )
    search.fit(texts, labels)
    assert len(alive) > 9
    assert max(alive) - before <= 2


def test_a_training_ends_at_the_end_of_the_epoch_in_which_time_is_over(movie):
    texts, labels = movie[0][:60], movie[1][:60]
    clf = TransferTextClassifier("hashing", freeze="full", max_epochs=100_000, random_state=0)
    search = TransferSearchCV(clf, {"lr": [1e-3]}, n_trials=2, cv=2, timeout=1.5, refit=False)
    start = time.monotonic()
    with pytest.raises(ValueError, match=r"No trial ended|stopped by the timeout"):
        search.fit(texts, labels)
    assert time.monotonic() - start < 20
