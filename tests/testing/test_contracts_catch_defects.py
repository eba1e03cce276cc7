"""Each check fails for a plugin with one defect, and no other check does: the kit can fail."""

import pickle
import sys
import warnings

import pytest

from sktransfer.plugins import Decision, FreezeStrategy
from sktransfer.testing import contract_checks

DEFECTS = []


def breaks(*names, **params):
    """Say which checks a plugin class fails when it is built with these parameters."""

    def add(cls):
        cls.__doc__ = cls.__doc__ or cls.__base__.__doc__
        DEFECTS.append(pytest.param(cls, params, set(names), id=cls.__name__))
        return cls

    return add


# --- any plugin ---------------------------------------------------------------------------------


class TopBlocks(FreezeStrategy):
    """Train the last blocks.

    Parameters
    ----------
    k : int, default=1
        How many.
    flavour : str, default="plain"
        Ignored.
    """

    def __init__(self, k=1, flavour="plain"):
        self.k = k
        self.flavour = flavour

    def trainable(self, blocks, epoch, n_epochs, stage):
        return frozenset(blocks[-self.k :])

    def search_space(self):
        from optuna.distributions import CategoricalDistribution, IntDistribution

        return {
            "k": IntDistribution(1, 9, log=True),
            "flavour": CategoricalDistribution(["plain", None, 1.5]),
        }


@breaks("check_parameters_have_defaults", k=1)
class NoDefault(TopBlocks):
    def __init__(self, k, flavour="plain"):
        super().__init__(k, flavour)

    @classmethod
    def test_params(cls):
        return [{"k": 1}]


@breaks("check_parameters_have_defaults")
class AnyKeyword(TopBlocks):
    def __init__(self, k=1, flavour="plain", **more):
        super().__init__(k, flavour)


@breaks("check_constructor_only_stores")
class Converts(TopBlocks):
    def __init__(self, k=1, flavour="plain"):
        super().__init__(int(k), flavour)


@breaks("check_constructor_only_stores")
class ReplacesNone(TopBlocks):
    def __init__(self, k=1, flavour="plain"):
        super().__init__(k, "plain" if flavour is None else flavour)

    def search_space(self):
        return {}


@breaks("check_constructor_only_stores")
class ReplacesFalse(TopBlocks):
    def __init__(self, k=1, flavour="plain"):
        super().__init__(k or 1, flavour)


@breaks("check_constructor_only_stores")
class Computes(TopBlocks):
    def __init__(self, k=1, flavour="plain"):
        super().__init__(k, flavour)
        self.cache = {}


@breaks("check_use_stores_nothing")
class Remembers(TopBlocks):
    def trainable(self, blocks, epoch, n_epochs, stage):
        self.last_ = epoch
        return super().trainable(blocks, epoch, n_epochs, stage)


@breaks("check_clone")
class CloneOfItself(TopBlocks):
    def __sklearn_clone__(self):
        return self


@breaks("check_set_params", k=2)
class DeafToSetParams(TopBlocks):
    def set_params(self, **params):
        return self


@breaks("check_repr")
class Anonymous(TopBlocks):
    def __repr__(self):
        return "?"


@breaks("check_pickle")
class LosesState(TopBlocks):
    def __getstate__(self):
        return {"nothing": 0}


@breaks("check_pickle")
class RefusesToPickle(TopBlocks):
    def __reduce__(self):
        raise TypeError("no")


@breaks("check_import_needs_no_torch")
class ConstructorImportsTorch(TopBlocks):
    def __init__(self, k=1, flavour="plain"):
        import torch  # noqa: F401

        super().__init__(k, flavour)


@breaks("check_search_space_names_own_parameters")
class TunesOthers(TopBlocks):
    def search_space(self):
        from optuna.distributions import IntDistribution

        return {"depth": IntDistribution(1, 2)}


@breaks("check_search_space_holds_distributions")
class TunesByList(TopBlocks):
    def search_space(self):
        return {"k": [1, 2]}


@breaks("check_search_space_holds_distributions")
class TunesObjects(TopBlocks):
    def search_space(self):
        from optuna.distributions import CategoricalDistribution

        with warnings.catch_warnings(action="ignore"):
            return {"flavour": CategoricalDistribution(["plain", ("sweet", "sour")])}


@breaks("check_search_space_values_work")
class TunesTooFar(TopBlocks):
    def trainable(self, blocks, epoch, n_epochs, stage):
        if self.k > 8:
            raise ValueError("k is too large")
        return super().trainable(blocks, epoch, n_epochs, stage)


@breaks("check_docstring_names_parameters")
class SilentOnOne(TopBlocks):
    """Train the last blocks.

    Parameters
    ----------
    k : int, default=1
        How many.
    flavour : str, default="plain"

    Notes
    -----
    flavour : nothing of this is a parameter.
    """


@breaks("check_docstring_names_parameters")
class TellsOfOthers(TopBlocks):
    """Train the last blocks.

    Parameters
    ----------
    k, flavour, depth : object
        Settings.
    """


@breaks("check_test_params_build")
class NothingToTest(TopBlocks):
    @classmethod
    def test_params(cls):
        return []


@breaks("check_test_params_build")
class BuildsOthers(TopBlocks):
    @classmethod
    def test_params(cls):
        return [{"depth": 3}]


# --- freeze strategies --------------------------------------------------------------------------


@breaks("check_trainable_names_known_blocks")
class GivesSet(TopBlocks):
    def trainable(self, blocks, epoch, n_epochs, stage):
        return set(blocks[-self.k :])


@breaks("check_trainable_names_known_blocks")
class AssumesNames(TopBlocks):
    def trainable(self, blocks, epoch, n_epochs, stage):
        return frozenset({"classifier"})


@breaks("check_plan_is_pure")
class ReordersBlocks(TopBlocks):
    def trainable(self, blocks, epoch, n_epochs, stage):
        names = super().trainable(blocks, epoch, n_epochs, stage)
        if isinstance(blocks, list):
            blocks.reverse()
        return names


@breaks("check_plan_is_pure")
class TellsTuplesApart(TopBlocks):
    def trainable(self, blocks, epoch, n_epochs, stage):
        return frozenset(blocks if isinstance(blocks, tuple) else blocks[-1:])


@breaks("check_plan_needs_no_torch")
class PlansWithTorch(TopBlocks):
    def trainable(self, blocks, epoch, n_epochs, stage):
        import torch

        return frozenset(blocks[i] for i in torch.arange(min(self.k, len(blocks))))


@breaks("check_lr_scale_fits_blocks")
class ScalesByList(TopBlocks):
    def lr_scale(self, blocks):
        return [1.0] * len(blocks)


@breaks("check_lr_scale_fits_blocks")
class ScalesToZero(TopBlocks):
    def lr_scale(self, blocks):
        return (0.0,) * len(blocks)


@breaks("check_lr_scale_fits_blocks")
class ScalesOne(TopBlocks):
    def lr_scale(self, blocks):
        return (1.0,)


@breaks("check_lr_factor_is_positive")
class StandsStill(TopBlocks):
    lr_factor = 0.0


@breaks("check_trains_parameter_gives_bool")
class MatchesNames(TopBlocks):
    def trains_parameter(self, name):
        import re

        return re.search("bias$", name)


@breaks("check_min_epochs_is_positive")
class NeedsNoEpoch(TopBlocks):
    def min_epochs(self, n_blocks):
        return 0


@breaks("check_min_epochs_is_positive")
class NeedsHalfEpochs(TopBlocks):
    def min_epochs(self, n_blocks):
        return n_blocks / 2


@breaks("check_min_epochs_unfreeze_all")
class UnfreezesLate(TopBlocks):
    def trainable(self, blocks, epoch, n_epochs, stage):
        return frozenset(blocks[-1 - epoch :])


@breaks("check_decide_settles")
class DecidesByTuple(TopBlocks):
    def decide(self, *, rows, per, pretrained, stage, frozen_below=0):
        class Pair(tuple):
            strategy = self

        return Pair((self, "because"))


@breaks("check_decide_settles")
class GivesNoReason(TopBlocks):
    def decide(self, *, rows, per, pretrained, stage, frozen_below=0):
        return Decision(self, " ")


@breaks("check_decide_settles")
class DecidesForTheBroken(TopBlocks):
    def decide(self, *, rows, per, pretrained, stage, frozen_below=0):
        return Decision(AssumesNames(), "it is there")


# --- the tests ----------------------------------------------------------------------------------


@pytest.mark.parametrize("plugin", [TopBlocks(), TopBlocks(k=3)], ids=repr)
def test_sound_plugin_passes(plugin, failures):
    assert failures(plugin, every=True) == {}


@pytest.mark.parametrize(("cls", "params", "names"), DEFECTS)
def test_defect_is_caught(cls, params, names, failures):
    assert failures(cls(**params), *names).keys() == names


def test_every_check_catches_a_defect():
    known = set().union(*(defect.values[2] for defect in DEFECTS))
    assert {check.__name__ for check in contract_checks(TopBlocks())} == known


def test_torch_at_the_top_of_the_module(tmp_path, monkeypatch, failures):
    (tmp_path / "torch_at_the_top.py").write_text(
        "import torch\n"
        "from sktransfer.plugins import FreezeStrategy\n"
        "class Eager(FreezeStrategy):\n"
        "    '''Train nothing.'''\n"
        "    def trainable(self, blocks, epoch, n_epochs, stage):\n"
        "        return frozenset()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import torch_at_the_top

    found = failures(torch_at_the_top.Eager(), every=True)
    assert set(found) == {"check_import_needs_no_torch"}
    assert "importing the module of torch_at_the_top.Eager" in str(found.popitem()[1])


def test_class_without_file_is_not_asked_for_its_import(monkeypatch, failures):
    monkeypatch.delattr(sys.modules[__name__], "__file__")
    members = {"__module__": __name__, "__doc__": TopBlocks.__doc__}
    cls = type("Typed", (ConstructorImportsTorch,), members)
    monkeypatch.setattr(sys.modules[__name__], "Typed", cls, raising=False)
    assert pickle.loads(pickle.dumps(cls())).k == 1
    assert failures(cls(), every=True) == {}
