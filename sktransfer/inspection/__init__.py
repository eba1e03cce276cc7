"""Plots of trainings and of predictions."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

if _TYPE_CHECKING:
    from sktransfer.images.sheets import contact_sheet, mistakes_sheet
    from sktransfer.inspection.confusion import plot_confusion
    from sktransfer.inspection.coverage import CoverageDisplay
    from sktransfer.inspection.history import TrainingHistoryDisplay
    from sktransfer.inspection.learning_rate import LearningRateDisplay, find_lr

_PUBLIC = {
    "CoverageDisplay": "sktransfer.inspection.coverage",
    "LearningRateDisplay": "sktransfer.inspection.learning_rate",
    "TrainingHistoryDisplay": "sktransfer.inspection.history",
    "contact_sheet": "sktransfer.images.sheets",
    "find_lr": "sktransfer.inspection.learning_rate",
    "mistakes_sheet": "sktransfer.images.sheets",
    "plot_confusion": "sktransfer.inspection.confusion",
}

__all__ = [
    "CoverageDisplay",
    "LearningRateDisplay",
    "TrainingHistoryDisplay",
    "contact_sheet",
    "find_lr",
    "mistakes_sheet",
    "plot_confusion",
]


def __getattr__(name: str) -> _Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'sktransfer.inspection' has no attribute {name!r}")
    return getattr(_import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
