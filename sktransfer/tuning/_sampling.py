"""Choosing the parameters of a trial, from a seed and the trial's place alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.samplers import BaseSampler, GPSampler, TPESampler

from sktransfer.tuning._history import others_of, position_of, settings_of, study_of
from sktransfer.tuning._trial import suggest

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

# Trials up to which a Gaussian process is worth its seconds, and those that it begins with.
_FEW_TRIALS = 30
_N_RANDOM = 8


def make_sampler(n_trials: int, seed: int) -> BaseSampler:
    """Give the sampler that suits a number of trials.

    Parameters
    ----------
    n_trials : int
        How many there will be.
    seed : int
        Of its random numbers.

    Returns
    -------
    sampler : optuna.samplers.BaseSampler
        A Gaussian process for few, TPE for many.
    """
    if n_trials <= _FEW_TRIALS:
        independent = TPESampler(seed=seed)
        return GPSampler(seed=seed, independent_sampler=independent, n_startup_trials=_N_RANDOM)
    return TPESampler(seed=seed)


class PlacedSampler(BaseSampler):
    """Let a new sampler choose each trial, seeded by its place and shown what went before.

    Nothing is remembered between trials: several processes that share a seed and a study choose
    differently, and one that was killed goes on as if it had not been.

    Parameters
    ----------
    make : callable
        Gives a sampler for a seed.
    seed : int
        Of all.
    batch_size : int
        Trials that are asked for at once.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int, batch_size: int) -> None:
        self.make = make
        self.seed = seed
        self.batch_size = batch_size
        self._number = -1
        self._trial: Any = None

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Choose nothing beforehand: what is asked for depends on what was chosen."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Choose nothing beforehand."""
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Choose the next parameter of a trial."""
        if trial.number != self._number:
            self._begin(study, trial)
        return suggest(self._trial, param_name, param_distribution)

    def _begin(self, study: Study, trial: FrozenTrial) -> None:
        settings = settings_of(study.get_trials(deepcopy=False))
        place = position_of(trial, settings)
        # `place` alone would give neighbouring seeds neighbouring numbers.
        seed = int(np.random.SeedSequence([self.seed, place]).generate_state(1)[0] % 2**31)
        sampler = self.make(seed)
        known = study_of(
            others_of(place, settings, self.batch_size),
            name=study.study_name,
            sampler=sampler,
            # It learns from trials that ended alone; TPE knows how to place those that were pruned.
            pruned_count=isinstance(sampler, GPSampler),
        )
        self._number = trial.number
        self._trial = known.ask()
        # What was chosen before a process died is chosen again, so that the rest follows.
        for name, distribution in trial.distributions.items():
            suggest(self._trial, name, distribution)
