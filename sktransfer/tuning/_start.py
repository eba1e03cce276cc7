"""The first trial of a search: the estimator as it stands.

It has no parameters that a sampler chose. The study keeps the values that those of the space have
in the estimator, also where the space does not offer them, such as "auto" for a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sktransfer._compat.optuna import contains, suggest
from sktransfer.tuning._fingerprint import STORABLE
from sktransfer.tuning._retries import study_lock
from sktransfer.tuning.candidates import printed_apart
from sktransfer.tuning.space import current_point

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

# User attribute of the trial: the values, without those that a study does not hold.
AS_IT_STANDS = "as_it_stands"


def enqueue_first_trial(
    study: Study, point: Mapping[str, Any], space: Mapping[str, BaseDistribution]
) -> None:
    """Queue the estimator as it stands, unless the study has a trial."""
    kept = {key: value for key, value in point.items() if isinstance(value, STORABLE)}
    # Samplers learn from the values that they might have chosen.
    offered = {key: value for key, value in kept.items() if contains(space[key], value)}
    with study_lock(study):
        if not study.get_trials(deepcopy=False):
            study.enqueue_trial(offered, user_attrs={AS_IT_STANDS: kept})


def is_first(trial: FrozenTrial | Trial) -> bool:
    """Return whether a trial is the estimator as it stands."""
    return AS_IT_STANDS in trial.user_attrs


def ask_first_trial(
    trial: Trial, estimator: Any, space: Mapping[str, BaseDistribution]
) -> dict[str, Any]:
    """Give the first trial the values that the space offers; return what has to be set for it.

    That is nothing, unless an earlier call queued it with other values.
    """
    for key, value in trial.user_attrs[AS_IT_STANDS].items():
        if contains(space[key], value):
            suggest(trial, key, space[key])
    now = current_point(estimator, space)
    kept = trial.user_attrs[AS_IT_STANDS].items()
    return {key: value for key, value in kept if key not in now or now[key] != value}


def params_of(trial: FrozenTrial | Trial, point: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a trial; ``point`` has those of the estimator as it stands."""
    kept = trial.user_attrs.get(AS_IT_STANDS)
    if kept is None:
        return dict(trial.params)
    # A study is refused where values that it does not hold differ.
    objects = {key: value for key, value in point.items() if not isinstance(value, STORABLE)}
    return {key: printed_apart(value) for key, value in objects.items()} | kept


def is_beyond_space(trial: FrozenTrial) -> bool:
    """Return whether a trial has values that the space does not offer."""
    return len(trial.user_attrs.get(AS_IT_STANDS, {})) > len(trial.params)
