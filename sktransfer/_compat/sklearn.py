"""Private names of scikit-learn (tested with 1.9).

The names that are imported here have no public counterpart: the classes that the constraints of an
estimator's parameters are made of, helpers that validate what is routed to folds and scorers, and
what GridSearchCV itself fits a fold with. The functions stand for private methods and attributes.
"""

from __future__ import annotations

import warnings
from typing import Any

# `fit` has to validate the parameters in the way that scikit-learn's own estimators do.
from sklearn.base import _fit_context as fit_context

# Several metrics in one scorer; the base of all scorers, whose repr names function and arguments.
from sklearn.metrics._scorer import _BaseScorer as BaseScorer
from sklearn.metrics._scorer import _MultimetricScorer as MultimetricScorer

# Tags, routing, scoring and prediction by the best estimator are those of scikit-learn's searches.
from sklearn.model_selection._search import BaseSearchCV

# Fits and scores a fold with all of error_score, train scores, messages and callbacks.
from sklearn.model_selection._validation import _fit_and_score as fit_and_score
from sklearn.model_selection._validation import _score as score
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    StrOptions,
)
from sklearn.utils.validation import _check_method_params as check_method_params
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _num_samples as num_samples

__all__ = [
    "BaseScorer",
    "BaseSearchCV",
    "HasMethods",
    "Interval",
    "InvalidParameterError",
    "MultimetricScorer",
    "StrOptions",
    "check_method_params",
    "check_refit_for_multimetric",
    "check_sample_weight",
    "fit_and_score",
    "fit_context",
    "format_results",
    "num_samples",
    "recording_scorer",
    "root_callback_context",
    "routed_params",
    "safe_indexing",
    "score",
    "scorer_of",
    "scorers_by_name",
    "select_best_index",
    "set_more_callbacks",
]


def scorer_of(search: BaseSearchCV) -> tuple[Any, Any]:
    """Give the scorer of a search, and the name of the score that ``refit`` asks for."""
    return search._get_scorers()


def scorers_by_name(scorer: MultimetricScorer) -> dict[str, Any]:
    """Give the scorers that a scorer of several metrics is made of."""
    return scorer._scorers


def routed_params(search: BaseSearchCV, params: dict[str, Any]) -> Any:
    """Part what ``fit`` was given among estimator, splitter and scorer."""
    return search._get_routed_params_for_fit(params)


def format_results(
    search: BaseSearchCV,
    params: list[dict[str, Any]],
    n_splits: int,
    folds: list[dict[str, Any]],
    more: dict[str, list[Any]],
) -> dict[str, Any]:
    """Make ``cv_results_`` of what `fit_and_score` returned; trials that were pruned have nans."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One or more of the t", UserWarning)
        return search._format_results(params, n_splits, folds, more)


def check_refit_for_multimetric(search: BaseSearchCV, scores: Any) -> None:
    """Raise a ValueError unless ``refit`` names one of several scores."""
    search._check_refit_for_multimetric(scores)


def select_best_index(search: BaseSearchCV, metric: Any, results: dict[str, Any]) -> int:
    """Give the row of ``cv_results_`` that ``refit`` chooses."""
    return search._select_best_index(search.refit, metric, results)


def root_callback_context(estimator: Any, max_subtasks: int | None) -> Any:
    """Open the tree of tasks that scikit-learn's callbacks are told of."""
    return estimator._init_callback_context(max_subtasks=max_subtasks)


def set_more_callbacks(estimator: Any, callback: Any) -> None:
    """Add a callback to those of an estimator; `set_callbacks` alone would replace them."""
    estimator.set_callbacks(*getattr(estimator, "_skl_callbacks", []), callback)


def recording_scorer(scorer: Any, errors: list[str]) -> Any:
    """Let a scorer add its error to a list; `fit_and_score` puts it into a warning alone."""
    if isinstance(scorer, MultimetricScorer):
        return scorer

    def score(*args: Any, **kwargs: Any) -> Any:
        try:
            return scorer(*args, **kwargs)
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
            raise

    return score
