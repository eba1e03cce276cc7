"""What heads are held to. Torch is imported where it computes: strategies are checked without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sktransfer.plugins import Head
from sktransfer.testing._check import check_of, expect
from sktransfer.testing._random_states import torch_seeded
from sktransfer.testing._use import use
from sktransfer.testing._weights import changed_with, differing

if TYPE_CHECKING:
    import torch

SHAPES = ((5, 2), (3, 4), (16, 10))


@check_of(Head)
def check_constants_are_positive(plugin: Head) -> None:
    """`C` and `lr_scale` are numbers above 0; `C` may be "auto".

    Set each as a class attribute or a constructor parameter.
    """
    for name in ("C", "lr_scale"):
        value = getattr(plugin, name)
        is_number = isinstance(value, float | int) and not isinstance(value, bool)
        chosen = name == "C" and value == "auto"
        expect(chosen or (is_number and value > 0), f"{name} = {value!r}")


@check_of(Head)
def check_build_maps_features_to_outputs(plugin: Head) -> None:
    """`build` gives a torch.nn.Module from (n, in_features) to finite outputs (n, n_outputs).

    Return the module itself, and check the sizes of its layers.
    """
    import torch

    for in_features, n_outputs in SHAPES:
        module = _build(plugin, in_features, n_outputs)
        where = f"from build({in_features}, {n_outputs})"
        expect(isinstance(module, torch.nn.Module), f"{module!r} {where}")
        for n in (1, 6):
            output = module.eval()(torch.zeros(n, in_features))
            shape = tuple(output.shape)
            expect(shape == (n, n_outputs), f"outputs of shape {shape} for {n} rows {where}")
            expect(output.isfinite().all(), f"outputs that are not finite {where}")


@check_of(Head)
def check_build_follows_torch_seed(plugin: Head) -> None:
    """The same torch seed gives equal weights, in modules that share none.

    Build the layers inside build. Draw from torch's global generator, which the caller seeds, and
    no other.
    """
    first, second = _build(plugin, 5, 3), _build(plugin, 5, 3)
    unequal = differing(first.state_dict(), second.state_dict())
    expect(not unequal, f"different {unequal} from build at the same torch seed")
    changed = changed_with(first, second)
    expect(not changed, f"{changed} of one module changed by training another one")


@check_of(Head)
def check_output_layer_comes_last(plugin: Head) -> None:
    """The last two parameters are the output layer's weight (n_outputs, width) and its bias.

    Define the output layer last and keep its bias: rows are carried over when the label set
    changes.
    """
    for in_features, n_outputs in SHAPES:
        parameters = _build(plugin, in_features, n_outputs).named_parameters()
        shapes = [(name, tuple(parameter.shape)) for name, parameter in parameters]
        weight, bias = [(), (), *(shape for _, shape in shapes)][-2:]
        expect(
            len(weight) == 2 and weight[0] == n_outputs and bias == (n_outputs,),
            f"the parameters {shapes} from build({in_features}, {n_outputs})",
        )


@check_of(Head)
def check_loss_is_per_row(plugin: Head) -> None:
    """The loss is finite, not negative, and one number for each row by itself.

    Pass reduction="none", since weights are the caller's business, and do not normalise by sums or
    means over the batch.
    """
    import torch

    for _, n_outputs in SHAPES:
        output, target = _outputs(n_outputs)
        loss = plugin.loss(output, target)
        expect(
            loss.shape == target.shape and loss.isfinite().all() and (loss >= 0).all(),
            f"the loss {loss!r} for targets of shape {tuple(target.shape)}",
        )
        rows = zip(output.split(1), target.split(1), strict=True)
        alone = torch.cat([plugin.loss(*row) for row in rows])
        same = torch.allclose(loss, alone, atol=1e-6)
        expect(same, "a loss of a row that depends on the other rows of its batch")


@check_of(Head)
def check_loss_is_differentiable(plugin: Head) -> None:
    """Gradients of the loss reach the output: finite numbers that are not all 0.

    Compute the loss from `output` with differentiable operations.
    """
    output, target = _outputs(3)
    output.requires_grad_()
    loss = plugin.loss(output, target)
    if loss.requires_grad:
        loss.sum().backward()
    gradient = output.grad
    fits = gradient is not None and gradient.isfinite().all() and gradient.any()
    expect(fits, f"the gradient {gradient!r} of the loss")


@check_of(Head)
def check_loss_prefers_right_answers(plugin: Head) -> None:
    """Confident and right costs less than confident and wrong.

    Check the sign of the loss and the order of its arguments.
    """
    import torch

    for _, n_outputs in SHAPES:
        target = torch.arange(n_outputs)
        right = 5 * torch.nn.functional.one_hot(target).float()
        low, high = plugin.loss(right, target), plugin.loss(right.roll(1, dims=0), target)
        expect(
            (low < high).all(),
            f"a loss of {low.tolist()} for right and {high.tolist()} for wrong outputs",
        )


@check_of(Head)
def check_to_proba_gives_probabilities(plugin: Head) -> None:
    """Probabilities have the outputs' shape and order, and rows of numbers in [0, 1] that sum to 1.

    Use softmax over the last axis, or normalise, and make the probability grow with the output.
    """
    import torch

    for _, n_outputs in SHAPES:
        output, _ = _outputs(n_outputs)
        proba = plugin.to_proba(output)
        fits = proba.shape == output.shape and _sums_to_one(proba)
        expect(fits, f"{proba!r} from to_proba of outputs of shape {tuple(output.shape)}")
        same = torch.equal(proba.argmax(dim=1), output.argmax(dim=1))
        expect(same, "a largest probability that is not at the largest output")


@check_of(Head)
def check_to_proba_keeps_precision(plugin: Head) -> None:
    """Outputs in torch.float64 give probabilities in torch.float64.

    Do not cast; predict_proba gives float64.
    """
    import torch

    output, _ = _outputs(3)
    proba = plugin.to_proba(output.double())
    expect(proba.dtype == torch.float64, f"{proba.dtype} from to_proba of float64")


@check_of(Head)
def check_to_proba_stays_finite(plugin: Head) -> None:
    """Extreme outputs give finite probabilities that sum to 1.

    Use torch.softmax, which subtracts the largest output, and not exp.
    """
    import torch

    output = torch.tensor([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4]])
    proba = plugin.to_proba(output)
    expect(_sums_to_one(proba), f"{proba.tolist()} from to_proba({output.tolist()})")


@use.register
def _use(plugin: Head) -> None:
    import torch

    output = _build(plugin, 5, 3).eval()(torch.ones(4, 5))
    loss = plugin.loss(output, torch.tensor([0, 1, 2, 0]))
    proba = plugin.to_proba(output.detach())
    if not (loss.isfinite().all() and proba.isfinite().all()):
        raise ValueError(f"loss {loss.tolist()} and probabilities {proba.tolist()}")


def _build(plugin: Head, in_features: int, n_outputs: int) -> torch.nn.Module:
    with torch_seeded(0):
        return plugin.build(in_features, n_outputs)


def _outputs(n_outputs: int) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    generator = torch.Generator().manual_seed(0)
    output = 3 * torch.randn(12, n_outputs, generator=generator)
    return output, torch.arange(12) % n_outputs


def _sums_to_one(proba: torch.Tensor) -> bool:
    in_range = ((proba >= 0) & (proba <= 1)).all()
    return bool(in_range and ((proba.double().sum(dim=1) - 1).abs() <= 1e-6).all())
