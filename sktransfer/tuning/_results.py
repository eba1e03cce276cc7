"""What is kept of each fold in a study, and scikit-learn's tables made of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.trial import TrialState

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

ERROR = "error"
STOPPED = "stopped by the timeout"
_KINDS = ("test", "train")


def attributes_of(fold: int, found: Mapping[str, Any]) -> dict[str, Any]:
    """Turn what a fold gave into attributes of a trial, named as in ``cv_results_``.

    Parameters
    ----------
    fold : int
        Its number.
    found : mapping
        What scikit-learn's `_fit_and_score` returns.

    Returns
    -------
    attributes : dict of str to float
        And ``split<n>_error``, a str, instead of scores where a fit failed.
    """
    own: dict[str, Any] = {key: found[key] for key in ("fit_time", "score_time")}
    if found["fit_error"] is not None:
        own[ERROR] = found["fit_error"].strip().splitlines()[-1]
    else:
        for kind in _KINDS:
            scores = found.get(f"{kind}_scores", {})
            own |= {f"{kind}_{name}": float(score) for name, score in _named(scores).items()}
    return {f"split{fold}_{key}": value for key, value in own.items()}


def folds_of(trial: FrozenTrial, n_folds: int) -> list[dict[str, Any]]:
    """Give what `_fit_and_score` returned for each fold of a trial; nan where it did not run.

    Parameters
    ----------
    trial : optuna.trial.FrozenTrial
        With attributes from `attributes_of`.
    n_folds : int
        How many.

    Returns
    -------
    folds : list of n_folds dict
        Each with ``test_scores`` and ``train_scores`` (dicts, empty where there are none),
        ``fit_time``, ``score_time`` and ``error`` (None, or what was raised).
    """
    found = []
    for fold in range(n_folds):
        own = {
            key.removeprefix(f"split{fold}_"): value
            for key, value in trial.user_attrs.items()
            if key.startswith(f"split{fold}_")
        }
        entry: dict[str, Any] = {key: own.get(key, math.nan) for key in ("fit_time", "score_time")}
        entry[ERROR] = own.get(ERROR)
        for kind in _KINDS:
            entry[f"{kind}_scores"] = {
                key.removeprefix(f"{kind}_"): value
                for key, value in own.items()
                if key.startswith(f"{kind}_")
            }
        found.append(entry)
    return found


def out_of(
    settings: Sequence[FrozenTrial], n_folds: int, with_train: bool, error_score: float
) -> list[dict[str, Any]]:
    """Give what scikit-learn's `_format_results` reads: one entry for each fold of each setting.

    Parameters
    ----------
    settings : sequence of n optuna.trial.FrozenTrial
        Ended.
    n_folds : int
        How many folds each has.
    with_train : bool
        Whether training scores were asked for.
    error_score : float
        The score of a fold whose fit failed.

    Returns
    -------
    out : list of n * n_folds dict
    """
    folds = [fold for trial in settings for fold in folds_of(trial, n_folds)]
    for kind in _KINDS:
        names = dict.fromkeys(name for fold in folds for name in fold[f"{kind}_scores"])
        for fold in folds:
            if kind == "train" and not with_train:
                fold.pop("train_scores")
                continue
            missing = math.nan if fold[ERROR] is None else error_score
            scores = {name: fold[f"{kind}_scores"].get(name, missing) for name in names}
            fold[f"{kind}_scores"] = _unnamed(scores)
    return folds


def more_of(settings: Sequence[FrozenTrial]) -> dict[str, list[Any]]:
    """Give the columns that ``cv_results_`` has besides scikit-learn's.

    Parameters
    ----------
    settings : sequence of n optuna.trial.FrozenTrial
        Ended.

    Returns
    -------
    columns : dict of str to list of n
        ``trial_number`` and ``trial_state``.
    """
    return {
        "trial_number": [trial.number for trial in settings],
        "trial_state": [trial.state.name.lower() for trial in settings],
    }


def reason_of(trial: FrozenTrial) -> str:
    """Say in a line why a trial failed; the study has all of it."""
    default = "the process that ran it ended without a word"
    return str(trial.user_attrs.get(ERROR, default)).strip().splitlines()[-1]


def has_failed(trial: FrozenTrial) -> bool:
    """Say whether a trial failed, and was not only stopped."""
    return trial.state == TrialState.FAIL and trial.user_attrs.get(ERROR) != STOPPED


def complete(settings: Sequence[FrozenTrial]) -> np.ndarray:
    """Give the places of the settings that were evaluated on all folds."""
    return np.flatnonzero([trial.state == TrialState.COMPLETE for trial in settings])


def _named(scores: Any) -> dict[str, float]:
    return scores if isinstance(scores, dict) else {"score": scores}


def _unnamed(scores: dict[str, float]) -> Any:
    return scores["score"] if list(scores) == ["score"] else scores
