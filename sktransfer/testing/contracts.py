"""Which checks a plugin has to pass, and the ways to run them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from sktransfer.plugins import Plugin
from sktransfer.testing import (  # noqa: F401  (importing them registers the checks)
    _checks_backbone,
    _checks_common,
    _checks_encoder,
    _checks_freeze,
    _checks_head,
    _checks_learning,
    _checks_losses,
    _checks_modality,
)
from sktransfer.testing._check import CHECKS_OF_KIND, Check


def contract_checks(plugin: Plugin) -> list[Check]:
    """List what a plugin is held to.

    Parameters
    ----------
    plugin : Plugin
        An instance that works offline.

    Returns
    -------
    checks : list of callable
        Each takes the plugin, and raises if it breaks its contract. A kind without a contract of
        its own, such as augmentations, is held to what every plugin is.

    Examples
    --------
    >>> from sktransfer.plugins import resolve
    >>> from sktransfer.testing import contract_checks
    >>> [check.__name__ for check in contract_checks(resolve("freeze", "full"))][:2]
    ['check_parameters_have_defaults', 'check_constructor_only_stores']
    """
    if not isinstance(plugin, Plugin):
        raise TypeError(f"An instance of a plugin is wanted, got {plugin!r}.")
    # From the base of all plugins to the kind: what all have in common comes first.
    kinds = reversed(type(plugin).__mro__)
    return [check for kind in kinds for check in CHECKS_OF_KIND.get(kind, ())]


def check_plugin(plugin: Plugin | type[Plugin]) -> None:
    """Hold a plugin to its contract, without pytest.

    Parameters
    ----------
    plugin : Plugin or class
        An instance that works offline; a class stands for one instance per entry of
        ``test_params()``.

    Raises
    ------
    AssertionError
        At the first check that fails; says what was got, what is expected and what to change.

    Examples
    --------
    >>> from sktransfer.plugins import resolve
    >>> from sktransfer.testing import check_plugin
    >>> check_plugin(resolve("freeze", "full"))
    """
    for instance in _instances([plugin]):
        for check in contract_checks(instance):
            try:
                check(instance)
            except Exception as error:
                error.add_note(f"in {check.__name__}({_name_of(instance)})")
                raise


def parametrize_with_contracts(plugins: Iterable[Plugin | type[Plugin]]) -> Any:
    """Make a pytest decorator that runs every check on every plugin.

    Parameters
    ----------
    plugins : iterable of Plugin or class
        Instances that work offline; a class stands for one instance per entry of
        ``test_params()``.

    Returns
    -------
    decorator : pytest.MarkDecorator
        For a test function with the arguments ``plugin`` and ``check``.

    See Also
    --------
    check_plugin : The same without pytest.

    Examples
    --------
    >>> from sktransfer.freezing.strategies import Gradual
    >>> from sktransfer.testing import parametrize_with_contracts
    >>> @parametrize_with_contracts([Gradual, Gradual(every=2)])
    ... def test_contract(plugin, check):
    ...     check(plugin)
    """
    import pytest

    return pytest.mark.parametrize(
        ("plugin", "check"),
        [
            pytest.param(plugin, check, id=f"{_name_of(plugin)}-{check.__name__}")
            for plugin in _instances(plugins)
            for check in contract_checks(plugin)
        ],
    )


def _instances(plugins: Iterable[Any]) -> list[Plugin]:
    instances: list[Plugin] = []
    for plugin in plugins:
        if isinstance(plugin, type) and issubclass(plugin, Plugin):
            instances += [plugin(**params) for params in plugin.test_params()]
        elif isinstance(plugin, Plugin):
            instances.append(plugin)
        else:
            raise TypeError(f"A plugin class or instance is wanted, got {plugin!r}.")
    return instances


def _name_of(plugin: Plugin) -> str:
    """Give a one-line name; a broken repr is for a check to report, not for collection."""
    try:
        return re.sub(r"\s+", " ", repr(plugin))
    except Exception:
        return type(plugin).__name__
