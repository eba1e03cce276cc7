"""The space that an estimator or a pipeline and its plugins declare."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def search_space(estimator: Any) -> dict[str, BaseDistribution]:
    """Assemble what is worth tuning of an estimator and of all that it is made of.

    Parameters
    ----------
    estimator : estimator
        Also a `sklearn.pipeline.Pipeline`, a `sklearn.compose.ColumnTransformer` or another
        estimator that holds some with a method ``search_space``.

    Returns
    -------
    space : dict of str to optuna.distributions.BaseDistribution
        Keys are parameters of ``estimator``, as ``set_params`` takes them; sorted.

    Raises
    ------
    TypeError
        If ``estimator`` has no parameters.

    Examples
    --------
    >>> from sklearn.pipeline import Pipeline
    >>> from sktransfer import TransferTextClassifier
    >>> from sktransfer.tuning import search_space
    >>> pipe = Pipeline([("clf", TransferTextClassifier("hashing", freeze="frozen"))])
    >>> search_space(pipe)["clf__head__C"]
    FloatDistribution(high=100.0, log=True, low=0.01, step=None)
    """
    if not hasattr(estimator, "get_params") or isinstance(estimator, type):
        raise TypeError(f"An estimator is expected, got {estimator!r}.")
    space: dict[str, BaseDistribution] = {}
    for prefix, part in _owners(estimator):
        space |= {f"{prefix}{key}": value for key, value in part.search_space().items()}
    return dict(sorted(space.items()))


def starting_points(estimator: Any, space: Mapping[str, BaseDistribution]) -> list[dict[str, Any]]:
    """Give settings that a search does well to try first: what stands in the estimator.

    Parameters
    ----------
    estimator : estimator
        Whose parts may know several; they have a method ``starting_points``.
    space : mapping of str to optuna.distributions.BaseDistribution
        What is searched.

    Returns
    -------
    points : list of dict of str to object
        Values that the space has, all different; what is missing in a point is to be drawn.
    """
    now = estimator.get_params(deep=True)
    points: list[dict[str, Any]] = [{}]
    for prefix, part in _owners(estimator):
        own = [
            {f"{prefix}{key}": value for key, value in point.items()}
            for point in (part.starting_points() if hasattr(part, "starting_points") else [{}])
            # A plugin that the space does not offer is no place to start from.
            if all(
                _holds(space[f"{prefix}{key}"], value)
                for key, value in point.items()
                if isinstance(value, str) and "__" not in key and f"{prefix}{key}" in space
            )
        ]
        if not own:
            continue
        # Those of several parts side by side: all combinations would be a search of their own.
        longer = max(len(points), len(own))
        points = [points[i % len(points)] | own[i % len(own)] for i in range(longer)]
    found: list[dict[str, Any]] = []
    for point in points:
        values = {key: point.get(key, now.get(key)) for key in space}
        held = {key: value for key, value in values.items() if _holds(space[key], value)}
        if held and held not in found:
            found.append(held)
    return found


def _owners(estimator: Any) -> list[tuple[str, Any]]:
    """Give the parts that declare a space, with the prefixes of their parameters."""
    owners: list[tuple[str, Any]] = []
    parts = {"": estimator, **estimator.get_params(deep=True)}
    for path in sorted(parts, key=lambda path: (path.count("__"), path)):
        part = parts[path]
        if not hasattr(part, "search_space") or isinstance(part, type):
            continue
        # What stands inside of one that has spoken has been spoken for.
        if not any(path.startswith(prefix) for prefix, _ in owners):
            owners.append((f"{path}__" if path else "", part))
    return owners


def _holds(distribution: Any, value: Any) -> bool:
    """Say whether a distribution may give a value."""
    if hasattr(distribution, "choices"):
        # 1 == True, which would be another setting.
        return any(
            type(value) is type(choice) and value == choice for choice in distribution.choices
        )
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    if not distribution.low <= value <= distribution.high:
        return False
    step = distribution.step
    return not step or math.isclose((value - distribution.low) / step % 1, 0, abs_tol=1e-9)
