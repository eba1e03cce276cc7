"""Why a search stopped, what it left unfinished, and what a further call need not fit again."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from optuna.distributions import FloatDistribution
from optuna.samplers import GridSampler
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from sktransfer import TransferSearchCV, TransferTextClassifier

X, Y = make_classification(90, 6, random_state=0)
SPACE = {"C": FloatDistribution(0.1, 10.0)}
TEXTS, LABELS = ["good", "bad", "fine", "poor"] * 6, [1, 0, 1, 0] * 6


def quick(estimator=None, space=SPACE, **params):
    shared = {"n_trials": 4, "cv": 2, "random_state": 0}
    return TransferSearchCV(estimator or LogisticRegression(), space, **shared | params)


class Broken(LogisticRegression):
    error: type[BaseException] = RuntimeError

    def fit(self, X, y):
        raise self.error("no")


def test_a_search_says_that_all_trials_were_made(capfd):
    search = quick(verbose=1).fit(X, Y)
    assert search.stop_reason_ == "n_trials"
    assert "stopped after 4 of 4 trials: all trials were made" in capfd.readouterr().out


def test_a_search_says_that_its_time_was_over(capfd, over_after):
    search = quick(n_trials=100, timeout=600, verbose=1)
    over_after(search, 2)
    search.fit(X, Y)
    assert search.stop_reason_ == "timeout"
    assert "stopped after 2 of 100 trials: timeout=600 s is over" in capfd.readouterr().out


def test_a_search_says_that_a_grid_was_walked():
    sampler = GridSampler({"C": [0.5, 2.0]}, seed=0)
    search = quick(space={"C": [0.5, 2.0]}, sampler=sampler, n_trials=9).fit(X, Y)
    assert search.stop_reason_ == "exhausted"
    assert len(search.cv_results_["params"]) == 3


@pytest.mark.parametrize(
    ("error", "reason"), [(RuntimeError, "error"), (KeyboardInterrupt, "interrupted")]
)
def test_a_search_that_raises_says_so(error, reason, monkeypatch, capfd):
    monkeypatch.setattr(Broken, "error", error)
    search = quick(Broken(), error_score="raise", verbose=1)
    with pytest.raises(error):
        search.fit(X, Y)
    assert search.stop_reason_ == reason
    assert "stopped after" in capfd.readouterr().out


@pytest.mark.parametrize("stored", [False, True])
def test_a_trial_that_the_timeout_cut_off_is_listed_as_unfinished(
    stored, tmp_path, movie, over_after
):
    clf = TransferTextClassifier("hashing", max_epochs=100_000, random_state=0)
    space = {"freeze": ["frozen", "full"]}
    storage = tmp_path / "s.db" if stored else None
    search = quick(clf.set_params(freeze="frozen"), space, storage=storage, timeout=600)
    over_after(search, 1, within=True)
    results = search.fit(movie[0][:40], movie[1][:40]).cv_results_
    assert results["trial_state"][-1] == "unfinished"
    assert results["params"][-1] == {"freeze": "full"}
    assert np.isnan(results["mean_test_score"][-1])
    assert search.stop_reason_ == "timeout"
    assert search.best_params_ == {"freeze": "frozen"}


def test_a_call_without_a_new_trial_fits_nothing_again(tmp_path):
    search = quick(storage=tmp_path / "s.db").fit(X, Y)
    fitted = search.best_estimator_
    assert search.fit(X, Y).best_estimator_ is fitted
    again = pickle.loads(pickle.dumps(search))
    kept = again.best_estimator_
    assert again.fit(X, Y).best_estimator_ is kept


def test_new_trials_that_are_no_better_fit_nothing_again(tmp_path):
    class Equal(LogisticRegression):
        def score(self, X, y):
            return 0.5  # of equal scores the first is the best

    search = quick(Equal(), storage=tmp_path / "s.db", n_trials=2).fit(X, Y)
    fitted = search.best_estimator_
    search.set_params(n_trials=4).fit(X, Y)
    assert search.best_estimator_ is fitted
    assert len(search.cv_results_["params"]) == 4


def test_what_differs_is_fitted_again(tmp_path):
    search = quick(storage=tmp_path / "s.db").fit(X, Y)
    fitted = search.best_estimator_
    # Other data, in another study.
    search.set_params(study_name="other").fit(X, 1 - Y)
    assert search.best_estimator_ is not fitted
    np.testing.assert_array_equal(search.predict(X), 1 - fitted.predict(X))
    # Searches in memory make new trials, whose best is another fit.
    search = quick().fit(X, Y)
    fitted = search.best_estimator_
    assert search.fit(X, Y).best_estimator_ is not fitted


def test_another_device_is_fitted_again(tmp_path):
    clf = TransferTextClassifier("hashing", freeze="frozen", random_state=0)
    search = quick(clf, {"head__C": [0.1, 1.0]}, storage=tmp_path / "s.db", n_trials=2)
    fitted = search.fit(TEXTS, LABELS).best_estimator_
    search.set_params(estimator__device="cpu").fit(TEXTS, LABELS)
    assert search.best_estimator_ is not fitted
    assert search.best_estimator_.device == "cpu"
