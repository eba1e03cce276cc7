"""A line that says how far a search is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["SearchProgress", "seconds_left", "trials_needed"]

# Fewer trials are no ground for an estimate.
_FEWEST = 3
# scikit-learn's name of the task of a fold.
_FOLD = "candidate-split-evaluation"


class SearchProgress:
    """Show how far a search is: trials, best score, time left.

    A callback of scikit-learn's kind, for `TransferSearchCV.set_callbacks`. One line of the
    standard error is kept up to date; where that is no terminal, each trial adds a line.
    Trials that other processes add to a shared study count, too. Where folds are fitted in this
    process, the line says which one is being fitted.

    `sklearn.callback.ProgressBar` shows the folds of each trial, but neither scores nor what was
    pruned.

    Notes
    -----
    The time left is the mean of the trials that have ended since the search began, times those
    that are to come, and at most what ``timeout`` leaves. A trial that takes longer than that mean
    raises it while it runs. Nothing is said of it before three trials have ended, and before as
    many have as there are names to choose from, as for ``freeze``: a trial that fits the head alone
    takes seconds, and says nothing about one that trains an encoder. The estimate does not know
    that later trials are pruned more often.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sktransfer import TransferSearchCV
    >>> from sktransfer.tuning import SearchProgress
    >>> search = TransferSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, n_trials=2, cv=2)
    >>> search = search.set_callbacks(SearchProgress())
    >>> search = search.fit([[0.0], [1.0]] * 4, [0, 1] * 4)
    """

    def setup(self, estimator: Any, context: Any) -> None:
        """Do nothing; the study is not there yet."""

    def teardown(self, estimator: Any, context: Any) -> None:
        """Let go of the line, also after an error.

        Parameters
        ----------
        estimator : TransferSearchCV
            That has searched.
        context : sklearn.callback.CallbackContext
            Of the search.
        """
        line = _LINES.pop(id(estimator), None)
        if line is not None:
            line.stop()

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Begin the line with the search, and say what is running.

        Parameters
        ----------
        estimator : TransferSearchCV
            That searches.
        context : sklearn.callback.CallbackContext
            Of the search, of one of its trials, or of a fold.
        """
        if context.task_name == "search" and hasattr(estimator, "study_"):
            _LINES[id(estimator)] = _Line(estimator, context)
        elif context.task_name == "trial" and id(estimator) in _LINES:
            _LINES[id(estimator)].begin()
        elif context.task_name == _FOLD:
            # Those who fit hold another copy of the search, but the same contexts.
            search = context.parent.parent
            for line in [line for line in _LINES.values() if line.context is search]:
                line.show_fold(context.task_id)

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Bring the line up to date with each trial, and end it with the search.

        Parameters
        ----------
        estimator : TransferSearchCV
            That searches.
        context : sklearn.callback.CallbackContext
            Of the search, or of one of its trials.
        """
        # Folds end in workers, too, where there is no line.
        if context.task_name == "trial" and id(estimator) in _LINES:
            _LINES[id(estimator)].end()
        elif context.task_name == "search":
            self.teardown(estimator, context)


class _Line:
    """What is shown of one search."""

    def __init__(self, search: Any, context: Any) -> None:
        self.context = context
        self._search = search
        self._begun = self._latest = time.monotonic()
        self._n_before = self._n_ended = len(self._ended())
        self._n_running = 0
        self._n_needed = trials_needed(search.search_space_)
        self._progress = _progress()
        self._task = self._progress.add_task(
            "search", total=search.n_trials, said="", fold="", left=self._left
        )
        self._update()
        self._progress.start()

    def _ended(self) -> list[Any]:
        from sktransfer.tuning._retries import current_trials

        trials = self._search.study_.get_trials(deepcopy=False)
        return [trial for trial in current_trials(trials) if trial.state.is_finished()]

    def begin(self) -> None:
        """Note that a trial has begun."""
        self._n_running += 1

    def show_fold(self, number: int) -> None:
        """Say which fold is being fitted."""
        self._progress.update(self._task, fold=f"fold {number + 1}/{self._search.n_splits_}")

    def end(self) -> None:
        """Note that a trial has ended."""
        self._n_running -= 1
        self._update()

    def _update(self) -> None:
        ended = self._ended()
        if len(ended) > self._n_ended:
            self._n_ended, self._latest = len(ended), time.monotonic()
        self._progress.update(
            self._task,
            completed=len(ended),
            total=max(self._search.n_trials, len(ended)),
            said=_summary(ended),
            fold="",
            refresh=True,
        )
        console, total = self._progress.console, max(self._search.n_trials, len(ended))
        # The last state is printed by the line itself, when it stops.
        if self._n_before < len(ended) < total and not (console.is_terminal or console.is_jupyter):
            console.print(f"{len(ended)}/{total} trials {_summary(ended)}", soft_wrap=True)

    def _left(self) -> str:
        """Say how long it will take, as far as that is known."""
        now, timeout = time.monotonic(), self._search.timeout
        limit = None if timeout is None else max(0.0, self._begun + timeout - now)
        n_done = self._n_ended - self._n_before
        if n_done < self._n_needed:
            return "" if limit is None else f"at most {_clock(limit)} left"
        left = seconds_left(
            self._latest - self._begun,
            now - self._latest,
            n_done=n_done,
            n_running=self._n_running,
            n_left=max(0, self._search.n_trials - self._n_ended),
        )
        return f"{_clock(left if limit is None else min(left, limit))} left"

    def stop(self) -> None:
        self._progress.stop()


# Callbacks are copied to workers; what is being shown stays here. Searches may be nested, and the
# inner one is part of the outer one's run, so that the key is the search itself.
_LINES: dict[int, _Line] = {}


def trials_needed(space: Mapping[str, Any]) -> int:
    """Say how many trials tell how long one takes.

    Parameters
    ----------
    space : mapping of str to optuna.distributions.BaseDistribution
        What is searched.

    Returns
    -------
    n_trials : int
        As many as the longest choice of names has, which stand for plugins and differ in what they
        cost; at least 3.
    """
    choices = [getattr(each, "choices", ()) for each in space.values()]
    names = [len(each) for each in choices if all(isinstance(value, str) for value in each)]
    return max(_FEWEST, *names, 0)


def seconds_left(
    worked: float, waited: float, *, n_done: int, n_running: int, n_left: int
) -> float:
    """Estimate how long the trials that have not ended will take.

    Parameters
    ----------
    worked : float
        Seconds until the last trial ended.
    waited : float
        Seconds since then.
    n_done : int
        Trials that ended in that time; at least one.
    n_running : int
        Trials that are running.
    n_left : int
        Trials that have not ended, the running ones among them.

    Returns
    -------
    seconds : float
        Never less than if the running trials ended at this moment.
    """
    running = min(max(1, n_running), n_left)
    each = worked / n_done
    if waited <= running * each:
        return each * n_left - waited
    # They take longer than those before; so may the others.
    return (worked + waited) / (n_done + running) * (n_left - running)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"


def _summary(ended: list[Any]) -> str:
    """Say what has come out so far."""
    from sktransfer.tuning._results import has_failed

    said = []
    done = [trial for trial in ended if trial.state.name == "COMPLETE"]
    if done:
        best = max(done, key=lambda trial: trial.value)
        said.append(f"best {best.value:.4f} (trial {best.number})")
    for n, word in (
        (sum(trial.state.name == "PRUNED" for trial in ended), "pruned"),
        (sum(map(has_failed, ended)), "failed"),
    ):
        if n:
            said.append(f"{n} {word}")
    return ", ".join(said)


def _progress() -> Progress:
    """Make the line."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.text import Text

    class TimeLeft(ProgressColumn):
        # rich's own forgets what took longer than half a minute.
        def render(self, task: Any) -> Text:
            return Text("" if task.finished else task.fields["left"]())

    return Progress(
        MofNCompleteColumn(),
        TextColumn("trials"),
        BarColumn(bar_width=16),
        TextColumn("{task.fields[said]}"),
        TextColumn("{task.fields[fold]}"),
        TimeElapsedColumn(),
        TimeLeft(),
        console=Console(stderr=True, markup=False, emoji=False, highlight=False),
        refresh_per_second=2,
    )
