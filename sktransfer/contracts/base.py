"""The base class of plugins: parameter objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

__all__ = ["Plugin"]


class Plugin(BaseEstimator):
    """A parameter object that the registry can find.

    Subclasses take all settings as constructor parameters with defaults, and store them unchanged.
    """

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning.

        Returns
        -------
        space : dict of str to optuna.distributions.BaseDistribution
            Keys are parameters as `set_params` takes them. Empty where nothing is worth tuning.
        """
        return {}

    def default_point(self) -> dict[str, Any]:
        """Give what a search tries first: the parameters of the search space as they are.

        Returns
        -------
        point : dict of str to object
        """
        return {name: getattr(self, name) for name in self.search_space()}

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """Give constructor parameters of small offline instances, for the conformance kit.

        Returns
        -------
        params : list of dict
            At least one entry; each builds an instance that loads in well under a second.
        """
        return [{}]
