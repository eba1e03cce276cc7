"""Labels as columns of frames hold them: objects, lists in cells, several columns, shares."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sktransfer import TransferTextClassifier

X = ["great", "awful"] * 12


def fitted(y):
    # Two different texts are too few to tune thresholds on.
    params = {"freeze": "frozen", "threshold": 0.5, "random_state": 0}
    clf = TransferTextClassifier("hashing", **params)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return clf.fit(X, y)


@pytest.mark.parametrize(
    ("labels", "kind"),
    [([1, 0], "i"), ([True, False], "b"), ([1.0, 0.0], "f"), ([np.int8(1), np.int8(0)], "i")],
    ids=["int", "bool", "float", "numpy's int"],
)
@pytest.mark.parametrize("make", [np.array, pd.Series], ids=["array", "series"])
def test_objects_of_one_type_are_labels_of_that_type(make, labels, kind):
    clf = fitted(make(labels * 12, dtype=object))
    assert clf.classes_.dtype.kind == kind
    assert clf.classes_.tolist() == sorted(labels)
    assert clf.predict(X).dtype == clf.classes_.dtype


@pytest.mark.parametrize("make", [pd.Series, pl.Series, list], ids=["pandas", "polars", "list"])
def test_lists_of_indicators_are_an_indicator_matrix(make):
    clf = fitted(make([[0, 1], [1, 1]] * 12))
    assert clf.multilabel_
    assert clf.predict(X).tolist() == [[0, 1], [1, 1]] * 12


def test_rows_of_indicators_in_an_array_of_objects_are_an_indicator_matrix():
    y = np.empty(24, dtype=object)
    y[:] = [np.array([0, 1]), np.array([1, 1])] * 12
    assert fitted(y).multilabel_


@pytest.mark.parametrize("make", [pd.Series, pl.Series, list], ids=["pandas", "polars", "list"])
def test_lists_of_names_are_answered_with_the_binarizer(make):
    with pytest.raises(ValueError, match="MultiLabelBinarizer"):
        fitted(make([["a", "b"], ["c"]] * 12))


def test_a_column_for_each_task_is_answered_with_an_estimator_for_each():
    y = pd.DataFrame({"tone": list("xy") * 12, "topic": list("uvwu") * 6})
    with pytest.raises(ValueError, match=r"shape \(24, 2\).*MultiOutputClassifier\(clf\)"):
        fitted(y)


@pytest.mark.parametrize("make", [np.array, list, pd.DataFrame], ids=["array", "list", "frame"])
def test_shares_are_answered_with_labels_and_weights(make):
    with pytest.raises(ValueError, match=r"argmax\(axis=1\), sample_weight=y\.max\(axis=1\)"):
        fitted(make([[0.9, 0.1], [0.2, 0.8]] * 12))


def test_a_matrix_with_one_1_in_each_row_warns_that_one_label_may_be_meant():
    clf = TransferTextClassifier("hashing", freeze="frozen", random_state=0)
    one_hot = np.eye(2, dtype=int)[[0, 1] * 12]
    with pytest.warns(UserWarning, match=r"exactly one 1.*y\.argmax\(axis=1\)"):
        clf.fit(X, one_hot)
    assert clf.multilabel_
    several = one_hot.copy()
    several[0] = 1
    fitted(several)
