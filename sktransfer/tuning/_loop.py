"""Ask, evaluate, tell: trials in batches, their folds in rungs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import effective_n_jobs
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import NopPruner
from optuna.trial import TrialState
from sklearn.utils.parallel import Parallel, delayed

from sktransfer.tuning import _study
from sktransfer.tuning._course import STEPS_PER_FOLD, Course
from sktransfer.tuning._fold import Fold, Plan, fit_fold
from sktransfer.tuning._history import others_of, position_of, settings_of
from sktransfer.tuning._liveness import ASKED, PROCESS, Heartbeat, this_process
from sktransfer.tuning._results import ERROR, STOPPED, attributes_of, folds_of
from sktransfer.tuning._trial import ask

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

# Seconds between looks at a study whose last trials run elsewhere, or at a cluster, and until a
# cluster's workers that died are not expected back.
_POLL, _PATIENCE = 0.5, 30
_DIED = (
    "a worker process died while it was fitted, twice: perhaps for want of memory. Lower n_jobs or "
    "the estimator's batch_size."
)


@dataclass(frozen=True)
class Task:
    """What all folds of all trials have in common.

    Attributes
    ----------
    estimator : estimator
        Unfitted.
    X, y : object
        All data.
    folds : list of Fold
        Their rows.
    scorer : callable
        As scikit-learn's `_fit_and_score` takes it.
    metric : str or None
        Which of several scores is searched for; None if there is one, or none was named.
    error_score : "raise" or float
        As in scikit-learn.
    settings : dict
        What `fit_fold` takes besides.
    """

    estimator: Any
    X: Any
    y: Any
    folds: list[Fold]
    scorer: Any
    metric: str | None
    error_score: Any
    settings: dict[str, Any]

    def score_of(self, scores: Any) -> float:
        """Pick the score that is searched for."""
        if not isinstance(scores, dict):
            return float(scores)
        if self.metric not in scores:
            raise ValueError(
                "With several metrics refit has to name the one that is searched for: one of "
                f"{sorted(scores)}, got refit={self.metric!r}."
            )
        return float(scores[self.metric])


@dataclass
class _Running:
    """A trial that is being evaluated."""

    trial: Trial
    context: Any
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
        self.parallel = parallel
        self.search = search
        self.context = context
        self.stopped = False
        self.n_workers = effective_n_jobs(parallel["n_jobs"])
        self.prunes = not isinstance(study.pruner, NopPruner)

    def run(self) -> None:
        """Go on until all trials have ended, here or in other processes, or time is over."""
        while not (self._is_late() or self.stopped):
            _study.retry_the_dead(self.study)
            settings = self._settings()
            n_waiting = sum(trial.state == TrialState.WAITING for trial in settings)
            room = max(0, self.n_trials - len(settings))
            if n_waiting or room:
                begun = len(settings) % self.batch_size
                # Those that wait belong to a batch that was begun; it is filled up first.
                n_new = self.batch_size - begun if begun or not n_waiting else 0
                self._batch(n_waiting + min(room, n_new))
            elif any(trial.state == TrialState.RUNNING for trial in settings):
                time.sleep(_POLL)
            else:
                return

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
                for _ in range(n_trials):
                    batch.append(self._begin(heartbeat))
                self._evaluate(batch)
            except BaseException as error:
                # What was to be raised is raised, whatever state the study is in by now.
                for running in batch:
                    with contextlib.suppress(Exception):
                        self._abandon(running, error)
                raise

    def _begin(self, heartbeat: Heartbeat) -> _Running:
        trial = _study.ask(self.study)
        context = self.context.subcontext(
            task_name="trial", max_subtasks=len(self.task.folds), sequential_subtasks=False
        ).call_on_fit_task_begin(estimator=self.search)
        running = _Running(trial, context)
        try:
            self._choose(running, heartbeat)
        except BaseException as error:
            # Not in the batch yet; another call of this process would wait for it for ever.
            with contextlib.suppress(Exception):
                self._abandon(running, error)
            raise
        return running

    def _choose(self, running: _Running, heartbeat: Heartbeat) -> None:
        """Ask for the parameters of a trial, and take over what an earlier process did for it."""
        trial = running.trial
        # At once: a process that dies before this is only missed after the period of grace.
        trial.set_user_attr(PROCESS, this_process())
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
        """Fit folds at once; if a worker dies, those of one trial after the other, once more."""
        try:
            return self._in_parallel([plan for _, plan in plans])
        except Exception as error:
            if not _is_death(error) or self.task.error_score == "raise":
                raise
        self._await_workers()
        found: list[dict[str, Any]] = [{} for _ in plans]
        for running in {id(running): running for running, _ in plans}.values():
            places = [i for i, (other, _) in enumerate(plans) if other is running]
            try:
                results = self._in_parallel([plans[i][1] for i in places])
            except Exception as error:
                if not _is_death(error):
                    raise
                self._await_workers()
                results = [{"ended": "died"} for _ in places]
            for i, result in zip(places, results, strict=True):
                found[i] = result
        return found

    def _await_workers(self) -> None:
        """Let a cluster start a worker in place of the one that died.

        With one left, joblib would fit in this process, which then dies in its turn.
        """
        patience = time.time() + _PATIENCE
        while effective_n_jobs(self.parallel["n_jobs"]) < self.n_workers and time.time() < patience:
            time.sleep(_POLL)

    def _in_parallel(self, plans: Sequence[Plan]) -> list[dict[str, Any]]:
        if not plans:
            return []
        task = self.task
        return Parallel(**self.parallel)(
            delayed(fit_fold)(
                task.estimator,
                task.X,
                task.y,
                plan,
                scorer=task.scorer,
                metric=task.metric,
                n_folds=len(task.folds),
                error_score=task.error_score,
                **task.settings,
            )
            for plan in plans
        )

    def _take_in(
        self, running: _Running, own: Sequence[tuple[Plan, dict[str, Any]]], rung: Sequence[Fold]
    ) -> None:
        """Note what the folds of a rung gave, and end the trial if that is enough to know."""
        for plan, found in own:
            if found["ended"] == "died":
                self._fail(running, _DIED)
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
            for key, value in attributes_of(fold, found).items():
                running.trial.set_user_attr(key, value)
            running.scores[fold] = self._score(found)
            if not np.isfinite(running.scores[fold]):
                self._fail(running, found["fit_error"] or f"the score is {running.scores[fold]}")
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
        running.context.call_on_fit_task_end(estimator=self.search)

    def _interrupt(self, running: _Running, reason: str) -> None:
        """End a trial that another call may take up again, if the study outlives this one."""
        if not _study.outlives(self.study):
            self._fail(running, reason)
            return
        running.over = True
        _study.requeue(self.study, self._known(running))
        running.context.call_on_fit_task_end(estimator=self.search)

    def _abandon(self, running: _Running, error: BaseException) -> None:
        if running.over:
            return
        if isinstance(error, Exception):
            self._fail(running, f"{type(error).__name__}: {error}")
        else:
            self._interrupt(running, f"interrupted by {type(error).__name__}")

    @contextlib.contextmanager
    def _unless_lost(self, running: _Running) -> Iterator[None]:
        """Leave a trial to those who took it for dead, as after a night's sleep of this machine."""
        try:
            yield
        except UpdateFinishedTrialError:
            running.over = True


def _is_death(error: Exception) -> bool:
    # dask's errors must not be imported where there is no dask. The second one comes where the
    # worker that died was the only one that held some of the data.
    names = ("KilledWorker", "FutureCancelledError")
    return isinstance(error, BrokenProcessPool) or type(error).__name__ in names
