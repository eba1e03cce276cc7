"""Outputs, losses and probabilities, against their formulas in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import log_softmax, softmax
from sklearn.base import clone

from sktransfer.heads.linear import LinearHead
from sktransfer.heads.mlp import MLPHead

# What is slow once, or on a busy machine, is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


HEADS = [LinearHead, MLPHead]
OUTPUTS = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 6), st.integers(2, 5)), elements=st.floats(-1e3, 1e3)
)


def build(head, in_features=4, n_outputs=3, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return head.build(in_features, n_outputs)


@pytest.mark.parametrize("cls", HEADS)
@given(outputs=OUTPUTS, data=st.data())
def test_the_loss_is_the_cross_entropy_of_each_row(cls, outputs, data):
    codes = data.draw(
        hnp.arrays(np.int64, len(outputs), elements=st.integers(0, outputs.shape[1] - 1))
    )
    loss = cls().loss(torch.tensor(outputs), torch.tensor(codes)).numpy()
    expected = -log_softmax(outputs, axis=1)[np.arange(len(codes)), codes]
    assert loss.shape == codes.shape
    np.testing.assert_allclose(loss, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("cls", HEADS)
@given(outputs=OUTPUTS)
def test_probabilities_are_the_softmax_and_sum_to_1(cls, outputs):
    proba = cls().to_proba(torch.tensor(outputs)).numpy()
    np.testing.assert_allclose(proba, softmax(outputs, axis=1), rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize("cls", HEADS)
def test_outputs_that_are_large_give_no_nan(cls):
    outputs = torch.tensor([[1e30, -1e30, 0.0]])
    assert cls().to_proba(outputs).tolist() == [[1.0, 0.0, 0.0]]
    assert cls().loss(outputs, torch.tensor([0])).item() == 0.0
    assert math.isfinite(cls().loss(outputs, torch.tensor([2])).item())


@pytest.mark.parametrize("cls", HEADS)
def test_the_gradient_of_the_loss_is_probability_minus_truth(cls):
    outputs = torch.tensor([[0.3, -1.0, 2.0], [0.0, 0.0, 0.0]], requires_grad=True)
    cls().loss(outputs, torch.tensor([2, 0])).sum().backward()
    truth = np.eye(3)[[2, 0]]
    expected = softmax(outputs.detach().numpy(), axis=1) - truth
    np.testing.assert_allclose(outputs.grad.numpy(), expected, atol=1e-6)


def test_the_linear_head_is_one_matrix_and_one_bias():
    module = build(LinearHead())
    X = np.random.RandomState(0).randn(5, 4).astype(np.float32)
    weight, bias = (p.detach().numpy() for p in module.parameters())
    found = module(torch.tensor(X)).detach().numpy()
    np.testing.assert_allclose(found, X @ weight.T + bias, rtol=1e-5, atol=1e-6)


def test_weight_vectors_that_are_too_long_are_scaled_down_and_others_left():
    bounded, free = build(LinearHead(max_norm=3.0)), build(LinearHead())
    with torch.no_grad():
        for module in (bounded, free):
            module.weight.copy_(torch.diag(torch.tensor([1.0, 3.0, 30.0, 1.0]))[:3])
            module.bias.zero_()
    x = torch.ones(1, 4)
    assert free(x).tolist() == [[1.0, 3.0, 30.0]]
    torch.testing.assert_close(bounded(x), torch.tensor([[1.0, 3.0, 3.0]]))
    for wrong in (0, math.inf, "3"):
        with pytest.raises(ValueError, match=f"max_norm has to be a positive .*, got {wrong!r}"):
            LinearHead(max_norm=wrong).build(4, 3)


def test_the_mlp_head_is_two_layers_with_a_gelu_between():
    module = build(MLPHead(hidden=6)).eval()
    X = np.random.RandomState(0).randn(5, 4)
    w1, b1, w2, b2 = (p.detach().double().numpy() for p in module.parameters())
    hidden = X @ w1.T + b1
    hidden *= 0.5 * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2)))
    found = module.double()(torch.tensor(X)).detach().numpy()
    np.testing.assert_allclose(found, hidden @ w2.T + b2, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dropout", [0.0, 0.5, 0.9])
def test_dropout_acts_in_training_alone_and_drops_the_fraction_that_was_asked_for(dropout):
    module = build(MLPHead(hidden=2000, dropout=dropout), in_features=1, n_outputs=2)
    dropped = []
    module[3].register_forward_hook(
        lambda _, args, __: dropped.append((args[0] == 0).float().mean())
    )
    X = torch.ones(1, 1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module.train()(X)
    assert dropped[0] == pytest.approx(dropout, abs=0.05)
    assert torch.equal(module.eval()(X), module(X))
    assert dropped[1] == 0


@pytest.mark.parametrize("head", [LinearHead(), MLPHead(hidden=7)])
@pytest.mark.parametrize("n_outputs", [2, 5])
def test_the_last_two_parameters_are_weight_and_bias_of_the_output_layer(head, n_outputs):
    weight, bias = list(build(head, 4, n_outputs).parameters())[-2:]
    assert weight.shape == (n_outputs, 7 if isinstance(head, MLPHead) else 4)
    assert bias.shape == (n_outputs,)
    assert build(head, 4, n_outputs)(torch.zeros(3, 4)).shape == (3, n_outputs)


@pytest.mark.parametrize("head", [LinearHead(), MLPHead(hidden=7)])
def test_the_global_generator_decides_how_a_module_starts(head):
    same, again, other = (build(head, seed=seed) for seed in (0, 0, 1))
    pairs = [list(zip(same.parameters(), m.parameters(), strict=True)) for m in (again, other)]
    assert all(torch.equal(a, b) for a, b in pairs[0])
    assert not any(torch.equal(a, b) for a, b in pairs[1])


@pytest.mark.parametrize("cls", HEADS)
def test_parameters_are_stored_as_given(cls):
    head = cls(C=0.25, lr_scale=3.0)
    assert (clone(head).C, clone(head).lr_scale) == (0.25, 3.0)
    assert {"C", "lr_scale"} <= set(head.search_space())
