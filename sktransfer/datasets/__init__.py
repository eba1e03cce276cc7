"""Small public data sets, which are fetched once and verified, and folders of own images."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

if _TYPE_CHECKING:
    from sktransfer.datasets.bbc_news import fetch_bbc_news
    from sktransfer.datasets.image_folder import read_image_folder
    from sktransfer.datasets.review_snippets import fetch_review_snippets

_PUBLIC = {
    "fetch_bbc_news": "sktransfer.datasets.bbc_news",
    "fetch_review_snippets": "sktransfer.datasets.review_snippets",
    "read_image_folder": "sktransfer.datasets.image_folder",
}

__all__ = ["fetch_bbc_news", "fetch_review_snippets", "read_image_folder"]


def __getattr__(name: str) -> _Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'sktransfer.datasets' has no attribute {name!r}")
    return getattr(_import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
