"""Search spaces that estimators, pipelines and plugins declare, and their parameters in a trial."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sklearn.base import clone

from sktransfer._warnings import warn_user
from sktransfer.contracts import Plugin
from sktransfer.estimators._search_space import Tunable
from sktransfer.tuning._fingerprint import STORABLE
from sktransfer.tuning.candidates import Space, name_in_study, named_choices

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def search_space(estimator: Any) -> dict[str, BaseDistribution]:
    """Collect the search spaces of an estimator and of all its parts.

    Parameters
    ----------
    estimator : estimator
        Estimator of this package, or one that holds some, such as a `sklearn.pipeline.Pipeline` or
        a `sklearn.compose.ColumnTransformer`.

    Returns
    -------
    space : dict of str to optuna.distributions.BaseDistribution
        Distribution of each parameter of ``estimator``, sorted by names.

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
        raise TypeError(f"estimator has to have get_params, got {estimator!r}.")
    space: dict[str, BaseDistribution] = {}
    for prefix, part in _declaring_parts(estimator):
        space |= {f"{prefix}{key}": value for key, value in part.search_space().items()}
    return dict(sorted(space.items()))


def current_point(estimator: Any, space: Iterable[str]) -> dict[str, Any]:
    """Return the parameters of a space that have an effect, as they stand in an estimator."""
    now = estimator.get_params(deep=True)
    point: dict[str, Any] = {}
    for key in space:
        owner, own_key = _owner(estimator, key)
        values = now if owner is None else owner.current_values([own_key])
        if own_key in values:
            point[key] = values[own_key]
    return point


def starting_points(
    estimator: Any, space: Mapping[str, BaseDistribution], n_cheap: int = 0
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return (parts of) the settings to try after the estimator as it stands: cheap and dear ones.

    They are the settings that parts declare; dear ones train by steps, and cheap ones fit heads
    alone. Where there are both, there are ``n_cheap`` cheap ones: in the further ones the plugins
    are chosen, and their parameters are left to the sampler.
    """
    from sktransfer._compat.optuna import contains

    now, as_it_stands = estimator.get_params(deep=True), current_point(estimator, space)
    points: list[dict[str, Any]] = [{}]
    for prefix, part in _declaring_parts(estimator):
        own = [
            {f"{prefix}{key}": value for key, value in point.items()}
            for point in (part.starting_points() if isinstance(part, Tunable) else [{}])
            # Settings with a plugin that the space does not have are left out.
            if all(
                contains(space[f"{prefix}{key}"], value)
                for key, value in point.items()
                if isinstance(value, str) and "__" not in key and f"{prefix}{key}" in space
            )
        ]
        if own:
            # Settings of several parts are paired, since all combinations would be too many.
            longer = max(len(points), len(own))
            points = [points[i % len(points)] | own[i % len(own)] for i in range(longer)]
    starts: list[dict[str, Any]] = []
    for point in points:
        values = {key: point.get(key, now.get(key)) for key in space}
        inside = {key: value for key, value in values.items() if contains(space[key], value)}
        is_new = any(key not in inside or inside[key] != as_it_stands[key] for key in as_it_stands)
        if inside and is_new and inside not in starts:
            starts.append(inside)
    cheap = [start for start in starts if not trains_by_steps(estimator, start)]
    dear = [start for start in starts if start not in cheap]
    if cheap and dear:
        for start in itertools.islice(itertools.cycle(cheap[:]), max(0, n_cheap - len(cheap))):
            chosen = {k: v for k, v in start.items() if "__" not in _owner(estimator, k)[1]}
            cheap.append({key: v for key, v in chosen.items() if isinstance(v, str)})
    return cheap, dear


def trains_by_steps(estimator: Any, params: Mapping[str, Any]) -> bool:
    """Say whether a part of an estimator with these parameters trains by steps."""
    parts = [part for _, part in _declaring_parts(clone(estimator).set_params(**params))]
    return any(part.trains_by_steps() for part in parts if isinstance(part, Tunable))


def checked_space(estimator: Any, space: Any) -> Space:
    """Check a space against an estimator, before anything is fitted.

    None is the space that the estimator declares. The result has the order in which a trial is
    asked: choices of plugins before their parameters. A space that is empty, has no effect, or does
    not fit the estimator raises a ValueError, and a value that is neither a distribution nor a list
    of choices a TypeError.
    """
    name = type(estimator).__name__
    if space is None:
        space = search_space(estimator)
        if not space:
            raise ValueError(
                f"search_space=None, but {name} and its parts declare nothing to tune: pass "
                "search_space={'parameter': [...]}."
            )
    if not isinstance(space, Mapping):
        raise TypeError(f"search_space has to be a dict, got a {type(space).__name__}.")
    if not space:
        raise ValueError("search_space is empty: name at least one parameter.")
    named, objects = _named(space)
    distributions = Space({key: _distribution(key, each) for key, each in named.items()}, objects)
    for key, distribution in distributions.items():
        ends = () if _is_categorical(distribution) else (distribution.low, distribution.high)
        for value in ends or distribution.choices:
            try:
                with warnings.catch_warnings():
                    # A key by itself may have no effect, of which a search warns in its own words.
                    warnings.simplefilter("ignore")
                    params = distributions.restored({key: value})
                    owner, _ = _owner(clone(estimator).set_params(**params), key)
                if owner is not None:
                    owner.search_space()  # resolves the plugins that are named
            except (AttributeError, ImportError, TypeError, ValueError) as error:
                raise ValueError(
                    f"search_space has {key}={value!r}, which {name} does not take: {error}"
                ) from error
    # Parameters of plugins come after the choice of plugins.
    keys = sorted(space, key=lambda key: (_owner(estimator, key)[1].count("__"), key))
    ordered = Space({key: distributions[key] for key in keys}, objects)
    # A parameter has an effect if it is active with one of the choices of another one.
    chosen: list[dict[str, Any]] = [{}]
    for key, distribution in ordered.items():
        if _is_categorical(distribution):
            chosen += [{key: value} for value in distribution.choices if isinstance(value, str)]
    idle = [
        key
        for key in ordered
        if not any(
            _is_active(estimator, key, ordered.restored(other))
            for other in chosen
            if key not in other
        )
    ]
    message = (
        f"{', '.join(idle)} of search_space {'have' if len(idle) > 1 else 'has'} no effect: no "
        "plugin that is chosen has such a parameter, or has a use for it. Choose one that does, "
        "as in {'freeze': ['top_layers', 'gradual'], 'freeze__k': [1, 2]}."
    )
    if len(idle) == len(ordered):
        raise ValueError(message)
    # The declared space has parameters of all choices, also if the choice is not searched.
    if idle and not set(search_space(estimator)) <= set(ordered):
        warn_user(message)
    return ordered


def ask_parameters(trial: Any, estimator: Any, space: Space) -> dict[str, Any]:
    """Ask a trial for the parameters that are active, given those that were asked before."""
    from sktransfer._compat.optuna import suggest

    params: dict[str, Any] = {}
    for key, distribution in space.items():
        if _is_active(estimator, key, space.restored(params)):
            params[key] = suggest(trial, key, distribution)
    return params


def _is_active(estimator: Any, key: str, params: Mapping[str, Any]) -> bool:
    owner, own_key = _owner(clone(estimator).set_params(**params), key)
    return owner is None or owner.is_active(own_key)


def _owner(estimator: Any, key: str) -> tuple[Tunable | None, str]:
    """Return the outermost tunable estimator on the path of a key, and the rest of the key."""
    parts = key.split("__")
    params = {"": estimator, **estimator.get_params(deep=True)}
    for i in range(len(parts)):
        part = params.get("__".join(parts[:i]))
        if isinstance(part, Tunable):
            return part, "__".join(parts[i:])
    return None, key


def _declaring_parts(estimator: Any) -> list[tuple[str, Any]]:
    """Return the parts that declare a space, with the prefixes of their parameters."""
    found: list[tuple[str, Any]] = []
    parts = {"": estimator, **estimator.get_params(deep=True)}
    for path in sorted(parts, key=lambda path: (path.count("__"), path)):
        part = parts[path]
        if not isinstance(part, Tunable | Plugin):
            continue
        # A part declares the space of its own parts.
        if not any(path.startswith(prefix) for prefix, _ in found):
            found.append((f"{path}__" if path else "", part))
    return found


def _named(space: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Replace choices that are fitted models or paths by names; give what stands behind them."""
    named, objects = dict(space), {}
    for key, choices in space.items():
        if isinstance(choices, list | tuple) and (known := named_choices(choices)):
            named[key], objects[key] = [name_in_study(choice) for choice in choices], known
    return named, objects


def _distribution(key: str, value: Any) -> BaseDistribution:
    from optuna.distributions import BaseDistribution, CategoricalDistribution

    choices = value.choices if isinstance(value, CategoricalDistribution) else value
    if isinstance(choices, list | tuple):
        wrong = [choice for choice in choices if not isinstance(choice, STORABLE)]
        if wrong:
            raise TypeError(
                f"search_space[{key!r}] offers {wrong[0]!r}; a study holds None, bool, int, float, "
                "str, paths and FrozenEstimator. Offer plugins by name, as in {'freeze': "
                "['frozen', 'top_layers'], 'freeze__k': [1, 2]}; GridSearchCV takes objects."
            )
    if isinstance(value, BaseDistribution):
        return value
    if isinstance(value, list | tuple) and len(value):
        return CategoricalDistribution(value)
    raise TypeError(
        f"search_space[{key!r}] has to be a list of choices or a distribution of "
        f"optuna.distributions, got {value!r}."
    )


def _is_categorical(distribution: Any) -> bool:
    from optuna.distributions import CategoricalDistribution

    return isinstance(distribution, CategoricalDistribution)
