"""scikit-learn's callbacks on a training: a task for the fit, a subtask for each epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sktransfer._compat.sklearn import root_callback_context
from sktransfer.estimators._reading import Reading
from sktransfer.estimators._targets import Targets


class Watch:
    """Tell the callbacks of an estimator what its training does.

    Parameters
    ----------
    estimator : estimator of sktransfer
        Whose callbacks are told.
    attributes : callable
        Gives the fitted attributes as if the training had ended now, for a reading.
    reading : Reading
        From outputs to predictions.
    n_steps : int
        Epochs, all those of a probe counted as one.
    X : list
        Training inputs.
    targets : Targets
        Training targets.
    """

    def __init__(
        self,
        estimator: Any,
        attributes: Callable[[Reading], dict[str, Any]],
        reading: Reading,
        n_steps: int,
        X: list[Any],
        targets: Targets,
    ) -> None:
        self._estimator = estimator
        self._attributes = attributes
        self._reading = reading
        self._n_steps = n_steps
        self._data = {
            "X": X,
            "y": lambda: targets.reading.truth(targets.values),
            "metadata": lambda: {"sample_weight": targets.weights},
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
        return self._close(self._epoch, self._reading)

    def end_fit(self, reading: Reading) -> None:
        """Close the task of the whole training."""
        self._close(self._fit, reading)

    def _close(self, context: Any, reading: Reading) -> bool:
        return context.call_on_fit_task_end(
            estimator=self._estimator,
            **self._data,
            # They are set on a copy of the estimator, which may have an earlier fit's temperature.
            reconstruction_attributes=lambda: {"temperature_": None, **self._attributes(reading)},
        )
