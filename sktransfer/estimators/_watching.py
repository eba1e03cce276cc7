"""scikit-learn's callbacks on a training: a task for the fit, a subtask for each epoch."""

from __future__ import annotations

from typing import Any

from sktransfer.estimators._reading import Reading
from sktransfer.estimators._targets import Targets


class Watch:
    """Tell the callbacks of an estimator what its training does.

    Parameters
    ----------
    estimator : estimator of sktransfer
        Whose callbacks are told.
    made : Assembly
        What is trained.
    parts : Parts
        What it was made of.
    reading : Reading
        From outputs to predictions.
    plan : Plan
        The epochs.
    X : list
        Training inputs.
    targets : Targets
        Training targets.
    """

    def __init__(
        self,
        estimator: Any,
        made: Any,
        parts: Any,
        reading: Reading,
        plan: Any,
        X: list[Any],
        targets: Targets,
    ) -> None:
        self._estimator = estimator
        self._made = made
        self._parts = parts
        self._reading = reading
        # However many epochs a probe stands for, it is one step.
        self._n_steps = len(plan.epochs) - max(0, plan.n_probe - 1)
        self._data = {"X": X, "y": lambda: targets.reading.truth(targets.values)}
        self._weights = {"metadata": lambda: {"sample_weight": targets.weights}}

    def begin_fit(self) -> None:
        """Open the task of the whole training."""
        self._fit = self._estimator._init_callback_context(max_subtasks=self._n_steps)
        self._fit.call_on_fit_task_begin(estimator=self._estimator, **self._data, **self._weights)

    def begin(self) -> None:
        """Open the subtask of an epoch."""
        self._epoch = self._fit.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._data, **self._weights)

    def end(self) -> bool:
        """Close the subtask of an epoch; True if a callback ends the training."""
        return self._close(self._epoch, self._reading)

    def end_fit(self, reading: Reading) -> None:
        """Close the task of the whole training."""
        self._close(self._fit, reading)

    def _close(self, context: Any, reading: Reading) -> bool:
        from sktransfer.training.state import FittedNet

        def fitted() -> dict[str, Any]:
            net = FittedNet(
                module=self._made.module,
                backbone=self._parts.backbone,
                backbone_seed=self._made.backbone_seed,
                head=self._parts.head,
            )
            return {"net_": net, **reading.attributes()}

        return context.call_on_fit_task_end(
            estimator=self._estimator,
            **self._data,
            **self._weights,
            reconstruction_attributes=fitted,
        )
