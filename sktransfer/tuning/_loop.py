"""The loop of a search: trials are asked for in batches, and evaluated in rungs of folds."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import NopPruner
from optuna.samplers import GridSampler
from optuna.trial import TrialState

from sktransfer._compat.optuna import grace_period, heartbeat, is_persistent, record_heartbeat
from sktransfer._warnings import warn_user
from sktransfer.tuning import _retries
from sktransfer.tuning._fold import TRIAL_OF_ERROR, Evaluation, Fold, FoldJob, fit_folds, is_over
from sktransfer.tuning._pruning import STEPS_PER_FOLD, PruningMonitor
from sktransfer.tuning._results import ERROR, STOPPED, attributes_of, folds_of, is_unfinished
from sktransfer.tuning._start import ask_first_trial, is_first
from sktransfer.tuning.space import ask_parameters

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, Trial

# Seconds between queries of a study whose last trials run in other processes.
_POLL = 0.5


@dataclass
class _Running:
    """A trial that this process evaluates."""

    trial: Trial
    context: Any
    params: dict[str, Any] = field(default_factory=dict)
    scores: dict[int, float] = field(default_factory=dict)
    over: bool = False

    def attempt(self, step: Callable[..., None], *args: Any) -> None:
        """Call a step with the trial, unless the trial is over, or stale as after a suspend."""
        with contextlib.suppress(UpdateFinishedTrialError):
            if not self.over:
                return step(self, *args)
        self.over = True


class SearchLoop:
    """Evaluate trials until the study has ``n_trials`` of them, or the ``deadline`` is over.

    The deadline is a `time.time`; ``root`` is the callback context of ``search.fit``.
    """

    def __init__(
        self, search: Any, evaluation: Evaluation, data: Any, deadline: float | None, root: Any
    ) -> None:
        self.search = search
        self.study = search.study_
        self.evaluation, self.data = evaluation, data
        self.deadline = deadline
        # Trials of a persistent study may have been evaluated before, or be repeated.
        n_tasks = None if is_persistent(self.study) else search.n_trials
        self.context = root.subcontext("search", max_subtasks=n_tasks)
        self.prunes = not isinstance(self.study.pruner, NopPruner)
        self.stop_reason = "error"  # until the search stops by itself
        self.stopped = False

    def run(self) -> None:
        """Evaluate until all trials have ended, here or in other processes, or time is over."""
        self.context.call_on_fit_task_begin(estimator=self.search)
        try:
            self.stop_reason = self._run()
        except KeyboardInterrupt:
            self.stop_reason = "interrupted"
            raise
        self.context.call_on_fit_task_end(estimator=self.search)

    def _run(self) -> str:
        """Return the reason why the search stopped, as ``stop_reason_`` has it."""
        waited = 0.0
        while True:
            _retries.requeue_stale_trials(self.study)
            room = self._room()
            trials = self._trials()
            running = [trial.number for trial in trials if trial.state == TrialState.RUNNING]
            if self.stopped:
                return "exhausted"
            if is_over(self.deadline) and (room or running or any(map(is_unfinished, trials))):
                return "timeout"
            if room:
                self._run_batch(min(self.search.batch_size, room))
                waited = 0.0
            elif running and self._wait_for(running, waited):
                waited += _POLL
            else:
                return "n_trials" if len(trials) >= self.search.n_trials else "exhausted"

    def _trials(self) -> list[FrozenTrial]:
        return _retries.current_trials(self.study.get_trials(deepcopy=False))

    def _room(self) -> int:
        """Return the number of trials that are queued or may still be asked for."""
        trials = self._trials()
        n_new = 0 if self._is_exhausted() else max(0, self.search.n_trials - len(trials))
        return n_new + sum(trial.state == TrialState.WAITING for trial in trials)

    def _is_exhausted(self) -> bool:
        sampler = self.study.sampler
        return isinstance(sampler, GridSampler) and sampler.is_exhausted(self.study)

    def _wait_for(self, running: list[int], waited: float) -> bool:
        """Wait a little for trials of other processes; False if their death is not noticed."""
        if (grace := grace_period(self.study)) is None:
            warn_user(f"Trials {running} are not waited for: this storage has no heartbeats.")
            return False
        if waited <= grace < waited + _POLL:
            # A process may have died between asking for a trial and its first heartbeat. After the
            # heartbeat that is recorded here, its trial becomes stale as others do.
            for number in running:
                record_heartbeat(self.study, number)
        time.sleep(_POLL)
        return True

    def _run_heads(self) -> None:
        """Evaluate the trials that fit heads alone, which take seconds, so that they have results.

        The first trial may train until time is over.
        """
        n_left = self.study.sampler.n_heads
        while n_left > 0 and (room := self._room()) and not is_over(self.deadline):
            n_trials = min(self.search.batch_size, room, n_left)
            self._run_batch(n_trials)
            n_left -= n_trials

    def _run_batch(self, n_trials: int) -> None:
        batch: list[_Running] = []
        with contextlib.ExitStack() as heartbeats:
            try:
                # Other processes may take trials in the meantime.
                while len(batch) < n_trials and (not batch or self._room()):
                    context = self.context.subcontext(
                        "trial", max_subtasks=self.search.n_splits_, sequential_subtasks=False
                    )
                    running = _Running(_retries.ask_locked(self.study), context)
                    batch.append(running)
                    heartbeats.enter_context(heartbeat(running.trial))
                    running.attempt(self._begin)
                if self.deadline is not None and any(is_first(r.trial) for r in batch):
                    self._run_heads()
                for rung in self._rungs():
                    self._evaluate([running for running in batch if not running.over], rung)
                for running in batch:
                    running.attempt(self._tell_score)
            except BaseException as error:
                # The user has to see the error that ends the search, not one of the cleanup.
                for running in (running for running in batch if not running.over):
                    with contextlib.suppress(Exception):
                        self._abandon(running, error)
                raise

    def _begin(self, running: _Running) -> None:
        """Ask for the parameters of a trial, and read its scores of earlier processes."""
        running.context.call_on_fit_task_begin(estimator=self.search)
        estimator, space = self.evaluation.search.estimator, self.search.search_space_
        if is_first(running.trial):
            running.params = ask_first_trial(running.trial, estimator, space)
        else:
            running.params = ask_parameters(running.trial, estimator, space)
        for i, fold in enumerate(self._folds_of(running)):
            if fold["test_scores"] is not None:
                running.scores[i] = self.evaluation.score_of(fold["test_scores"])

    def _folds_of(self, running: _Running) -> list[dict[str, Any]]:
        trial = self.study.get_trials(deepcopy=False)[running.trial.number]
        return folds_of(trial, len(self.evaluation.folds))

    def _rungs(self) -> list[list[Fold]]:
        """Return the rungs, which do not depend on the number of workers."""
        folds = self.evaluation.folds
        if not self.prunes:
            return [folds]
        # Folds 0, 1 to 2, 3 to 6...: most bad trials are pruned after the first fold, each further
        # fold tells less, and larger rungs keep more workers busy.
        starts = [2**i - 1 for i in range(len(folds).bit_length())]
        return [folds[start : 2 * start + 1] for start in starts if start < len(folds)]

    def _evaluate(self, batch: Sequence[_Running], rung: Sequence[Fold]) -> None:
        """Fit the folds of a rung at once, and store each result as soon as it is known."""
        jobs = [
            (running, self._job(running, fold))
            for running in batch
            for fold in rung
            if fold.number not in running.scores
        ]

        def keep(i: int, result: dict[str, Any]) -> None:
            running, job = jobs[i]
            running.attempt(self._keep, job.fold.number, result)

        results = iter(fit_folds(self.evaluation, self.data, [job for _, job in jobs], keep))
        for running in batch:
            for fold in rung:
                result = None if fold.number in running.scores else next(results)
                running.attempt(self._tell_fold, fold.number, result)

    def _keep(self, running: _Running, fold: int, result: dict[str, Any]) -> None:
        for key, value in attributes_of(fold, result).items():
            running.trial.set_user_attr(key, value)

    def _job(self, running: _Running, fold: Fold) -> FoldJob:
        number, first = running.trial.number, is_first(running.trial)
        return FoldJob(
            fold=fold,
            params=self.search.search_space_.restored(running.params),
            earlier_scores=[score for i, score in running.scores.items() if i < fold.number],
            monitor=PruningMonitor(self.study, number, not first) if self.prunes else None,
            deadline=self.deadline,
            context=running.context.subcontext(
                task_name="candidate-split-evaluation", task_id=fold.number
            ),
            progress=(number, self.search.n_trials),
        )

    def _tell_fold(self, running: _Running, fold: int, result: dict[str, Any] | None) -> None:
        """Report a fold to the pruner, and end the trial if it failed or is pruned."""
        if result is not None:
            if result["ended"] == "died":
                return self._fail(running, result["reason"])
            if result["ended"] == "timeout":
                return self._interrupt(running, STOPPED)
            pruned = [self._should_prune(running, *each) for each in result["reports"].items()]
            if result["ended"] == "pruned" or any(pruned):
                return self._end(running, state=TrialState.PRUNED)
            scores, error = result["test_scores"], result["fit_error"] or result["score_error"]
            failed = result["fit_error"] is not None
            score = self.search.error_score if failed else self.evaluation.score_of(scores)
            running.scores[fold] = score
            if not np.isfinite(score):
                return self._fail(running, error or f"the score is {score}")
        if self.prunes:
            n = fold + 1
            mean = float(np.mean([running.scores[i] for i in range(n)]))
            if self._should_prune(running, n * STEPS_PER_FOLD, mean) and n < self.search.n_splits_:
                self._end(running, state=TrialState.PRUNED)

    def _should_prune(self, running: _Running, step: int, score: float) -> bool:
        running.trial.report(score, step)
        # The first trial is what all others are compared with.
        return not is_first(running.trial) and running.trial.should_prune()

    def _tell_score(self, running: _Running) -> None:
        errors = [fold[ERROR] for fold in self._folds_of(running)]
        if all(errors):
            return self._fail(running, errors[0])
        # As scikit-learn computes it, to the last bit.
        scores = np.array([[running.scores[i] for i in range(len(errors))]])
        self._end(running, value=float(np.average(scores, axis=1)[0]))

    def _fail(self, running: _Running, reason: str) -> None:
        running.trial.set_user_attr(ERROR, reason)
        self._end(running, state=TrialState.FAIL)

    def _end(self, running: _Running, value: float | None = None, state: Any = None) -> None:
        try:
            self.study.tell(running.trial, value, state=state, skip_if_finished=True)
        except RuntimeError as error:
            # A sampler that is exhausted calls `Study.stop`, which only `Study.optimize` allows.
            if "Study.stop" not in str(error):
                raise
            self.stopped = True
        self._leave(running)

    def _interrupt(self, running: _Running, reason: str) -> None:
        """End a trial, and queue it again for another call if the study is persistent."""
        if not is_persistent(self.study):
            return self._fail(running, reason)
        _retries.requeue_interrupted_trial(self.study, running.trial)
        self._leave(running)

    def _leave(self, running: _Running) -> None:
        running.over = True
        running.context.call_on_fit_task_end(estimator=self.search)

    def _abandon(self, running: _Running, error: BaseException) -> None:
        """End a trial after an error: as failed if the error is its own, else as interrupted."""
        reason = f"{type(error).__name__}: {error}"
        if getattr(error, TRIAL_OF_ERROR, None) == running.trial.number:
            self._fail(running, reason)
        else:
            self._interrupt(running, f"interrupted by {reason}")
