"""C="auto": the strength of the penalty is chosen on held-out rows."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_iris, make_regression
from sklearn.linear_model import LogisticRegression

from sktransfer import TransferTextClassifier, TransferTextRegressor
from sktransfer.heads.linear import LinearHead
from sktransfer.heads.mlp import MLPHead
from sktransfer.tasks.multiclass import MulticlassTask
from sktransfer.tasks.regression import RegressionTask, squared_error
from sktransfer.training import strength
from sktransfer.training.cross_fitting import FoldHeads, make_folds
from sktransfer.training.losses import Supervised
from sktransfer.training.strength import N_FOLDS, choose_C


def chosen(X, y, *, weight=None, inputs=None, anchor=None, head=None, task=None):
    head = LinearHead() if head is None else head
    task = MulticlassTask(np.unique(y)) if task is None else task
    values = task.encode(y)
    features = torch.as_tensor(X, dtype=torch.float32)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = head.build(X.shape[1], len(task.names))
    before = [p.clone() for p in module.parameters()]
    weight = np.ones(len(y)) if weight is None else weight
    folds = make_folds(
        range(len(y)) if inputs is None else inputs, task.strata(values), features, N_FOLDS
    )
    found = choose_C(
        Supervised(task, head),
        module,
        features,
        torch.as_tensor(values),
        torch.as_tensor(weight),
        folds,
        anchor,
    )
    assert all(torch.equal(p, q) for p, q in zip(before, module.parameters(), strict=True))
    return found


def iris(scale):
    X, y = load_iris(return_X_y=True)
    return scale * (X - X.mean(axis=0)) / X.std(axis=0), y


def test_small_features_get_a_weak_penalty():
    X, y = iris(0.03)
    assert chosen(X, y) > 1.0
    scores = [LogisticRegression(C=C).fit(X[::2], y[::2]).score(X[1::2], y[1::2]) for C in (1, 100)]
    assert scores[1] > scores[0] + 0.05


def test_features_that_fit_are_left_at_1():
    X, y = load_digits(return_X_y=True)
    assert chosen(X[:600] / 16, y[:600]) == 1.0


def test_numbers_that_are_all_noise_get_a_strong_penalty():
    rng = np.random.default_rng(0)
    X, y = 10 * rng.normal(size=(200, 100)), rng.normal(size=200)
    task = RegressionTask.from_y(y, np.ones(200), squared_error)
    assert chosen(X, y, task=task) < 1.0


def test_numbers_that_follow_the_features_get_a_weak_penalty():
    X, y = make_regression(200, 20, noise=1.0, random_state=0)
    task = RegressionTask.from_y(y, np.ones(200), squared_error)
    assert chosen(0.01 * X, y, task=task) == 100.0


def test_a_label_with_one_row_leaves_it_at_1():
    X, y = iris(0.03)
    assert chosen(np.vstack([X, X[:1]]), np.append(y, 3)) == 1.0


def test_a_label_with_one_input_leaves_it_at_1_however_often_it_is_copied():
    X, y = iris(0.03)
    X, y = np.vstack([X, *[X[:1]] * 5]), np.append(y, [3] * 5)
    assert chosen(X, y) != 1.0
    assert chosen(X, y, inputs=[*range(150), *[150] * 5]) == 1.0


def test_copies_of_an_input_are_held_out_together():
    # Labels are noise, but a copy in training would give away the label of its twin.
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 100)), rng.integers(2, size=60)
    X, y = np.vstack([0.1 * X] * 4), np.tile(y, 4)
    assert chosen(X, y) > 1.0
    assert chosen(X, y, inputs=[*range(60)] * 4) <= 1.0


def test_neither_the_order_of_rows_nor_copies_in_place_of_weights_matter():
    X, y = iris(0.1)
    X = X + np.random.default_rng(2).normal(scale=1e-3, size=X.shape)  # no two rows are alike
    keep = np.random.default_rng(0).permutation(150)[:40]
    rows = np.concatenate([np.arange(150), keep])
    weight = 1.0 + np.isin(np.arange(150), keep)
    order = np.random.default_rng(1).permutation(len(rows))
    by_weight = make_folds(range(150), y, torch.tensor(X), N_FOLDS)
    copied = make_folds(rows[order].tolist(), y[rows[order]], torch.tensor(X[rows[order]]), N_FOLDS)
    fold_of = {i: by_weight.of_group[by_weight.groups[i]] for i in range(150)}
    assert all(
        copied.of_group[g] == fold_of[row]
        for g, row in zip(copied.groups, rows[order], strict=True)
    )
    shuffled = chosen(X[rows[order]], y[rows[order]], inputs=rows[order].tolist())
    assert chosen(X, y, weight=weight) == shuffled


def test_one_fold_is_scored_of_many_rows(monkeypatch):
    sizes = []

    class Noted(FoldHeads):
        def __init__(self, *args):
            super().__init__(*args)
            sizes.append([int(out.sum()) for out in args[5]])

    monkeypatch.setattr(strength, "FoldHeads", Noted)
    X = np.random.default_rng(0).normal(size=(6000, 2))
    chosen(X, (X[:, 0] > 0).astype(int))
    assert sizes == [[2000]]


def test_the_penalty_stays_centred_on_earlier_weights():
    X, y = iris(0.03)
    fitted = LogisticRegression(C=1e3).fit(X, y)
    anchor = [torch.tensor(fitted.coef_), torch.tensor(fitted.intercept_)]
    assert chosen(X, y, anchor=anchor) == 1.0  # nothing is left to learn


def test_decision_says_which_was_taken(movie):
    given = TransferTextClassifier("hashing", head=LinearHead(C=2.0), freeze="frozen")
    assert given.fit(*movie).decision_["C"] == 2.0
    left = TransferTextClassifier("hashing", freeze="frozen").fit(*movie)
    assert left.decision_["C"] in (0.01, 0.1, 1.0, 10.0, 100.0)


def test_a_training_that_fits_no_head_first_has_none(movie):
    clf = TransferTextClassifier("hashing", freeze="head_by_epochs", max_epochs=1)
    assert "C" not in clf.fit(*movie).decision_


def test_a_hidden_layer_may_choose_too(movie):
    head = MLPHead(hidden=4, C="auto")
    clf = TransferTextClassifier("hashing", head=head, freeze="frozen", random_state=0)
    assert clf.fit(movie[0][:60], movie[1][:60]).decision_["C"] in (0.01, 0.1, 1.0, 10.0, 100.0)


def test_a_regressor_chooses_too(movie):
    y = [len(text) for text in movie[0]]
    reg = TransferTextRegressor("hashing", freeze="frozen").fit(movie[0], y)
    assert reg.decision_["C"] in (0.01, 0.1, 1.0, 10.0, 100.0)


@pytest.mark.parametrize("C", ["Auto", -1.0, 0, None])
def test_what_is_no_strength_is_refused(movie, C):
    clf = TransferTextClassifier("hashing", head=LinearHead(C=C), freeze="frozen")
    with pytest.raises(ValueError, match="positive number or 'auto'"):
        clf.fit(movie[0][:20], movie[1][:20])
