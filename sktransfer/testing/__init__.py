"""The public conformance kit: hold a plugin, or an estimator of texts or images, to its contract.

The tests of a plugin need no more than this::

    from sktransfer.testing import parametrize_with_contracts

    @parametrize_with_contracts([MyBackbone, MyFreezeStrategy(k=3)])
    def test_contract(plugin, check):
        check(plugin)
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

if _TYPE_CHECKING:
    from sktransfer.testing.contracts import (
        check_plugin,
        contract_checks,
        parametrize_with_contracts,
    )
    from sktransfer.testing.rows_as_images import RowsAsImages
    from sktransfer.testing.rows_as_text import RowsAsText

_PUBLIC = {
    "RowsAsImages": "sktransfer.testing.rows_as_images",
    "RowsAsText": "sktransfer.testing.rows_as_text",
    "check_plugin": "sktransfer.testing.contracts",
    "contract_checks": "sktransfer.testing.contracts",
    "parametrize_with_contracts": "sktransfer.testing.contracts",
}

__all__ = [
    "RowsAsImages",
    "RowsAsText",
    "check_plugin",
    "contract_checks",
    "parametrize_with_contracts",
]


def __getattr__(name: str) -> _Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'sktransfer.testing' has no attribute {name!r}")
    value = getattr(_import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
