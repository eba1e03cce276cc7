"""A classifier that may decline to answer."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from sktransfer import SelectiveClassifier, TransferTextClassifier


@pytest.fixture(scope="module")
def data(movie):
    return movie[0][:200], movie[1][:200]


def quick(**params):
    clf = TransferTextClassifier("hashing", freeze="frozen", random_state=0)
    return SelectiveClassifier(clf, **params)


@parametrize_with_checks([SelectiveClassifier(LogisticRegression(), threshold=0.0)])
def test_battery(estimator, check):
    check(estimator)


def test_uncertain_rows_get_the_reject_label_and_others_their_own(data):
    clf = quick(reject_label="unsure").fit(*data)
    clf.threshold = np.median(clf.predict_proba(data[0]).max(axis=1))
    plain = clf.estimator_.predict(data[0])
    sure = clf.predict_proba(data[0]).max(axis=1) >= clf.threshold
    assert 0 < sure.sum() < 200
    predicted = clf.predict(data[0])
    assert (predicted[sure] == plain[sure]).all()
    assert set(predicted[~sure]) == {"unsure"}
    np.testing.assert_array_equal(clf.accepts(data[0]), sure)


def test_integer_labels_stay_integers(data):
    labels = (data[1] == "positive").astype(int)
    predicted = quick(threshold=0.52).fit(data[0], labels).predict(data[0])
    assert predicted.dtype.kind == "i"
    assert set(predicted.tolist()) == {-1, 0, 1}


def test_a_higher_threshold_answers_less_and_is_right_more_often(movie):
    X, y = movie
    train, test = (X[:1000], y[:1000]), (X[1000:2000], y[1000:2000])
    clf = FrozenEstimator(TransferTextClassifier("hashing", random_state=0).fit(*train))
    coverage, accuracy = [], []
    for threshold in (0.0, 0.95):
        selective = SelectiveClassifier(clf, threshold=threshold, reject_label="?").fit(*train)
        accepted = selective.accepts(test[0])
        coverage.append(accepted.mean())
        accuracy.append((selective.predict(test[0]) == test[1])[accepted].mean())
    assert coverage[0] == 1.0 > coverage[1]
    assert accuracy[1] > accuracy[0]


def test_a_fitted_classifier_is_used_as_it_is(data):
    fitted = quick().estimator.fit(*data)
    clf = SelectiveClassifier(FrozenEstimator(fitted)).fit(["nothing"], ["negative"])
    np.testing.assert_array_equal(clf.predict_proba(data[0]), fitted.predict_proba(data[0]))


def test_the_threshold_can_be_searched(data):
    search = GridSearchCV(quick(), {"threshold": [0.0, 0.999]}, cv=2).fit(*data)
    assert search.best_params_ == {"threshold": 0.0}


def test_sample_weights_are_routed(data):
    weights = np.where(np.arange(200) % 3, 1.0, 1e-3)
    plain = quick().fit(*data).predict_proba(data[0])
    with sklearn.config_context(enable_metadata_routing=True):
        clf = quick()
        clf.estimator.set_fit_request(sample_weight=True)
        routed = clf.fit(*data, sample_weight=weights).predict_proba(data[0])
    without = quick().fit(*data, sample_weight=weights).predict_proba(data[0])
    np.testing.assert_array_equal(routed, without)
    assert not np.allclose(plain, routed)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"reject_label": "positive"}, "is one of the labels"),
        ({"threshold": 1.5}, "'threshold' parameter"),
        ({"estimator": object()}, "'estimator' parameter"),
    ],
)
def test_what_makes_no_sense_is_refused(data, params, message):
    with pytest.raises(ValueError, match=message):
        quick().set_params(**params).fit(*data)


def test_indicator_matrices_are_refused(data):
    with pytest.raises(ValueError, match="one label a row"):
        quick().fit(data[0][:4], [[0, 1], [1, 0], [1, 1], [0, 0]])


def test_by_default_text_is_rejected_by_text_and_can_be_scored(data):
    clf = quick(threshold=1.0).fit(*data)
    assert clf.reject_label_ == "rejected"
    with pytest.warns(UndefinedMetricWarning, match="NaN"):
        assert np.isnan(clf.score(*data))
    with pytest.raises(ValueError, match="has to be a string"):
        quick(reject_label=-1).fit(*data)


def test_the_label_is_checked_before_the_training(data, monkeypatch):
    monkeypatch.setattr(TransferTextClassifier, "fit", lambda *args: pytest.fail("was trained"))
    with pytest.raises(ValueError, match="is one of the labels"):
        quick(reject_label="positive").fit(*data)


def test_a_fitted_classifier_that_was_passed_is_answered_with_how_to_keep_it():
    fitted = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(NotFittedError, match=r"FrozenEstimator\(fitted\)\)\.fit\(X, y\)"):
        SelectiveClassifier(fitted).predict([[0.0]])
    with pytest.raises(NotFittedError) as raised:
        SelectiveClassifier(LogisticRegression()).predict([[0.0]])
    assert "FrozenEstimator" not in str(raised.value)
    frozen = SelectiveClassifier(FrozenEstimator(fitted), threshold=0.0).fit([[0.0], [1.0]], [0, 1])
    assert frozen.predict([[0.0], [1.0]]).tolist() == [0, 1]
    np.testing.assert_array_equal(
        frozen.predict_log_proba([[0.0]]), np.log(frozen.predict_proba([[0.0]]))
    )


def test_the_score_is_the_accuracy_on_what_is_answered_and_coverage_says_how_much_that_is():
    X = np.array([[-3.0], [-2.0], [-0.1], [0.1], [2.0], [3.0]])
    y = np.array([0, 0, 1, 0, 1, 1])
    inner = LogisticRegression(C=100.0).fit(X[[0, 1, 4, 5]], y[[0, 1, 4, 5]])
    clf = SelectiveClassifier(FrozenEstimator(inner), threshold=0.9).fit(X, y)
    assert clf.accepts(X).tolist() == [True, True, False, False, True, True]
    assert clf.score(X, y) == 1.0
    assert clf.coverage(X) == 4 / 6
    wrong = np.where(np.arange(6) == 5, 0, y)
    assert clf.score(X, wrong) == 0.75
    assert clf.score(X, wrong, sample_weight=[1, 1, 9, 9, 1, 0]) == 1.0
    everything = clf.set_params(threshold=0.0)
    assert everything.score(X, y) == inner.score(X, y)
