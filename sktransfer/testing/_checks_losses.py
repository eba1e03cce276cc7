"""What alignments and regularisers are held to. Torch is imported where it computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sktransfer.plugins import Alignment, Forward, Regulariser, WeightChange
from sktransfer.testing._expect import expect

if TYPE_CHECKING:
    import torch

DIM = 6
N_OUTPUTS = 3


def check_build_gives_module_or_none(plugin: Alignment | Regulariser) -> None:
    """Check that ``build`` gives a module, or None where the loss has no parameters."""
    import torch

    module = plugin.build(DIM, N_OUTPUTS)
    expect(
        module is None or isinstance(module, torch.nn.Module),
        got=f"{module!r} from build",
        expected="a torch.nn.Module or None",
        change="Return None where nothing is trained.",
    )


def check_weight_and_schedule_are_numbers(plugin: Alignment | Regulariser) -> None:
    """Check that the loss can be weighed at every point of a training."""
    factors = [plugin.weight, *(plugin.schedule(done / 4) for done in range(4))]
    expect(
        all(isinstance(f, int | float) and 0 <= f < float("inf") for f in factors),
        got=f"the weight and factors {factors} along a training",
        expected="finite numbers that are not negative",
        change="Return floats from schedule, and reverse gradients inside the loss.",
    )


def check_loss_is_finite_number(plugin: Alignment | Regulariser) -> None:
    """Check that the loss of samples of any two sizes is one finite number."""
    for source, target in ((16, 16), (7, 16), (16, 7), (1, 16), (16, 1), (1, 1)):
        loss = _loss(plugin, *_sides(source, target))
        expect(
            loss.shape == () and loss.is_floating_point() and bool(loss.isfinite()),
            got=f"the loss {loss!r} for {source} source rows and {target} target rows",
            expected="a finite number of shape ()",
            change="Average over rows, and allow for a single row.",
        )


def check_loss_is_not_negative(plugin: Alignment | Regulariser) -> None:
    """Check that the loss is at least 0, unless the docstring says that it can be negative."""
    if "negative" in (type(plugin).__doc__ or ""):
        return
    for shift in (0.0, 2.0):
        loss = _loss(plugin, *_sides(16, 12, shift=shift)).item()
        expect(
            # Negated, so that a loss that is no number is left to the check of finite numbers.
            not loss < -1e-6,
            got=f"a loss of {loss}",
            expected="0 or more",
            change="Use the biased estimator, or say in the docstring that it can be negative.",
        )


def check_loss_vanishes_for_equal_samples(plugin: Alignment) -> None:
    """Check that equal samples cost nothing, if the loss is a distance."""
    if not plugin.is_distance:
        return
    loss = _loss(plugin, *_sides(16, 16, shift=0.0)).item()
    expect(
        not abs(loss) > 1e-4,
        got=f"a loss of {loss} for equal samples",
        expected="0 within 1e-4",
        change="Subtract the value at equal distributions, or set is_distance = False.",
    )


def check_loss_grows_with_distance(plugin: Alignment) -> None:
    """Check that a sample with another mean and spread costs more than an equal one."""
    if not plugin.is_distance:
        return
    near = _loss(plugin, *_sides(16, 16, shift=0.0)).item()
    far = _loss(plugin, *_sides(16, 16)).item()
    expect(
        not far <= near + 1e-6,
        got=f"a loss of {far} for samples apart and {near} for equal ones",
        expected="more for samples apart",
        change="Check the sign of the loss.",
    )


def check_loss_is_differentiable(plugin: Alignment | Regulariser) -> None:
    """Check that gradients are finite, also at equal samples, and not all 0 for samples apart."""
    for shift, apart in ((2.0, True), (0.0, False)):
        source, target = _sides(16, 16, shift=shift)
        leaves = [side for pair in (source, target) for side in (pair.features, pair.outputs)]
        for leaf in leaves:
            leaf.requires_grad_()
        change = _change()
        loss = _loss(plugin, source, target, change=change)
        if loss.requires_grad:
            loss.backward()
        leaves += list(change.current.values())
        gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
        expect(
            all(bool(g.isfinite().all()) for g in gradients)
            and (not apart or any(bool(g.any()) for g in gradients)),
            got=f"gradients that are {'missing, 0 or ' if apart else ''}not finite for "
            f"{'samples apart' if apart else 'equal samples'}",
            expected="finite gradients" + (" that are not all 0" if apart else ""),
            change="Compute with differentiable operations; a square root needs a small number "
            "added inside.",
        )


_OF_BOTH = (
    check_build_gives_module_or_none,
    check_weight_and_schedule_are_numbers,
    check_loss_is_finite_number,
    check_loss_is_not_negative,
    check_loss_is_differentiable,
)
OF_ALIGNMENTS = (
    *_OF_BOTH,
    check_loss_vanishes_for_equal_samples,
    check_loss_grows_with_distance,
)
OF_REGULARISERS = _OF_BOTH


def use(plugin: Alignment | Regulariser) -> None:
    """Build the module and compute a loss."""
    _loss(plugin, *_sides(16, 16))


def _loss(
    plugin: Any, source: Forward, target: Forward, change: WeightChange | None = None
) -> torch.Tensor:
    """Compute the loss of two sides; of both together for a regulariser."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        module = plugin.build(DIM, N_OUTPUTS)
    if isinstance(plugin, Alignment):
        return plugin.loss(source, target, 0.5, module)
    second = target if plugin.second_view else None
    return plugin.loss(source, 0.5, change or _change(), second, module)


def _change() -> WeightChange:
    import torch

    start = torch.ones(4, DIM)
    return WeightChange({"weight": torch.nn.Parameter(start + 0.5)}, {"weight": start})


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
