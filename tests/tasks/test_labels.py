"""Labels of any type become codes and come back; label sets are compared; weights multiply."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

from sktransfer.plugins import LabelChange
from sktransfer.tasks.labels import check_classes, check_labels, check_weights, to_codes
from sktransfer.tasks.multiclass import MulticlassTask

# What is slow once, or on a busy machine, is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


TEXT = st.text(st.characters(exclude_characters="\0"), max_size=5)
LABELS = st.one_of(
    st.lists(st.integers(-(2**31), 2**31), min_size=1, max_size=30),
    st.lists(TEXT, min_size=1, max_size=30),
    st.lists(st.booleans(), min_size=1, max_size=30),
)
FEW = st.lists(st.sampled_from([0, 1, 2, 3, 5]), min_size=1, max_size=30)


def label_sets(elements):
    return st.lists(elements, min_size=1, max_size=8, unique=True).map(sorted).map(np.array)


PAIRS = st.one_of(
    *(
        st.tuples(label_sets(elements), label_sets(elements))
        for elements in (st.integers(0, 9), st.sampled_from("abcdefgh"), st.booleans())
    )
)


# --- codes --------------------------------------------------------------------------------------


@given(LABELS)
def test_labels_become_codes_and_come_back(labels):
    y = check_labels(labels)
    classes = np.unique(y)
    codes = to_codes(y, classes)
    assert codes.dtype == np.int64
    assert classes[codes].tolist() == labels
    assert sorted(set(codes.tolist())) == list(range(len(classes)))


@given(LABELS)
def test_labels_are_the_same_whatever_they_come_in(labels):
    expected = check_labels(labels).tolist()
    containers = [np.array, tuple, pd.Series, lambda y: pd.DataFrame({"y": y}), pl.Series]
    if isinstance(labels[0], str):  # scikit-learn knows no numbers in arrays of objects
        containers.append(lambda y: np.array(y, dtype=object))
    for container in containers:
        y = check_labels(container(labels))
        assert y.tolist() == expected
        assert {type(label) for label in y.tolist()} == {type(label) for label in labels}


def test_labels_of_arrow_are_read():
    assert check_labels(pa.array(["b", "a"])).tolist() == ["b", "a"]
    assert check_labels(pa.chunked_array([[1], [2]])).tolist() == [1, 2]


def test_strings_that_share_a_beginning_stay_different():
    labels = ["a", "ab", "abc", "", " a", "A", "é", "e\u0301"]
    y = check_labels(labels)
    classes = np.unique(y)
    assert len(classes) == len(labels)
    assert classes[to_codes(y, classes)].tolist() == labels


def test_a_label_that_is_not_in_the_set_is_named_with_its_index():
    y = np.array(["a", "b", "x", "y"])
    with pytest.raises(ValueError, match=r"2 label\(s\).*\['a', 'b'\].*first at index 2: 'x'"):
        to_codes(y, np.array(["a", "b"]))


@given(st.lists(st.integers(-99, 99), min_size=2, max_size=9, unique=True))
def test_a_label_set_is_sorted(classes):
    assert check_classes(classes).tolist() == sorted(classes)


@pytest.mark.parametrize(
    ("classes", "message"),
    [(["a", "a"], "each label once"), (["a"], "at least 2"), ([1, None], "NaN")],
)
def test_a_label_set_that_is_none_is_refused(classes, message):
    with pytest.raises(ValueError, match=message):
        check_classes(classes)


# --- changes of the label set -------------------------------------------------------------------


@given(PAIRS)
def test_kept_added_and_dropped_part_both_label_sets(pair):
    old, new = pair
    change = LabelChange.between(old, new)
    assert sorted(change.kept + change.added) == new.tolist()
    assert sorted(change.kept + change.dropped) == old.tolist()
    assert not set(change.added) & set(old.tolist())
    assert not set(change.dropped) & set(new.tolist())
    for labels in (change.kept, change.added, change.dropped):
        assert labels == sorted(labels)


@given(PAIRS)
def test_rows_lead_from_each_kept_label_to_its_earlier_code(pair):
    old, new = pair
    change = LabelChange.between(old, new)
    assert [new[i] for i, _ in change.rows] == change.kept
    assert [old[j] for _, j in change.rows] == change.kept


@given(label_sets(st.integers(0, 9)))
def test_the_same_label_set_keeps_everything_and_none_before_adds_everything(labels):
    same = LabelChange.between(labels, labels)
    assert same.kept == labels.tolist()
    assert same.rows == [(i, i) for i in range(len(labels))]
    assert not same.added
    assert not same.dropped
    first = LabelChange.between(None, labels)
    assert first.added == labels.tolist()
    assert not first.kept + first.dropped + first.rows


# --- weights ------------------------------------------------------------------------------------


def weights_of(labels, class_weight, sample_weight=None, classes=None):
    y = np.array(labels)
    classes = np.unique(y) if classes is None else np.array(classes)
    task = MulticlassTask(classes, class_weight)
    return task.row_weights(task.encode(y), check_weights(sample_weight, len(y)))


@st.composite
def weighted(draw):
    labels = draw(FEW)
    weight = st.floats(0.01, 100)
    sample_weight = draw(st.lists(weight, min_size=len(labels), max_size=len(labels)))
    return labels, np.array(sample_weight)


@given(FEW)
def test_balanced_weights_are_those_of_scikit_learn(labels):
    expected = compute_sample_weight("balanced", labels)
    np.testing.assert_allclose(weights_of(labels, "balanced"), expected)


@given(weighted(), st.dictionaries(st.sampled_from([0, 1, 2, 3, 5]), st.floats(0.01, 100)))
def test_class_weights_of_a_dict_multiply_sample_weights(data, class_weight):
    labels, sample_weight = data
    found = weights_of(labels, class_weight, sample_weight, classes=[0, 1, 2, 3, 5])
    expected = sample_weight * [class_weight.get(label, 1.0) for label in labels]
    np.testing.assert_allclose(found, expected)
    complete = {label: class_weight.get(label, 1.0) for label in set(labels)}
    np.testing.assert_allclose(
        found, compute_sample_weight(complete, labels) * sample_weight, rtol=1e-12
    )


@given(weighted())
def test_balanced_weights_balance_sample_weights_as_logistic_regression_does(data):
    labels, sample_weight = data
    classes = np.unique(labels)
    per_class = compute_class_weight(
        "balanced", classes=classes, y=labels, sample_weight=sample_weight
    )
    expected = sample_weight * per_class[np.searchsorted(classes, labels)]
    found = weights_of(labels, "balanced", sample_weight)
    np.testing.assert_allclose(found, expected)
    sums = [found[np.array(labels) == label].sum() for label in classes]
    np.testing.assert_allclose(sums, sums[0])


def test_logistic_regression_agrees_on_what_balanced_means():
    rng = np.random.RandomState(0)
    X, y, sample_weight = rng.randn(60, 3), np.arange(60) % 5 // 2, rng.uniform(0.1, 3, 60)
    balanced = LogisticRegression(class_weight="balanced", tol=1e-10, max_iter=1000)
    balanced.fit(X, y, sample_weight=sample_weight)
    weights = weights_of(y, "balanced", sample_weight)
    plain = LogisticRegression(tol=1e-10, max_iter=1000).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(plain.coef_, balanced.coef_, atol=1e-6)


@given(weighted())
def test_without_class_weights_sample_weights_are_kept_and_copied(data):
    labels, sample_weight = data
    found = weights_of(labels, None, sample_weight)
    np.testing.assert_array_equal(found, sample_weight)
    assert not np.shares_memory(found, sample_weight)
    np.testing.assert_array_equal(weights_of(labels, None), 1.0)


def test_a_batch_without_some_labels_takes_the_weights_of_those_that_it_has():
    weights = {0: 2.0, 2: 3.0}
    found = weights_of([0, 1, 0], weights, classes=[0, 1, 2])
    np.testing.assert_array_equal(found, [2.0, 1.0, 2.0])
    balanced = weights_of([0, 1, 0], "balanced", classes=[0, 1, 2])
    np.testing.assert_allclose(balanced, [0.75, 1.5, 0.75])


@pytest.mark.parametrize("class_weight", ["balanced", {0: 2.0}, None])
def test_rows_of_weight_zero_stay_at_zero(class_weight):
    found = weights_of([0, 0, 1, 1, 2], class_weight, [1.0, 0.0, 1.0, 2.0, 0.0])
    assert np.isfinite(found).all()
    assert found[[1, 4]].tolist() == [0.0, 0.0]
    assert (found[[0, 2, 3]] > 0).all()


@pytest.mark.parametrize("sample_weight", [[1.0], [1.0, -1.0], [1.0, np.nan], [[1.0], [1.0]]])
def test_weights_that_are_none_are_refused(sample_weight):
    with pytest.raises(ValueError):  # noqa: PT011, scikit-learn's own messages
        weights_of([0, 1], None, sample_weight)
