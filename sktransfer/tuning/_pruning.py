"""Pruning in the process that trains, which has no access to the study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import optuna
from optuna.trial import Trial, TrialState

from sktransfer._compat.optuna import trial_of
from sktransfer.tuning._log_level import optuna_log_level

if TYPE_CHECKING:
    from optuna.study import Study

# A pruner compares trials at equal steps. Trainings of different length are at the same step when
# they have done the same share of it, since learning rates and strategies are planned by shares.
STEPS_PER_FOLD = 10


class PruningMonitor:
    """Asks a pruner about the epochs of a trial.

    It is pickled to a worker, with what the study holds when the fold begins: whoever trains what
    meanwhile, any ``n_jobs`` gives the same trials. ``reports`` has the scores by step.
    """

    def __init__(self, study: Study, number: int) -> None:
        # A pruner such as Hyperband goes by numbers, so that no trial may be missing.
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
        """Note the mean score so far at a step, in tenths of folds since the trial began."""
        if self._trial is None:
            self._trial = self._copy_of_trial()
        self.reports[step] = score
        self._trial.report(score, step)

    def should_prune(self) -> bool:
        """Ask the pruner about the last report."""
        return self._trial is not None and self._trial.should_prune()

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
