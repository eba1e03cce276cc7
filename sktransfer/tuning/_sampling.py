"""Choosing the parameters of a trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from sktransfer.tuning._retries import current_trials, is_retry

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

# Trials up to which a Gaussian process is worth its seconds, and those that it begins with.
_FEW_TRIALS = 30
_N_RANDOM = 6
# How often a setting that is known is drawn anew.
_N_REDRAWN = 20


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


class SeededSampler(BaseSampler):
    """Choose all parameters of a trial at once, with a seed that depends on the trial's number.

    Processes that share a study and ``random_state`` therefore choose differently, and a search
    that goes on does not begin again with the numbers that it began with.

    Parameters
    ----------
    make : callable
        Gives a sampler for a seed.
    seed : int
        Of all trials.
    space : mapping of str to optuna.distributions.BaseDistribution
        What is searched.
    starts : sequence of dict of str to object
        Values of the first trials; what is missing is drawn.
    ask : callable
        Asks a trial for all active parameters, and returns them.
    """

    def __init__(
        self,
        make: Callable[[int], BaseSampler],
        seed: int,
        space: Mapping[str, BaseDistribution],
        starts: Sequence[Mapping[str, Any]],
        ask: Callable[[Any], dict[str, Any]],
    ) -> None:
        self.make = make
        self.seed = seed
        self.space = space
        self.starts = starts
        self.ask = ask
        self._number = -1
        self._chosen: Mapping[str, Any] = {}

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Give an empty space: which parameters are active depends on those chosen before."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Give no parameters."""
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Give one parameter of a trial; with the first, all are chosen."""
        if trial.number != self._number:
            self._chosen = self._choose(study, trial)
            self._number = trial.number
        return self._chosen[param_name]

    def _choose(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        others = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number]
        n_retries = sum(is_retry(other) for other in others if other.number < trial.number)
        place = trial.number - n_retries
        # A trial that is repeated, or was queued by the user, has parameters already.
        fixed = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
        if not fixed and place < len(self.starts):
            fixed = dict(self.starts[place])
        others = current_trials(others)
        seeds = np.random.SeedSequence([self.seed, trial.number]).generate_state(1 + _N_REDRAWN)
        first, *more = (int(seed % 2**31) for seed in seeds)
        chosen = self._sample(self.make(first), others, fixed)
        # The best setting may be proposed again, and lists of choices are soon exhausted; the score
        # would be the known one.
        known = [other.params for other in others]
        redrawn = chosen
        for seed in more:
            if redrawn not in known:
                return redrawn
            redrawn = self._sample(RandomSampler(seed), [], fixed)
        return chosen

    def _sample(
        self, sampler: BaseSampler, others: Sequence[FrozenTrial], fixed: Mapping[str, Any]
    ) -> dict[str, Any]:
        others = [other for other in others if other.state != TrialState.WAITING]
        if isinstance(sampler, GPSampler):
            others = [_with_all_parameters(other, self.space) for other in others]
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.add_trials(others)
        study.enqueue_trial(dict(fixed))
        return self.ask(study.ask())


def _with_all_parameters(trial: FrozenTrial, space: Mapping[str, BaseDistribution]) -> FrozenTrial:
    """Copy a trial for a Gaussian process, which reads complete trials with all parameters alone.

    Parameters that were not active have the middle of their range [1]_, and a pruned trial its last
    value.

    References
    ----------
    .. [1] Hutter, F., Hoos, H. H. and Leyton-Brown, K. (2011). Sequential model-based optimization
       for general algorithm configuration. LION 5.
    """
    ended = trial.state == TrialState.PRUNED and trial.value is not None
    return optuna.trial.create_trial(
        state=TrialState.COMPLETE if ended else trial.state,
        params={**{key: _middle(value) for key, value in space.items()}, **trial.params},
        distributions={**space, **trial.distributions},
        value=trial.value,
    )


def _middle(distribution: Any) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0]
    low, high, step = distribution.low, distribution.high, distribution.step
    middle = (low * high) ** 0.5 if distribution.log else (low + high) / 2
    if step:
        middle = low + step * round((middle - low) / step)
    return distribution.to_external_repr(min(max(middle, low), high))
