"""Rows without a label: which targets mark them, which of them count, and who sees them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import sklearn
from coral import Coral
from scipy import sparse
from sklearn.callback import ScoringMonitor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sktransfer import (
    SelectiveClassifier,
    TransferTextClassifier,
    TransferTextEncoder,
    TransferTextRegressor,
)
from sktransfer.plugins import Task
from sktransfer.tasks.labels import LabelTask

WORDS = ["good", "bad", "fine", "awful", "great", "poor", "nice", "ugly"]
RNG = np.random.default_rng(0)
X = [" ".join(RNG.choice(WORDS, 4)) for _ in range(40)]
Y = np.array([int("good" in x or "great" in x) for x in X])
INDICATORS = np.column_stack([Y, 1 - Y, np.arange(40) % 3 == 0]).astype(int)
DOMAIN = np.repeat([0, -1], 20)
MARKED = np.where(DOMAIN < 0, -1, Y)
SHARED = {"freeze": "head_by_epochs", "max_epochs": 2, "batch_size": 8, "random_state": 0}


def quick(cls=TransferTextClassifier, **params):
    return cls("hashing", **SHARED | {"alignment": Coral()} | params)


# --- weights ------------------------------------------------------------------------------------


def test_unlabelled_rows_of_weight_0_are_left_out_as_labelled_ones_are():
    weight = np.where(np.arange(40) < 30, 1.0, 0.0)
    weighted = quick().fit(X, MARKED, sample_domain=DOMAIN, sample_weight=weight)
    short = quick().fit(X[:30], MARKED[:30], sample_domain=DOMAIN[:30])
    whole = quick().fit(X, MARKED, sample_domain=DOMAIN)
    np.testing.assert_array_equal(weighted.predict_proba(X), short.predict_proba(X))
    assert np.abs(weighted.predict_proba(X) - whole.predict_proba(X)).max() > 1e-4


def test_unlabelled_rows_of_weight_0_are_not_counted_where_no_alignment_uses_them():
    weight = np.where(np.arange(40) < 30, 1.0, 0.0)
    with pytest.warns(UserWarning, match="10 of 40 rows have no label"):
        quick(alignment=None).fit(X, MARKED, sample_domain=DOMAIN, sample_weight=weight)


@pytest.mark.parametrize("cls", [TransferTextClassifier, TransferTextRegressor])
def test_weights_of_0_for_all_labelled_rows_are_refused_with_both_counts(cls):
    y = np.where(DOMAIN < 0, np.nan, Y)
    weight = np.where(DOMAIN < 0, 1.0, 0.0)
    with pytest.raises(ValueError, match=r"sample_weight is 0 .* 20 rows .* 20 without"):
        quick(cls).fit(X, y, sample_domain=DOMAIN, sample_weight=weight)


# --- sides --------------------------------------------------------------------------------------


def test_an_alignment_whose_source_rows_all_weigh_0_is_refused_with_their_number():
    weight = np.where(DOMAIN < 0, 1.0, 0.0)
    with pytest.raises(ValueError, match=r"sample_weight .* 20 source rows"):
        quick().fit(X, Y, sample_domain=DOMAIN, sample_weight=weight)
    with pytest.raises(ValueError, match=r"sample_weight .* 20 target rows"):
        quick().fit(X, MARKED, sample_domain=DOMAIN, sample_weight=1 - weight)


def test_an_alignment_whose_target_rows_are_all_held_out_is_refused_with_the_fraction():
    few = np.where(np.arange(40) < 38, 0, -1)
    clf = quick(early_stopping=True, validation_fraction=0.5, random_state=6)
    with pytest.raises(ValueError, match=r"validation_fraction=0\.5 .* 2 target rows"):
        clf.fit(X, Y, sample_domain=few)
    clf.set_params(random_state=0).fit(X, Y, sample_domain=few)
    clf.set_params(random_state=6, alignment=None).fit(X, Y, sample_domain=few)


# --- markers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "marks", "counts"),
    [
        (Task, [None, np.nan, [np.nan, None], (), []], [-1, "-1", [-1, -1], [np.nan, 1], "", 0.0]),
        (LabelTask, [None, np.nan, -1, -1.0, "-1", [-1, np.nan]], [0, True, "a", [-1, 0], [[-1]]]),
    ],
)
def test_minus_one_marks_labels_and_missing_values_mark_all_targets(task, marks, counts):
    assert [task.is_marker(target) for target in marks] == [True] * len(marks)
    assert [task.is_marker(target) for target in counts] == [False] * len(counts)
    assert task.is_marker(np.array([np.nan, np.nan]))


@pytest.mark.parametrize("task", ["regression", "auto"])
def test_minus_one_is_a_number_where_an_encoder_is_tuned_on_numbers(task):
    y = np.linspace(-3, 3.1, 40)
    y[25] = -1.0
    encoder = quick(TransferTextEncoder, freeze="full", task=task, alignment=None)
    assert encoder.fit(X, y, sample_domain=DOMAIN).stages_[0]["rows"] == 40
    y[[26, 27]] = np.nan
    with pytest.warns(UserWarning, match="2 of 40 rows have no label"):
        assert encoder.fit(X, y, sample_domain=DOMAIN).stages_[0]["rows"] == 38


@pytest.mark.parametrize("task", ["classification", "auto"])
def test_minus_one_marks_rows_where_an_encoder_is_tuned_on_labels(task):
    encoder = quick(TransferTextEncoder, freeze="full", task=task)
    assert encoder.fit(X, MARKED.astype(float), sample_domain=DOMAIN).stages_[0]["rows"] == 20


def test_the_advice_about_minus_one_is_given_for_labels_alone():
    y = np.linspace(-3, 3.1, 40)
    y[3] = np.nan
    with pytest.raises(ValueError, match="index 3: nan") as of_numbers:
        quick(TransferTextRegressor).fit(X, y, sample_domain=DOMAIN)
    with pytest.raises(ValueError, match="index 0: -1") as of_labels:
        quick().fit(X, np.where(DOMAIN < 0, Y, -1), sample_domain=DOMAIN)
    assert ["-1 is" in str(error.value) for error in (of_numbers, of_labels)] == [False, True]


# --- rows of matrices ---------------------------------------------------------------------------


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.coo_array, sparse.csc_array])
@pytest.mark.parametrize("marker", [-1, np.nan])
def test_rows_of_a_sparse_matrix_that_are_full_of_markers_have_no_label(form, marker):
    marked = np.where(DOMAIN[:, None] < 0, marker, INDICATORS)
    found, dense = (
        quick(threshold=0.5).fit(X, y, sample_domain=DOMAIN) for y in (form(marked), marked)
    )
    assert found.stages_[0]["rows"] == 20
    assert found.sparse_output_
    np.testing.assert_array_equal(found.predict_proba(X), dense.predict_proba(X))


def test_a_sparse_matrix_of_other_values_than_0_and_1_is_refused_with_what_to_pass():
    marked = sparse.csr_matrix(np.where(DOMAIN[:, None] < 0, -1, INDICATORS))
    with pytest.raises(ValueError, match=r"\(40, 3\).*y\.toarray\(\).*sample_domain"):
        quick(alignment=None).fit(X, marked)


@pytest.mark.parametrize("marker", [-1, np.nan])
@pytest.mark.parametrize("cls", [TransferTextClassifier, TransferTextRegressor])
def test_a_row_that_is_marked_in_part_is_refused_with_its_index_and_no_other_warning(cls, marker):
    marked = INDICATORS.astype(float)
    marked[30:] = np.nan
    marked[25, 0] = marker
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if marker == -1 and cls is TransferTextRegressor:
            assert quick(cls).fit(X, marked, sample_domain=DOMAIN).stages_[0]["rows"] == 30
            return
        with pytest.raises(ValueError, match=r"1 rows .* in part .*index 25: \[(-1\.0|nan), "):
            quick(cls).fit(X, marked, sample_domain=DOMAIN)


def test_nan_in_a_matrix_is_refused_without_a_warning_of_numpy():
    marked = INDICATORS.astype(float)
    marked[25, 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="row 25, column 0"):
            quick(alignment=None).fit(X, marked)


# --- callbacks ----------------------------------------------------------------------------------


class Told:
    """A callback of scikit-learn that keeps what it is told at the end of each task."""

    def __init__(self):
        self.seen = []

    def setup(self, estimator, context): ...

    teardown = on_fit_task_begin = setup

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None):
        self.seen.append((list(X), y.tolist(), metadata["sample_weight"].tolist()))


def test_callbacks_are_told_of_labelled_rows_with_the_weights_that_were_passed():
    weight = np.where(np.arange(40) % 2, 1.0, 3.0)
    told = Told()
    clf = quick(class_weight={0: 10, 1: 1}).set_callbacks(told)
    clf.fit(X, MARKED, sample_domain=DOMAIN, sample_weight=weight)
    assert told.seen == [(X[:20], Y[:20].tolist(), weight[:20].tolist())] * 3


def test_a_monitor_scores_labelled_rows_alone():
    monitor = ScoringMonitor(scoring="accuracy")
    clf = quick().set_callbacks(monitor).fit(X, MARKED, sample_domain=DOMAIN)
    scores = [row["accuracy"] for row in monitor.get_logs().data]
    assert len(scores) == 3
    assert scores[-1] == clf.score(X[:20], Y[:20])


# --- a selective classifier ---------------------------------------------------------------------


@pytest.mark.parametrize("marker", [None, np.nan, -1])
def test_markers_are_no_labels_of_a_selective_classifier(marker):
    names = np.where(DOMAIN < 0, marker, np.array(["no", "yes"], dtype=object)[Y])
    clf = SelectiveClassifier(quick()).fit(X, names, sample_domain=DOMAIN)
    assert clf.classes_.tolist() == ["no", "yes"]
    assert clf.reject_label_ == "rejected"
    matrix = np.where(DOMAIN[:, None] < 0, -1, INDICATORS)
    with pytest.raises(ValueError, match="indicator matrix"):
        SelectiveClassifier(quick()).fit(X, matrix, sample_domain=DOMAIN)
    with pytest.raises(ValueError, match="is one of the labels"):
        SelectiveClassifier(quick(), reject_label="no").fit(X, names, sample_domain=DOMAIN)


def test_the_marker_may_be_the_reject_label_of_numbers():
    clf = SelectiveClassifier(quick(), reject_label=-1).fit(X, MARKED, sample_domain=DOMAIN)
    assert clf.classes_.tolist() == [0, 1]
    assert clf.reject_label_ == -1


def test_markers_are_no_labels_where_domains_are_routed_or_named_by_a_step():
    pipe = make_pipeline(FunctionTransformer(), quick())
    named = {"transfertextclassifier__sample_domain": DOMAIN}
    clf = SelectiveClassifier(pipe, reject_label=-1).fit(X, MARKED, **named)
    assert clf.classes_.tolist() == [0, 1]
    with sklearn.config_context(enable_metadata_routing=True):
        clf = SelectiveClassifier(pipe, reject_label=-1).fit(X, MARKED, sample_domain=DOMAIN)
    assert clf.classes_.tolist() == [0, 1]
