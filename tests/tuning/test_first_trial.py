"""The first trial of a search is the estimator as it stands; heads come before trainings."""

from __future__ import annotations

import numpy as np
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from sktransfer import TransferSearchCV, TransferTextClassifier
from sktransfer.freezing.strategies import TopLayers

X, Y = make_classification(120, 6, random_state=0)
TEXTS, LABELS = ["good", "bad", "fine", "poor"] * 6, [1, 0, 1, 0] * 6


def quick(estimator, space=None, **params):
    shared = {"n_trials": 3, "cv": 2, "random_state": 0, "refit": False}
    return TransferSearchCV(estimator, space, **shared | params)


class Recorded(LogisticRegression):
    """Notes the parameters of its fits."""

    fits: list = []

    def fit(self, X, y):
        Recorded.fits.append(self.C)
        return super().fit(X, y)


@pytest.mark.parametrize("sampler", [None, RandomSampler(seed=0)])
@pytest.mark.parametrize("C", [3.0, 1e6])
def test_the_estimator_is_tried_first_whether_the_space_has_its_values_or_not(C, sampler):
    Recorded.fits.clear()
    space = {"C": FloatDistribution(0.1, 10.0)}
    search = quick(Recorded(C=C), space, sampler=sampler).fit(X, Y)
    assert Recorded.fits[:2] == [C, C]
    assert search.cv_results_["params"][0] == {"C": C}
    assert C not in Recorded.fits[2:]
    expected = cross_val_score(LogisticRegression(C=C), X, Y, cv=2).mean()
    assert search.cv_results_["mean_test_score"][0] == expected


def test_a_best_first_trial_is_shown_and_fitted_with_the_values_that_it_had():
    class Peak(ClassifierMixin, BaseEstimator):
        def __init__(self, a=7, b=0):
            self.a, self.b = a, b

        def fit(self, X, y):
            self.classes_ = np.unique(y)
            return self

        def score(self, X, y):
            return float(self.a == 7)

        def predict(self, X):
            return np.zeros(len(X))

    search = quick(Peak(), {"a": IntDistribution(0, 3)}, refit=True).fit(X, Y)
    assert search.best_index_ == 0
    assert search.best_params_ == {"a": 7}
    assert search.best_estimator_.a == 7


def test_automatic_values_are_shown_as_they_are_given():
    clf = TransferTextClassifier("hashing", max_epochs=6, random_state=0)
    search = quick(clf).fit(TEXTS, LABELS)
    first = search.cv_results_["params"][0]
    assert {first[key] for key in ("freeze", "lr", "head__C")} == {"auto"}
    assert "freeze__k" not in first
    assert clf.set_params(**first).freeze == "auto"


def test_objects_are_shown_and_tell_studies_apart(tmp_path):
    clf = TransferTextClassifier("hashing", freeze=TopLayers(k=3), max_epochs=2, random_state=0)
    space = {"freeze": ["frozen", "full"]}
    search = quick(clf, space, storage=tmp_path / "s.db").fit(TEXTS, LABELS)
    assert search.cv_results_["params"][0]["freeze"] is clf.freeze
    other = clf.set_params(freeze=TopLayers(k=2))
    with pytest.raises(ValueError, match=r"another estimator: .*freeze"):
        quick(other, space, storage=tmp_path / "s.db").fit(TEXTS, LABELS)


def test_a_study_keeps_its_first_trial_though_the_estimator_has_other_values_by_now(tmp_path):
    space = {"C": FloatDistribution(0.1, 10.0)}
    stored = {"storage": tmp_path / "s.db"}
    first = quick(LogisticRegression(C=50.0), space, n_trials=2, **stored).fit(X, Y)
    search = quick(LogisticRegression(C=2.0), space, **stored).fit(X, Y)
    assert search.cv_results_["params"][:2] == first.cv_results_["params"]
    assert search.cv_results_["params"][0] == {"C": 50.0}


@pytest.mark.parametrize("timeout", [None, 600])
def test_heads_come_before_trainings(timeout):
    clf = TransferTextClassifier("hashing", max_epochs=2, random_state=0)
    search = quick(clf, n_trials=12, timeout=timeout).fit(TEXTS, LABELS)
    tried = [params["freeze"] for params in search.cv_results_["params"]]
    assert tried[:5] == ["auto", *["frozen"] * 4]
    assert len(set(tried[5:9])) == 4
    assert "frozen" not in tried[5:9]
    assert len({params["head__C"] for params in search.cv_results_["params"][1:5]}) == 4


def test_heads_do_not_wait_for_a_first_trial_that_trains_where_time_is_limited(over_after):
    clf = TransferTextClassifier("hashing", freeze="auto", max_epochs=2, random_state=0)
    search = quick(clf, n_trials=12, timeout=600)
    over_after(search, 4)
    search.fit(TEXTS, LABELS)
    states = search.cv_results_["trial_state"].tolist()
    assert states == ["unfinished", *["complete"] * 4]
    assert search.best_params_["freeze"] == "frozen"
