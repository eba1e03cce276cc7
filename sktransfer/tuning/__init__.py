"""Searches of hyperparameters with Optuna, and the search spaces of estimators."""

from sktransfer.tuning.progress import SearchProgress
from sktransfer.tuning.search import TransferSearchCV
from sktransfer.tuning.space import search_space

__all__ = ["SearchProgress", "TransferSearchCV", "search_space"]
