"""The checks of heads and losses, each with a plugin that fails it and no other check."""

import functools

import pytest

from sktransfer.plugins import Alignment, Head, Plugin, Regulariser
from sktransfer.testing import contract_checks

COMMON = {check.__name__ for check in contract_checks(Plugin())}

DEFECTS = []


def breaks(*names, **params):
    """Say which checks a plugin class fails when it is built with these parameters."""

    def add(cls):
        cls.__doc__ = cls.__doc__ or cls.__base__.__doc__
        DEFECTS.append(pytest.param(cls, params, set(names), id=cls.__name__))
        return cls

    return add


# --- heads --------------------------------------------------------------------------------------


class Linear(Head):
    """A linear layer.

    Parameters
    ----------
    C : float, default=1.0
        Inverse regularisation strength.
    """

    def __init__(self, C=1.0):
        self.C = C

    def build(self, in_features, n_outputs):
        from torch import nn

        return nn.Linear(in_features, n_outputs)

    def loss(self, output, target):
        from torch.nn.functional import cross_entropy

        return cross_entropy(output, target, reduction="none")

    def to_proba(self, output):
        return output.softmax(dim=1)


@breaks("check_constants_are_positive", C=0.0)
class Unbounded(Linear):
    pass


@breaks("check_constants_are_positive")
class StandingHead(Linear):
    lr_scale = -1.0


@breaks("check_build_maps_features_to_outputs")
class DividesByZero(Linear):
    def build(self, in_features, n_outputs):
        from torch import nn

        class Unit(nn.Module):
            def forward(self, x):
                return x / x.norm(dim=1, keepdim=True)

        return nn.Sequential(Unit(), nn.Linear(in_features, n_outputs))


@breaks("check_build_follows_torch_seed")
class DrawsElsewhere(Linear):
    def build(self, in_features, n_outputs):
        import numpy as np
        import torch

        layer = super().build(in_features, n_outputs)
        weight = np.random.default_rng().normal(size=layer.weight.shape)
        layer.weight.data = torch.tensor(weight, dtype=torch.float32)
        return layer


@breaks("check_build_follows_torch_seed")
class BuildsOnce(Linear):
    @staticmethod
    @functools.cache
    def layer(in_features, n_outputs):
        from torch import nn

        return nn.Linear(in_features, n_outputs)

    def build(self, in_features, n_outputs):
        return self.layer(in_features, n_outputs)


@breaks("check_output_layer_comes_last")
class NoBias(Linear):
    def build(self, in_features, n_outputs):
        from torch import nn

        return nn.Linear(in_features, n_outputs, bias=False)


@breaks("check_output_layer_comes_last")
class NormComesLast(Linear):
    def build(self, in_features, n_outputs):
        from torch import nn

        return nn.Sequential(nn.Linear(in_features, n_outputs), nn.LayerNorm(n_outputs))


@breaks("check_loss_is_per_row")
class Reduces(Linear):
    def loss(self, output, target):
        return super().loss(output, target).mean()


@breaks("check_loss_is_per_row")
class CountsRows(Linear):
    def loss(self, output, target):
        return super().loss(output, target) / len(target)


@breaks("check_loss_is_per_row")
class BelowZero(Linear):
    def loss(self, output, target):
        return super().loss(output, target) - 1


@breaks("check_loss_is_differentiable")
class Detaches(Linear):
    def loss(self, output, target):
        return super().loss(output.detach(), target)


@breaks("check_loss_prefers_right_answers")
class WrongSign(Linear):
    def loss(self, output, target):
        return super().loss(-output, target)


@breaks("check_to_proba_gives_probabilities")
class TurnsRound(Linear):
    def to_proba(self, output):
        return (-output).softmax(dim=1)


@breaks("check_to_proba_gives_probabilities", "check_to_proba_stays_finite")
class OneByOne(Linear):
    def to_proba(self, output):
        return output.sigmoid()


@breaks("check_to_proba_keeps_precision")
class HalvesPrecision(Linear):
    def to_proba(self, output):
        return output.float().softmax(dim=1)


@breaks("check_to_proba_stays_finite")
class Overflows(Linear):
    def to_proba(self, output):
        return output.exp() / output.exp().sum(dim=1, keepdim=True)


# --- alignments ---------------------------------------------------------------------------------


class Moments(Alignment):
    """Compare means and covariances."""

    def loss(self, source, target, progress, module=None):
        mean = (source.features.mean(dim=0) - target.features.mean(dim=0)).square().sum()
        return mean + (covariance(source.features) - covariance(target.features)).square().sum()


def covariance(features):
    return features.T.cov(correction=0)


@breaks("check_build_gives_module_or_none")
class BuildsWord(Moments):
    def build(self, dim, n_outputs):
        return "module"


@breaks("check_weight_and_schedule_are_numbers")
class NegativeSchedule(Moments):
    def schedule(self, progress):
        return -1.0


@breaks("check_loss_is_finite_number")
class KeepsAxis(Moments):
    def loss(self, source, target, progress, module=None):
        return super().loss(source, target, progress).reshape(1)


@breaks("check_loss_is_finite_number")
class NeedsTwoRows(Moments):
    def loss(self, source, target, progress, module=None):
        alone = min(len(source), len(target)) < 2
        return super().loss(source, target, progress) + (float("nan") if alone else 0.0)


@breaks("check_loss_is_not_negative")
class BelowZeroWhenNear(Moments):
    def loss(self, source, target, progress, module=None):
        near = super().loss(source, target, progress)
        return near * (near - 100)


@breaks("check_loss_is_not_negative")
class NeverNegativeInWords(Alignment):
    """A gap that is never negative."""

    is_distance = False

    def loss(self, source, target, progress, module=None):
        return -Moments().loss(source, target, progress) - 1


@breaks("check_loss_vanishes_for_equal_samples")
class NeverZero(Moments):
    def loss(self, source, target, progress, module=None):
        return super().loss(source, target, progress) + 1


@breaks("check_loss_grows_with_distance")
class TooFlat(Moments):
    def loss(self, source, target, progress, module=None):
        return 1e-12 * super().loss(source, target, progress)


@breaks("check_loss_is_differentiable")
class DetachesFeatures(Moments):
    def loss(self, source, target, progress, module=None):
        return super().loss(source, target, progress).detach()


@breaks("check_loss_is_differentiable")
class RootOfZero(Moments):
    def loss(self, source, target, progress, module=None):
        return super().loss(source, target, progress).sqrt()


class SaysSo(Moments):
    """Compare means and covariances; below 0 for samples that are closer than by chance."""

    may_be_negative = True

    def loss(self, source, target, progress, module=None):
        return BelowZeroWhenNear().loss(source, target, progress)


class Confidence(Alignment):
    """Make outputs of target rows certain: no distance, and it sees outputs alone."""

    is_distance = False

    def loss(self, source, target, progress, module=None):
        proba = target.outputs.softmax(dim=1)
        return -(proba * proba.log()).sum(dim=1).mean()


class StayNear(Regulariser):
    """Keep weights near where they started, and two views of a row near each other."""

    second_view = True

    def loss(self, batch, progress, change, second=None, module=None):
        moved = sum((now - change.start[n]).square().sum() for n, now in change.current.items())
        return moved + (batch.outputs - second.outputs).square().sum()


class RDrop(Regulariser):
    """Make outputs of two views of a row agree."""

    second_view = True

    def loss(self, batch, progress, change, second=None, module=None):
        return (batch.outputs - second.outputs).square().mean()


class SymmetricRDrop(RDrop):
    """Make probabilities of two views of a row agree, one by one (Liang et al., 2021)."""

    def loss(self, batch, progress, change, second=None, module=None):
        one, other = batch.outputs.log_softmax(dim=1), second.outputs.log_softmax(dim=1)
        return ((one.exp() - other.exp()) * (one - other)).sum(dim=1).mean() / 2


class OtherRows(RDrop):
    """Refuse a second view of other rows."""

    def loss(self, batch, progress, change, second=None, module=None):
        for name in ("labels", "labelled", "weights", "domains"):
            assert getattr(batch, name).equal(getattr(second, name))
        return super().loss(batch, progress, change, second)


@breaks("check_loss_is_differentiable")
class RootOfEqualViews(RDrop):
    def loss(self, batch, progress, change, second=None, module=None):
        return super().loss(batch, progress, change, second).sqrt()


@breaks("check_loss_is_not_negative")
class RewardsDisagreement(RDrop):
    def loss(self, batch, progress, change, second=None, module=None):
        return -super().loss(batch, progress, change, second)


@breaks("check_loss_is_finite_number")
class MeanOfNothing(StayNear):
    def loss(self, batch, progress, change, second=None, module=None):
        return super().loss(batch, progress, change, second) + 0 * batch.features[1:].mean()


# --- the tests ----------------------------------------------------------------------------------

SOUND = [
    *(Linear(), Moments(), SaysSo(), Confidence()),
    *(StayNear(), RDrop(), SymmetricRDrop(), OtherRows()),
]


@pytest.mark.parametrize("plugin", SOUND, ids=repr)
def test_sound_plugin_passes(plugin, failures):
    assert failures(plugin, every=True) == {}


@pytest.mark.parametrize(("cls", "params", "names"), DEFECTS)
def test_defect_is_caught(cls, params, names, failures):
    assert failures(cls(**params), *names).keys() == names


def test_every_check_catches_a_defect():
    known = set().union(*(defect.values[2] for defect in DEFECTS))
    checks = {check.__name__ for plugin in SOUND for check in contract_checks(plugin)}
    # What all kinds have in common is tried on freeze strategies.
    assert {name for name in checks if name not in COMMON} == known
