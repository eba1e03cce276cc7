"""Choosing the parameters of a trial, from a seed and the trial's place alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from sktransfer.tuning._history import as_complete, others_of, position_of, settings_of, study_of
from sktransfer.tuning._liveness import ASKED, PROCESS, is_gone

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

# Trials up to which a Gaussian process is worth its seconds, and those that it begins with.
_FEW_TRIALS = 30
_N_RANDOM = 6
# How often a setting that is known is drawn anew.
_N_REDRAWN = 20
# Seconds for which a trial waits for those that are being asked for in other processes.
_PATIENCE = 20


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
    space : mapping of str to optuna.distributions.BaseDistribution
        What is searched.
    starts : sequence of dict of str to object
        Values of the first trials; what is missing is drawn.
    ask : callable
        Asks a trial for all parameters that matter, and gives them.
    """

    def __init__(
        self,
        make: Callable[[int], BaseSampler],
        seed: int,
        batch_size: int,
        space: Mapping[str, BaseDistribution],
        starts: Sequence[Mapping[str, Any]],
        ask: Callable[[Any], dict[str, Any]],
    ) -> None:
        self.make = make
        self.seed = seed
        self.batch_size = batch_size
        self.space = space
        self.starts = starts
        self.ask = ask
        self._number = -1
        self._chosen: Mapping[str, Any] = {}

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
        """Give the next parameter of a trial; all are chosen with the first."""
        if trial.number != self._number:
            self._chosen = self._choose(study, trial)
            self._number = trial.number
        return self._chosen[param_name]

    def _choose(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        settings = _when_others_have_asked(study, trial)
        place = position_of(trial, settings)
        others = others_of(place, settings, self.batch_size)
        start = self.starts[place] if place < len(self.starts) else {}
        chosen = self._choose_for(place, others, study.study_name, start)
        if trial.params.items() <= chosen.items():
            return chosen
        # A process died over this trial, and others have told more since: the rest has to suit what
        # was chosen then. It is not given from the first, since fewer numbers would be drawn.
        return self._choose_for(place, others, study.study_name, {**start, **trial.params})

    def _choose_for(
        self,
        place: int,
        others: tuple[FrozenTrial, ...],
        name: str,
        fixed: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Choose for a place among trials; what is fixed is taken over."""
        # `place` alone would give neighbouring seeds neighbouring numbers.
        seeds = np.random.SeedSequence([self.seed, place]).generate_state(1 + _N_REDRAWN) % 2**31
        sampler = self.make(int(seeds[0]))
        seen = others
        if isinstance(sampler, GPSampler):
            # TPE knows by itself how to place trials that were pruned, or not asked for all.
            default = _middle(self.space)
            seen = tuple(as_complete(other, self.space, default) for other in others)
        first = self._drawn(sampler, seen, fixed, name)
        # A best setting on the edge of the space is proposed again and again, and lists of choices
        # are soon drawn twice; the score would be the one that is known.
        known = [other.params for other in others]
        drawn = first
        for seed in seeds[1:]:
            if drawn not in known:
                return drawn
            drawn = self._drawn(RandomSampler(int(seed)), (), fixed, name)
        return first

    def _drawn(
        self, sampler: BaseSampler, seen: Iterable[FrozenTrial], fixed: Mapping[str, Any], name: str
    ) -> dict[str, Any]:
        known = study_of(seen, name=name, sampler=sampler)
        known.enqueue_trial(dict(fixed))
        return self.ask(known.ask())


def _when_others_have_asked(study: Study, trial: FrozenTrial) -> list[FrozenTrial]:
    """Give the settings of a study once the trials before this one know their parameters.

    Processes that ask in the same moment would know nothing of one another, and choose alike.
    """
    end = time.monotonic() + _PATIENCE
    while True:
        settings = settings_of(study.get_trials(deepcopy=False))
        asking = [
            other
            for other in settings
            if other.number < trial.number
            and other.state == TrialState.RUNNING
            and ASKED not in other.user_attrs
            and not is_gone(other.user_attrs.get(PROCESS))
        ]
        if not asking or time.monotonic() > end:
            return settings
        time.sleep(0.05)


def _middle(space: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    """Give one setting, for parameters that have no effect in a trial."""
    found = {}
    for key, distribution in space.items():
        if isinstance(distribution, CategoricalDistribution):
            found[key] = distribution.choices[0]
        else:
            middle = distribution.to_internal_repr(_inner_middle(distribution))
            found[key] = distribution.to_external_repr(middle)
    return found


def _inner_middle(distribution: Any) -> float:
    low, high = distribution.low, distribution.high
    middle = (low * high) ** 0.5 if distribution.log else (low + high) / 2
    if distribution.step:
        middle = low + distribution.step * round((middle - low) / distribution.step)
    return min(max(middle, low), high)
