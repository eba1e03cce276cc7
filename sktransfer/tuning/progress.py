"""A callback that shows the progress of a search on one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["SearchProgress"]

# Seconds of trials by which rich estimates the time left: all of them, not its half a minute.
_ALL_TRIALS = 1e9


class SearchProgress:
    """Show how far a search is: trials, best score, time left.

    A callback of scikit-learn's kind, for `TransferSearchCV.set_callbacks`. One line of the
    standard error is kept up to date; if that is not a terminal, each trial adds a line. Trials
    that other processes add to a shared study count, too. If folds are fitted in this process, the
    line says which one is being fitted.

    Notes
    -----
    The time left is estimated by rich, from the time between trials. A trial that fits the head
    alone takes seconds, and says nothing about one that trains an encoder.

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
        """Do nothing, since the study does not exist yet."""

    def teardown(self, estimator: Any, context: Any) -> None:
        """End the line, also after an error."""
        if (line := _LINES.pop(id(estimator), None)) is not None:
            line.progress.stop()

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Begin the line with the search, and show which fold begins."""
        if context.task_name == "search" and hasattr(estimator, "study_"):
            _LINES[id(estimator)] = _Line(estimator, context)
        elif context.task_name == "candidate-split-evaluation":
            # A fold is fitted with a copy of the search, but the same contexts.
            search = context.parent.parent
            for line in [line for line in _LINES.values() if line.context is search]:
                line.show_fold(context.task_id)

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Update the line after each trial, and end it with the search."""
        # Folds end in workers, too, where there is no line.
        if context.task_name == "trial" and id(estimator) in _LINES:
            _LINES[id(estimator)].update()
        elif context.task_name == "search":
            self.teardown(estimator, context)


class _Line:
    """The line of one search."""

    def __init__(self, search: Any, context: Any) -> None:
        self.context = context
        self._search = search
        self._n_before = len(self._ended())
        self.progress = _progress()
        self._task = self.progress.add_task(
            "search", completed=self._n_before, total=search.n_trials, summary="", fold=""
        )
        self.update()
        self.progress.start()

    def _ended(self) -> list[Any]:
        from sktransfer.tuning._results import UNFINISHED, listed_trials

        listed = listed_trials(self._search.study_)
        return [trial for trial, state in listed if state != UNFINISHED]

    def show_fold(self, number: int) -> None:
        self.progress.update(self._task, fold=f"fold {number + 1}/{self._search.n_splits_}")

    def update(self) -> None:
        ended = self._ended()
        n, total, summary = len(ended), max(self._search.n_trials, len(ended)), _summary(ended)
        self.progress.update(
            self._task, completed=n, total=total, summary=summary, fold="", refresh=True
        )
        console = self.progress.console
        # The line itself prints the last state when it stops.
        if self._n_before < n < total and not (console.is_terminal or console.is_jupyter):
            console.print(f"{n}/{total} trials {summary}", soft_wrap=True)


# The lines by the id of their search, which may be nested. They are no attributes of the callback,
# which is copied to workers.
_LINES: dict[int, _Line] = {}


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

    return columns.Progress(
        columns.MofNCompleteColumn(),
        columns.TextColumn("trials"),
        columns.BarColumn(bar_width=16),
        columns.TextColumn("{task.fields[summary]}"),
        columns.TextColumn("{task.fields[fold]}"),
        columns.TimeElapsedColumn(),
        columns.TimeRemainingColumn(),
        columns.TextColumn("left"),
        console=Console(stderr=True, markup=False, emoji=False, highlight=False),
        speed_estimate_period=_ALL_TRIALS,
        refresh_per_second=2,
    )
