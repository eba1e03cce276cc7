"""Transfer learning for scikit-learn.

The public names below are imported when they are first used, so that ``import sktransfer`` loads
neither scikit-learn nor torch.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

__version__ = "0.1.0"

if _TYPE_CHECKING:
    from sktransfer._warnings import SlowComputationWarning
    from sktransfer.estimators.image_classifier import TransferImageClassifier
    from sktransfer.estimators.image_encoder import TransferImageEncoder
    from sktransfer.estimators.image_regressor import TransferImageRegressor
    from sktransfer.estimators.selective import SelectiveClassifier
    from sktransfer.estimators.text_classifier import TransferTextClassifier
    from sktransfer.estimators.text_encoder import TransferTextEncoder
    from sktransfer.estimators.text_regressor import TransferTextRegressor
    from sktransfer.images.augmentation import ImageAugmentation
    from sktransfer.persistence.estimators import load
    from sktransfer.training.errors import TrainingDivergedError
    from sktransfer.tuning.search import TransferSearchCV

_PUBLIC = {
    "ImageAugmentation": "sktransfer.images.augmentation",
    "SelectiveClassifier": "sktransfer.estimators.selective",
    "SlowComputationWarning": "sktransfer._warnings",
    "TransferImageClassifier": "sktransfer.estimators.image_classifier",
    "TransferImageEncoder": "sktransfer.estimators.image_encoder",
    "TransferImageRegressor": "sktransfer.estimators.image_regressor",
    "TransferSearchCV": "sktransfer.tuning.search",
    "TransferTextClassifier": "sktransfer.estimators.text_classifier",
    "TransferTextEncoder": "sktransfer.estimators.text_encoder",
    "TransferTextRegressor": "sktransfer.estimators.text_regressor",
    "TrainingDivergedError": "sktransfer.training.errors",
    "load": "sktransfer.persistence.estimators",
}
_MODULES = ("datasets", "inspection", "plugins", "serving", "testing", "tuning", "weights")

__all__ = [
    "ImageAugmentation",
    "SelectiveClassifier",
    "SlowComputationWarning",
    "TrainingDivergedError",
    "TransferImageClassifier",
    "TransferImageEncoder",
    "TransferImageRegressor",
    "TransferSearchCV",
    "TransferTextClassifier",
    "TransferTextEncoder",
    "TransferTextRegressor",
    "__version__",
    "load",
]


def __getattr__(name: str) -> _Any:
    if name in _PUBLIC:
        value = getattr(_import_module(_PUBLIC[name]), name)
    elif name in _MODULES:
        value = _import_module(f"sktransfer.{name}")
    else:
        raise AttributeError(f"module 'sktransfer' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES})
