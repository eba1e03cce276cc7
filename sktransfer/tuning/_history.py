"""What a trial may know of the others: the study as if nothing had ever been interrupted.

A process that dies leaves a failed trial, and a second one with the same parameters takes its
place. Samplers and pruners are shown one trial for each setting, in the order in which they were
asked for, so that a search that was killed and called again chooses what it would have chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from sktransfer.tuning._quiet import quiet

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.study import Study

# Says which trial a retry stands for; written by optuna.storages.RetryHeartbeatStaleTrialCallback.
_RETRY_OF = "failed_trial"
# Written by pruners that halve.
_RUNG = "completed_rung_"


def settings_of(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Give one trial for each setting: the last of those that retried one another.

    Parameters
    ----------
    trials : iterable of optuna.trial.FrozenTrial
        All of a study.

    Returns
    -------
    settings : list of optuna.trial.FrozenTrial
        In the order in which the settings were first asked for.
    """
    last: dict[int, FrozenTrial] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        last[trial.system_attrs.get(_RETRY_OF, trial.number)] = trial
    return [last[number] for number in sorted(last)]


def position_of(trial: Any, settings: Sequence[FrozenTrial]) -> int:
    """Give the place of a trial's setting among all of them.

    Parameters
    ----------
    trial : optuna.trial.Trial or optuna.trial.FrozenTrial
        One of a study.
    settings : sequence of optuna.trial.FrozenTrial
        From `settings_of`.

    Returns
    -------
    position : int

    Raises
    ------
    optuna.exceptions.UpdateFinishedTrialError
        If another trial has taken its place, after this process was taken for dead.
    """
    for i, other in enumerate(settings):
        if other.number == trial.number:
            return i
    raise UpdateFinishedTrialError(f"Trial {trial.number} was taken up by another process.")


def others_of(
    position: int, settings: Sequence[FrozenTrial], batch_size: int
) -> tuple[FrozenTrial, ...]:
    """Give the trials that one at this place may know of.

    Parameters
    ----------
    position : int
        From `position_of`.
    settings : sequence of optuna.trial.FrozenTrial
        From `settings_of`.
    batch_size : int
        Trials that are asked for at once. Those of the same batch know of one another's
        parameters alone, and only of the earlier ones'.

    Returns
    -------
    others : tuple of optuna.trial.FrozenTrial
    """
    first = position - position % batch_size
    found = []
    for i, trial in enumerate(settings):
        together = first <= i < first + batch_size
        if i == position or (together and i > position):
            continue
        ended = trial.state.is_finished() and not together
        found.append(trial if ended else _running(trial))
    return tuple(found)


def study_of(
    trials: Iterable[FrozenTrial],
    *,
    name: str,
    sampler: BaseSampler | None = None,
    pruner: BasePruner | None = None,
) -> Study:
    """Make a study of some trials, in memory.

    Parameters
    ----------
    trials : iterable of optuna.trial.FrozenTrial
        From `others_of`.
    name : str
        Of the study; Hyperband deals out its brackets by it.
    sampler : optuna.samplers.BaseSampler or None, default=None
        Who chooses.
    pruner : optuna.pruners.BasePruner or None, default=None
        Who ends trials early.

    Returns
    -------
    study : optuna.study.Study
    """
    # A sampler is always given: the default one would be made for nothing.
    study = optuna.create_study(
        study_name=name,
        direction="maximize",
        sampler=optuna.samplers.RandomSampler() if sampler is None else sampler,
        pruner=pruner,
    )
    study.add_trials(trials)
    return study


def detached(study: Study) -> Study:
    """Copy a study into memory.

    Parameters
    ----------
    study : optuna.study.Study
        Perhaps in a database.

    Returns
    -------
    study : optuna.study.Study
        Itself if it is in memory; else one that nothing is written to, with trials and attributes.
    """
    if isinstance(study._storage, InMemoryStorage):
        return study
    trials = study.get_trials()
    with quiet():
        copied = study_of(trials, name=study.study_name, sampler=study.sampler, pruner=study.pruner)
    for key, value in study.user_attrs.items():
        copied.set_user_attr(key, value)
    return copied


def as_complete(
    trial: FrozenTrial, space: Mapping[str, BaseDistribution], default: Mapping[str, Any]
) -> FrozenTrial:
    """Show a trial to a sampler that looks only at those that ended with all parameters.

    Parameters
    ----------
    trial : optuna.trial.FrozenTrial
        From `others_of`.
    space : mapping of str to optuna.distributions.BaseDistribution
        What is searched.
    default : mapping of str to object
        Values of parameters that it was not asked for, since they had no effect [1]_.

    Returns
    -------
    trial : optuna.trial.FrozenTrial
        One that was pruned has ended with its last value.

    References
    ----------
    .. [1] Hutter, F., Hoos, H. H. and Leyton-Brown, K. (2011). Sequential model-based optimization
       for general algorithm configuration. LION 5.
    """
    ended = trial.state == TrialState.PRUNED and trial.value is not None
    return optuna.trial.create_trial(
        state=TrialState.COMPLETE if ended else trial.state,
        params={**default, **trial.params},
        distributions={**space, **trial.distributions},
        value=trial.value,
    )


def rungs_of(trial: FrozenTrial) -> dict[str, float]:
    """Give what pruners that halve noted about a trial."""
    return {key: value for key, value in trial.system_attrs.items() if key.startswith(_RUNG)}


def _running(trial: FrozenTrial) -> FrozenTrial:
    return optuna.trial.create_trial(
        state=TrialState.RUNNING, params=trial.params, distributions=trial.distributions
    )
