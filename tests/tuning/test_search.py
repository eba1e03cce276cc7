"""TransferSearchCV: scikit-learn's search with Optuna's choices."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import GPSampler, RandomSampler, TPESampler
from optuna.trial import TrialState
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier
from sklearn.callback import ScoringMonitor
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sktransfer import TransferSearchCV, TransferTextClassifier
from sktransfer.tuning import search_space
from sktransfer.tuning._log_level import optuna_log_level as quiet

X, Y = make_classification(120, 6, random_state=0)
SPACE = {"C": FloatDistribution(1e-3, 1e3, log=True)}


def quick(estimator=None, space=SPACE, **params):
    estimator = LogisticRegression() if estimator is None else estimator
    return TransferSearchCV(
        estimator, space, **{"n_trials": 5, "cv": 3, "random_state": 0} | params
    )


@parametrize_with_checks(
    [
        TransferSearchCV(
            LogisticRegression(),
            {"C": [0.1, 1.0, 10.0]},
            n_trials=2,
            cv=2,
            random_state=0,
        )
    ]
)
def test_scikit_learns_battery(estimator, check):
    check(estimator)


def test_results_are_those_of_a_scikit_learn_search():
    search = quick().fit(X, Y)
    results = search.cv_results_
    assert len(results["params"]) == 5
    best = int(np.argmax(results["mean_test_score"]))
    assert search.best_index_ == best
    assert search.best_params_ == results["params"][best]
    assert search.best_score_ == results["mean_test_score"][best]
    assert search.best_params_["C"] == search.best_estimator_.C
    assert search.score(X, Y) == search.best_estimator_.score(X, Y)
    again = cross_val_score(LogisticRegression(**search.best_params_), X, Y, cv=3)
    np.testing.assert_array_equal([results[f"split{i}_test_score"][best] for i in range(3)], again)
    assert [t.value for t in search.study_.trials] == results["mean_test_score"].tolist()
    assert [t.params for t in search.study_.trials] == results["params"]


def test_the_search_finds_what_a_grid_would_need_many_more_trials_for():
    class Peak(ClassifierMixin, BaseEstimator):
        def __init__(self, a=0.0, b=0.0):
            self.a, self.b = a, b

        def fit(self, X, y):
            self.classes_ = np.unique(y)
            return self

        def score(self, X, y):
            return -((self.a - 0.3) ** 2) - (self.b + 0.6) ** 2

        def predict(self, X):
            return np.zeros(len(X))

    space = {"a": FloatDistribution(-1, 1), "b": FloatDistribution(-1, 1)}
    search = quick(Peak(), space, n_trials=25, refit=False).fit(X, Y)
    # 25 points of a grid lie within 0.25 of the peak at best, 25 at random hardly nearer.
    assert search.best_score_ > -0.01


@pytest.mark.parametrize("n_trials", [6, 31])
def test_a_seed_gives_the_same_trials_whatever_n_jobs_is(n_trials):
    one = quick(n_trials=n_trials, n_jobs=1).fit(X, Y).cv_results_
    for n_jobs in (1, 2):
        other = quick(n_trials=n_trials, n_jobs=n_jobs).fit(X, Y).cv_results_
        assert other["params"] == one["params"]
        for key in ("split0_test_score", "split2_test_score", "mean_test_score"):
            np.testing.assert_array_equal(other[key], one[key])
    assert quick(n_trials=n_trials, random_state=1).fit(X, Y).cv_results_["params"] != one["params"]


@pytest.mark.parametrize("n_trials", [12, 31])
def test_no_setting_is_tried_twice_while_others_are_left(n_trials):
    space = {"C": [0.1, 1.0, 10.0], "fit_intercept": [True, False], "tol": [0.1, 0.01]}
    search = quick(space=space, n_trials=n_trials, refit=False).fit(X, Y)
    tried = [tuple(sorted(params.items())) for params in search.cv_results_["params"]]
    assert len(tried) == n_trials
    assert len(set(tried[:12])) == 12


@pytest.mark.parametrize(("n_trials", "kind"), [(30, GPSampler), (31, TPESampler)])
def test_few_trials_are_chosen_by_a_gaussian_process_and_many_by_tpe(n_trials, kind):
    search = quick(space={"C": [1.0]}, n_trials=n_trials, timeout=2, refit=False).fit(X, Y)
    assert isinstance(search.sampler_, kind)


def test_a_sampler_of_ones_own_is_used_as_it_is():
    own = RandomSampler(seed=3)
    assert quick(sampler=own).fit(X, Y).sampler_ is own


def test_parameters_of_the_chosen_plugin_alone_are_asked_for(movie):
    texts, labels = movie[0][:60], movie[1][:60]
    pipe = Pipeline([("clf", TransferTextClassifier("hashing", max_epochs=6, random_state=0))])
    space = {
        **search_space(pipe),
        "clf__freeze": ["frozen", "top_layers"],
        "clf__freeze__k": IntDistribution(1, 2),
    }
    search = quick(pipe, space, n_trials=8, cv=2, error_score="raise").fit(texts, labels)
    asked = [set(params) for params in search.cv_results_["params"]]
    chosen = [params["clf__freeze"] for params in search.cv_results_["params"]]
    assert set(chosen) == {"auto", "frozen", "top_layers"}
    # The first trial is the estimator as it stands, whose strategy is picked by the data.
    for keys, name in list(zip(asked, chosen, strict=True))[1:]:
        assert ("clf__freeze__k" in keys) == (name == "top_layers")
        assert ("clf__lr" in keys) == (name == "top_layers")
        assert "clf__freeze__every" not in keys
        assert ("clf__head__C" in keys) == (name == "frozen")
    masked = search.cv_results_["param_clf__freeze__k"].mask
    assert masked.tolist() == [name != "top_layers" for name in chosen]


def test_without_a_space_the_declared_one_is_searched(movie):
    texts, labels = movie[0][:40], movie[1][:40]
    clf = TransferTextClassifier("hashing", freeze="frozen", random_state=0)
    search = TransferSearchCV(clf, n_trials=2, cv=2, random_state=0, refit=False)
    search.fit(texts, labels)
    assert search.search_space_ == search_space(clf)


class Picky(ClassifierMixin, BaseEstimator):
    """Fails for what is below a limit."""

    def __init__(self, a=0, limit=2):
        self.a, self.limit = a, limit

    def fit(self, X, y):
        if self.a < self.limit:
            raise ValueError(f"a={self.a} is too small")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.zeros(len(X))


PICKY = {"a": CategoricalDistribution([0, 1, 2, 3])}


@pytest.mark.filterwarnings("ignore:.*fits failed")
def test_a_failing_trial_has_its_reason_and_the_search_goes_on():
    search = quick(Picky(), PICKY, n_trials=12, sampler=RandomSampler(seed=0)).fit(X, Y)
    trials = search.study_.trials
    failed = [t for t in trials if t.state == TrialState.FAIL]
    assert len(trials) == 12
    assert failed
    assert all(t.params["a"] < 2 and "is too small" in t.user_attrs["error"] for t in failed)
    results = search.cv_results_
    assert [results["params"][i]["a"] < 2 for i in range(12)] == [
        state == "fail" for state in results["trial_state"]
    ]
    assert np.isnan(results["mean_test_score"][results["trial_state"] == "fail"]).all()
    assert search.best_params_["a"] >= 2


def test_if_all_trials_fail_the_first_reason_is_given_with_its_parameters():
    with pytest.raises(ValueError, match=r"3 of 3 trials failed, .*\{'a': \d\}") as info:
        quick(Picky(limit=9), PICKY, n_trials=3).fit(X, Y)
    assert "is too small" in str(info.value)


def test_a_failure_ends_the_search_where_that_was_asked_for():
    with pytest.raises(ValueError, match="is too small"):
        quick(Picky(limit=9), PICKY, error_score="raise").fit(X, Y)


@pytest.mark.parametrize(
    ("space", "error", "message"),
    [
        ({}, ValueError, "search_space is empty"),
        ({"depth": [1]}, ValueError, "search_space has depth=1, which LogisticRegression"),
        ({"C": 3.0}, TypeError, r"search_space\['C'\] has to be a list"),
        ({"C": []}, TypeError, r"search_space\['C'\] has to be a list"),
        ([("C", [1])], TypeError, "has to be a dict"),
        ({"C": [(1, 2)]}, TypeError, r"search_space\['C'\] offers \(1, 2\); a study holds None"),
        (None, ValueError, "declare nothing to tune"),
    ],
)
def test_a_space_that_does_not_fit_is_refused_before_anything_is_fitted(space, error, message):
    class Untouched(LogisticRegression):
        def fit(self, X, y):
            raise AssertionError("fitted")

    Untouched.__name__ = "LogisticRegression"
    with pytest.raises(error, match=message):
        quick(Untouched(), space).fit(X, Y)


@pytest.mark.parametrize(
    "space",
    [
        {"freeze": ["frozen", "melted"], "freeze__k": [1]},
        {"freeze": ["frozen", "melted"]},
        {"head": ["linear", "melted"]},
        {"backbone": ["hashing", "melted"]},
    ],
)
def test_a_plugin_that_is_not_there_is_refused_before_anything_is_fitted(space):
    with pytest.raises(ValueError, match=r"search_space has .*melted"):
        quick(TransferTextClassifier("hashing"), space).fit(["a", "b"] * 6, [0, 1] * 6)


def test_a_seed_gives_the_same_trials_of_a_training_in_other_processes(movie):
    texts, labels = movie[0][:40], movie[1][:40]
    clf = TransferTextClassifier("hashing", max_epochs=3, random_state=0)
    space = {"freeze": ["frozen", "full"], "lr": [1e-3, 1e-2]}
    one, other = (
        quick(clf, space, n_trials=7, cv=2, n_jobs=n_jobs, refit=False).fit(texts, labels)
        for n_jobs in (1, 2)
    )
    assert one.cv_results_["params"] == other.cv_results_["params"]
    assert one.cv_results_["trial_state"].tolist() == other.cv_results_["trial_state"].tolist()
    for key in ("split0_test_score", "split1_test_score", "mean_test_score"):
        np.testing.assert_array_equal(one.cv_results_[key], other.cv_results_[key])


class Deadly(LogisticRegression):
    """Takes its process with it for one value."""

    def fit(self, X, y):
        if self.C == 3.0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*trials failed")
def test_a_worker_that_is_killed_costs_one_trial():
    space = {"C": [1.0, 3.0]}
    search = quick(Deadly(), space, n_trials=4, n_jobs=2, sampler=RandomSampler(seed=0))
    search.fit(X, Y)
    states = {trial.params["C"]: trial.state for trial in search.study_.trials}
    assert states == {1.0: TrialState.COMPLETE, 3.0: TrialState.FAIL}
    failed = [t for t in search.study_.trials if t.state == TrialState.FAIL]
    assert "a worker process died" in failed[0].user_attrs["error"]
    assert search.best_params_ == {"C": 1.0}


@pytest.mark.parametrize("sampler", [None, RandomSampler(seed=0)])
def test_a_search_prints_nothing(capfd, sampler):
    quick(sampler=sampler).fit(X, Y)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_trials": 0}, "'n_trials' parameter"),
        ({"timeout": 0}, "'timeout' parameter"),
        ({"sampler": "tpe"}, "'sampler' parameter"),
        ({"pruner": "median"}, "'pruner' parameter"),
    ],
)
def test_wrong_parameters_are_refused(params, message):
    with pytest.raises((TypeError, ValueError), match=message):
        quick(**params).fit(X, Y)


def test_no_trial_begins_after_the_timeout():
    class Slow(LogisticRegression):
        def fit(self, X, y):
            time.sleep(0.1)
            return super().fit(X, y)

    search = quick(Slow(), n_trials=100, timeout=0.5, refit=False).fit(X, Y)
    assert 1 <= len(search.study_.trials) <= 3


def test_ctrl_c_reaches_the_caller_and_keeps_the_study():
    calls = []

    class Interrupted(LogisticRegression):
        def fit(self, X, y):
            calls.append(1)
            if len(calls) > 6:
                raise KeyboardInterrupt
            return super().fit(X, y)

    search = quick(Interrupted(), n_trials=9)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)
    states = [t.state for t in search.study_.trials]
    assert states[:2] == [TrialState.COMPLETE] * 2
    assert len(states) == 3


def test_nested_cross_validation_is_stratified_and_pipelines_are_searched():
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    search = quick(pipe, {"logisticregression__C": [0.1, 1.0]}, n_trials=2)
    assert is_classifier(search)
    assert len(cross_val_score(clone(search), X, Y, cv=3)) == 3


def test_several_metrics_and_groups():
    search = quick(scoring=["accuracy", "neg_log_loss"], refit="neg_log_loss").fit(X, Y)
    results = search.cv_results_
    assert [t.value for t in search.study_.trials] == results["mean_test_neg_log_loss"].tolist()
    assert search.best_index_ == int(np.argmax(results["mean_test_neg_log_loss"]))
    quick(cv=GroupKFold(3)).fit(X, Y, groups=np.arange(len(Y)) % 5)
    with pytest.raises(ValueError, match="refit"):
        quick(scoring=["accuracy", "neg_log_loss"], refit=False).fit(X, Y)


@pytest.mark.parametrize("refit", [False, lambda results: 0])
def test_several_metrics_need_a_name_before_anything_is_fitted(refit):
    class Unfitted(LogisticRegression):
        def fit(self, X, y):
            raise AssertionError("fitted")

    search = quick(Unfitted(), scoring=["accuracy", "f1"], refit=refit, error_score="raise")
    with pytest.raises(ValueError, match=r"one of \['accuracy', 'f1'\], got refit="):
        search.fit(X, Y)


def test_a_single_metric_may_be_called_score():
    search = quick(scoring={"score": "accuracy"}, refit="score").fit(X, Y)
    assert search.multimetric_
    assert search.score(X, Y) == search.best_estimator_.score(X, Y)


def test_a_pruner_that_always_prunes_leaves_the_first_trial():
    class Always(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            return True

    search = quick(pruner=Always()).fit(X, Y)
    assert search.cv_results_["trial_state"].tolist() == ["complete", *["pruned"] * 4]
    assert search.best_params_ == {"C": 1.0}


def test_searches_in_threads_leave_optunas_level_as_it_was():
    optuna.logging.set_verbosity(optuna.logging.INFO)
    try:
        first, second = quiet(optuna.logging.ERROR), quiet(optuna.logging.WARNING)
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert optuna.logging.get_verbosity() == optuna.logging.WARNING
        second.__exit__(None, None, None)
        assert optuna.logging.get_verbosity() == optuna.logging.INFO
    finally:
        optuna.logging.set_verbosity(optuna.logging.WARNING)


def test_a_callable_refit_chooses_what_is_kept():
    search = quick(refit=lambda results: int(np.argmin(results["mean_test_score"]))).fit(X, Y)
    assert search.best_index_ == int(np.argmin(search.cv_results_["mean_test_score"]))


def test_callbacks_see_trials(movie):
    monitor = ScoringMonitor(scoring="accuracy")
    clf = TransferTextClassifier("hashing", freeze="frozen", random_state=0)
    clf.set_callbacks(monitor)
    quick(clf, {"head__C": [0.1, 1.0]}, n_trials=2, cv=2).fit(movie[0][:40], movie[1][:40])
    assert len(monitor.get_logs().data) >= 4


def test_nothing_is_printed_where_trials_have_different_parameters(movie, capfd):
    clf = TransferTextClassifier("hashing", max_epochs=6, random_state=0)
    search = TransferSearchCV(clf, n_trials=11, cv=2, random_state=0, refit=False)
    search.fit(movie[0][:24], movie[1][:24])
    assert len({frozenset(params) for params in search.cv_results_["params"]}) > 1
    assert capfd.readouterr() == ("", "")


def test_nothing_is_printed_and_optunas_level_is_put_back(capfd):
    optuna.logging.set_verbosity(optuna.logging.INFO)
    try:
        quick().fit(X, Y)
        assert optuna.logging.get_verbosity() == optuna.logging.INFO
    finally:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
    assert capfd.readouterr() == ("", "")
