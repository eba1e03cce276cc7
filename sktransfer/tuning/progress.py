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


class SearchProgress:
    """Show how far a search is: trials, best score, time left.

    A callback of scikit-learn's kind, for `TransferSearchCV.set_callbacks`. One line of the
    standard error is kept up to date; where that is no terminal, each trial adds a line.
    Trials that other processes add to a shared study count, too. Where folds are fitted in this
    process, the line says which one is being fitted.

    Notes
    -----
    The time left is the mean of the trials that have ended since the search began, times those
    that are to come, and at most what ``timeout`` leaves. A trial that takes longer raises it.
    Nothing is said of it before three trials have ended, and before as many have as there are names
    to choose from, as for ``freeze``: a trial that fits the head alone takes seconds, and says
    nothing about one that trains an encoder.

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
        """End the line, also after an error."""
        if (line := _LINES.pop(id(estimator), None)) is not None:
            line.progress.stop()

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Begin the line with the search, and count the trials and folds that begin."""
        if context.task_name == "search" and hasattr(estimator, "study_"):
            _LINES[id(estimator)] = _Line(estimator, context)
        elif context.task_name == "trial" and id(estimator) in _LINES:
            _LINES[id(estimator)].n_running += 1
        elif context.task_name == "candidate-split-evaluation":
            # A fold is fitted with a copy of the search, but the same contexts.
            search = context.parent.parent
            for line in [line for line in _LINES.values() if line.context is search]:
                line.show_fold(context.task_id)

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Bring the line up to date with each trial, and end it with the search."""
        # Folds end in workers, too, where there is no line.
        if context.task_name == "trial" and id(estimator) in _LINES:
            _LINES[id(estimator)].end_trial()
        elif context.task_name == "search":
            self.teardown(estimator, context)


class _Line:
    """What is shown of one search."""

    def __init__(self, search: Any, context: Any) -> None:
        self.context = context
        self.n_running = 0
        self._search = search
        self._begun = self._latest = time.monotonic()
        self._n_before = self._n_ended = len(self._ended())
        self._n_needed = trials_needed(search.search_space_)
        self.progress = _progress()
        self._task = self.progress.add_task("search", summary="", fold="", left=self._left)
        self._update()
        self.progress.start()

    def _ended(self) -> list[Any]:
        from sktransfer.tuning._retries import current_trials

        trials = self._search.study_.get_trials(deepcopy=False)
        return [trial for trial in current_trials(trials) if trial.state.is_finished()]

    def show_fold(self, number: int) -> None:
        self.progress.update(self._task, fold=f"fold {number + 1}/{self._search.n_splits_}")

    def end_trial(self) -> None:
        self.n_running -= 1
        self._update()

    def _update(self) -> None:
        ended = self._ended()
        n, total, summary = len(ended), max(self._search.n_trials, len(ended)), _summary(ended)
        if n > self._n_ended:
            self._n_ended, self._latest = n, time.monotonic()
        self.progress.update(
            self._task, completed=n, total=total, summary=summary, fold="", refresh=True
        )
        console = self.progress.console
        # The last state is printed by the line itself, when it stops.
        if self._n_before < n < total and not (console.is_terminal or console.is_jupyter):
            console.print(f"{n}/{total} trials {summary}", soft_wrap=True)

    def _left(self) -> str:
        now, timeout = time.monotonic(), self._search.timeout
        limit = None if timeout is None else max(0.0, self._begun + timeout - now)
        n_done = self._n_ended - self._n_before
        if n_done < self._n_needed:
            return "" if limit is None else f"at most {_clock(limit)} left"
        left = seconds_left(
            self._latest - self._begun,
            now - self._latest,
            n_done=n_done,
            n_running=self.n_running,
            n_left=max(0, self._search.n_trials - self._n_ended),
        )
        return f"{_clock(left if limit is None else min(left, limit))} left"


# Callbacks are copied to workers; what is being shown stays here. Searches may be nested, and the
# inner one is part of the outer one's run, so that the key is the search itself.
_LINES: dict[int, _Line] = {}


def trials_needed(space: Mapping[str, Any]) -> int:
    """Say how many trials tell how long one takes.

    At least 3, and as many as the longest choice of names has: plugins differ in what they cost.
    """
    choices = [getattr(distribution, "choices", ()) for distribution in space.values()]
    names = [len(c) for c in choices if all(isinstance(value, str) for value in c)]
    return max(_FEWEST, *names, 0)


def seconds_left(
    worked: float, waited: float, *, n_done: int, n_running: int, n_left: int
) -> float:
    """Estimate how many seconds the ``n_left`` trials will take that have not ended.

    ``n_done`` ended in ``worked`` seconds, and ``n_running`` are running, since ``waited`` seconds.
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
    from sktransfer.tuning._results import has_failed

    complete = [trial for trial in ended if trial.state.name == "COMPLETE"]
    n_pruned = sum(trial.state.name == "PRUNED" for trial in ended)
    n_failed = sum(map(has_failed, ended))
    best = max(complete, key=lambda trial: trial.value, default=None)
    parts = [] if best is None else [f"best {best.value:.4f} (trial {best.number})"]
    parts += [f"{n_pruned} pruned"] if n_pruned else []
    return ", ".join(parts + ([f"{n_failed} failed"] if n_failed else []))


def _progress() -> Progress:
    from rich import progress as columns
    from rich.console import Console
    from rich.text import Text

    class TimeLeft(columns.ProgressColumn):
        # rich's own forgets what took longer than half a minute.
        def render(self, task: Any) -> Text:
            return Text("" if task.finished else task.fields["left"]())

    return columns.Progress(
        columns.MofNCompleteColumn(),
        columns.TextColumn("trials"),
        columns.BarColumn(bar_width=16),
        columns.TextColumn("{task.fields[summary]}"),
        columns.TextColumn("{task.fields[fold]}"),
        columns.TimeElapsedColumn(),
        TimeLeft(),
        console=Console(stderr=True, markup=False, emoji=False, highlight=False),
        refresh_per_second=2,
    )
