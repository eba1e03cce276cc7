"""What heads are held to. Torch is imported where it computes: strategies are checked without."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sktransfer.plugins import Head
from sktransfer.testing._expect import expect

if TYPE_CHECKING:
    import torch

SHAPES = ((5, 2), (3, 4), (16, 10))


def check_constants_are_positive(plugin: Head) -> None:
    """Check that ``C`` and ``lr_scale`` are positive numbers."""
    for name in ("C", "lr_scale"):
        value = getattr(plugin, name)
        expect(
            isinstance(value, float | int) and not isinstance(value, bool) and value > 0,
            got=f"{name} = {value!r}",
            expected="a number above 0",
            change=f"Set {name} as a class attribute or a constructor parameter.",
        )


def check_build_maps_features_to_outputs(plugin: Head) -> None:
    """Check that ``build`` gives a new module from (n, in_features) to (n, n_outputs)."""
    import torch

    for in_features, n_outputs in SHAPES:
        module = _build(plugin, in_features, n_outputs)
        expect(
            isinstance(module, torch.nn.Module),
            got=f"{module!r} from build({in_features}, {n_outputs})",
            expected="a torch.nn.Module",
            change="Return the module itself.",
        )
        for n in (1, 6):
            output = module.eval()(torch.zeros(n, in_features))
            expect(
                output.shape == (n, n_outputs) and bool(output.isfinite().all()),
                got=f"shape {tuple(output.shape)} for features of shape {(n, in_features)}, or "
                "outputs that are not finite",
                expected=f"finite outputs of shape {(n, n_outputs)}",
                change="Check the sizes of the module's layers.",
            )


def check_build_follows_torch_seed(plugin: Head) -> None:
    """Check that the same torch seed gives equal weights, in modules that share none."""
    import torch

    first, second = _build(plugin, 5, 3), _build(plugin, 5, 3)
    for name, weight in first.state_dict().items():
        expect(
            torch.equal(weight, second.state_dict()[name]),
            got=f"different {name!r} from build at the same torch seed",
            expected="equal weights",
            change="Draw from torch's global generator, which the caller seeds, and no other.",
        )
    before = {name: weight.clone() for name, weight in second.state_dict().items()}
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.add_(1)
    for name, weight in second.state_dict().items():
        expect(
            torch.equal(weight, before[name]),
            got=f"{name!r} of one module changed by training another one",
            expected="a new module at every call",
            change="Build the layers inside build.",
        )


def check_output_layer_comes_last(plugin: Head) -> None:
    """Check that the last two parameters are weight and bias of the output layer."""
    for in_features, n_outputs in SHAPES:
        parameters = list(_build(plugin, in_features, n_outputs).named_parameters())
        shapes = [(name, tuple(parameter.shape)) for name, parameter in parameters]
        expect(
            len(shapes) >= 2
            and len(shapes[-2][1]) == 2
            and shapes[-2][1][0] == n_outputs
            and shapes[-1][1] == (n_outputs,),
            got=f"the parameters {shapes} from build({in_features}, {n_outputs})",
            expected=f"as last two a weight ({n_outputs}, width) and a bias ({n_outputs},)",
            change="Define the output layer last and keep its bias: rows are carried over when "
            "the label set changes.",
        )


def check_loss_is_per_row(plugin: Head) -> None:
    """Check that the loss is finite, not negative, and one number for each row by itself."""
    import torch

    for _, n_outputs in SHAPES:
        output, target = _outputs(n_outputs)
        loss = plugin.loss(output, target)
        expect(
            loss.shape == target.shape and bool(loss.isfinite().all()) and bool((loss >= 0).all()),
            got=f"the loss {loss!r}",
            expected=f"finite numbers of shape {tuple(target.shape)}, none below 0",
            change='Pass reduction="none": weights are the caller\'s business.',
        )
        alone = torch.cat(
            [plugin.loss(output[i : i + 1], target[i : i + 1]) for i in range(len(target))]
        )
        expect(
            torch.allclose(loss, alone, atol=1e-6),
            got="a loss of a row that depends on the other rows of its batch",
            expected="the same loss as alone",
            change="Do not normalise by sums or means over the batch.",
        )


def check_loss_is_differentiable(plugin: Head) -> None:
    """Check that gradients of the loss reach the output, and are finite."""
    output, target = _outputs(3)
    output.requires_grad_()
    loss = plugin.loss(output, target)
    if loss.requires_grad:
        loss.sum().backward()
    gradient = output.grad
    expect(
        gradient is not None and bool(gradient.isfinite().all()) and bool(gradient.any()),
        got=f"the gradient {gradient!r} of the loss",
        expected="finite numbers that are not all 0",
        change="Compute the loss from `output` with differentiable operations.",
    )


def check_loss_prefers_right_answers(plugin: Head) -> None:
    """Check that confident and right costs less than confident and wrong."""
    import torch

    for _, n_outputs in SHAPES:
        target = torch.arange(n_outputs)
        right = 5 * torch.nn.functional.one_hot(target).float()
        wrong = right.roll(1, dims=0)
        low, high = plugin.loss(right, target), plugin.loss(wrong, target)
        expect(
            bool((low < high).all()),
            got=f"a loss of {low.tolist()} for right and {high.tolist()} for wrong outputs",
            expected="less for right ones",
            change="Check the sign of the loss and the order of its arguments.",
        )


def check_to_proba_gives_probabilities(plugin: Head) -> None:
    """Check that probabilities sum to 1 in each row and are largest where outputs are."""
    import torch

    for _, n_outputs in SHAPES:
        output, _ = _outputs(n_outputs)
        proba = plugin.to_proba(output)
        total = proba.double().sum(dim=1) if proba.ndim == 2 else torch.zeros(1)
        expect(
            proba.shape == output.shape
            and bool(((proba >= 0) & (proba <= 1)).all())
            and bool(((total - 1).abs() <= 1e-6).all()),
            got=f"{proba!r} from to_proba",
            expected=f"shape {tuple(output.shape)}, numbers in [0, 1], rows that sum to 1",
            change="Use softmax over the last axis, or normalise.",
        )
        expect(
            torch.equal(proba.argmax(dim=1), output.argmax(dim=1)),
            got="a largest probability that is not at the largest output",
            expected="the order of the outputs",
            change="Make the probability grow with the output.",
        )


def check_to_proba_keeps_precision(plugin: Head) -> None:
    """Check that outputs in float64 give probabilities in float64."""
    import torch

    output, _ = _outputs(3)
    proba = plugin.to_proba(output.double())
    expect(
        proba.dtype == torch.float64,
        got=f"{proba.dtype} from to_proba of float64",
        expected="torch.float64",
        change="Do not cast; predict_proba gives float64.",
    )


def check_to_proba_stays_finite(plugin: Head) -> None:
    """Check that extreme outputs give finite probabilities that sum to 1."""
    import torch

    output = torch.tensor([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4]])
    proba = plugin.to_proba(output)
    expect(
        bool(proba.isfinite().all()) and bool(((proba.sum(dim=1) - 1).abs() <= 1e-6).all()),
        got=f"{proba.tolist()} from to_proba({output.tolist()})",
        expected="finite rows that sum to 1",
        change="Use torch.softmax, which subtracts the largest output, and not exp.",
    )


CHECKS = (
    check_constants_are_positive,
    check_build_maps_features_to_outputs,
    check_build_follows_torch_seed,
    check_output_layer_comes_last,
    check_loss_is_per_row,
    check_loss_is_differentiable,
    check_loss_prefers_right_answers,
    check_to_proba_gives_probabilities,
    check_to_proba_keeps_precision,
    check_to_proba_stays_finite,
)


def use(plugin: Head) -> None:
    """Build a module, and compute loss and probabilities."""
    import torch

    module = _build(plugin, 5, 3)
    output = module.eval()(torch.ones(4, 5))
    loss = plugin.loss(output, torch.tensor([0, 1, 2, 0]))
    proba = plugin.to_proba(output.detach())
    if not (math.isfinite(loss.sum().item()) and math.isfinite(proba.sum().item())):
        raise ValueError(f"loss {loss.tolist()} and probabilities {proba.tolist()}")


def _build(plugin: Head, in_features: int, n_outputs: int) -> torch.nn.Module:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return plugin.build(in_features, n_outputs)


def _outputs(n_outputs: int) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    generator = torch.Generator().manual_seed(0)
    output = 3 * torch.randn(12, n_outputs, generator=generator)
    return output, torch.arange(12) % n_outputs
