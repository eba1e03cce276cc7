"""Losses of each kind of target, against torch and their formulas in NumPy."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.nn import functional

from sktransfer.heads.linear import LinearHead
from sktransfer.heads.mlp import MLPHead
from sktransfer.heads.objectives import Huber, ManyLabels, Objective, OneLabel, Quantile, Squared

# What is slow once, or on a busy machine, is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

SHAPES = st.tuples(st.integers(1, 6), st.integers(2, 5))
NUMBERS = st.floats(-50, 50)
SHARES = st.floats(0, 0.99)


@st.composite
def outputs_and_codes(draw):
    outputs = draw(hnp.arrays(np.float64, SHAPES, elements=NUMBERS))
    codes = draw(hnp.arrays(np.int64, len(outputs), elements=st.integers(0, outputs.shape[1] - 1)))
    return torch.tensor(outputs), torch.tensor(codes)


@st.composite
def outputs_and(draw, elements):
    shape = draw(SHAPES)
    pair = (draw(hnp.arrays(np.float64, shape, elements=e)) for e in (NUMBERS, elements))
    return tuple(torch.tensor(array) for array in pair)


INDICATORS = outputs_and(st.sampled_from([0.0, 1.0]))
TARGETS = outputs_and(NUMBERS)


# --- exactly one label is right -----------------------------------------------------------------


@pytest.mark.parametrize("head", [LinearHead(), MLPHead()])
@given(case=outputs_and_codes(), smoothing=SHARES)
def test_one_label_is_the_cross_entropy_of_torch_with_its_label_smoothing(head, case, smoothing):
    found = OneLabel(head, smoothing).loss(*case)
    expected = functional.cross_entropy(*case, label_smoothing=smoothing, reduction="none")
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@given(outputs_and_codes())
def test_the_likeliest_label_is_decided_for(case):
    assert OneLabel(LinearHead()).decide(case[0]).tolist() == case[0].argmax(dim=1).tolist()


class Hinge(LinearHead):
    """A loss that is no cross entropy."""

    def loss(self, output, target):
        right = output.gather(1, target[:, None])
        return (1 + output - right).clamp(min=0).sum(dim=1)


def test_label_smoothing_mixes_the_losses_of_any_head():
    output, target = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])
    each = [Hinge().loss(output, torch.tensor([k])).item() for k in range(3)]
    found = OneLabel(Hinge(), 0.3).loss(output, target).item()
    assert found == pytest.approx(0.7 * each[0] + 0.3 * np.mean(each))


@given(outputs_and_codes(), st.floats(0.05, 0.9))
def test_label_smoothing_leaves_no_label_without_a_pull(case, smoothing):
    output = case[0].requires_grad_()
    OneLabel(LinearHead(), smoothing).loss(output, case[1]).sum().backward()
    expected = functional.one_hot(case[1], output.shape[1]).double() * (1 - smoothing)
    expected = output.detach().softmax(dim=1) - expected - smoothing / output.shape[1]
    torch.testing.assert_close(output.grad, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("n_outputs", "penalty"), [(2, 2.0), (3, 1.0), (10, 1.0)])
def test_a_softmax_over_two_labels_is_penalised_as_one_vector(n_outputs, penalty):
    assert OneLabel(LinearHead()).penalty(n_outputs) == penalty


@pytest.mark.parametrize("objective", [ManyLabels(((1.0, 1.0),) * 2), Squared(), Huber(1.0)])
def test_outputs_that_stand_alone_are_penalised_alike(objective):
    assert objective.penalty(1) == objective.penalty(2) == 1.0


# --- any number of labels is right --------------------------------------------------------------


def plain(n_labels):
    return ((1.0, 1.0),) * n_labels


@given(INDICATORS)
def test_many_labels_is_the_sum_of_the_binary_cross_entropies_of_torch(case):
    found = ManyLabels(plain(case[0].shape[1])).loss(*case)
    expected = functional.binary_cross_entropy_with_logits(*case, reduction="none").sum(dim=1)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@given(INDICATORS, st.floats(0, 10))
def test_a_weight_of_rows_with_a_label_is_torchs_pos_weight(case, weight):
    output, target = case
    found = ManyLabels(((1.0, weight),) * output.shape[1]).loss(output, target)
    expected = functional.binary_cross_entropy_with_logits(
        output, target, pos_weight=output.new_full(output.shape[1:], weight), reduction="none"
    )
    torch.testing.assert_close(found, expected.sum(dim=1))


@given(INDICATORS, SHARES, st.lists(st.tuples(*[st.floats(0, 10)] * 2), min_size=5, max_size=5))
def test_each_label_has_weights_of_its_own_and_smooth_targets(case, smoothing, weights):
    output, target = case
    weights = weights[: output.shape[1]]
    found = ManyLabels(tuple(weights), smoothing).loss(output, target)
    soft = target * (1 - smoothing) + smoothing / 2
    each = functional.binary_cross_entropy_with_logits(output, soft, reduction="none")
    factor = np.where(target > 0.5, [w[1] for w in weights], [w[0] for w in weights])
    torch.testing.assert_close(found, (each * torch.tensor(factor)).sum(dim=1))


def test_labels_are_decided_for_that_are_likelier_right_than_not():
    found = ManyLabels(plain(3)).decide(torch.tensor([[0.1, -0.1, 0.0]]))
    assert found.tolist() == [[1.0, 0.0, 0.0]]


# --- numbers ------------------------------------------------------------------------------------


@given(TARGETS)
def test_squared_is_half_the_squared_error_of_torch(case):
    expected = 0.5 * functional.mse_loss(*case, reduction="none").sum(dim=1)
    torch.testing.assert_close(Squared().loss(*case), expected)


@given(TARGETS, st.floats(0.01, 10))
def test_huber_is_squared_for_small_errors_and_absolute_for_large_ones(case, delta):
    error = np.abs((case[0] - case[1]).numpy())
    each = np.where(error <= delta, 0.5 * error**2, delta * (error - 0.5 * delta))
    np.testing.assert_allclose(Huber(delta).loss(*case), each.sum(axis=1), rtol=1e-9, atol=1e-300)


@given(TARGETS, st.floats(0.01, 0.99))
def test_quantile_is_the_pinball_loss(case, quantile):
    output, target = (array.numpy() for array in case)
    above, below = np.maximum(target - output, 0), np.maximum(output - target, 0)
    expected = (quantile * above + (1 - quantile) * below).sum(axis=1)
    np.testing.assert_allclose(Quantile(quantile).loss(*case), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.8])
def test_the_constant_of_least_quantile_loss_is_the_quantile(quantile):
    target = torch.tensor(np.random.RandomState(0).exponential(size=(101, 1)))
    grid = torch.linspace(0, 5, 1001, dtype=torch.float64)
    losses = [Quantile(quantile).loss(x.expand(101, 1), target).sum().item() for x in grid]
    assert grid[np.argmin(losses)] == pytest.approx(np.quantile(target, quantile), abs=0.05)


@pytest.mark.parametrize("objective", [Squared(), Huber(1.0), Quantile(0.3)])
def test_numbers_stand_for_themselves(objective):
    output = torch.tensor([[1.5, -2.0]])
    assert objective.decide(output) is output


# --- all of them --------------------------------------------------------------------------------

ALL = [
    OneLabel(LinearHead()),
    OneLabel(LinearHead(), 0.2),
    ManyLabels(((1.0, 2.0), (0.5, 1.0), (1.0, 0.0)), 0.1),
    Squared(),
    Huber(0.7),
    Quantile(0.9),
]


def example(objective, dtype=torch.float32, n=7):
    rng = np.random.RandomState(0)
    output = torch.tensor(rng.randn(n, 3), dtype=dtype)
    if isinstance(objective, OneLabel):
        return output, torch.tensor(rng.randint(3, size=n))
    if isinstance(objective, ManyLabels):
        return output, torch.tensor(rng.randint(2, size=(n, 3)), dtype=torch.float32)
    return output, torch.tensor(rng.randn(n, 3), dtype=torch.float32)


@pytest.mark.parametrize("objective", ALL, ids=repr)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_loss_is_one_number_a_row_in_the_precision_of_the_outputs(objective, dtype):
    output, target = example(objective, dtype)
    loss = objective.loss(output, target)
    assert loss.shape == (7,)
    assert loss.dtype == dtype
    assert (loss >= 0).all()


@pytest.mark.parametrize("objective", ALL, ids=repr)
def test_the_loss_of_a_row_does_not_depend_on_other_rows(objective):
    output, target = example(objective)
    alone = torch.cat([objective.loss(output[i : i + 1], target[i : i + 1]) for i in range(7)])
    torch.testing.assert_close(objective.loss(output, target), alone)


@pytest.mark.parametrize("objective", ALL, ids=repr)
def test_a_loss_changes_nothing_and_is_the_same_again(objective):
    output, target = example(objective)
    before = output.clone(), target.clone()
    first = objective.loss(output, target)
    assert torch.equal(objective.loss(output, target), first)
    objective.decide(output)
    assert torch.equal(output, before[0])
    assert torch.equal(target, before[1])
    assert dataclasses.replace(objective) == objective
    with pytest.raises(dataclasses.FrozenInstanceError):
        objective.smoothing = 0.5


@pytest.mark.parametrize("objective", ALL, ids=repr)
def test_a_step_against_the_gradient_lowers_the_loss(objective):
    output, target = example(objective, torch.float64)
    output.requires_grad_()
    loss = objective.loss(output, target).sum()
    loss.backward()
    assert torch.isfinite(output.grad).all()
    assert objective.loss(output - 1e-3 * output.grad, target).sum() < loss


def test_an_objective_without_a_loss_says_which_one():
    class Nothing(Objective):
        pass

    with pytest.raises(NotImplementedError, match=r"Nothing\.loss"):
        Nothing().loss(torch.zeros(1, 2), torch.zeros(1))
