"""Ask, evaluate, tell: trials in batches, their folds in rungs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import NopPruner
from optuna.trial import TrialState

from sktransfer._warnings import warn_user
from sktransfer.tuning import _study
from sktransfer.tuning._course import STEPS_PER_FOLD, Course
from sktransfer.tuning._fold import TRIAL_OF_ERROR, Fold, Plan
from sktransfer.tuning._history import others_of, position_of, settings_of
from sktransfer.tuning._liveness import (
    ASKED,
    Heartbeat,
    heartbeat_interval,
)
from sktransfer.tuning._results import ERROR, STOPPED, attributes_of, folds_of
from sktransfer.tuning._trial import ask
from sktransfer.tuning._workers import Task, Workers

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

# Seconds between looks at a study whose last trials run elsewhere.
_POLL = 0.5


@dataclass
class _Running:
    """A trial that is being evaluated."""

    trial: Trial
    context: Any = None
    params: dict[str, Any] = field(default_factory=dict)
    others: tuple[FrozenTrial, ...] = ()
    scores: dict[int, float] = field(default_factory=dict)
    over: bool = False


class Loop:
    """Evaluate trials until there are as many as were asked for.

    Parameters
    ----------
    study : optuna.study.Study
        Where trials are kept, and perhaps shared with other processes.
    space : mapping of str to optuna.distributions.BaseDistribution
        What is asked for.
    task : Task
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
        Who is reported to the callbacks.
    context : sklearn.callback.CallbackContext
        Of the search.
    """

    def __init__(
        self,
        study: Study,
        space: Mapping[str, Any],
        task: Task,
        *,
        n_trials: int,
        batch_size: int,
        deadline: float | None,
        parallel: dict[str, Any],
        search: Any,
        context: Any,
    ) -> None:
        self.study = study
        self.space = space
        self.task = task
        self.n_trials = n_trials
        self.batch_size = batch_size
        self.deadline = deadline
        self.workers = Workers(task, parallel)
        self.search = search
        self.context = context
        self.stopped = False
        self._has_said_why = False
        self.prunes = not isinstance(study.pruner, NopPruner)

    def run(self) -> None:
        """Go on until all trials have ended, here or in other processes, or time is over."""
        while not (self._is_late() or self.stopped):
            _study.retry_the_dead(self.study)
            settings = self._settings()
            n_waiting = sum(trial.state == TrialState.WAITING for trial in settings)
            room = 0 if self._is_exhausted() else max(0, self.n_trials - len(settings))
            if n_waiting or room:
                begun = len(settings) % self.batch_size
                # Those that wait belong to a batch that was begun; it is filled up first.
                n_new = self.batch_size - begun if begun or not n_waiting else 0
                self._batch(min(self.batch_size, n_waiting + min(room, n_new)))
            elif any(trial.state == TrialState.RUNNING for trial in settings):
                self._wait_for(settings)
            else:
                return

    def _wait_for(self, settings: Sequence[FrozenTrial]) -> None:
        """Wait for trials of other processes; say once whom a storage without heartbeats hides."""
        time.sleep(_POLL)
        if self._has_said_why or heartbeat_interval(self.study._storage) is not None:
            return
        self._has_said_why = True
        running = [trial.number for trial in settings if trial.state == TrialState.RUNNING]
        warn_user(
            f"Waiting for trials {running}, which are running elsewhere. This storage has no "
            "heartbeats: if their process has died, end them with study.tell(number, "
            "state=optuna.trial.TrialState.FAIL). A path or URL as storage sees to that by itself."
        )

    def _is_exhausted(self) -> bool:
        """Say whether the sampler has nothing left, as of a grid that was walked before."""
        return getattr(self.study.sampler, "is_exhausted", lambda study: False)(self.study)

    def _has_room(self) -> bool:
        """Say whether there is another trial to ask for; other processes ask, too."""
        settings = self._settings()
        waits = any(trial.state == TrialState.WAITING for trial in settings)
        return waits or len(settings) < self.n_trials

    def _settings(self) -> list[FrozenTrial]:
        return settings_of(self.study.get_trials(deepcopy=False))

    def _known(self, running: _Running) -> FrozenTrial:
        """Give a trial as the study has it by now."""
        return self.study.get_trials(deepcopy=False)[running.trial.number]

    def _is_late(self) -> bool:
        return self.deadline is not None and time.time() >= self.deadline

    def _batch(self, n_trials: int) -> None:
        batch: list[_Running] = []
        with Heartbeat(self.study._storage) as heartbeat:
            try:
                while len(batch) < n_trials and (not batch or self._has_room()):
                    self._begin(heartbeat, batch)
                    if not batch:
                        return  # the only one was lost; what there is to do has changed
                self._evaluate(batch)
            except BaseException as error:
                # What was to be raised is raised, whatever state the study is in by now.
                for running in batch:
                    with contextlib.suppress(Exception):
                        self._abandon(running, error)
                raise

    def _begin(self, heartbeat: Heartbeat, batch: list[_Running]) -> None:
        """Ask for a trial, and add it to the batch, unless others took it for dead meanwhile."""
        trial = _study.ask(self.study)
        running = _Running(trial)
        batch.append(running)
        with self._unless_lost(running):
            running.context = self.context.subcontext(
                task_name="trial", max_subtasks=len(self.task.folds), sequential_subtasks=False
            ).call_on_fit_task_begin(estimator=self.search)
            self._choose(running, heartbeat)
        if running.over:
            batch.remove(running)

    def _choose(self, running: _Running, heartbeat: Heartbeat) -> None:
        """Ask for the parameters of a trial, and take over what an earlier process did for it."""
        trial = running.trial
        heartbeat.add(trial._trial_id)
        running.params = ask(trial, self.task.estimator, self.space)
        trial.set_user_attr(ASKED, True)
        settings = self._settings()
        place = position_of(trial, settings)
        running.others = others_of(place, settings, self.batch_size)
        for i, found in enumerate(folds_of(settings[place], len(self.task.folds))):
            if found["test_scores"]:
                scores = found["test_scores"]
                only = list(scores) == ["score"]
                running.scores[i] = self.task.score_of(scores["score"] if only else scores)

    def _evaluate(self, batch: list[_Running]) -> None:
        """Evaluate trials rung by rung; the rungs do not depend on how many workers there are."""
        for rung in self._rungs():
            plans = [
                (running, self._plan(running, fold))
                for running in batch
                if not running.over
                for fold in rung
                if fold.number not in running.scores
            ]
            found = self._fit(plans)
            for running in batch:
                if running.over:
                    continue
                own = [
                    (plan, result)
                    for (other, plan), result in zip(plans, found, strict=True)
                    if other is running
                ]
                with self._unless_lost(running):
                    self._take_in(running, own, rung)
        for running in batch:
            if not running.over:
                with self._unless_lost(running):
                    self._tell_score(running)

    def _rungs(self) -> list[list[Fold]]:
        """Part the folds: after each part a trial may be pruned."""
        folds = self.task.folds
        if not self.prunes:
            return [folds]
        # Most that are to be pruned are so after the first fold; the more there are, the less the
        # next one tells, and the more workers it keeps busy.
        rungs, first, size = [], 0, 1
        while first < len(folds):
            rungs.append(folds[first : first + size])
            first, size = first + size, 2 * size
        return rungs

    def _plan(self, running: _Running, fold: Fold) -> Plan:
        known = self._known(running)
        course = None
        if self.prunes:
            course = Course(known, running.others, self.study.study_name, self.study.pruner)
        return Plan(
            fold=fold,
            params=running.params,
            so_far=sum(running.scores[i] for i in range(fold.number) if i in running.scores),
            n_before=sum(i in running.scores for i in range(fold.number)),
            course=course,
            deadline=self.deadline,
            context=running.context.subcontext(
                task_name="candidate-split-evaluation", task_id=fold.number
            ),
            progress=(running.trial.number, self.n_trials),
        )

    def _fit(self, plans: Sequence[tuple[_Running, Plan]]) -> list[dict[str, Any]]:
        """Fit folds at once, and keep each as soon as it is there."""

        def keep(i: int, result: dict[str, Any]) -> None:
            running, plan = plans[i]
            if result["ended"] is None:
                with self._unless_lost(running):
                    for key, value in attributes_of(plan.fold.number, result).items():
                        running.trial.set_user_attr(key, value)

        return self.workers.fit([plan for _, plan in plans], keep)

    def _take_in(
        self, running: _Running, own: Sequence[tuple[Plan, dict[str, Any]]], rung: Sequence[Fold]
    ) -> None:
        """Note what the folds of a rung gave, and end the trial if that is enough to know."""
        for plan, found in own:
            if found["ended"] == "died":
                self._fail(running, found["reason"])
                return
            if found["ended"] == "timeout":
                self._interrupt(running, STOPPED)
                return
            self._report(running, found["reports"])
            self._note(running, found["rungs"])
            if found["ended"] == "pruned":
                self._end(running, state=TrialState.PRUNED)
                return
            fold = plan.fold.number
            running.scores[fold] = self._score(found)
            if not np.isfinite(running.scores[fold]):
                why = found["fit_error"] or found["score_error"]
                self._fail(running, why or f"the score is {running.scores[fold]}")
                return
        if not self.prunes:
            return
        for n in (fold.number + 1 for fold in rung):
            so_far = sum(running.scores[i] for i in range(n)) / n
            self._report(running, {n * STEPS_PER_FOLD: so_far})
        if n < len(self.task.folds) and self._is_hopeless(running):
            self._end(running, state=TrialState.PRUNED)

    def _score(self, found: Mapping[str, Any]) -> float:
        if found["fit_error"] is not None:
            return float(self.task.error_score)
        return self.task.score_of(found["test_scores"])

    def _report(self, running: _Running, reports: Mapping[int, float]) -> None:
        known = self._known(running).intermediate_values
        for step, score in reports.items():
            if step not in known:
                running.trial.report(score, step)

    def _is_hopeless(self, running: _Running) -> bool:
        known = self._known(running)
        course = Course(known, running.others, self.study.study_name, self.study.pruner)
        hopeless = course.is_hopeless()
        self._note(running, course.rungs())
        return hopeless

    def _note(self, running: _Running, rungs: Mapping[str, float]) -> None:
        """Keep what a pruner that halves has noted."""
        for key, value in rungs.items():
            self.study._storage.set_trial_system_attr(running.trial._trial_id, key, value)

    def _tell_score(self, running: _Running) -> None:
        folds = folds_of(self._known(running), len(self.task.folds))
        errors = [fold[ERROR] for fold in folds]
        if all(errors):
            self._fail(running, errors[0])
            return
        # As scikit-learn computes it, to the last bit.
        scores = [[running.scores[i] for i in range(len(folds))]]
        self._end(running, value=float(np.average(np.array(scores), axis=1)[0]))

    def _fail(self, running: _Running, reason: str) -> None:
        running.trial.set_user_attr(ERROR, reason)
        self._end(running, state=TrialState.FAIL)

    def _end(self, running: _Running, value: float | None = None, state: Any = None) -> None:
        running.over = True
        try:
            self.study.tell(running.trial, value, state=state, skip_if_finished=True)
        except RuntimeError as error:
            # A sampler that has nothing left calls `Study.stop`, which knows `optimize` alone.
            if "Study.stop" not in str(error):
                raise
            self.stopped = True
        self._leave(running)

    def _interrupt(self, running: _Running, reason: str) -> None:
        """End a trial that another call may take up again, if the study outlives this one."""
        if not _study.outlives(self.study):
            self._fail(running, reason)
            return
        running.over = True
        _study.requeue(self.study, self._known(running))
        self._leave(running)

    def _leave(self, running: _Running) -> None:
        if running.context is not None:
            running.context.call_on_fit_task_end(estimator=self.search)

    def _abandon(self, running: _Running, error: BaseException) -> None:
        """End a trial with what ended the search, or let it wait if the fault was not its own."""
        if running.over:
            return
        if getattr(error, TRIAL_OF_ERROR, None) == running.trial.number:
            self._fail(running, f"{type(error).__name__}: {error}")
        else:
            self._interrupt(running, f"interrupted by {type(error).__name__}: {error}")

    @contextlib.contextmanager
    def _unless_lost(self, running: _Running) -> Iterator[None]:
        """Leave a trial to those who took it for dead, as after a night's sleep of this machine."""
        try:
            yield
        except UpdateFinishedTrialError:
            running.over = True
