"""Losses of each kind of target, against torch and their formulas in NumPy."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.nn import functional

from sktransfer.heads.linear import LinearHead
from sktransfer.heads.mlp import MLPHead
from sktransfer.plugins import Task
from sktransfer.tasks.multiclass import MulticlassTask
from sktransfer.tasks.multilabel import MultilabelTask
from sktransfer.tasks.regression import RegressionTask, huber, quantile_loss, squared_error

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


def multiclass(smoothing=0.0):
    return MulticlassTask(np.arange(5), smoothing=smoothing)


def multilabel(n_labels, weights=None, smoothing=0.0):
    return MultilabelTask(np.arange(n_labels), np.full(n_labels, 0.5), weights, smoothing)


# --- exactly one label is right -----------------------------------------------------------------


@pytest.mark.parametrize("head", [LinearHead(), MLPHead()])
@given(case=outputs_and_codes(), smoothing=SHARES)
def test_one_label_is_the_cross_entropy_of_torch_with_its_label_smoothing(head, case, smoothing):
    found = multiclass(smoothing).loss(head, *case)
    expected = functional.cross_entropy(*case, label_smoothing=smoothing, reduction="none")
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@given(outputs_and_codes())
def test_the_likeliest_label_is_decided_for(case):
    assert multiclass().decide(case[0]).tolist() == case[0].argmax(dim=1).tolist()


class Hinge(LinearHead):
    """A loss that is no cross entropy."""

    def loss(self, output, target):
        right = output.gather(1, target[:, None])
        return (1 + output - right).clamp(min=0).sum(dim=1)


def test_label_smoothing_mixes_the_losses_of_any_head():
    output, target = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])
    each = [Hinge().loss(output, torch.tensor([k])).item() for k in range(3)]
    found = multiclass(0.3).loss(Hinge(), output, target).item()
    assert found == pytest.approx(0.7 * each[0] + 0.3 * np.mean(each))


@given(outputs_and_codes(), st.floats(0.05, 0.9))
def test_label_smoothing_leaves_no_label_without_a_pull(case, smoothing):
    output = case[0].requires_grad_()
    multiclass(smoothing).loss(LinearHead(), output, case[1]).sum().backward()
    expected = functional.one_hot(case[1], output.shape[1]).double() * (1 - smoothing)
    expected = output.detach().softmax(dim=1) - expected - smoothing / output.shape[1]
    torch.testing.assert_close(output.grad, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("n_outputs", "penalty"), [(2, 2.0), (3, 1.0), (10, 1.0)])
def test_a_softmax_over_two_labels_is_penalised_as_one_vector(n_outputs, penalty):
    assert multiclass().penalty(n_outputs) == penalty


def test_outputs_that_stand_alone_are_penalised_alike():
    for task in (multilabel(2), RegressionTask(np.zeros(2), np.ones(2))):
        assert task.penalty(1) == task.penalty(2) == 1.0


# --- any number of labels is right --------------------------------------------------------------


@given(INDICATORS)
def test_many_labels_is_the_sum_of_the_binary_cross_entropies_of_torch(case):
    found = multilabel(case[0].shape[1]).loss(LinearHead(), *case)
    expected = functional.binary_cross_entropy_with_logits(*case, reduction="none").sum(dim=1)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@given(INDICATORS, st.floats(0, 10))
def test_a_weight_of_rows_with_a_label_is_torchs_pos_weight(case, weight):
    output, target = case
    found = multilabel(output.shape[1], ((1.0, weight),) * output.shape[1]).loss(
        LinearHead(), output, target
    )
    expected = functional.binary_cross_entropy_with_logits(
        output, target, pos_weight=output.new_full(output.shape[1:], weight), reduction="none"
    )
    torch.testing.assert_close(found, expected.sum(dim=1))


@given(INDICATORS, SHARES, st.lists(st.tuples(*[st.floats(0, 10)] * 2), min_size=5, max_size=5))
def test_each_label_has_weights_of_its_own_and_smooth_targets(case, smoothing, weights):
    output, target = case
    weights = weights[: output.shape[1]]
    found = multilabel(output.shape[1], tuple(weights), smoothing).loss(
        LinearHead(), output, target
    )
    soft = target * (1 - smoothing) + smoothing / 2
    each = functional.binary_cross_entropy_with_logits(output, soft, reduction="none")
    factor = np.where(target > 0.5, [w[1] for w in weights], [w[0] for w in weights])
    torch.testing.assert_close(found, (each * torch.tensor(factor)).sum(dim=1))


def test_labels_are_decided_for_that_are_likelier_right_than_not():
    found = multilabel(3).decide(torch.tensor([[0.1, -0.1, 0.0]]))
    assert found.tolist() == [[1.0, 0.0, 0.0]]


# --- numbers ------------------------------------------------------------------------------------


@given(TARGETS)
def test_squared_is_half_the_squared_error_of_torch(case):
    expected = 0.5 * functional.mse_loss(*case, reduction="none").sum(dim=1)
    torch.testing.assert_close(squared_error(*case), expected)


@given(TARGETS, st.floats(0.01, 10))
def test_huber_is_squared_for_small_errors_and_absolute_for_large_ones(case, delta):
    error = np.abs((case[0] - case[1]).numpy())
    each = np.where(error <= delta, 0.5 * error**2, delta * (error - 0.5 * delta))
    np.testing.assert_allclose(huber(*case, delta), each.sum(axis=1), rtol=1e-9, atol=1e-300)


@given(TARGETS, st.floats(0.01, 0.99))
def test_quantile_is_the_pinball_loss(case, quantile):
    output, target = (array.numpy() for array in case)
    above, below = np.maximum(target - output, 0), np.maximum(output - target, 0)
    expected = (quantile * above + (1 - quantile) * below).sum(axis=1)
    np.testing.assert_allclose(quantile_loss(*case, quantile), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.8])
def test_the_constant_of_least_quantile_loss_is_the_quantile(quantile):
    target = torch.tensor(np.random.RandomState(0).exponential(size=(101, 1)))
    grid = torch.linspace(0, 5, 1001, dtype=torch.float64)
    losses = [quantile_loss(x.expand(101, 1), target, quantile).sum().item() for x in grid]
    assert grid[np.argmin(losses)] == pytest.approx(np.quantile(target, quantile), abs=0.05)


def regression(row_loss=squared_error):
    return RegressionTask(np.zeros(3), np.ones(3), flat=False, row_loss=row_loss)


def test_numbers_stand_for_themselves():
    output = torch.tensor([[1.5, -2.0]])
    assert regression().decide(output) is output


# --- every task asks the head -------------------------------------------------------------------


class Focal(LinearHead):
    """Cross entropy that counts certain rows less (Lin et al., 2017)."""

    def loss(self, output, target):
        log = output.log_softmax(dim=1).gather(1, target[:, None])[:, 0]
        return -((1 - log.exp()) ** 2) * log


class Capped(LinearHead):
    def regression_loss(self, output, target, row_loss):
        return row_loss(output, target).clamp(max=0.5)


@given(INDICATORS)
def test_a_focal_head_gives_the_binary_focal_loss_of_each_label(case):
    output, target = case
    found = multilabel(output.shape[1]).loss(Focal(), output, target)
    right = torch.where(target > 0.5, output.sigmoid(), (-output).sigmoid())
    log = torch.where(target > 0.5, functional.logsigmoid(output), functional.logsigmoid(-output))
    torch.testing.assert_close(found, (-((1 - right) ** 2) * log).sum(dim=1))


@given(INDICATORS)
def test_probabilities_of_labels_are_the_sigmoid_of_a_softmax_head(case):
    task, output = multilabel(case[0].shape[1]), case[0]
    np.testing.assert_allclose(
        task.predict_proba(LinearHead(), output), output.sigmoid().numpy(), rtol=1e-9, atol=1e-15
    )
    np.testing.assert_allclose(
        task.decision_function(LinearHead(), output), output.numpy(), rtol=1e-6, atol=1e-9
    )


def test_a_head_may_change_the_loss_of_numbers():
    output, target = torch.zeros(2, 3), torch.tensor([[0.1, 0, 0], [9.0, 9, 9]])
    assert regression().loss(Capped(), output, target).tolist() == pytest.approx([0.005, 0.5])


# --- all of them --------------------------------------------------------------------------------

ALL = [
    multiclass(),
    multiclass(0.2),
    multilabel(3, ((1.0, 2.0), (0.5, 1.0), (1.0, 0.0)), 0.1),
    regression(),
    regression(partial(huber, delta=0.7)),
    regression(partial(quantile_loss, quantile=0.9)),
]
HEADS = [LinearHead(), Focal()]


def example(task, dtype=torch.float32, n=7):
    rng = np.random.RandomState(0)
    output = torch.tensor(rng.randn(n, 3), dtype=dtype)
    if task.unit == "class":
        return output, torch.tensor(rng.randint(3, size=n))
    if task.unit == "label":
        return output, torch.tensor(rng.randint(2, size=(n, 3)), dtype=torch.float32)
    return output, torch.tensor(rng.randn(n, 3), dtype=torch.float32)


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.unit)
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_loss_is_one_number_a_row_in_the_precision_of_the_outputs(task, head, dtype):
    output, target = example(task, dtype)
    loss = task.loss(head, output, target)
    assert loss.shape == (7,)
    assert loss.dtype == dtype
    assert (loss >= 0).all()


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.unit)
def test_the_loss_of_a_row_does_not_depend_on_other_rows(task):
    output, target = example(task)
    head = LinearHead()
    alone = torch.cat([task.loss(head, output[i : i + 1], target[i : i + 1]) for i in range(7)])
    torch.testing.assert_close(task.loss(head, output, target), alone)


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.unit)
def test_a_loss_changes_nothing_and_is_the_same_again(task):
    output, target = example(task)
    before = output.clone(), target.clone()
    first = task.loss(LinearHead(), output, target)
    assert torch.equal(task.loss(LinearHead(), output, target), first)
    task.decide(output)
    assert torch.equal(output, before[0])
    assert torch.equal(target, before[1])
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.unit = "row"


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.unit)
def test_a_step_against_the_gradient_lowers_the_loss(task):
    output, target = example(task, torch.float64)
    output.requires_grad_()
    loss = task.loss(LinearHead(), output, target).sum()
    loss.backward()
    assert torch.isfinite(output.grad).all()
    assert task.loss(LinearHead(), output - 1e-3 * output.grad, target).sum() < loss


def test_a_task_without_its_methods_cannot_be_made():
    with pytest.raises(TypeError, match="abstract"):
        Task()
