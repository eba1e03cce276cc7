"""A line that says how far a search is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["SearchProgress"]


class SearchProgress:
    """Show how far a search is: trials, best score, time left.

    A callback of scikit-learn's kind, for `TransferSearchCV.set_callbacks`. One line of the
    standard error is kept up to date; where that is no terminal, each trial adds a line.
    Trials that other processes add to a shared study count, too.

    `sklearn.callback.ProgressBar` shows the folds of each trial, but neither scores nor what was
    pruned.

    Notes
    -----
    The time left is the mean of the trials that have ended since the search began, times those
    that are to come, and at most what ``timeout`` leaves. It does not know that later trials are
    pruned more often.

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
        """Begin the line with the search.

        Parameters
        ----------
        estimator : TransferSearchCV
            That searches.
        context : sklearn.callback.CallbackContext
            Of the search, or of one of its trials.
        """
        if context.task_name == "search" and hasattr(estimator, "study_"):
            _LINES[id(estimator)] = _Line(estimator)

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
            _LINES[id(estimator)].update()
        elif context.task_name == "search":
            self.teardown(estimator, context)


class _Line:
    """What is shown of one search."""

    def __init__(self, search: Any) -> None:
        self._search = search
        self._begun = time.monotonic()
        self._n_before = len(self._ended())
        self._progress = _progress()
        self._task = self._progress.add_task("search", total=search.n_trials, said="", over=None)
        self.update()
        self._progress.start()

    def _ended(self) -> list[Any]:
        from sktransfer.tuning._history import settings_of

        trials = self._search.study_.get_trials(deepcopy=False)
        return [trial for trial in settings_of(trials) if trial.state.is_finished()]

    def update(self) -> None:
        ended = self._ended()
        self._progress.update(
            self._task,
            completed=len(ended),
            total=max(self._search.n_trials, len(ended)),
            said=_summary(ended),
            over=self._over(len(ended)),
            refresh=True,
        )
        console, total = self._progress.console, max(self._search.n_trials, len(ended))
        # The last state is printed by the line itself, when it stops.
        if self._n_before < len(ended) < total and not (console.is_terminal or console.is_jupyter):
            console.print(f"{len(ended)}/{total} trials {_summary(ended)}", soft_wrap=True)

    def _over(self, n_ended: int) -> float | None:
        """Estimate when the search is over, on the clock of `time.monotonic`."""
        now, timeout = time.monotonic(), self._search.timeout
        latest = None if timeout is None else self._begun + timeout
        if n_ended == self._n_before:
            return latest
        each = (now - self._begun) / (n_ended - self._n_before)
        over = now + each * max(0, self._search.n_trials - n_ended)
        return over if latest is None else min(over, latest)

    def stop(self) -> None:
        self._progress.stop()


# Callbacks are copied to workers; what is being shown stays here. Searches may be nested, and the
# inner one is part of the outer one's run, so that the key is the search itself.
_LINES: dict[int, _Line] = {}


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
            over = task.fields["over"]
            if over is None or task.finished:
                return Text("")
            seconds = max(0, round(over - time.monotonic()))
            minutes, seconds = divmod(seconds, 60)
            hours, minutes = divmod(minutes, 60)
            return Text(f"{hours}:{minutes:02d}:{seconds:02d} left")

    return Progress(
        MofNCompleteColumn(),
        TextColumn("trials"),
        BarColumn(bar_width=16),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
        TimeLeft(),
        console=Console(stderr=True, markup=False, emoji=False, highlight=False),
        refresh_per_second=2,
    )
