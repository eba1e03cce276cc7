"""Calls of scikit-learn's callbacks: a task for the fit, and a subtask for each epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sktransfer._compat.sklearn import root_callback_context
from sktransfer.contracts import Task


class CallbackBridge:
    """Call an estimator's callbacks as its training begins and ends, and at each epoch.

    Parameters
    ----------
    estimator : estimator of sktransfer
        Whose callbacks are notified.
    state : callable
        Gives the attributes of an estimator as if the training had ended now, for a task.
    task : Task
        From outputs to predictions.
    n_steps : int
        Epochs, all those of a probe counted as one.
    data : FitData
        What is trained on.
    """

    def __init__(
        self,
        estimator: Any,
        state: Callable[[Task], dict[str, Any]],
        task: Task,
        n_steps: int,
        data: Any,
    ) -> None:
        self._estimator = estimator
        self._state = state
        self._task = task
        self._n_steps = n_steps
        # Targets and inputs have to be of equal length, so rows without a label are not told of.
        self._data = {
            "X": lambda: data.inputs.take(data.labelled.tolist()).items,
            "y": lambda: data.task.decode(data.values),
            "metadata": lambda: {"sample_weight": data.sample_weight[data.labelled]},
        }

    def begin_fit(self) -> None:
        """Open the task of the whole training."""
        self._fit = root_callback_context(self._estimator, self._n_steps)
        self._fit.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def begin(self) -> None:
        """Open the subtask of an epoch."""
        self._epoch = self._fit.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def end(self) -> bool:
        """Close the subtask of an epoch; True if a callback ends the training."""
        return self._close(self._epoch, self._task)

    def end_fit(self, task: Task) -> None:
        """Close the task of the whole training."""
        self._close(self._fit, task)

    def _close(self, context: Any, task: Task) -> bool:
        return context.call_on_fit_task_end(
            estimator=self._estimator,
            **self._data,
            # They are set on a copy of the estimator: all at once, so that nothing of an earlier
            # fit is left.
            reconstruction_attributes=lambda: {"__dict__": self._state(task)},
        )
