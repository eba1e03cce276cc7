"""What alignments and regularisers are held to. Torch is imported where it computes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sktransfer.plugins import Alignment, Forward, Regulariser, WeightChange
from sktransfer.testing._check import check_of, expect
from sktransfer.testing._random_states import torch_seeded
from sktransfer.testing._use import use

if TYPE_CHECKING:
    import torch

DIM = 6
N_OUTPUTS = 3


@check_of(Alignment, Regulariser)
def check_build_gives_module_or_none(plugin: Alignment | Regulariser) -> None:
    """`build` gives a torch.nn.Module, or None where the loss has no parameters.

    Return None where nothing is trained.
    """
    import torch

    module = plugin.build(DIM, N_OUTPUTS)
    expect(module is None or isinstance(module, torch.nn.Module), f"{module!r} from build")


@check_of(Alignment, Regulariser)
def check_weight_and_schedule_are_numbers(plugin: Alignment | Regulariser) -> None:
    """The weight and its schedule are finite numbers along a training, none below 0.

    Return floats from schedule, and reverse gradients inside the loss.
    """
    factors = [plugin.weight, *(plugin.schedule(done / 4) for done in range(4))]
    expect(
        all(isinstance(f, int | float) and 0 <= f < float("inf") for f in factors),
        f"the weight and factors {factors} along a training",
    )


@check_of(Alignment, Regulariser)
def check_loss_is_finite_number(plugin: Alignment | Regulariser) -> None:
    """The loss of samples of any two sizes is one finite number, a tensor of shape ().

    Average over rows, and allow for a single row.
    """
    for source, target in ((16, 16), (7, 16), (16, 7), (1, 16), (16, 1), (1, 1)):
        loss = _loss(plugin, *_sides(source, target))
        expect(
            loss.shape == () and loss.is_floating_point() and loss.isfinite(),
            f"the loss {loss!r} for {source} source rows and {target} target rows",
        )


@check_of(Alignment, Regulariser)
def check_loss_is_not_negative(plugin: Alignment | Regulariser) -> None:
    """The loss is at least 0, unless may_be_negative says that it can be below.

    Use the biased estimator, or set may_be_negative = True.
    """
    if plugin.may_be_negative:
        return
    for shift in (0.0, 2.0):
        source, target = _sides(16, 12, shift=shift)
        loss = _loss(plugin, source, target, second=_second_view(source, shift)).item()
        # Negated, so that a loss that is no number is left to the check of finite numbers.
        expect(not loss < -1e-6, f"a loss of {loss}")


@check_of(Alignment)
def check_loss_vanishes_for_equal_samples(plugin: Alignment) -> None:
    """If the loss is a distance, equal samples cost nothing, within 1e-4.

    Subtract the value at equal distributions, or set is_distance = False.
    """
    if not plugin.is_distance:
        return
    loss = _loss(plugin, *_sides(16, 16, shift=0.0)).item()
    expect(not abs(loss) > 1e-4, f"a loss of {loss} for equal samples")


@check_of(Alignment)
def check_loss_grows_with_distance(plugin: Alignment) -> None:
    """If the loss is a distance, samples with other means and spreads cost more than equal ones.

    Check the sign of the loss.
    """
    if not plugin.is_distance:
        return
    near = _loss(plugin, *_sides(16, 16, shift=0.0)).item()
    far = _loss(plugin, *_sides(16, 16)).item()
    expect(not far <= near + 1e-6, f"a loss of {far} for samples apart and {near} for equal ones")


@check_of(Alignment, Regulariser)
def check_loss_is_differentiable(plugin: Alignment | Regulariser) -> None:
    """Gradients are finite, also at equal samples, and not all 0 for samples apart.

    Compute with differentiable operations; a square root needs a small number added inside.
    """
    for shift, which in ((2.0, "samples apart"), (0.0, "equal samples")):
        source, target = _sides(16, 16, shift=shift)
        change, second = _change(), _second_view(source, shift)
        leaves = [source.features, source.outputs, target.features, target.outputs]
        leaves += [second.features, second.outputs, *change.current.values()]
        for leaf in leaves:
            leaf.requires_grad_()
        loss = _loss(plugin, source, target, change=change, second=second)
        if loss.requires_grad:
            loss.backward()
        gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
        finite = all(gradient.isfinite().all() for gradient in gradients)
        expect(finite, f"gradients that are not finite for {which}")
        moves = shift == 0.0 or any(gradient.any() for gradient in gradients)
        expect(moves, f"gradients that are missing or all 0 for {which}")


@use.register(Alignment | Regulariser)
def _use(plugin: Alignment | Regulariser) -> None:
    _loss(plugin, *_sides(16, 16))


def _loss(
    plugin: Any,
    source: Forward,
    target: Forward,
    change: WeightChange | None = None,
    second: Forward | None = None,
) -> torch.Tensor:
    """Compute the loss of two sides; a regulariser sees one, and perhaps a second view of it."""
    with torch_seeded(0):
        module = plugin.build(DIM, N_OUTPUTS)
    if isinstance(plugin, Alignment):
        return plugin.loss(source, target, 0.5, module)
    view = (second or _second_view(source)) if plugin.second_view else None
    return plugin.loss(source, 0.5, change or _change(), view, module)


def _change() -> WeightChange:
    import torch

    start = torch.ones(4, DIM)
    return WeightChange({"weight": torch.nn.Parameter(start + 0.5)}, {"weight": start})


def _second_view(batch: Forward, by: float = 2.0) -> Forward:
    """Give the same rows with other values, as other dropout does, unless ``by`` is 0."""
    import torch

    generator = torch.Generator().manual_seed(1)

    def other(values: torch.Tensor) -> torch.Tensor:
        noise = torch.randn(values.shape, generator=generator)
        return values.detach() * (1 + 0.1 * by * noise)

    return replace(batch, features=other(batch.features), outputs=other(batch.outputs))


def _sides(n_source: int, n_target: int, *, shift: float = 2.0) -> tuple[Forward, Forward]:
    """Give two sides, the second with another mean and covariance unless ``shift`` is 0."""
    import torch

    generator = torch.Generator().manual_seed(0)
    features = torch.randn(16, DIM, generator=generator)
    outputs = torch.randn(16, N_OUTPUTS, generator=generator)
    labels = torch.arange(16) % N_OUTPUTS

    def side(n: int, by: float, domain: int) -> Forward:
        return Forward(
            features=(1 + by) * features[:n] + by,
            outputs=(1 + by) * outputs[:n] + by * torch.arange(N_OUTPUTS),
            labels=labels[:n],
            labelled=torch.full((n,), domain >= 0),
            weights=torch.ones(n),
            domains=torch.full((n,), domain),
        )

    return side(n_source, 0.0, 0), side(n_target, shift, -1)
