"""Every plugin of this repository is held to the public contract, documented and tunable."""

import re
from pathlib import Path

import pytest
from optuna.distributions import IntDistribution

from sktransfer.plugins import Plugin, available
from sktransfer.testing import parametrize_with_contracts

# What others have installed beside is theirs to test.
OURS = [info for info in available() if re.fullmatch("sktransfer(-.+)?", info.distribution)]
# Estimators are classes, which scikit-learn's own checks hold to its contract.
ENTRIES = [info for info in OURS if info.kind != "estimator"]

# Their weights may not be here; the class is tested with a small model of its own.
OFFLINE = [info for info in ENTRIES if "backbones.transformer:" not in str(info.target)]


# A distribution below plugins/ holds its plugins to the contract in tests of its own.
BUILT_IN = [info for info in OFFLINE if info.distribution == "sktransfer"]
ROOT = Path(__file__).parents[1]


def name_of(info):
    return f"{info.kind}-{info.name}"


def settings_to_tune(cls):
    """Give instances at the upper ends of whole numbers: two epochs each, three layers, ..."""
    return [
        cls(**{name: distribution.high})
        for name, distribution in cls().search_space().items()
        if isinstance(distribution, IntDistribution)
    ]


def plugins_that_load():
    """Give each entry as users get it, and the instances that its class gives for tests."""
    found = {}
    for info in BUILT_IN:
        plugin = info.load()
        cls = type(plugin)
        instances = [cls(**params) for params in cls.test_params()]
        # The defaults of a backbone may be large, and so may what is worth tuning.
        if info.kind != "backbone":
            instances += [plugin, *settings_to_tune(cls)]
        found.update({(cls, repr(instance)): instance for instance in instances})
    return list(found.values())


@parametrize_with_contracts(plugins_that_load())
def test_contract(plugin, check):
    check(plugin)


@pytest.mark.parametrize("info", [i for i in OFFLINE if i not in BUILT_IN], ids=name_of)
def test_entry_of_a_plugin_is_held_to_the_contract_by_tests_of_its_distribution(info):
    tests = (ROOT / "plugins" / info.distribution / "tests").glob("*.py")
    held = [text for text in map(Path.read_text, tests) if "@parametrize_with_contracts" in text]
    assert any(re.search(rf"\b{type(info.load()).__name__}\b", text) for text in held)


@pytest.mark.parametrize("info", ENTRIES, ids=name_of)
def test_entry_loads(info):
    assert isinstance(info.load(), Plugin)
    assert not info.shadowed_by


@pytest.mark.parametrize("info", ENTRIES, ids=name_of)
def test_entry_is_documented(info):
    page = ROOT / "docs" / "plugins.md"
    assert f"`{info.name}`" in page.read_text("utf-8"), f"{page} lacks `{info.name}`"


@pytest.mark.parametrize("info", ENTRIES, ids=name_of)
def test_entry_with_parameters_has_a_search_space(info):
    plugin = info.load()
    # Estimators of a modality decide which options about inputs are worth a search.
    if plugin.get_params(deep=False) and info.kind != "modality":
        assert type(plugin).search_space is not Plugin.search_space
        assert plugin.search_space()


@pytest.mark.parametrize("info", OFFLINE, ids=name_of)
def test_entry_has_instances_for_tests(info):
    cls = type(info.load())
    assert cls.test_params()
    # A backbone's defaults are made for use; what is tested over and over has to be small.
    if info.kind == "backbone":
        assert cls.test_params.__func__ is not Plugin.test_params.__func__
