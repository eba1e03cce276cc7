"""Search with Optuna, and the spaces of estimators and pipelines."""

from sktransfer.tuning.progress import SearchProgress
from sktransfer.tuning.search import TransferSearchCV
from sktransfer.tuning.space import search_space

__all__ = ["SearchProgress", "TransferSearchCV", "search_space"]
