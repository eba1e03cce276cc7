"""A head that trains alone is the logistic regression of scikit-learn."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from sktransfer import TransferTextClassifier
from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.features.encode import encode
from sktransfer.heads.linear import LinearHead
from sktransfer.heads.mlp import MLPHead
from sktransfer.tasks.multiclass import MulticlassTask
from sktransfer.training import convergence
from sktransfer.training.convergence import fit_to_convergence
from sktransfer.training.errors import TrainingDivergedError
from sktransfer.training.losses import Supervised


def supervised(head):
    return Supervised(MulticlassTask(np.arange(10)), head)


# What is slow once, or on a busy machine, is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def iris():
    X, y = load_iris(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def iris_two():
    X, y = iris()
    return X[y > 0], y[y > 0] - 1


def digits():
    X, y = load_digits(return_X_y=True)
    return X[:500] / 16, y[:500]


@pytest.fixture(scope="module")
def reviews(movie):
    """Features of real text, and two labels."""
    texts, labels = movie
    encoder = HashingBackbone().load(device="cpu", random_state=0)
    X = encode(encoder, texts[:200], "fp32").numpy().astype(float)
    return X, np.unique(labels[:200], return_inverse=True)[1]


def fit(X, y, *, weight=None, anchor=None, head=None, seed=0):
    """Fit a head; gives the module and what the solver reports."""
    head = head or LinearHead(C=1.0)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = head.build(X.shape[1], len(np.unique(y)))
    weight = np.ones(len(y)) if weight is None else weight
    report = fit_to_convergence(
        supervised(head),
        module,
        torch.tensor(X),
        torch.tensor(y),
        torch.tensor(weight),
        C=head.C,
        anchor=anchor,
    )
    return module, report


def reference(X, y, C, weight=None):
    model = LogisticRegression(C=C, tol=1e-10, max_iter=20_000)
    return model.fit(X, y, sample_weight=weight)


def rows_of(module):
    weight, bias = (p.detach().numpy() for p in list(module.parameters())[-2:])
    return weight, bias


def assert_is_logistic_regression(module, model, X, tol=1e-3):
    weight, bias = rows_of(module)
    if len(weight) == 2:
        found, offset = weight[1] - weight[0], bias[1] - bias[0]
        expected, expected_offset = model.coef_[0], model.intercept_[0]
    else:
        # A softmax does not change when all biases move together.
        found, offset = weight, bias - bias.mean()
        expected, expected_offset = model.coef_, model.intercept_ - model.intercept_.mean()
    np.testing.assert_allclose(found, expected, atol=tol, rtol=tol)
    # Biases are not penalised, so the optimum is flatter in them.
    np.testing.assert_allclose(offset, expected_offset, atol=5 * tol, rtol=5 * tol)
    with torch.no_grad():
        output = module(torch.tensor(X, dtype=torch.float32)).numpy()
    np.testing.assert_array_equal(output.argmax(axis=1), model.predict(X))


# Digits are separable: with C=100 the optimum is so flat that scikit-learn's own default
# tolerance leaves coefficients that are off by 0.9.
@pytest.mark.parametrize(
    ("data", "C", "tol"),
    [(data, C, 1e-3) for data in (iris, iris_two, digits) for C in (0.01, 0.1, 1.0)]
    + [(iris, 100.0, 1e-3), (iris_two, 100.0, 1e-3), (digits, 100.0, 2e-2)],
)
def test_linear_head_is_logistic_regression(data, C, tol):
    X, y = data()
    module, _ = fit(X, y, head=LinearHead(C=C))
    assert_is_logistic_regression(module, reference(X, y, C), X, tol)


@pytest.mark.parametrize("C", [0.1, 10.0])
def test_linear_head_on_features_of_real_text_is_logistic_regression(reviews, C):
    X, y = reviews
    module, _ = fit(X, y, head=LinearHead(C=C))
    assert_is_logistic_regression(module, reference(X, y, C), X)


@pytest.mark.parametrize("C", [0.1, 10.0])
@pytest.mark.parametrize("data", [iris, iris_two])
def test_sample_weights_count_as_in_logistic_regression(data, C):
    X, y = data()
    weight = np.random.RandomState(0).uniform(0, 5, len(y))
    weight[::7] = 0.0
    module, _ = fit(X, y, weight=weight, head=LinearHead(C=C))
    assert_is_logistic_regression(module, reference(X, y, C, weight), X)
    unweighted, _ = fit(X, y, head=LinearHead(C=C))
    assert not np.allclose(rows_of(module)[0], rows_of(unweighted)[0], atol=1e-2)


def test_a_weight_of_two_is_a_row_twice():
    X, y = iris()
    weight = np.where(np.arange(len(y)) % 3 == 0, 2.0, 1.0)
    weighted, _ = fit(X, y, weight=weight)
    twice = weight.astype(int)
    repeated, _ = fit(np.repeat(X, twice, axis=0), np.repeat(y, twice))
    np.testing.assert_allclose(rows_of(weighted)[0], rows_of(repeated)[0], atol=1e-3)


def test_the_solution_does_not_depend_on_the_random_start():
    X, y = iris()
    (a, _), (b, _) = fit(X, y, seed=0), fit(X, y, seed=1)
    np.testing.assert_allclose(rows_of(a)[0], rows_of(b)[0], atol=1e-3)


def test_reported_loss_is_the_weighted_log_loss_without_penalty():
    X, y = iris()
    weight = np.random.RandomState(1).uniform(0.1, 3, len(y))
    module, report = fit(X, y, weight=weight)
    with torch.no_grad():
        proba = module.double()(torch.tensor(X)).softmax(dim=1).numpy()
    assert report.loss == pytest.approx(log_loss(y, proba, sample_weight=weight), abs=1e-5)
    assert report.n_iter > 1


def test_module_is_left_in_single_precision_evaluation_mode_and_without_gradients():
    module, _ = fit(*iris(), head=MLPHead(hidden=4))
    assert not module.training
    assert {p.dtype for p in module.parameters()} == {torch.float32}
    assert all(p.grad is None for p in module.parameters())


# --- the anchor ---------------------------------------------------------------------------------


def test_a_strong_penalty_keeps_the_weights_of_the_anchor():
    X, y = iris()
    anchor = [torch.arange(12.0).reshape(3, 4) / 10, torch.zeros(3)]
    module, _ = fit(X, y, anchor=anchor, head=LinearHead(C=1e-9))
    np.testing.assert_allclose(rows_of(module)[0], anchor[0].numpy(), atol=1e-4)


def test_a_weak_penalty_forgets_the_anchor():
    X, y = iris()
    far = [torch.full((3, 4), 0.5), torch.zeros(3)]
    near, _ = fit(X, y, anchor=far, head=LinearHead(C=1e4))
    free, _ = fit(X, y, head=LinearHead(C=1e4))
    output = [m(torch.tensor(X, dtype=torch.float32)).argmax(dim=1) for m in (near, free)]
    assert (output[0] == output[1]).float().mean() > 0.98


def test_without_an_anchor_the_penalty_is_centred_on_the_origin():
    X, y = iris()
    module, _ = fit(X, y, head=LinearHead(C=1e-9))
    np.testing.assert_allclose(rows_of(module)[0], 0, atol=1e-4)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**31),
    n_outputs=st.integers(2, 4),
    dim=st.integers(1, 5),
    C=st.floats(0.01, 10),
)
def test_the_gradient_of_the_documented_objective_vanishes_at_the_solution(seed, n_outputs, dim, C):
    rng = np.random.RandomState(seed)
    X = rng.randn(20, dim)
    y = np.r_[np.arange(n_outputs), rng.randint(n_outputs, size=20 - n_outputs)]
    w = rng.uniform(0.1, 2, 20)
    centre, middle = rng.randn(n_outputs, dim), rng.randn(n_outputs)
    anchor = [torch.tensor(centre), torch.tensor(middle)]
    module, _ = fit(X, y, weight=w, anchor=anchor, head=LinearHead(C=C))
    weight, bias = rows_of(module)
    logits = X @ weight.T + bias
    proba = np.exp(logits - logits.max(axis=1, keepdims=True))
    proba /= proba.sum(axis=1, keepdims=True)
    error = w[:, None] * (proba - np.eye(n_outputs)[y])
    strength = 2.0 if n_outputs == 2 else 1.0
    gradient = C * error.T @ X + strength * (weight - centre)
    np.testing.assert_allclose(gradient / max(1.0, C * w.sum()), 0, atol=1e-4)
    gradient = C * error.sum(axis=0) + strength * (bias - middle)
    np.testing.assert_allclose(gradient / max(1.0, C * w.sum()), 0, atol=1e-4)


def test_without_an_anchor_biases_are_free_unless_a_label_has_no_row():
    X, y = iris()
    module, _ = fit(X, y)
    logits = module(torch.tensor(X).float()).detach().numpy()
    proba = np.exp(logits - logits.max(axis=1, keepdims=True))
    error = proba / proba.sum(axis=1, keepdims=True) - np.eye(3)[y]
    np.testing.assert_allclose(error.mean(axis=0), 0, atol=1e-4)
    missing = y < 2
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = LinearHead().build(X.shape[1], 3)
    fit_to_convergence(
        supervised(LinearHead()),
        module,
        torch.tensor(X[missing]),
        torch.tensor(y[missing]),
        torch.ones(int(missing.sum())),
        C=1.0,
    )
    assert np.abs(rows_of(module)[1]).max() < 5


# --- other heads, and what goes wrong -----------------------------------------------------------


def test_a_hidden_layer_is_fitted_too_and_lowers_the_loss_below_the_linear_one():
    rng = np.random.RandomState(0)
    X = rng.randn(200, 2)
    y = (X[:, 0] * X[:, 1] > 0).astype(int)  # no line separates these
    _, linear = fit(X, y, head=LinearHead(C=10))
    _, hidden = fit(X, y, head=MLPHead(hidden=16, C=10))
    assert linear.loss > 0.6
    assert hidden.loss < 0.3


def test_features_that_are_not_finite_are_counted_and_the_first_is_named():
    X, y = iris()
    X[7, 1], X[20, 0], X[20, 2] = np.inf, np.nan, -np.inf
    with pytest.raises(TrainingDivergedError, match=r"2 of 150 .*first at index 7"):
        fit(X, y)


def test_running_out_of_iterations_warns(monkeypatch):
    monkeypatch.setattr(convergence, "_MAX_ITER", 2)
    with pytest.warns(ConvergenceWarning, match="2 iterations"):
        fit(*digits())


@pytest.mark.parametrize("head", [LinearHead(C=1.0), MLPHead(hidden=4)], ids=["linear", "mlp"])
def test_features_that_are_made_double_part_by_part_have_the_same_solution(monkeypatch, head):
    X, y = digits()
    weight = np.linspace(0.5, 1.5, len(y))
    whole, found = fit(X, y, weight=weight, head=head)
    monkeypatch.setattr(convergence, "_MOST_KEPT", 8 * 64 * 30)
    x = convergence._Doubled(torch.tensor(X, dtype=torch.float32))
    assert [len(rows) for _, rows in x.parts()] == [30] * 16 + [20]
    parts, again = fit(X, y, weight=weight, head=head)
    # Of a hidden layer the last digits lead elsewhere.
    linear = isinstance(head, LinearHead)
    assert again.loss == pytest.approx(found.loss, rel=1e-6 if linear else 0.05)
    if linear:
        for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_convergence_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(*digits())


# --- the whole classifier, against sentence features computed by hand ----------------------------


@pytest.fixture(scope="module")
def split(movie):
    texts, labels = movie
    return texts[:300], labels[:300], texts[300:800]


@pytest.fixture(scope="module")
def predicted_by_hand(split):
    """Tokenize, mean over tokens, unit length, LogisticRegression: nothing of sktransfer's."""
    from transformers import AutoModel, AutoTokenizer

    from sktransfer.weights import find_weights

    folder = find_weights("minilm")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()

    def features(texts):
        parts = []
        for i in range(0, len(texts), 50):
            batch = tokenizer(
                texts[i : i + 50],
                padding=True,
                truncation=True,
                max_length=256,
                return_tensors="pt",
            )
            with torch.no_grad():
                states = model(**batch).last_hidden_state
            mask = batch["attention_mask"][..., None]
            parts.append((states * mask).sum(dim=1) / mask.sum(dim=1))
        return torch.nn.functional.normalize(torch.cat(parts), dim=1).double().numpy()

    train, labels, test = split
    return LogisticRegression(max_iter=2000).fit(features(train), labels).predict(features(test))


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_frozen_minilm_predicts_what_logistic_regression_on_its_features_does(
    split, predicted_by_hand, precision
):
    train, labels, test = split
    clf = TransferTextClassifier(freeze="frozen", precision=precision, random_state=0)
    predicted = clf.fit(train, labels).predict(test)
    assert np.mean(predicted == predicted_by_hand) > 0.99


def test_blas_has_one_thread_while_a_head_is_fitted_and_as_many_as_before_afterwards():
    from threadpoolctl import ThreadpoolController

    from sktransfer.training.convergence import one_blas_thread

    def threads():
        return [
            entry["num_threads"]
            for entry in ThreadpoolController().info()
            if entry["user_api"] == "blas"
        ]

    with ThreadpoolController().limit(limits=2, user_api="blas"):
        before = threads()
        assert before
        with one_blas_thread():
            assert set(threads()) == {1}
        assert threads() == before
        with pytest.raises(KeyError), one_blas_thread():
            raise KeyError
        assert threads() == before


def test_features_far_from_the_origin_are_no_harder_and_have_the_same_solution():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(60, 30)))
    y = torch.from_numpy(rng.integers(0, 3, 60))
    found = []
    for far in (0.0, 50.0):
        module = LinearHead().build(30, 3)
        with torch.no_grad():
            module.weight.zero_()
            module.bias.zero_()
        features = (x + far).float()
        result = fit_to_convergence(
            supervised(LinearHead()), module, features, y, torch.ones(60), C=1.0
        )
        found.append((result.n_iter, module.weight.detach()))
    assert found[1][0] <= 2 * found[0][0]
    torch.testing.assert_close(found[0][1], found[1][1], atol=1e-4, rtol=1e-3)
