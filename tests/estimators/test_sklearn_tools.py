"""The tools that people use with any classifier, on real text."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_validate,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sktransfer import TransferTextClassifier
from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.freezing.strategies import TopLayers


@pytest.fixture(scope="module")
def data(movie):
    return movie[0][:160], movie[1][:160]


@pytest.fixture(scope="module")
def test_texts(movie):
    return movie[0][160:260]


def quick(**params):
    return TransferTextClassifier(
        **{"backbone": "hashing", "max_epochs": 2, "random_state": 0} | params
    )


def lower(texts):
    return [text.lower() for text in texts]


def test_grid_search_over_backbone_and_strategy_in_a_pipeline(data, tiny_model):
    pipe = Pipeline([("clean", FunctionTransformer(lower)), ("clf", quick())])
    grid = {"clf__backbone": ["hashing", tiny_model], "clf__freeze": ["frozen", "top_layers"]}
    search = GridSearchCV(pipe, grid, cv=2, error_score="raise").fit(*data)
    assert len(search.cv_results_["params"]) == 4
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_["clf"].classes_.tolist() == ["negative", "positive"]


def test_two_jobs_give_the_scores_of_one(data):
    scores = [
        GridSearchCV(quick(), {"freeze": ["frozen", "full"]}, cv=2, n_jobs=n).fit(*data).cv_results_
        for n in (1, 2)
    ]
    for name in ("split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(scores[0][name], scores[1][name])


def test_nested_parameters_of_plugins_are_searched(data):
    clf = quick(freeze=TopLayers(), backbone=HashingBackbone(dim=8))
    search = RandomizedSearchCV(
        clf, {"freeze__k": [1, 2], "backbone__dim": [8, 16]}, n_iter=3, cv=2, random_state=0
    ).fit(*data)
    assert {"freeze__k", "backbone__dim"} == set(search.best_params_)


def test_cross_validate_is_stratified_and_gives_train_scores(data):
    assert is_classifier(quick())
    result = cross_validate(
        quick(freeze="frozen"),
        *data,
        cv=3,
        scoring=["accuracy", "roc_auc"],
        return_train_score=True,
    )
    assert result["train_accuracy"].mean() > result["test_accuracy"].mean() > 0.4


def test_cross_val_predict_gives_probabilities_for_all_rows(data):
    proba = cross_val_predict(quick(freeze="frozen"), *data, cv=3, method="predict_proba")
    assert proba.shape == (160, 2)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)


@pytest.mark.parametrize("voting", ["soft", "hard"])
def test_voting_beside_tfidf(data, test_texts, voting):
    members = [
        ("ours", quick(freeze="frozen")),
        ("tfidf", make_pipeline(TfidfVectorizer(), LogisticRegression())),
    ]
    assert len(VotingClassifier(members, voting=voting).fit(*data).predict(test_texts)) == 100


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
def test_calibration(data, test_texts, method):
    calibrated = CalibratedClassifierCV(quick(freeze="frozen"), method=method, cv=2).fit(*data)
    np.testing.assert_allclose(calibrated.predict_proba(test_texts).sum(axis=1), 1.0)


def test_calibration_of_a_fitted_classifier(data, test_texts):
    fitted = quick(freeze="frozen").fit(data[0][:80], data[1][:80])
    calibrated = CalibratedClassifierCV(FrozenEstimator(fitted), method="sigmoid")
    calibrated.fit(data[0][80:], data[1][80:])
    assert calibrated.predict_proba(test_texts).shape == (100, 2)


def test_stacking(data, test_texts):
    members = [("a", quick(freeze="frozen")), ("b", quick(freeze="frozen", head="mlp"))]
    stack = StackingClassifier(members, LogisticRegression(), cv=2).fit(*data)
    assert set(stack.predict(test_texts)) <= {"negative", "positive"}


def test_one_vs_rest(data):
    three = np.array(["a", "b", "c"])[np.arange(160) % 3]
    clf = OneVsRestClassifier(quick(freeze="frozen")).fit(data[0], three)
    assert clf.predict_proba(data[0][:5]).shape == (5, 3)


def test_frozen_estimator_is_not_fitted_again(data, test_texts):
    fitted = quick(freeze="frozen").fit(*data)
    before = fitted.predict_proba(test_texts)
    frozen = clone(FrozenEstimator(fitted)).fit(data[0][:10], data[1][::-1][:10])
    np.testing.assert_array_equal(frozen.predict_proba(test_texts), before)


def test_clone_after_fit_is_unfitted_and_fits_to_the_same(data, test_texts):
    fitted = quick().fit(*data)
    again = clone(fitted)
    assert not hasattr(again, "net_")
    np.testing.assert_array_equal(
        again.fit(*data).predict_proba(test_texts), fitted.predict_proba(test_texts)
    )


def test_pickle_into_a_new_process_predicts_the_same(data, test_texts, tmp_path):
    fitted = quick().fit(*data)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps((fitted, test_texts)))
    code = (
        "import pickle, sys, numpy as np, torch; torch.set_num_threads(1)\n"
        f"clf, X = pickle.load(open({str(tmp_path / 'model.pkl')!r}, 'rb'))\n"
        f"np.save({str(tmp_path / 'proba.npy')!r}, clf.predict_proba(X))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    np.testing.assert_array_equal(np.load(tmp_path / "proba.npy"), fitted.predict_proba(test_texts))


def test_metadata_routing_passes_sample_weight(data):
    import sklearn

    weights = np.where(np.arange(160) % 4, 1.0, 1e-3)
    with sklearn.config_context(enable_metadata_routing=True):
        clf = quick(freeze="frozen").set_fit_request(sample_weight=True)
        clf.set_score_request(sample_weight=True)
        result = cross_validate(clf, *data, cv=2, params={"sample_weight": weights})
        unweighted = cross_validate(clf, *data, cv=2, return_estimator=True, params={})
        weighted = cross_validate(
            clf, *data, cv=2, return_estimator=True, params={"sample_weight": weights}
        )
    heads = [r["estimator"][0].net_.state.head_weights["weight"] for r in (weighted, unweighted)]
    assert not np.allclose(*heads, atol=1e-2)
    assert weighted["test_score"].tolist() == result["test_score"].tolist()


def test_containers_of_every_library_give_the_same(data, test_texts):
    import pandas as pd
    import pyarrow as pa

    X, y = data
    expected = quick(freeze="frozen").fit(X, y).predict_proba(test_texts)
    containers = [
        (tuple(X), tuple(y)),
        (np.array(X), y),
        (np.array(X, dtype=object), y.astype(object)),
        (np.array(X)[:, None], y),
        (pd.Series(X, index=np.arange(160)[::-1]), pd.Series(y)),
        (pd.DataFrame({"text": X}), pd.DataFrame({"label": y})["label"]),
        (pd.Series(X, dtype="string"), pd.Series(y, dtype="category")),
        (pl.Series(X), pl.Series(y.tolist())),
        (pl.DataFrame({"text": X}), pl.Series(y.tolist())),
        (pa.array(X), pa.array(y.tolist())),
        (pa.chunked_array([X]), y),
    ]
    for texts, labels in containers:
        fitted = quick(freeze="frozen").fit(texts, labels)
        np.testing.assert_array_equal(fitted.predict_proba(test_texts), expected)
        assert fitted.classes_.tolist() == ["negative", "positive"]


@pytest.mark.parametrize(
    "labels",
    [
        ["no", "yes"],
        [0, 1],
        [-1, 1],
        [False, True],
        [10, 20],
        [0.0, 1.0],
        np.array(["x", "y"], dtype=object),
        np.array(["x", "y"], dtype="T"),
    ],
)
def test_labels_of_any_type_come_back_as_they_were(data, labels):
    values = np.asarray(labels)[(data[1] == "positive").astype(int)]
    clf = quick(freeze="frozen").fit(data[0], values)
    assert clf.classes_.tolist() == list(labels)
    assert set(clf.predict(data[0]).tolist()) == set(np.asarray(labels).tolist())


def test_split_with_string_labels_through_stratified_folds(data):
    search = GridSearchCV(
        quick(), {"freeze": ["frozen"]}, cv=StratifiedKFold(2, shuffle=True, random_state=0)
    )
    assert 0 <= search.fit(*data).best_score_ <= 1


def test_repr_and_html_work_before_and_after_fit(data):
    clf = quick()
    assert repr(clf).startswith("TransferTextClassifier(")
    assert "TransferTextClassifier" in clf.fit(*data)._repr_html_()


@pytest.mark.slow
def test_workers_share_the_cores_and_pinned_threads_give_equal_bits(tmp_path, tiny_model):
    script = tmp_path / "search.py"
    script.write_text(
        """
import sys
import joblib, numpy as np, torch
from sklearn.model_selection import GridSearchCV
from sktransfer import TransferTextClassifier

def scores(estimator, X, y):
    loss = -np.log(np.maximum(estimator.predict_proba(X), 1e-12)).mean()
    return {"loss": loss, "threads": torch.get_num_threads()}

X = [f"a {w} film number {i}" for i in range(12) for w in ("good", "bad", "dull", "great")]
y = [1, 0, 0, 1] * 12
clf = TransferTextClassifier(sys.argv[1], max_epochs=2, precision="fp32", random_state=0)

def run(n_jobs):
    search = GridSearchCV(
        clf, {"freeze": ["frozen", "full"]}, cv=2, scoring=scores, refit=False, n_jobs=n_jobs
    )
    return search.fit(X, y).cv_results_

if __name__ == "__main__":
    free = run(2)
    cores = joblib.cpu_count()
    assert set(free["mean_test_threads"]) == {max(1, cores // 2)}, free["mean_test_threads"]
    torch.set_num_threads(1)
    alone = run(1)
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        together = run(2)
    assert set(together["mean_test_threads"]) == {1}
    for key in ("split0_test_loss", "split1_test_loss"):
        assert np.array_equal(alone[key], together[key]), (alone[key], together[key])
""",
        encoding="utf-8",
    )
    pinned = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in pinned}
    done = subprocess.run(
        [sys.executable, str(script), str(tiny_model)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


def test_logarithms_of_probabilities_are_predicted_as_other_classifiers_do(movie):
    X, y = movie[0][:60], movie[1][:60]
    clf = TransferTextClassifier("hashing", freeze="frozen", random_state=0).fit(X, y)
    found = clf.predict_log_proba(X)
    np.testing.assert_array_equal(found, np.log(clf.predict_proba(X)))
    folds = cross_val_predict(clf, X, y, method="predict_log_proba", cv=2)
    assert folds.shape == (60, 2)
    np.testing.assert_allclose(np.exp(folds).sum(axis=1), 1.0)
