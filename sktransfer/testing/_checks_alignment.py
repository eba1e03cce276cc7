"""What alignments are held to. Torch is imported where it computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sktransfer.plugins import Alignment
from sktransfer.testing._expect import expect

if TYPE_CHECKING:
    import torch

DIM = 6


def check_build_gives_module_or_none(plugin: Alignment) -> None:
    """Check that ``build`` gives a module, or None where the loss has no parameters."""
    import torch

    module = plugin.build(DIM, 3)
    expect(
        module is None or isinstance(module, torch.nn.Module),
        got=f"{module!r} from build",
        expected="a torch.nn.Module or None",
        change="Return None where nothing is trained.",
    )


def check_loss_is_finite_number(plugin: Alignment) -> None:
    """Check that the loss of samples of any two sizes is one finite number."""
    x, moved = _samples()
    for source, target in ((x, x), (x, moved), (x[:7], moved), (moved, x[:7])):
        loss = plugin.loss(source, target)
        expect(
            loss.shape == () and loss.is_floating_point() and bool(loss.isfinite()),
            got=f"the loss {loss!r} for samples of {len(source)} and {len(target)} rows",
            expected="a finite number of shape ()",
            change="Average over rows, and allow for samples of different sizes.",
        )


def check_loss_is_not_negative(plugin: Alignment) -> None:
    """Check that the loss is at least 0, unless the docstring says that it can be negative."""
    if "negative" in (type(plugin).__doc__ or ""):
        return
    x, moved = _samples()
    for source, target in ((x, x), (x, moved), (x[:8], x[8:])):
        loss = plugin.loss(source, target).item()
        expect(
            # Negated, so that a loss that is no number is left to the check of finite numbers.
            not loss < -1e-6,
            got=f"a loss of {loss}",
            expected="0 or more",
            change="Use the biased estimator, or say in the docstring that it can be negative.",
        )


def check_loss_vanishes_for_equal_samples(plugin: Alignment) -> None:
    """Check that equal samples cost nothing."""
    x, _ = _samples()
    loss = plugin.loss(x, x.clone()).item()
    expect(
        not abs(loss) > 1e-4,
        got=f"a loss of {loss} for equal samples",
        expected="0 within 1e-4",
        change="Subtract the value at equal distributions.",
    )


def check_loss_grows_with_distance(plugin: Alignment) -> None:
    """Check that a sample with another mean and spread costs more than an equal one."""
    x, moved = _samples()
    near, far = plugin.loss(x, x.clone()).item(), plugin.loss(x, moved).item()
    expect(
        not far <= near + 1e-6,
        got=f"a loss of {far} for samples apart and {near} for equal ones",
        expected="more for samples apart",
        change="Check the sign of the loss.",
    )


def check_loss_is_differentiable(plugin: Alignment) -> None:
    """Check that gradients are finite, also at equal samples, and not all 0 for samples apart."""
    x, moved = _samples()
    for other, apart in ((moved, True), (x, False)):
        source, target = x.clone().requires_grad_(), other.clone().requires_grad_()
        loss = plugin.loss(source, target)
        if loss.requires_grad:
            loss.backward()
        gradients = [g for g in (source.grad, target.grad) if g is not None]
        expect(
            all(bool(g.isfinite().all()) for g in gradients)
            and (not apart or any(bool(g.any()) for g in gradients)),
            got=f"gradients that are {'missing, 0 or ' if apart else ''}not finite for "
            f"{'samples apart' if apart else 'equal samples'}",
            expected="finite gradients" + (" that are not all 0" if apart else ""),
            change="Compute with differentiable operations; a square root needs a small number "
            "added inside.",
        )


CHECKS = (
    check_build_gives_module_or_none,
    check_loss_is_finite_number,
    check_loss_is_not_negative,
    check_loss_vanishes_for_equal_samples,
    check_loss_grows_with_distance,
    check_loss_is_differentiable,
)


def use(plugin: Alignment) -> None:
    """Build the module and compute a loss."""
    plugin.build(DIM, 3)
    plugin.loss(*_samples())


def _samples() -> tuple[torch.Tensor, torch.Tensor]:
    """Give a sample, and one with another mean and covariance, for losses that see only one."""
    import torch

    x = torch.randn(16, DIM, generator=torch.Generator().manual_seed(0))
    return x, 3 * x + 2
