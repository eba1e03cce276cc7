"""The ways to run the kit."""

import inspect
import subprocess
import sys

import pytest

import sktransfer.testing
from sktransfer.plugins import (
    Alignment,
    Backbone,
    FreezeStrategy,
    Head,
    Modality,
    Plugin,
    Regulariser,
)
from sktransfer.testing import check_plugin, contract_checks, parametrize_with_contracts
from sktransfer.testing._check import CHECKS_OF_KIND, check_of, expect, expect_no_error


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


@pytest.mark.parametrize(
    "kind", [Plugin, Backbone, FreezeStrategy, Head, Alignment, Regulariser, Modality]
)
def test_every_check_gives_a_rule_and_a_remedy(kind):
    checks = CHECKS_OF_KIND[kind]
    assert checks
    for check in checks:
        assert check.__name__.startswith("check_")
        rule, _, change = inspect.getdoc(check).partition("\n\n")
        assert rule.endswith(".")
        assert change.endswith(".")
        assert "\n" not in rule


def test_a_failure_says_what_was_got_what_is_expected_and_what_to_change():
    @check_of()
    def check_answer(plugin):
        """The answer is 42.

        Compute
        again.
        """
        expect(plugin == 42, f"{plugin}")

    check_answer(42)
    with pytest.raises(AssertionError) as caught:
        check_answer(41)
    assert str(caught.value) == "got 41\nexpected: The answer is 42.\nto change: Compute again."


def test_an_error_where_none_may_be_is_a_failure_with_its_cause():
    @check_of()
    def check_works(plugin):
        """It works.

        Repair it.
        """
        with expect_no_error("from the plugin"):
            plugin()

    with pytest.raises(AssertionError, match="got KeyError: 3 from the plugin\n") as caught:
        check_works(lambda: {}[3])
    assert isinstance(caught.value.__cause__, KeyError)


def test_checks_fail_without_assert_statements():
    program = (
        "from sktransfer.plugins import Plugin\n"
        "from sktransfer.testing import check_plugin\n"
        "class Silent(Plugin):\n"
        "    def __repr__(self):\n"
        "        return '?'\n"
        "try:\n"
        "    check_plugin(Silent())\n"
        "except AssertionError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-O", "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith("got the repr '?' of the class Silent\nexpected: ")


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
