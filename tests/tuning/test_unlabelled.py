"""Target rows without a label are trained on in the folds of a search, and never scored."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from optuna.pruners import NopPruner
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer, make_scorer
from sklearn.model_selection import PredefinedSplit, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sktransfer import TransferSearchCV, TransferTextClassifier, TransferTextRegressor

sys.path.insert(0, str(Path(__file__).parents[1] / "extending"))
from coral import Coral

RNG = np.random.default_rng(0)
WORDS = ["good", "bad", "fine", "awful", "great", "poor", "nice", "ugly"]
X = [" ".join(RNG.choice(WORDS, 4)) for _ in range(40)]
Y = np.array([int("good" in x or "great" in x) for x in X])
DOMAIN = np.repeat([0, -1], 20)
UNLABELLED = np.where(DOMAIN < 0, -1, Y)
CV = StratifiedKFold(2, shuffle=True, random_state=0)


def quick(kind=TransferTextClassifier, **params):
    shared = {"freeze": "head_by_epochs", "max_epochs": 2, "random_state": 0}
    return kind("hashing", **shared | {"alignment": Coral()} | params)


def search(estimator, space=None, **params):
    space = {"lr": [1e-3]} if space is None else space
    shared = {"n_trials": 1, "cv": CV, "random_state": 0, "refit": False}
    return TransferSearchCV(estimator, space, **shared | params)


def expected(y=UNLABELLED, name="accuracy", rows="test", **params):
    """Fit on all rows of a fold, and score those that have a label."""
    scores = []
    for train, test in CV.split(X, y):
        clf = quick(lr=1e-3, **params).fit(
            [X[i] for i in train], y[train], sample_domain=DOMAIN[train]
        )
        scored = test if rows == "test" else train
        scored = scored[DOMAIN[scored] >= 0]
        scores.append(get_scorer(name)(clf, [X[i] for i in scored], y[scored]))
    return scores


def fold_scores(found, what="test_score"):
    return [found.cv_results_[f"split{i}_{what}"][0] for i in range(2)]


def test_a_search_scores_the_labelled_rows_of_each_fold():
    found = search(quick()).fit(X, UNLABELLED, sample_domain=DOMAIN)
    assert fold_scores(found) == pytest.approx(expected())


def test_train_scores_are_of_labelled_rows():
    found = search(quick(), return_train_score=True).fit(X, UNLABELLED, sample_domain=DOMAIN)
    assert fold_scores(found) == pytest.approx(expected())
    assert fold_scores(found, "train_score") == pytest.approx(expected(rows="train"))


def test_several_metrics_are_of_labelled_rows():
    names = ["accuracy", "balanced_accuracy"]
    found = search(quick(), scoring=names, return_train_score=True, refit="accuracy")
    found.fit(X, UNLABELLED, sample_domain=DOMAIN)
    for name in names:
        assert fold_scores(found, f"test_{name}") == pytest.approx(expected(name=name))
        train = expected(name=name, rows="train")
        assert fold_scores(found, f"train_{name}") == pytest.approx(train)


def rows_scored(y, y_pred):
    SEEN.append(sorted(set(y.tolist())))
    return 0.5


SEEN: list = []


@pytest.mark.parametrize("pruner", [None, NopPruner()], ids=["pruned", "not pruned"])
def test_epochs_are_scored_by_labelled_rows(pruner):
    SEEN.clear()
    found = search(quick(max_epochs=4), scoring=make_scorer(rows_scored), pruner=pruner)
    found.fit(X, UNLABELLED, sample_domain=DOMAIN)
    assert [[0, 1]] * (2 if pruner else 8) == SEEN


def test_the_last_step_of_a_pipeline_has_domains_of_its_own():
    pipe = make_pipeline(FunctionTransformer(), quick(lr=1e-3))
    name = pipe.steps[-1][0]
    found = search(pipe, {f"{name}__lr": [1e-3]})
    found.fit(X, UNLABELLED, **{f"{name}__sample_domain": DOMAIN})
    assert fold_scores(found) == pytest.approx(expected())


def test_numbers_are_marked_by_nan_and_minus_one_is_a_number():
    numbers = np.where(DOMAIN < 0, np.nan, np.where(Y == 1, 2.0, -1.0))
    found = search(quick(TransferTextRegressor), cv=list(CV.split(X, Y)))
    found.fit(X, numbers, sample_domain=DOMAIN)
    assert np.isfinite(fold_scores(found)).all()


def test_labels_of_all_rows_are_scored_as_before():
    found = search(quick()).fit(X, Y, sample_domain=DOMAIN)
    folds = CV.split(X, Y)
    scores = [
        quick(lr=1e-3)
        .fit([X[i] for i in train], Y[train], sample_domain=DOMAIN[train])
        .score([X[i] for i in test], Y[test])
        for train, test in folds
    ]
    assert fold_scores(found) == pytest.approx(scores)


def test_a_fold_without_a_labelled_test_row_is_refused_by_its_number():
    cv = PredefinedSplit(np.repeat([0, 1], 20))
    with pytest.raises(ValueError, match=r"20 test rows of fold 1 .*StratifiedKFold"):
        search(quick(), cv=cv).fit(X, UNLABELLED, sample_domain=DOMAIN)


def test_minus_one_is_a_label_of_other_estimators():
    class Domains(LogisticRegression):
        def fit(self, X, y, sample_domain=None):
            return super().fit(X, y)

    features = np.array([[len(x), x.count("o")] for x in X], dtype=float)
    labels = np.where(Y == 1, 1, -1)
    found = search(Domains(), {"C": [1.0]}).fit(features, labels, sample_domain=DOMAIN)
    assert found.best_score_ > 0
