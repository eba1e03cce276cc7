"""One trial: the parameters that it is asked for, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sklearn.base import clone

from sktransfer._warnings import warn_user
from sktransfer.tuning.space import search_space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def checked_space(estimator: Any, space: Mapping[str, Any] | None) -> dict[str, BaseDistribution]:
    """Check a space against an estimator, before anything is fitted.

    Parameters
    ----------
    estimator : estimator
        Whose parameters the keys are.
    space : mapping of str to distribution or list, or None
        None takes what the estimator declares.

    Returns
    -------
    space : dict of str to optuna.distributions.BaseDistribution
        In the order in which a trial is asked: choices of plugins before their parameters.

    Raises
    ------
    ValueError
        If the space is empty, or a key is no parameter, or a value cannot be set, or nothing in it
        has an effect.
    TypeError
        If something is neither a distribution nor a list of choices.
    """
    if space is None:
        space = search_space(estimator)
        if not space:
            raise ValueError(
                f"search_space=None, but {type(estimator).__name__} and its parts declare nothing "
                "to tune: pass search_space={'parameter': [...]}."
            )
    if not isinstance(space, Mapping):
        raise TypeError(f"search_space has to be a dict, got a {type(space).__name__}.")
    if not space:
        raise ValueError("search_space is empty: name at least one parameter.")
    found = {key: _distribution(key, value) for key, value in space.items()}
    for key, distribution in found.items():
        for value in _extremes(distribution):
            try:
                owner, _ = _owner(clone(estimator).set_params(**{key: value}), key)
                if hasattr(owner, "search_space"):
                    owner.search_space()  # finds the plugins that are named
            except (AttributeError, ImportError, TypeError, ValueError) as error:
                raise ValueError(
                    f"search_space has {key}={value!r}, which {type(estimator).__name__} does not "
                    f"take: {error}"
                ) from error
    ordered = dict(sorted(found.items(), key=lambda item: (_depth(estimator, item[0]), item[0])))
    idle = _without_effect(estimator, ordered)
    # Estimators declare what matters with some choice, even where that is made already.
    if idle and (len(idle) == len(ordered) or not set(search_space(estimator)) <= set(ordered)):
        message = (
            f"{', '.join(idle)} of search_space {'have' if len(idle) > 1 else 'has'} no effect: no "
            "plugin that is chosen has such a parameter, or has a use for it. Choose one that "
            "does, as in {'freeze': ['top_layers', 'gradual'], 'freeze__k': [1, 2]}."
        )
        if len(idle) == len(ordered):
            raise ValueError(message)
        warn_user(message)
    return ordered


def ask(trial: Any, estimator: Any, space: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    """Ask for the parameters that matter, given those before them.

    Parameters
    ----------
    trial : optuna.trial.Trial
        Fresh from ``study.ask()``.
    estimator : estimator
        Its copies are given what was asked for, to see what matters next.
    space : mapping of str to optuna.distributions.BaseDistribution
        From `checked_space`.

    Returns
    -------
    params : dict of str to object
    """
    params: dict[str, Any] = {}
    for key, distribution in space.items():
        if _matters(estimator, key, params):
            params[key] = suggest(trial, key, distribution)
    return params


def _without_effect(estimator: Any, space: Mapping[str, BaseDistribution]) -> list[str]:
    """Name the parameters that matter with none of the choices of the others."""
    choices = {
        key: [value for value in distribution.choices if isinstance(value, str)]
        for key, distribution in space.items()
        if hasattr(distribution, "choices")
    }
    others = [{}, *({key: value} for key, values in choices.items() for value in values)]
    return [
        key
        for key in space
        if not any(_matters(estimator, key, other) for other in others if key not in other)
    ]


def _matters(estimator: Any, key: str, params: Mapping[str, Any]) -> bool:
    owner, own_key = _owner(clone(estimator).set_params(**params), key)
    return not hasattr(owner, "is_active") or owner.is_active(own_key)


def suggest(trial: Any, key: str, distribution: BaseDistribution) -> Any:
    """Ask a trial for one parameter.

    Parameters
    ----------
    trial : optuna.trial.Trial
        Running.
    key : str
        The parameter.
    distribution : optuna.distributions.BaseDistribution
        What it is drawn from.

    Returns
    -------
    value : object
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(key, distribution.choices)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(
            key, distribution.low, distribution.high, step=distribution.step, log=distribution.log
        )
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(
        key, distribution.low, distribution.high, step=distribution.step, log=distribution.log
    )


def _distribution(key: str, value: Any) -> BaseDistribution:
    from optuna.distributions import BaseDistribution, CategoricalDistribution

    choices = getattr(value, "choices", value)
    if isinstance(choices, list | tuple):
        # Optuna would fail, too, and say less.
        held = (type(None), bool, int, float, str)
        wrong = [choice for choice in choices if not isinstance(choice, held)]
        if wrong:
            raise TypeError(
                f"search_space[{key!r}] offers {wrong[0]!r}; a study holds None, bool, int, float "
                "and str. Offer plugins by name, as in {'freeze': ['frozen', 'top_layers'], "
                "'freeze__k': [1, 2]}; GridSearchCV takes objects."
            )
    if isinstance(value, BaseDistribution):
        return value
    if isinstance(value, list | tuple) and len(value):
        return CategoricalDistribution(value)
    raise TypeError(
        f"search_space[{key!r}] has to be a list of choices or a distribution of "
        f"optuna.distributions, got {value!r}."
    )


def _extremes(distribution: Any) -> list[Any]:
    if hasattr(distribution, "choices"):
        return list(distribution.choices)
    return [distribution.low, distribution.high]


def _owner(estimator: Any, key: str) -> tuple[Any, str]:
    """Find the estimator that knows what matters: the outermost that a key leads to."""
    if hasattr(estimator, "is_active"):
        return estimator, key
    parts = key.split("__")
    params = estimator.get_params(deep=True)
    for i in range(1, len(parts)):
        part = params.get("__".join(parts[:i]))
        if hasattr(part, "is_active"):
            return part, "__".join(parts[i:])
    return None, key


def _depth(estimator: Any, key: str) -> int:
    """Count how deep a key lies within the estimator that owns it."""
    return _owner(estimator, key)[1].count("__")
