"""The ways to run the kit."""

import subprocess
import sys

import pytest

import sktransfer.testing
from sktransfer.plugins import FreezeStrategy
from sktransfer.testing import check_plugin, contract_checks, parametrize_with_contracts


class Top(FreezeStrategy):
    """Train the last blocks.

    Parameters
    ----------
    k : int, default=1
        How many.
    """

    def __init__(self, k=1):
        self.k = k

    @classmethod
    def test_params(cls):
        return [{}, {"k": 2}]

    def trainable(self, blocks, epoch, n_epochs, stage):
        return frozenset(blocks[-self.k :])


class GivesSet(Top):
    """Break the contract.

    Parameters
    ----------
    k : int, default=1
        How many.
    """

    def trainable(self, blocks, epoch, n_epochs, stage):
        return set(blocks)

    def __repr__(self):
        raise ValueError("not this time")


@parametrize_with_contracts([Top, Top(k=3)])
def test_decorator(plugin, check):
    check(plugin)


def test_ids_and_expansion():
    mark = parametrize_with_contracts([Top, Top(k=3)]).mark
    ids = [parameter.id for parameter in mark.args[1]]
    assert len(ids) == 3 * len(contract_checks(Top()))
    assert "Top()-check_plan_is_pure" in ids
    assert "Top(k=2)-check_trainable_names_known_blocks" in ids
    assert "Top(k=3)-check_clone" in ids


def test_broken_repr_does_not_stop_collection():
    mark = parametrize_with_contracts([GivesSet()]).mark
    assert mark.args[1][0].id.startswith("GivesSet-check_")


def test_check_plugin_passes():
    check_plugin(Top)
    check_plugin(Top(k=3))


def test_check_plugin_names_the_check():
    class Quiet(GivesSet):
        __doc__ = GivesSet.__doc__

        def __repr__(self):
            return "Quiet()"

    with pytest.raises(AssertionError) as caught:
        check_plugin(Quiet())
    assert caught.value.__notes__ == ["in check_pickle(Quiet())"]


@pytest.mark.parametrize("thing", [object(), "top_layers", FreezeStrategy])
def test_what_is_no_plugin(thing):
    with pytest.raises(TypeError, match="wanted, got"):
        contract_checks(thing)


def test_what_is_no_plugin_to_parametrize():
    with pytest.raises(TypeError, match="A plugin class or instance is wanted, got 'gradual'"):
        parametrize_with_contracts(["gradual"])


def test_every_check_says_what_it_checks():
    for check in contract_checks(Top()):
        assert check.__name__.startswith("check_")
        assert check.__doc__.startswith("Check that ")
        assert "\n" not in check.__doc__


def test_names_are_lazy():
    assert sktransfer.testing.__all__ == dir(sktransfer.testing)
    with pytest.raises(AttributeError, match="no attribute 'chekc_plugin'"):
        sktransfer.testing.chekc_plugin  # noqa: B018


def test_the_kit_needs_neither_pytest_nor_torch():
    program = (
        "import sys, sktransfer.testing\n"
        "assert 'sklearn' not in sys.modules\n"
        "from sktransfer.testing import *\n"
        "assert not {'pytest', 'torch', 'optuna'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
