"""Store the results of folds in a study, and read them for ``cv_results_``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState

from sktransfer.tuning._retries import current_trials

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

ERROR = "error"
STOPPED = "stopped by the timeout"
UNFINISHED = "unfinished"
_TIMES = ("fit_time", "score_time")
_SCORES = {"test_scores": "test_", "train_scores": "train_"}


def attributes_of(fold: int, result: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a result of `fit_fold` to attributes of a trial, named as in ``cv_results_``.

    A fold that was ended early has none, and a failed one has ``split<n>_error``.
    """
    if result["ended"] is not None:
        return {}
    values: dict[str, Any] = {key: result[key] for key in _TIMES}
    if result["fit_error"] is not None:
        values[ERROR] = result["fit_error"].strip().splitlines()[-1]
    else:
        for kind, prefix in _SCORES.items():
            scores = result.get(kind, {})
            scores = scores if isinstance(scores, dict) else {"score": scores}
            values |= {f"{prefix}{name}": float(score) for name, score in scores.items()}
    return {f"split{fold}_{key}": value for key, value in values.items()}


def folds_of(trial: FrozenTrial, n_folds: int) -> list[dict[str, Any]]:
    """Read the results of `fit_fold` from the attributes of a trial; others are None or nan."""
    folds = []
    for number in range(n_folds):
        start = f"split{number}_"
        attributes = trial.user_attrs.items()
        values = {k.removeprefix(start): v for k, v in attributes if k.startswith(start)}
        fold: dict[str, Any] = {key: values.get(key, math.nan) for key in _TIMES}
        fold[ERROR] = values.get(ERROR)
        for kind, prefix in _SCORES.items():
            scores = {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}
            fold[kind] = scores["score"] if list(scores) == ["score"] else scores or None
        folds.append(fold)
    return folds


def rows_of(
    trials: Sequence[FrozenTrial], n_folds: int, with_train: bool, error_score: float
) -> list[dict[str, Any]]:
    """Return the results of each fold of each trial, of which scikit-learn makes ``cv_results_``.

    A fold whose fit failed has ``error_score``, and one that was not fitted has nan.
    """
    rows = [fold for trial in trials for fold in folds_of(trial, n_folds)]
    for kind in list(_SCORES) if with_train else ["test_scores"]:
        example = next((row[kind] for row in rows if row[kind] is not None), None)
        for row in rows:
            if row[kind] is None:
                score = math.nan if row[ERROR] is None else error_score
                row[kind] = dict.fromkeys(example, score) if isinstance(example, dict) else score
    return rows


def reason_of(trial: FrozenTrial) -> str:
    """Return the last line of the reason why a trial failed."""
    reason = trial.user_attrs.get(ERROR, "the process that ran it died")
    return str(reason).strip().splitlines()[-1]


def is_unfinished(trial: FrozenTrial) -> bool:
    """Return whether a trial was cut off, and is queued again if the study is persistent."""
    if trial.state == TrialState.WAITING:
        return "failed_trial" in trial.system_attrs
    return trial.state == TrialState.FAIL and trial.user_attrs.get(ERROR) == STOPPED


def listed_trials(study: Study) -> list[tuple[FrozenTrial, str]]:
    """Return the trials that ended or were cut off, with their states in ``cv_results_``."""
    return [
        (trial, UNFINISHED if is_unfinished(trial) else trial.state.name.lower())
        for trial in current_trials(study.get_trials(deepcopy=False))
        if trial.state.is_finished() or is_unfinished(trial)
    ]


def has_failed(trial: FrozenTrial) -> bool:
    """Return whether a trial failed, other than by the timeout."""
    return trial.state == TrialState.FAIL and trial.user_attrs.get(ERROR) != STOPPED
