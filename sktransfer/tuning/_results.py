"""What a study keeps of each fold, and scikit-learn's tables made of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

ERROR = "error"
STOPPED = "stopped by the timeout"
_TIMES = ("fit_time", "score_time")
_SCORES = ("test_scores", "train_scores")


def attributes_of(fold: int, result: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the result of a fold into attributes of a trial, named as in ``cv_results_``.

    Parameters
    ----------
    fold : int
        Its number.
    result : mapping
        What `fit_fold` returned.

    Returns
    -------
    attributes : dict of str to float
        And ``split<n>_error``, a str, instead of scores where a fit failed.
    """
    values: dict[str, Any] = {key: result[key] for key in _TIMES}
    if result["fit_error"] is not None:
        values[ERROR] = result["fit_error"].strip().splitlines()[-1]
    else:
        for kind in _SCORES:
            scores = result.get(kind, {})
            scores = scores if isinstance(scores, dict) else {"score": scores}
            prefix = kind.removesuffix("scores")
            values |= {f"{prefix}{name}": float(score) for name, score in scores.items()}
    return {f"split{fold}_{key}": value for key, value in values.items()}


def folds_of(trial: FrozenTrial, n_folds: int) -> list[dict[str, Any]]:
    """Read the results of folds from the attributes of a trial.

    Parameters
    ----------
    trial : optuna.trial.FrozenTrial
        With attributes from `attributes_of`.
    n_folds : int
        How many.

    Returns
    -------
    folds : list of n_folds dict
        Each with ``test_scores`` and ``train_scores`` (a float, a dict, or None where there are
        none), ``fit_time``, ``score_time`` (nan where there is none) and ``error`` (None, or what
        was raised).
    """
    folds = []
    for number in range(n_folds):
        start = f"split{number}_"
        values = {
            key.removeprefix(start): value
            for key, value in trial.user_attrs.items()
            if key.startswith(start)
        }
        fold: dict[str, Any] = {key: values.get(key, math.nan) for key in _TIMES}
        fold[ERROR] = values.get(ERROR)
        for kind in _SCORES:
            prefix = kind.removesuffix("scores")
            scores = {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}
            fold[kind] = scores["score"] if list(scores) == ["score"] else scores or None
        folds.append(fold)
    return folds


def rows_of(
    trials: Sequence[FrozenTrial], n_folds: int, with_train: bool, error_score: float
) -> list[dict[str, Any]]:
    """Give what scikit-learn makes ``cv_results_`` of: one entry for each fold of each trial.

    Parameters
    ----------
    trials : sequence of n optuna.trial.FrozenTrial
        Finished.
    n_folds : int
        How many folds each has.
    with_train : bool
        Whether training scores were asked for.
    error_score : float
        The score of a fold whose fit failed; one that was not fitted has nan.

    Returns
    -------
    rows : list of n * n_folds dict
    """
    rows = [fold for trial in trials for fold in folds_of(trial, n_folds)]
    for kind in _SCORES if with_train else _SCORES[:1]:
        example = next((row[kind] for row in rows if row[kind] is not None), None)
        for row in rows:
            if row[kind] is None:
                score = math.nan if row[ERROR] is None else error_score
                row[kind] = dict.fromkeys(example, score) if isinstance(example, dict) else score
    return rows


def reason_of(trial: FrozenTrial) -> str:
    """Say in a line why a trial failed; the study has all of it."""
    default = "the process that ran it died"
    return str(trial.user_attrs.get(ERROR, default)).strip().splitlines()[-1]


def has_failed(trial: FrozenTrial) -> bool:
    """Say whether a trial failed, and was not stopped by the timeout."""
    return trial.state == TrialState.FAIL and trial.user_attrs.get(ERROR) != STOPPED
