"""The sampler of a search, which chooses the parameters of a trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import TrialState
from sklearn.base import clone

from sktransfer.tuning._retries import current_trials
from sktransfer.tuning._start import is_beyond_space
from sktransfer.tuning.candidates import Space
from sktransfer.tuning.space import ask_parameters, starting_points, trains_by_steps

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

# Largest number of trials for a Gaussian process, whose time grows with it, and its random trials.
_FEW_TRIALS, _N_RANDOM = 30, 6
# Largest number of trials that fit heads alone before the first one that trains.
_N_HEADS = 10
# How often a setting that was evaluated before is drawn again.
_N_REDRAWN = 20


def make_sampler(n_trials: int, seed: int) -> BaseSampler:
    """Return a Gaussian process for few trials, and TPE for many."""
    tpe = TPESampler(seed=seed)
    if n_trials > _FEW_TRIALS:
        return tpe
    return GPSampler(seed=seed, independent_sampler=tpe, n_startup_trials=_N_RANDOM)


def seeded_sampler(estimator: Any, space: Space, n_trials: int, seed: int) -> SeededSampler:
    """Return the sampler of a search for which none was given."""
    cheap, dear = starting_points(estimator, space, min(_N_HEADS, n_trials // 3))
    return SeededSampler(
        partial(make_sampler, n_trials),
        seed,
        space,
        # The first trial is asked for nothing.
        [{}, *cheap, *dear],
        partial(ask_parameters, estimator=clone(estimator), space=space),
        len(cheap) if trains_by_steps(estimator, {}) else 0,
    )


@dataclass
class SeededSampler(BaseSampler):
    """Choose all parameters of a trial at once, with a seed that depends on the trial's number.

    Processes that share a study and ``random_state`` therefore choose differently, and a search
    that is continued does not repeat its first draws.

    ``make`` returns a sampler for a seed, ``starts`` are (parts of) the first settings, and ``ask``
    asks a trial for all active parameters. After the first start come ``n_heads`` that fit heads
    alone, where the first one trains.
    """

    make: Callable[[int], BaseSampler]
    seed: int
    space: Mapping[str, BaseDistribution]
    starts: Sequence[Mapping[str, Any]]
    ask: Callable[[Any], dict[str, Any]]
    n_heads: int = 0
    _chosen: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        """Return an empty space, since the active parameters depend on those chosen before."""
        return {}

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: Any) -> Any:
        """Return no parameters."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any
    ) -> Any:
        """Return one parameter of a trial; all of them are chosen with the first."""
        if trial.number not in self._chosen:
            self._chosen = {trial.number: self._choose(study, trial)}
        return self._chosen[trial.number][param_name]

    def _choose(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        others = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number]
        earlier = [t for t in others if t.number < trial.number]
        place = sum("failed_trial" not in t.system_attrs for t in earlier)
        # A trial that is repeated, or that the user queued, has parameters already.
        fixed = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
        if not fixed and place < len(self.starts):
            fixed = dict(self.starts[place])
        others = current_trials(others)
        known = [other.params for other in others]
        seeds = np.random.SeedSequence([self.seed, trial.number]).generate_state(1 + _N_REDRAWN)
        first, *more = (int(seed % 2**31) for seed in seeds)
        chosen = redrawn = self._sample(self.make(first), others, fixed)
        # A setting that is evaluated again would have the same score.
        for seed in more:
            if redrawn not in known:
                return redrawn
            redrawn = self._sample(RandomSampler(seed), [], fixed)
        return chosen

    def _sample(
        self, sampler: BaseSampler, others: Sequence[FrozenTrial], fixed: dict[str, Any]
    ) -> dict[str, Any]:
        others = [other for other in others if other.state != TrialState.WAITING]
        if isinstance(sampler, GPSampler):
            others = [self._with_all_parameters(t) for t in others if not is_beyond_space(t)]
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.add_trials(others)
        study.enqueue_trial(fixed)
        return self.ask(study.ask())

    def _with_all_parameters(self, trial: FrozenTrial) -> FrozenTrial:
        """Copy a trial for a Gaussian process, which needs complete trials with all parameters.

        Inactive parameters get the middle of their range, as in Hutter, Hoos and Leyton-Brown
        (2011), LION 5; a pruned trial gets its last value.
        """
        ended = trial.state == TrialState.PRUNED and trial.value is not None
        middles = {key: _middle(distribution) for key, distribution in self.space.items()}
        return optuna.trial.create_trial(
            state=TrialState.COMPLETE if ended else trial.state,
            params={**middles, **trial.params},
            distributions={**self.space, **trial.distributions},
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
