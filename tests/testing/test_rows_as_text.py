"""RowsAsText opens scikit-learn's battery to text classifiers, and hides none of their faults."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.utils.estimator_checks import (
    check_estimator,
    estimator_checks_generator,
    parametrize_with_checks,
)
from sklearn.utils.validation import check_is_fitted

from sktransfer.testing import RowsAsText


class BagOfWords(ClassifierMixin, BaseEstimator):
    """A plain classifier of texts: what RowsAsText is made for, in few lines."""

    def fit(self, X, y, sample_weight=None):
        self.words_ = CountVectorizer(token_pattern=r"\S+", lowercase=False)
        self.model_ = LogisticRegression(C=10.0, max_iter=1000)
        self.model_.fit(self.words_.fit_transform(X), y, sample_weight)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        check_is_fitted(self)
        return self.model_.predict(self.words_.transform(X))

    def predict_proba(self, X):
        check_is_fitted(self)
        return self.model_.predict_proba(self.words_.transform(X))

    def decision_function(self, X):
        check_is_fitted(self)
        return self.model_.decision_function(self.words_.transform(X))


class HashedWords(ClassifierMixin, BaseEstimator):
    """One that learns by steps, and has no probabilities."""

    def fit(self, X, y, sample_weight=None):
        self.model_ = SGDClassifier(random_state=0, max_iter=100, tol=None, average=True)
        self.model_.fit(self._counts(X), y, sample_weight=sample_weight)
        return self._finish()

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        if not hasattr(self, "model_"):
            self.model_ = SGDClassifier(random_state=0)
        self.model_.partial_fit(self._counts(X), y, classes=classes, sample_weight=sample_weight)
        return self._finish()

    def predict(self, X):
        check_is_fitted(self)
        return self.model_.predict(self._counts(X))

    def _counts(self, X):
        words = HashingVectorizer(
            token_pattern=r"\S+", lowercase=False, n_features=2**12, norm=None
        )
        return words.transform(X)

    def _finish(self):
        self.classes_ = self.model_.classes_
        self.n_iter_ = self.model_.n_iter_
        return self


def expected_failures(estimator):
    if isinstance(estimator.estimator, HashedWords):
        return {
            "check_sample_weight_equivalence_on_dense_data": "one step for a row of weight 2 is "
            "not two steps; scikit-learn expects this of SGDClassifier, too"
        }
    return {}


@parametrize_with_checks(
    [RowsAsText(BagOfWords()), RowsAsText(HashedWords())],
    expected_failed_checks=expected_failures,
)
def test_battery(estimator, check):
    check(estimator)


class Forgetful(BagOfWords):
    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y)


class Codes(BagOfWords):
    def predict(self, X):
        return self.decision_function(X).argmax(axis=1)


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (Forgetful, "check_sample_weight_equivalence_on_dense_data"),
        (Codes, "check_classifiers_classes"),
    ],
)
def test_battery_sees_through_the_adapter(broken, check):
    results = check_estimator(RowsAsText(broken()), on_fail=None, on_skip=None)
    assert check in {result["check_name"] for result in results if result["status"] == "failed"}


def test_battery_is_not_skipped():
    assert len(list(estimator_checks_generator(RowsAsText(BagOfWords())))) > 50


class Recorder(BagOfWords):
    def fit(self, X, y, sample_weight=None):
        self.seen_ = X
        return super().fit(X, y, sample_weight)


def test_documents():
    rows = RowsAsText(Recorder()).fit([[1.4, -0.9], [-0.1, 0.0], [1e20, 3]], [0, 1, 0])
    assert rows.estimator_.seen_ == [
        "f0_3 f1_-2",
        "f0_0 f1_0",
        "f0_200000000000000000000 f1_6",
    ]


def test_leaves_the_given_estimator_alone():
    given = BagOfWords()
    rows = RowsAsText(given).fit([[0.0], [1.0]], ["a", "b"])
    assert rows.estimator_ is not given
    assert not hasattr(given, "classes_")
    assert is_classifier(rows)


def test_offers_the_methods_of_its_estimator():
    assert hasattr(RowsAsText(BagOfWords()), "predict_proba")
    assert not hasattr(RowsAsText(HashedWords()), "predict_proba")
    assert hasattr(RowsAsText(HashedWords()), "partial_fit")
    assert not hasattr(RowsAsText(BagOfWords()), "partial_fit")


def test_partial_fit_continues():
    rows = RowsAsText(HashedWords()).partial_fit([[0.0], [5.0]], ["a", "b"], classes=["a", "b"])
    first = rows.estimator_
    assert rows.partial_fit([[0.0], [5.0]], ["a", "b"]).estimator_ is first
    assert rows.n_features_in_ == 1
    assert rows.n_iter_ == first.n_iter_
    np.testing.assert_array_equal(rows.classes_, ["a", "b"])


def test_not_fitted():
    with pytest.raises(NotFittedError):
        RowsAsText(BagOfWords()).predict([[0.0]])
