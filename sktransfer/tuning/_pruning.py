"""Pruning in a worker, which has no access to the study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import optuna
from optuna.trial import Trial, TrialState

from sktransfer._compat.optuna import trial_of
from sktransfer.tuning._log_level import optuna_log_level

if TYPE_CHECKING:
    from optuna.study import Study

# A pruner compares trials at equal steps. A step is a share of a training, whatever its length,
# since learning rates and strategies are scheduled by shares.
STEPS_PER_FOLD = 10


class PruningMonitor:
    """Ask a pruner about the epochs of a trial.

    It is pickled to a worker with the trials of the study when the fold begins, so that the result
    does not depend on ``n_jobs``. ``reports`` has the scores by step. A trial that
    is not ``judged`` is watched alone.
    """

    def __init__(self, study: Study, number: int, judged: bool = True) -> None:
        self._judged = judged
        # A pruner such as Hyperband uses the numbers of trials, so that none may be missing.
        self._trials = [
            trial
            if trial.state.is_finished() or trial.number == number
            else optuna.trial.create_trial(state=TrialState.WAITING)
            for trial in study.get_trials(deepcopy=False)
        ]
        self._study_name, self._pruner, self._number = study.study_name, study.pruner, number
        self._trial: Trial | None = None
        self.reports: dict[int, float] = {}

    def report(self, step: int, score: float) -> None:
        """Record the mean score so far at a step, in tenths of folds since the trial began."""
        if self._trial is None:
            self._trial = self._copy_of_trial()
        self.reports[step] = score
        self._trial.report(score, step)

    def should_prune(self) -> bool:
        """Ask the pruner about the last report."""
        return self._judged and self._trial is not None and self._trial.should_prune()

    def _copy_of_trial(self) -> Trial:
        sampler = optuna.samplers.RandomSampler()
        with optuna_log_level():
            study = optuna.create_study(
                study_name=self._study_name,
                direction="maximize",
                sampler=sampler,
                pruner=self._pruner,
            )
            study.add_trials(self._trials)
        return trial_of(study, self._number)
