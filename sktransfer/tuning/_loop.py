"""Ask, evaluate, tell: trials in batches, their folds in rungs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import NopPruner
from optuna.samplers import GridSampler
from optuna.trial import TrialState

from sktransfer._compat.optuna import grace_period, heartbeat, record_heartbeat
from sktransfer._warnings import warn_user
from sktransfer.tuning._fold import TRIAL_OF_ERROR, Evaluation, Fold, FoldJob
from sktransfer.tuning._pruning import STEPS_PER_FOLD, PruningMonitor
from sktransfer.tuning._results import ERROR, STOPPED, attributes_of, folds_of
from sktransfer.tuning._retries import (
    ask_locked,
    current_trials,
    is_persistent,
    requeue_interrupted_trial,
    requeue_stale_trials,
)
from sktransfer.tuning._workers import fit_folds
from sktransfer.tuning.space import ask_parameters

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

# Seconds between looks at a study whose last trials run in other processes.
_POLL = 0.5


@dataclass
class _Running:
    """A trial that this process evaluates."""

    trial: Trial
    context: Any = None
    params: dict[str, Any] = field(default_factory=dict)
    scores: dict[int, float] = field(default_factory=dict)
    over: bool = False


@dataclass
class SearchLoop:
    """Evaluates trials until there are as many as were asked for.

    Attributes
    ----------
    study : optuna.study.Study
        Where trials are kept, and perhaps shared with other processes.
    space : dict of str to optuna.distributions.BaseDistribution
        What is asked for.
    evaluation : Evaluation
        What a trial is evaluated on.
    n_trials : int
        How many settings the study shall hold.
    batch_size : int
        Trials that are asked for at once.
    deadline : float or None
        Seconds of the epoch (`time.time`) at which to stop.
    parallel : dict
        What `sklearn.utils.parallel.Parallel` is given.
    search : TransferSearchCV
        Whose callbacks are called.
    context : sklearn.callback.CallbackContext
        Of the search.
    """

    study: Study
    space: dict[str, BaseDistribution]
    evaluation: Evaluation
    n_trials: int
    batch_size: int
    deadline: float | None
    parallel: dict[str, Any]
    search: Any
    context: Any
    stopped: bool = field(default=False, init=False)

    def run(self) -> None:
        """Go on until all trials have ended, here or in other processes, or time is over."""
        waited = 0.0
        while not (self._is_late() or self.stopped):
            requeue_stale_trials(self.study)
            trials = self._trials()
            n_waiting = sum(trial.state == TrialState.WAITING for trial in trials)
            n_new = 0 if self._is_exhausted() else max(0, self.n_trials - len(trials))
            running = [trial.number for trial in trials if trial.state == TrialState.RUNNING]
            if n_waiting or n_new:
                self._run_batch(min(self.batch_size, n_waiting + n_new))
                waited = 0.0
            elif running and self._wait_for(running, waited):
                waited += _POLL
            else:
                return

    def _wait_for(self, running: list[int], waited: float) -> bool:
        """Wait a little for trials of other processes; False if nothing tells when they die."""
        grace = grace_period(self.study)
        if grace is None:
            warn_user(
                f"Trials {running} run in other processes, or ended with them: that is not known, "
                "and they are not waited for, since this storage has no heartbeats. A path or a "
                "URL as storage has some."
            )
            return False
        if waited <= grace < waited + _POLL:
            # A process may have died between asking for a trial and its first heartbeat. With one
            # that is recorded here, its trial becomes stale like others.
            for number in running:
                record_heartbeat(self.study, number)
        time.sleep(_POLL)
        return True

    def _is_exhausted(self) -> bool:
        sampler = self.study.sampler
        return isinstance(sampler, GridSampler) and sampler.is_exhausted(self.study)

    def _trials(self) -> list[FrozenTrial]:
        return current_trials(self.study.get_trials(deepcopy=False))

    def _has_room(self) -> bool:
        """Say whether there is still a trial to ask for; other processes ask, too."""
        trials = self._trials()
        return len(trials) < self.n_trials or any(t.state == TrialState.WAITING for t in trials)

    def _is_late(self) -> bool:
        return self.deadline is not None and time.time() >= self.deadline

    def _run_batch(self, n_trials: int) -> None:
        batch: list[_Running] = []
        with contextlib.ExitStack() as heartbeats:
            try:
                while len(batch) < n_trials and (not batch or self._has_room()):
                    running = _Running(ask_locked(self.study))
                    batch.append(running)
                    heartbeats.enter_context(heartbeat(running.trial))
                    with self._unless_requeued(running):
                        self._begin(running)
                self._evaluate(batch)
            except BaseException as error:
                for running in batch:
                    # The error that ends the search is the one to be seen.
                    with contextlib.suppress(Exception):
                        self._abandon(running, error)
                raise

    def _begin(self, running: _Running) -> None:
        """Ask for the parameters of a trial, and read the folds that an earlier process fitted."""
        running.context = self.context.subcontext(
            task_name="trial", max_subtasks=len(self.evaluation.folds), sequential_subtasks=False
        ).call_on_fit_task_begin(estimator=self.search)
        running.params = ask_parameters(running.trial, self.evaluation.estimator, self.space)
        for i, fold in enumerate(self._folds_of(running)):
            if fold["test_scores"] is not None:
                running.scores[i] = self.evaluation.score_of(fold["test_scores"])

    def _folds_of(self, running: _Running) -> list[dict[str, Any]]:
        trial = self.study.get_trials(deepcopy=False)[running.trial.number]
        return folds_of(trial, len(self.evaluation.folds))

    def _evaluate(self, batch: list[_Running]) -> None:
        """Fit folds rung by rung, where rungs do not depend on the number of workers."""
        for rung in self._rungs():
            jobs = [
                (running, self._job(running, fold))
                for running in batch
                for fold in rung
                if not running.over and fold.number not in running.scores
            ]
            results = {
                (running.trial.number, job.fold.number): result
                for (running, job), result in zip(jobs, self._fit(jobs), strict=True)
            }
            for running in batch:
                for fold in rung:
                    if not running.over:
                        with self._unless_requeued(running):
                            self._tell_fold(running, fold, results)
        for running in batch:
            if not running.over:
                with self._unless_requeued(running):
                    self._tell_score(running)

    def _prunes(self) -> bool:
        return not isinstance(self.study.pruner, NopPruner)

    def _rungs(self) -> list[list[Fold]]:
        """Part the folds: after each part a trial may be pruned."""
        folds = self.evaluation.folds
        if not self._prunes():
            return [folds]
        # Most bad trials are pruned after the first fold; the more folds there are, the less the
        # next one tells, and larger rungs keep more workers busy.
        rungs, first, size = [], 0, 1
        while first < len(folds):
            rungs.append(folds[first : first + size])
            first, size = first + size, 2 * size
        return rungs

    def _job(self, running: _Running, fold: Fold) -> FoldJob:
        number = running.trial.number
        return FoldJob(
            fold=fold,
            params=running.params,
            earlier_scores=[score for i, score in running.scores.items() if i < fold.number],
            monitor=PruningMonitor(self.study, number) if self._prunes() else None,
            deadline=self.deadline,
            context=running.context.subcontext(
                task_name="candidate-split-evaluation", task_id=fold.number
            ),
            progress=(number, self.n_trials),
        )

    def _fit(self, jobs: Sequence[tuple[_Running, FoldJob]]) -> list[dict[str, Any]]:
        """Fit folds at once, and keep the result of each as soon as it is there."""

        def keep(i: int, result: dict[str, Any]) -> None:
            running, job = jobs[i]
            if result["ended"] is None:
                with self._unless_requeued(running):
                    for key, value in attributes_of(job.fold.number, result).items():
                        running.trial.set_user_attr(key, value)

        return fit_folds(self.evaluation, [job for _, job in jobs], self.parallel, keep)

    def _tell_fold(
        self, running: _Running, fold: Fold, results: dict[tuple[int, int], dict[str, Any]]
    ) -> None:
        """Report a fold to the pruner, and end the trial if that is enough to know."""
        result = results.get((running.trial.number, fold.number))
        if result is not None:
            if result["ended"] == "died":
                return self._fail(running, result["reason"])
            if result["ended"] == "timeout":
                return self._interrupt(running, STOPPED)
            pruned = [self._should_prune(running, *each) for each in result["reports"].items()]
            if result["ended"] == "pruned" or any(pruned):
                return self._end(running, state=TrialState.PRUNED)
            score = self._score(result)
            running.scores[fold.number] = score
            if not np.isfinite(score):
                why = result["fit_error"] or result["score_error"] or f"the score is {score}"
                return self._fail(running, why)
        if self._prunes():
            n = fold.number + 1
            mean = float(np.mean([running.scores[i] for i in range(n)]))
            pruned_now = self._should_prune(running, n * STEPS_PER_FOLD, mean)
            if pruned_now and n < len(self.evaluation.folds):
                self._end(running, state=TrialState.PRUNED)

    def _should_prune(self, running: _Running, step: int, score: float) -> bool:
        running.trial.report(score, step)
        return running.trial.should_prune()

    def _score(self, result: dict[str, Any]) -> float:
        if result["fit_error"] is not None:
            return float(self.evaluation.error_score)
        return self.evaluation.score_of(result["test_scores"])

    def _tell_score(self, running: _Running) -> None:
        errors = [fold[ERROR] for fold in self._folds_of(running)]
        if all(errors):
            return self._fail(running, errors[0])
        # As scikit-learn computes it, to the last bit.
        scores = [[running.scores[i] for i in range(len(errors))]]
        self._end(running, value=float(np.average(np.array(scores), axis=1)[0]))

    def _fail(self, running: _Running, reason: str) -> None:
        running.trial.set_user_attr(ERROR, reason)
        self._end(running, state=TrialState.FAIL)

    def _end(self, running: _Running, value: float | None = None, state: Any = None) -> None:
        try:
            self.study.tell(running.trial, value, state=state, skip_if_finished=True)
        except RuntimeError as error:
            # A sampler that has nothing left calls `Study.stop`, which raises outside of
            # `Study.optimize`.
            if "Study.stop" not in str(error):
                raise
            self.stopped = True
        self._leave(running)

    def _interrupt(self, running: _Running, reason: str) -> None:
        """End a trial that another call may take up again, if the study outlives this one."""
        if not is_persistent(self.study):
            return self._fail(running, reason)
        requeue_interrupted_trial(self.study, running.trial)
        self._leave(running)

    def _leave(self, running: _Running) -> None:
        running.over = True
        if running.context is not None:
            running.context.call_on_fit_task_end(estimator=self.search)

    def _abandon(self, running: _Running, error: BaseException) -> None:
        """End a trial as the error that ends the search asks for."""
        if running.over:
            return
        reason = f"{type(error).__name__}: {error}"
        if getattr(error, TRIAL_OF_ERROR, None) == running.trial.number:
            self._fail(running, reason)
        else:
            self._interrupt(running, f"interrupted by {reason}")

    @contextlib.contextmanager
    def _unless_requeued(self, running: _Running) -> Iterator[None]:
        """Leave a trial that became stale, as while this machine was suspended, to others."""
        try:
            yield
        except UpdateFinishedTrialError:
            running.over = True
