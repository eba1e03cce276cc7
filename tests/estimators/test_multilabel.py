"""Any number of labels a text: against one logistic regression a label, and scikit-learn's ways."""

from __future__ import annotations

import copy
import pickle
import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from scipy.special import logit
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.utils.multiclass import type_of_target
from skorch.callbacks import Callback

from sktransfer import TransferTextClassifier, TransferTextEncoder, load
from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.heads.linear import LinearHead
from sktransfer.tasks import calibration
from sktransfer.tasks.multilabel import MultilabelTask
from sktransfer.training.cross_fitting import make_folds
from sktransfer.training.execution import draw_seed
from sktransfer.training.holdout import hold_out

BACKBONE = HashingBackbone(dim=16, n_buckets=1024)


def quick(**params):
    return TransferTextClassifier(
        **{
            "backbone": BACKBONE,
            "freeze": "frozen",
            "head": LinearHead(C=1.0),
            "max_epochs": 2,
            "threshold": 0.5,
            "random_state": 0,
        }
        | params
    )


def indicators(texts, labels):
    """Say of each review whether it is positive, has the article, and names what it is about."""
    article, topic = ([bool(re.search(p, t)) for t in texts] for p in (r"\bthe\b", "film|movie"))
    columns = [labels == "positive", article, topic]
    return np.column_stack(columns).astype(int)


@pytest.fixture(scope="module")
def data(movie):
    texts, labels = movie[0][:150], movie[1][:150]
    return texts, indicators(texts, labels)


@pytest.fixture(scope="module")
def test_data(movie):
    texts, labels = movie[0][150:450], movie[1][150:450]
    return texts, indicators(texts, labels)


@pytest.fixture(scope="module")
def features(data):
    return TransferTextEncoder(BACKBONE, random_state=0).fit_transform(data[0]).astype(float)


def held_out(n, fraction, seed=0, strata=None):
    return hold_out(n, strata, fraction, draw_seed(seed))


def reference(features, Y, C=1.0, **weights):
    """Give the probabilities of one logistic regression a label."""
    weights = {name: value for name, value in weights.items() if value is not None}
    class_weight = weights.pop("class_weight", [None] * Y.shape[1])
    found = []
    for column, weight in zip(Y.T, class_weight, strict=True):
        model = LogisticRegression(C=C, class_weight=weight, tol=1e-9, max_iter=10_000)
        found.append(model.fit(features, column, **weights).predict_proba(features)[:, 1])
    return np.column_stack(found)


# --- what is learned ----------------------------------------------------------------------------


@pytest.mark.parametrize("C", [0.1, 1.0, 100.0])
def test_a_frozen_classifier_is_one_logistic_regression_a_label(data, features, C):
    clf = quick(head=LinearHead(C=C)).fit(*data)
    np.testing.assert_allclose(
        clf.predict_proba(data[0]), reference(features, data[1], C), atol=1e-3
    )


@pytest.mark.parametrize(
    "class_weight",
    ["balanced", [{0: 1, 1: 5}, {0: 3, 1: 1}, {0: 1, 1: 1}], [{1: 4}, {0: 2}, {}]],
)
def test_class_weights_count_as_in_logistic_regression(data, features, class_weight):
    each = [class_weight] * 3 if class_weight == "balanced" else class_weight
    found = quick(class_weight=class_weight).fit(*data).predict_proba(data[0])
    np.testing.assert_allclose(found, reference(features, data[1], class_weight=each), atol=1e-3)
    assert np.abs(found - quick().fit(*data).predict_proba(data[0])).max() > 0.02


def test_sample_weights_count_beside_class_weights(data, features):
    weight = np.random.RandomState(0).uniform(0, 3, 150)
    weight[::5] = 0
    each = [{0: 1, 1: 5}, {0: 3, 1: 1}, {0: 1, 1: 2}]
    clf = quick(class_weight=each).fit(*data, sample_weight=weight)
    expected = reference(features, data[1], class_weight=each, sample_weight=weight)
    np.testing.assert_allclose(clf.predict_proba(data[0]), expected, atol=1e-3)


def test_balanced_weights_are_of_weighted_rows(data, features):
    weight = np.where(data[1][:, 0] == 1, 5.0, 1.0)
    found = quick(class_weight="balanced").fit(*data, sample_weight=weight)
    expected = reference(features, data[1], class_weight=["balanced"] * 3, sample_weight=weight)
    np.testing.assert_allclose(found.predict_proba(data[0]), expected, atol=1e-3)


def test_label_smoothing_is_fitting_to_soft_labels(data, features):
    """Each row stands for itself with a weight of 0.9, and for its opposite with 0.1."""
    found = quick(label_smoothing=0.2).fit(*data).predict_proba(data[0])
    twice, weight = np.vstack([features, features]), np.r_[np.full(150, 0.9), np.full(150, 0.1)]
    both = np.vstack([data[1], 1 - data[1]])
    expected = reference(twice, both, sample_weight=weight)[:150]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_trained_body_learns_labels_that_a_frozen_one_cannot(data):
    frozen = quick().fit(*data)
    full = quick(freeze="full", max_epochs=10, lr=0.02).fit(*data)
    found = [f1_score(data[1], clf.predict(data[0]), average="macro") for clf in (frozen, full)]
    assert found[1] > found[0] + 0.05
    assert full.decision_["rows_per_label"] == round(data[1].sum() / 3, 2)


def test_a_label_that_no_row_has_gets_a_low_and_finite_probability(data):
    Y = data[1].copy()
    Y[:, 1] = 0
    for freeze in ("frozen", "full"):
        proba = quick(freeze=freeze).fit(data[0], Y).predict_proba(data[0])
        assert np.isfinite(proba).all()
        assert proba[:, 1].mean() < proba[:, 0].mean()


# --- shapes and types ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("peer", [OneVsRestClassifier(LogisticRegression()), MLPClassifier()])
@pytest.mark.filterwarnings("ignore:.*Maximum iterations")
def test_shapes_and_types_are_those_of_scikit_learn(data, features, kind, peer):
    if isinstance(peer, MLPClassifier):
        peer = peer.set_params(max_iter=2, hidden_layer_sizes=(4,))
    ours, theirs = quick().fit(data[0], kind(data[1])), peer.fit(features, kind(data[1]))
    found, expected = ours.predict(data[0][:5]), theirs.predict(features[:5])
    if isinstance(peer, OneVsRestClassifier):
        assert sparse.issparse(found) == sparse.issparse(expected) == sparse.issparse(kind([[1]]))
    assert found.shape == expected.shape == (5, 3)
    assert found.dtype.kind == expected.dtype.kind == "i"
    assert type_of_target(found) == type_of_target(expected)
    proba, likewise = ours.predict_proba(data[0][:5]), theirs.predict_proba(features[:5])
    assert type(proba) is type(likewise) is np.ndarray
    assert proba.shape == likewise.shape == (5, 3)
    assert proba.dtype == np.float64
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    scores = ours.decision_function(data[0][:5])
    np.testing.assert_allclose(1 / (1 + np.exp(-scores)), proba)
    if hasattr(peer, "decision_function"):
        assert scores.shape == theirs.decision_function(features[:5]).shape == (5, 3)


def test_one_row_keeps_its_second_axis(data):
    clf = quick().fit(*data)
    assert clf.predict(data[0][:1]).shape == clf.predict_proba(data[0][:1]).shape == (1, 3)


CONTAINERS = {
    "list of lists": lambda Y: Y.tolist(),
    "tuple of tuples": lambda Y: tuple(map(tuple, Y)),
    "frame": lambda Y: pd.DataFrame(Y, columns=["a", "b", "c"]),
    "frame of bool": lambda Y: pd.DataFrame(Y.astype(bool)),
    "frame of nullable integers": lambda Y: pd.DataFrame(Y).astype("Int64"),
    "frame of nullable bool": lambda Y: pd.DataFrame(Y.astype(bool)).astype("boolean"),
    "polars frame": lambda Y: pl.DataFrame(Y, schema=["a", "b", "c"]),
    "uint8": lambda Y: Y.astype(np.uint8),
    "bool": lambda Y: Y.astype(bool),
    "float": lambda Y: Y.astype(float),
    "csr matrix": sparse.csr_matrix,
    "csr array of bool": lambda Y: sparse.csr_array(Y.astype(bool)),
    "csc matrix": sparse.csc_matrix,
    "coo array": sparse.coo_array,
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_indicators_are_the_same_whatever_they_come_in(data, container):
    expected = quick().fit(*data)
    clf = quick().fit(data[0], CONTAINERS[container](data[1]))
    assert clf.multilabel_
    named = getattr(CONTAINERS[container](data[1]), "columns", [0, 1, 2])
    assert clf.classes_.tolist() == list(named)
    np.testing.assert_array_equal(clf.predict_proba(data[0]), expected.predict_proba(data[0]))
    found = clf.predict(data[0])
    assert sparse.issparse(found) == sparse.issparse(CONTAINERS[container](data[1]))
    np.testing.assert_array_equal(
        found.toarray() if sparse.issparse(found) else found, expected.predict(data[0])
    )


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({0: 1, 1: 2}, r"has to be 'balanced' or a list of 3 dicts.*got one dict"),
        ([{0: 1, 1: 2}], "class_weight has 1 entries, but y has 3 labels"),
        ([{}, {"yes": 2}, {}], r"class_weight\[1\] has to give 0 and 1 finite weights"),
        ([{}, {}, {1: -1}], r"class_weight\[2\] has to give 0 and 1 finite weights"),
        ([{1: np.nan}, {}, {}], r"class_weight\[0\] has to give 0 and 1 finite weights"),
        ("even", "The 'class_weight' parameter"),
    ],
)
def test_class_weights_of_a_wrong_form_are_refused(data, class_weight, message):
    with pytest.raises(ValueError, match=message):
        quick(class_weight=class_weight).fit(*data)


def test_a_list_of_class_weights_is_refused_where_one_label_is_right(data):
    with pytest.raises(ValueError, match="class_weight"):
        quick(class_weight=[{0: 1}, {0: 1}, {0: 1}]).fit(data[0], data[1][:, 0])


def test_indicators_that_cannot_be_learned_from_are_refused(data):
    with pytest.raises(ValueError, match="its 150 rows are all the same"):
        quick().fit(data[0], np.ones((150, 2), dtype=int))
    with pytest.raises(ValueError, match="150 inputs, 149 targets"):
        quick().fit(data[0], data[1][1:])
    with pytest.raises(NotFittedError):
        quick().predict(data[0])


# --- thresholds ---------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [0.2, 0.7])
def test_a_label_is_predicted_from_the_threshold_on(data, threshold):
    clf = quick(threshold=threshold).fit(*data)
    np.testing.assert_array_equal(clf.thresholds_, [threshold] * 3)
    expected = clf.predict_proba(data[0]) >= threshold
    np.testing.assert_array_equal(clf.predict(data[0]), expected)
    assert 0 < expected.mean() < 1
    assert not np.array_equal(expected, quick().fit(*data).predict(data[0]))


def best_thresholds(wanted, proba):
    """Give the interval of thresholds that have the best F1."""
    at = np.unique(proba)
    best = int(np.argmax([round(f1_score(wanted, proba >= t), 12) for t in at]))
    return (at[best - 1] if best else 0.0), at[best]


def test_auto_thresholds_lie_between_each_labels_best_and_that_of_all(data):
    train, valid = held_out(150, 0.4)
    clf = quick(threshold="auto", validation_fraction=valid).fit(*data)
    assert (clf.stages_[0]["rows"], clf.stages_[0]["rows_held_out"]) == (90, 60)
    X, Y = [data[0][i] for i in valid], data[1][valid]
    proba = clf.predict_proba(X)
    common = logit(np.mean(best_thresholds(Y.ravel(), proba.ravel())))
    for k in range(3):
        own = logit(np.mean(best_thresholds(Y[:, k], proba[:, k])))
        trust = Y[:, k].sum() / (Y[:, k].sum() + 10)
        expected = trust * own + (1 - trust) * common
        assert logit(clf.thresholds_[k]) == pytest.approx(expected, abs=1e-9)
    assert len(set(clf.thresholds_)) == 3
    alone = quick().fit([data[0][i] for i in train], data[1][train])
    np.testing.assert_allclose(clf.predict_proba(X), alone.predict_proba(X), atol=1e-6)


def tuned_task(outputs, values, weights):
    task = MultilabelTask(np.arange(2), np.full(2, 0.5), tunes_thresholds=True)
    return task.calibrate(LinearHead(), outputs, values, weights)


def test_with_many_held_out_rows_a_labels_own_threshold_decides():
    rng = np.random.default_rng(0)
    Y = rng.random((20_000, 2)) < 0.5
    # The second label's scores are those of the first, two higher.
    outputs = rng.normal(2.0 * Y - 1.0) + np.array([0.0, 2.0])
    found = tuned_task(torch.as_tensor(outputs), Y.astype(float), np.ones(len(Y)))
    proba = found.predict_proba(LinearHead(), torch.as_tensor(outputs))
    for k in range(2):
        best = max(f1_score(Y[:, k], proba[:, k] >= t) for t in np.linspace(0.05, 0.99, 95))
        assert (
            f1_score(Y[:, k], found.predict(LinearHead(), torch.as_tensor(outputs))[:, k])
            > best - 0.002
        )
    assert found.thresholds[1] > found.thresholds[0] + 0.2


def test_one_held_out_row_with_a_low_score_does_not_make_its_label_frequent():
    rng = np.random.default_rng(0)
    Y = np.zeros((200, 2))
    Y[:100, 0] = 1
    outputs = np.column_stack([np.where(Y[:, 0] == 1, 2.0, -2.0), rng.normal(-4, 0.5, 200)])
    Y[0, 1], outputs[0, 1] = 1, -3.0
    found = tuned_task(torch.as_tensor(outputs), Y, np.ones(200))
    own = np.mean(best_thresholds(Y[:, 1], outputs[:, 1]))
    assert (outputs[:, 1] >= own).sum() > 1
    assert found.predict(LinearHead(), torch.as_tensor(outputs))[:, 1].sum() == 0


@pytest.mark.parametrize("edge", [-1e3, 1e3])
def test_certain_scores_give_finite_thresholds(edge):
    outputs = torch.full((8, 2), edge, dtype=torch.float64)
    found = tuned_task(outputs, np.eye(8, 2), np.ones(8))
    assert ((found.thresholds > 0) & (found.thresholds <= 1)).all()


def test_labels_that_no_held_out_row_has_get_the_common_threshold_and_warn(data):
    valid = held_out(150, 0.2)[1]
    Y = data[1].copy()
    Y[valid, 1] = 0
    with pytest.warns(UserWarning, match=r"gives 1 of 3 labels the common .* \(columns \[1\]\)"):
        clf = quick(threshold="auto", validation_fraction=valid).fit(data[0], Y)
    proba = clf.predict_proba([data[0][i] for i in valid])
    low, high = best_thresholds(Y[valid].ravel(), proba.ravel())
    assert low < clf.thresholds_[1] <= high


def test_without_any_held_out_label_thresholds_stay_and_warn(data):
    valid = held_out(150, 0.2)[1]
    Y = data[1].copy()
    Y[valid] = 0
    with pytest.warns(UserWarning, match="leaves all labels at 0.5"):
        clf = quick(threshold="auto", validation_fraction=valid).fit(data[0], Y)
    assert clf.thresholds_.tolist() == [0.5] * 3


def test_a_threshold_is_refused_where_one_label_is_right(data):
    with pytest.raises(ValueError, match=r"use sklearn\.model_selection\.TunedThreshold"):
        quick(threshold=0.3).fit(data[0], data[1][:, 0])


def test_the_default_threshold_is_tuned_and_has_no_effect_where_one_label_is_right(data):
    assert TransferTextClassifier().threshold == "auto"
    one = quick(threshold="auto", freeze="full").fit(data[0], data[1][:, 0])
    assert one.stages_[0]["rows_held_out"] == 0


def test_thresholds_of_a_frozen_body_are_of_all_rows_by_heads_that_did_not_see_them(data, features):
    clf = quick(threshold="auto").fit(*data)
    assert (clf.stages_[0]["rows"], clf.stages_[0]["rows_held_out"]) == (150, 0)
    whole = quick().fit(*data)
    np.testing.assert_allclose(clf.predict_proba(data[0]), whole.predict_proba(data[0]), atol=1e-6)
    folds = make_folds(data[0], None, torch.tensor(features), 5)
    proba = np.zeros((150, 3))
    for out in folds.held_out:
        for k in range(3):
            fitted = LogisticRegression().fit(features[~out], data[1][~out, k])
            proba[out, k] = fitted.predict_proba(features[out])[:, 1]
    expected = calibration.best_thresholds(
        proba, data[1] > 0, np.ones(150), default=np.full(3, 0.5)
    )
    np.testing.assert_allclose(clf.thresholds_, expected, atol=2e-3)


def test_thresholds_of_too_few_inputs_stay_at_a_half_and_a_warning_says_so():
    with pytest.warns(UserWarning, match="fewer than 10 different inputs"):
        clf = quick(threshold="auto").fit(["red", "blue"] * 3, [[1, 0], [0, 1]] * 3)
    assert clf.thresholds_.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_a_warning_says_so_where_most_inputs_get_no_label(data, kind):
    clf = quick(threshold=0.99).fit(data[0], kind(data[1]))
    with pytest.warns(UserWarning, match=r"150 of 150 inputs get no label.*threshold='auto'"):
        clf.predict(data[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf.predict(data[0][:5])
        quick(threshold="auto").fit(data[0], kind(data[1])).predict(data[0])


def test_a_trained_body_holds_rows_out_for_thresholds(data):
    clf = quick(threshold="auto", freeze="full").fit(*data)
    assert clf.stages_[0]["rows_held_out"] == 15


@pytest.fixture(scope="module")
def cross_fitted(data):
    return quick(threshold="cv", freeze="full").fit(*data)


def test_thresholds_by_further_trainings_hold_no_row_out_and_change_nothing_else(
    data, cross_fitted
):
    assert (cross_fitted.stages_[0]["rows"], len(cross_fitted.history_)) == (150, 2)
    assert cross_fitted.stages_[0]["rows_held_out"] == 0
    fixed = quick(threshold=0.5, freeze="full").fit(*data)
    np.testing.assert_array_equal(cross_fitted.predict_proba(data[0]), fixed.predict_proba(data[0]))


def test_thresholds_by_further_trainings_are_those_of_cross_validation(data, cross_fitted):
    folds = GroupKFold(5, shuffle=True, random_state=0)
    clf = quick(threshold=0.5, freeze="full")
    X = np.array(data[0], dtype=object)
    groups = np.unique(X, return_inverse=True)[1]
    first_seen = {g: i for i, g in reversed(list(enumerate(groups.tolist())))}
    order = np.argsort(np.argsort([first_seen[g] for g in range(len(first_seen))]))
    proba = cross_val_predict(
        clf, X, data[1], cv=folds, groups=order[groups], method="predict_proba"
    )
    expected = calibration.best_thresholds(
        proba, data[1] > 0, np.ones(150), default=np.full(3, 0.5)
    )
    np.testing.assert_allclose(cross_fitted.thresholds_, expected, atol=1e-5)
    assert len(set(expected)) == 3


def test_rows_that_the_user_holds_out_are_used_in_place_of_further_trainings(data):
    _, valid = held_out(150, 0.4)
    given = {"freeze": "full", "validation_fraction": valid}
    by_folds, by_rows = (quick(threshold=t, **given).fit(*data) for t in ("cv", "auto"))
    assert by_folds.thresholds_.tolist() == by_rows.thresholds_.tolist()


def test_each_further_training_has_skorchs_callbacks_and_a_frozen_body_needs_none(data):
    begun = []

    class Count(Callback):
        def on_train_begin(self, net, **kwargs):
            begun.append(1)

    quick(threshold="cv", freeze="full", callbacks=[Count]).fit(*data)
    assert len(begun) == 6
    frozen = [quick(threshold=t).fit(*data).thresholds_.tolist() for t in ("cv", "auto")]
    assert frozen[0] == frozen[1]


@pytest.mark.parametrize("threshold", [0.0, 1.0, -1, "best"])
def test_a_threshold_that_is_no_probability_is_refused(data, threshold):
    with pytest.raises(ValueError, match="The 'threshold' parameter"):
        quick(threshold=threshold).fit(*data)


# --- calibration --------------------------------------------------------------------------------

OVERCONFIDENT = {"freeze": "full", "max_epochs": 10, "lr": 0.02, "validation_fraction": 0.3}


def uncalibrated(clf):
    clf = copy.copy(clf)
    del clf.temperature_
    return clf


def mean_log_loss(Y, proba):
    return np.mean([log_loss(Y[:, k], proba[:, k], labels=[0, 1]) for k in range(Y.shape[1])])


def test_calibration_lowers_the_log_loss_of_an_overconfident_model(data, test_data):
    clf = quick(calibrate="temperature", **OVERCONFIDENT).fit(*data)
    raw = uncalibrated(clf)
    assert clf.temperature_ > 1.2
    valid = held_out(150, 0.3)[1]
    for X, Y in [([data[0][i] for i in valid], data[1][valid]), test_data]:
        before, after = (mean_log_loss(Y, c.predict_proba(X)) for c in (raw, clf))
        assert after < before - 0.02
        np.testing.assert_allclose(
            clf.decision_function(X) * clf.temperature_, raw.decision_function(X)
        )


@pytest.mark.parametrize("n_labels", [2, 3])
def test_calibration_never_changes_which_label_is_right(data, test_data, n_labels):
    y, y_test = (Y @ [1, n_labels - 2, 0] for Y in (data[1], test_data[1]))
    clf = quick(calibrate="temperature", **OVERCONFIDENT).fit(data[0], y)
    raw = uncalibrated(clf)
    assert len(clf.classes_) == n_labels
    assert clf.temperature_ > 1.2
    np.testing.assert_array_equal(clf.predict(test_data[0]), raw.predict(test_data[0]))
    before, after = (log_loss(y_test, c.predict_proba(test_data[0])) for c in (raw, clf))
    assert after < before - 0.02
    np.testing.assert_allclose(clf.predict_proba(test_data[0]).sum(axis=1), 1)


@pytest.mark.parametrize("multilabel", [False, True])
def test_the_temperature_is_the_best_one_for_the_held_out_rows(data, multilabel):
    Y = data[1] if multilabel else data[1][:, 2]
    clf = quick(calibrate="temperature", **OVERCONFIDENT).fit(data[0], Y)
    assert 1.1 < clf.temperature_ < 30
    valid = held_out(150, 0.3, strata=None if multilabel else Y)[1]

    def loss(factor):
        other = copy.copy(clf)
        other.temperature_ = clf.temperature_ * factor
        proba = other.predict_proba([data[0][i] for i in valid])
        found = mean_log_loss(Y[valid], proba) if multilabel else log_loss(Y[valid], proba)
        return found + 2 * np.log(other.temperature_) ** 2 / len(valid)

    assert loss(1.0) < min(loss(0.9), loss(1.1))


def test_few_rows_that_are_all_right_do_not_make_a_model_certain():
    texts, labels = ["a good film", "a bad film"] * 20, [1, 0] * 20
    clf = quick(calibrate="temperature", freeze="full", max_epochs=10, lr=0.05)
    with pytest.warns(UserWarning, match="4 held-out rows"):
        clf.fit(texts, labels)
    assert 0.4 < clf.temperature_ < 2.5


def test_a_refit_without_calibration_forgets_the_temperature(data):
    clf = quick(calibrate="temperature", validation_fraction=0.3).fit(*data)
    clf.set_params(calibrate=None).fit(*data)
    assert not hasattr(clf, "temperature_")
    np.testing.assert_array_equal(
        clf.predict_proba(data[0]), quick().fit(*data).predict_proba(data[0])
    )


# --- partial_fit --------------------------------------------------------------------------------


def test_more_labels_are_added_behind_those_that_are_kept(data):
    strong = {"head": LinearHead(C=1e-9)}  # so that earlier weights come back as they were
    clf = quick().fit(data[0], data[1][:, :2])
    before = clf.net_.state.head_weights["weight"].clone()
    clf.set_params(**strong).partial_fit(*data, classes=range(3))
    after = clf.net_.state.head_weights["weight"]
    np.testing.assert_allclose(after[:2], before, atol=1e-4)
    np.testing.assert_allclose(after[2], 0, atol=1e-4)
    assert clf.classes_.tolist() == [0, 1, 2]
    assert clf.thresholds_.tolist() == [0.5] * 3
    assert clf.predict(data[0]).shape == (150, 3)
    assert [(s["labels_kept"], s["labels_added"]) for s in clf.stages_] == [
        ([], [0, 1]),
        ([0, 1], [2]),
    ]


def test_labels_are_dropped_from_the_end(data):
    clf = quick(freeze="full").fit(*data).partial_fit(data[0], data[1][:, :2], classes=range(2))
    assert clf.predict_proba(data[0]).shape == (150, 2)
    assert clf.stages_[1]["labels_dropped"] == [2]


def test_training_goes_on_with_the_same_labels(data):
    clf = quick(freeze="full").partial_fit(*data, classes=range(3))
    clf.partial_fit(data[0][:10], data[1][:10])
    assert [s["stage"] for s in clf.stages_] == ["source", "target"]
    assert clf.stages_[1]["labels_kept"] == [0, 1, 2]
    few = quick(freeze="full").fit(data[0][:10], data[1][:10])
    assert not np.allclose(clf.predict_proba(data[0]), few.predict_proba(data[0]), atol=0.01)


def test_one_label_may_become_many_and_many_one(data):
    one = data[1][:, 0]
    clf = quick(freeze="full").fit(data[0], one)
    body = {name: value.clone() for name, value in clf.net_.state.body.items()}
    clf.set_params(freeze="frozen").partial_fit(*data, classes=range(3))
    assert clf.multilabel_
    assert clf.predict(data[0]).shape == (150, 3)
    assert clf.stages_[1]["labels_kept"] == []  # a softmax knows nothing of single labels
    assert clf.stages_[1]["head"] == "new"
    for name, value in clf.net_.state.body.items():
        np.testing.assert_array_equal(value, body[name])
    clf.partial_fit(data[0], one, classes=[0, 1])
    assert not clf.multilabel_
    assert not hasattr(clf, "thresholds_")
    assert clf.predict(data[0]).shape == (150,)
    np.testing.assert_allclose(clf.predict_proba(data[0]).sum(axis=1), 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda Y: np.c_[Y, Y[:, 0]], r"y has 4 columns for 3 labels: pass classes=range\(4\)"),
        (lambda Y: Y[:, 0], "y has to be as in the last fit: an indicator matrix"),
    ],
)
def test_another_kind_of_y_is_refused_and_changes_nothing(data, change, message):
    clf = quick().fit(*data)
    before, state = clf.predict_proba(data[0]), dict(vars(clf))
    with pytest.raises(ValueError, match=message):
        clf.partial_fit(data[0], change(data[1]))
    assert vars(clf) == state
    np.testing.assert_array_equal(clf.predict_proba(data[0]), before)


def test_indicators_are_refused_after_single_labels(data):
    clf = quick().fit(data[0], data[1] @ [1, 1, 1])
    with pytest.raises(ValueError, match="one label a row"):
        clf.partial_fit(*data)


# --- the tools that people use ------------------------------------------------------------------


def test_what_is_saved_comes_back(data, tmp_path):
    settings = {"threshold": "auto", "calibrate": "temperature", "validation_fraction": 0.3}
    for name, y in [("dense", data[1]), ("sparse", sparse.csr_matrix(data[1]))]:
        clf = quick(**settings, class_weight=[{0: 1, 1: 2}] * 3).fit(data[0], y)
        clf.save(tmp_path / name)
        for again in (load(tmp_path / name), pickle.loads(pickle.dumps(clf))):
            np.testing.assert_array_equal(again.predict_proba(data[0]), clf.predict_proba(data[0]))
            np.testing.assert_array_equal(again.thresholds_, clf.thresholds_)
            assert again.temperature_ == clf.temperature_
            assert again.multilabel_
            found, expected = again.predict(data[0]), clf.predict(data[0])
            assert type(found) is type(expected)
            assert (found != expected).sum() == 0
            again.partial_fit(data[0][:20], y[:20])  # what is loaded can go on


def test_cross_validation_and_search_score_by_macro_f1(data):
    clf = quick(head=LinearHead(C=100.0))
    scores = cross_val_score(clf, *data, cv=3, scoring="f1_macro", error_score="raise")
    assert (scores > 0.3).all()
    search = GridSearchCV(
        clf,
        {"threshold": [0.01, 0.4, "auto"], "class_weight": [None, "balanced"]},
        cv=2,
        scoring="f1_macro",
        error_score="raise",
    ).fit(*data)
    means = search.cv_results_["mean_test_score"]
    assert search.best_score_ == means.max() > means.min()
    expected = f1_score(data[1], search.best_estimator_.predict(data[0]), average="macro")
    assert search.score(*data) == expected


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_predictions_of_folds_are_put_together(data, method):
    found = cross_val_predict(quick(), *data, cv=3, method=method)
    first = quick().fit(data[0][50:], data[1][50:])
    assert found.shape == (150, 3)
    np.testing.assert_allclose(found[:50], getattr(first, method)(data[0][:50]), atol=1e-6)


def test_the_score_is_the_share_of_rows_that_are_right_in_all_labels(data):
    clf = quick().fit(*data)
    assert clf.score(*data) == np.mean((clf.predict(data[0]) == data[1]).all(axis=1))


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_early_stopping_restores_the_best_epoch_by_micro_f1(data, kind):
    clf = quick(
        freeze="full",
        early_stopping=True,
        scoring="f1_micro",
        validation_fraction=0.3,
        max_epochs=30,
        n_iter_no_change=3,
        lr=0.03,
    ).fit(data[0], kind(data[1]))
    scores = [epoch["valid_score"] for epoch in clf.history_]
    assert len(scores) < 30
    assert max(scores[-3:]) <= max(scores[:-3])
    valid = held_out(150, 0.3)[1]
    found = f1_score(data[1][valid], clf.predict([data[0][i] for i in valid]), average="micro")
    assert found == pytest.approx(max(scores))
    assert scores[-1] != pytest.approx(max(scores))


def test_the_columns_of_a_frame_name_the_labels_and_are_matched_by_name():
    import pandas as pd

    texts = ["red box", "blue box", "red hat", "blue hat"] * 6
    frame = pd.DataFrame({"red": [1, 0, 1, 0] * 6, "hat": [0, 0, 1, 1] * 6})
    params = {"freeze": "frozen", "random_state": 0}
    clf = TransferTextClassifier("hashing", **params).fit(texts, frame)
    assert clf.classes_.tolist() == ["red", "hat"]
    before = clf.predict_proba(texts)
    again = pickle.loads(pickle.dumps(clf)).partial_fit(texts, frame[["hat", "red"]])
    assert again.classes_.tolist() == ["red", "hat"]
    assert (abs(again.predict_proba(texts) - before) < 0.3).all()
    target = TransferTextClassifier("hashing", source=FrozenEstimator(clf), **params)
    target.fit(texts[:4], frame[["hat", "red"]][:4])
    assert target.classes_.tolist() == ["hat", "red"]
    assert target.stages_[-1]["labels_kept"] == ["hat", "red"]
    weight = [c.net_.state.head_weights["weight"].numpy() for c in (target, clf)]
    assert np.linalg.norm(weight[0] - weight[1][::-1]) < np.linalg.norm(weight[0] - weight[1])
    with pytest.raises(ValueError, match=r"y has the columns \['hat', 'box'\]"):
        clf.partial_fit(texts, frame.set_axis(["hat", "box"], axis=1))


def test_classes_name_the_columns_of_an_array_in_their_order():
    clf = TransferTextClassifier("hashing", freeze="frozen", random_state=0)
    clf.partial_fit(["red box", "blue hat"] * 5, [[1, 0], [0, 1]] * 5, classes=["red", "hat"])
    assert clf.classes_.tolist() == ["red", "hat"]
    assert clf.predict_proba(["red box"])[0, 0] > clf.predict_proba(["red box"])[0, 1]
