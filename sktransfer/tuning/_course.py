"""How a trial goes beside the others, and whether it is worth going on with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from sktransfer.tuning._history import rungs_of, study_of
from sktransfer.tuning._quiet import quiet

if TYPE_CHECKING:
    from optuna.pruners import BasePruner

# A pruner compares trials at equal steps. Trainings of different length are at the same step when
# they have done the same share of it, since learning rates and strategies are planned by shares.
STEPS_PER_FOLD = 10


class Course:
    """Reports of one trial, judged by a pruner that knows the others.

    It is sent to the process that trains, which has no access to the study. What it is shown was
    known when the trial began, so that the judgement does not depend on who trains where.

    Parameters
    ----------
    trial : optuna.trial.FrozenTrial
        As the study has it.
    others : tuple of optuna.trial.FrozenTrial
        From `others_of`.
    name : str
        Of the study.
    pruner : optuna.pruners.BasePruner
        Who judges.

    Attributes
    ----------
    reports : dict of int to float
        Step to score: what was reported here.
    """

    def __init__(
        self, trial: FrozenTrial, others: tuple[FrozenTrial, ...], name: str, pruner: BasePruner
    ) -> None:
        self.trial = trial
        self.others = others
        self.name = name
        self.pruner = pruner
        self.reports: dict[int, float] = {}
        self._own: Trial | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_own": None}

    def report(self, step: int, score: float) -> None:
        """Tell the score at a step."""
        self.reports[step] = score
        if self._own is not None:
            self._own.report(score, step)

    def is_hopeless(self) -> bool:
        """Ask the pruner about the last report."""
        if not self.reports and not self.trial.intermediate_values:
            return False
        if self._own is None:
            self._own = self._in_a_study()
        return self._own.should_prune()

    def rungs(self) -> Mapping[str, float]:
        """Give what a pruner that halves has noted."""
        if self._own is None:
            return {}
        return rungs_of(self._own.study.get_trials(deepcopy=False)[-1])

    def _in_a_study(self) -> Trial:
        with quiet():
            study = study_of(self.others, name=self.name, pruner=self.pruner)
            study.add_trial(
                optuna.trial.create_trial(
                    state=TrialState.RUNNING,
                    params=self.trial.params,
                    distributions=self.trial.distributions,
                    system_attrs=rungs_of(self.trial),
                    intermediate_values={**self.trial.intermediate_values, **self.reports},
                )
            )
            return Trial(study, study.get_trials(deepcopy=False)[-1]._trial_id)
