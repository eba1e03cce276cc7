"""Candidates of a search that are no plain values: fitted models and folders, by their names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.frozen import FrozenEstimator

from sktransfer.tuning._fingerprint import hash_of_fitted

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

__all__ = ["NamedFrozen", "Space", "short_name"]

# Hexadecimal digits of the hash of a fitted model.
_N_DIGITS = 8


class NamedFrozen(FrozenEstimator):
    """A `sklearn.frozen.FrozenEstimator` that prints as its class and a hash of the fitted model.

    Examples
    --------
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sktransfer.tuning.candidates import NamedFrozen
    >>> NamedFrozen(LogisticRegression().fit([[0.0], [1.0]], [0, 1]))
    LogisticRegression#...
    """

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        inner = self.estimator
        while isinstance(inner, FrozenEstimator):
            inner = inner.estimator
        return f"{type(inner).__name__}#{hash_of_fitted(inner)[:_N_DIGITS]}"


@dataclass(frozen=True, eq=False)  # compared as mappings are
class Space(Mapping[str, Any]):
    """Distributions by parameter, in which fitted models and paths are choices by their names.

    Attributes
    ----------
    distributions : dict of str to optuna.distributions.BaseDistribution
        What a study holds.
    objects : dict of str to dict of str to object
        For some parameters, what stands behind the names of choices.
    """

    distributions: dict[str, BaseDistribution]
    objects: dict[str, dict[str, Any]]

    def __getitem__(self, key: str) -> BaseDistribution:
        return self.distributions[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.distributions)

    def __len__(self) -> int:
        return len(self.distributions)

    def restored(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Put objects in place of their names.

        Parameters
        ----------
        params : mapping of str to object
            Of a trial.

        Returns
        -------
        params : dict of str to object
            As `set_params` takes them.
        """
        return {
            key: self.objects.get(key, {}).get(value, value) if isinstance(value, str) else value
            for key, value in params.items()
        }


def printed_apart(value: Any) -> Any:
    """Give a value that prints otherwise than others: a fitted model as a `NamedFrozen`.

    Parameters
    ----------
    value : object
        Of a parameter.

    Returns
    -------
    value : object
    """
    return NamedFrozen(value.estimator) if isinstance(value, FrozenEstimator) else value


def named_choices(choices: Iterable[Any]) -> dict[str, Any]:
    """Name the choices that are fitted models or paths, as a study holds them.

    Parameters
    ----------
    choices : iterable of object
        Of one parameter.

    Returns
    -------
    objects : dict of str to object
        Without those that are neither. Paths have their whole path as name.
    """
    choices = list(choices)
    frozen = [printed_apart(each) for each in choices if isinstance(each, FrozenEstimator)]
    paths = [each for each in choices if isinstance(each, os.PathLike)]
    return {repr(each): each for each in frozen} | {os.fspath(each): each for each in paths}


def name_in_study(choice: Any) -> Any:
    """Give a choice as a study holds it: a fitted model or a path by its name, others as they are.

    Parameters
    ----------
    choice : object
        Of a parameter.

    Returns
    -------
    name : object
    """
    return next(iter(named_choices([choice])), choice)


def short_name(value: Any) -> str:
    """Name a value of a parameter in a table: a folder by its last part, a float by three digits.

    Parameters
    ----------
    value : object
        Of a parameter.

    Returns
    -------
    name : str

    Examples
    --------
    >>> from sktransfer.tuning.candidates import short_name
    >>> short_name(0.12345), short_name("auto")
    ('0.123', 'auto')
    """
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, FrozenEstimator):
        return repr(printed_apart(value))
    if isinstance(value, os.PathLike) or (isinstance(value, str) and os.path.isdir(value)):
        return Path(value).name or str(value)
    return str(value)
