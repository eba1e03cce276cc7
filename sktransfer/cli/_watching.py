"""Progress of a training on the terminal, as callbacks of scikit-learn."""

from __future__ import annotations

from typing import Any

from sktransfer.cli.console import status

__all__ = ["TrainingStatus"]


class TrainingStatus:
    """Say which epoch a training has come to, for as long as the context lasts.

    Nothing is written where the standard error is not a terminal.

    Parameters
    ----------
    doing : str
        What is being done, such as ``"training on 16 rows"``.
    shown : bool, default=True
        Whether anything is. While it is, what is printed goes to the standard error.
    """

    def __init__(self, doing: str, *, shown: bool = True) -> None:
        self._doing = doing
        self._shown = shown
        self._status = status().status(doing)

    def __enter__(self) -> TrainingStatus:
        if self._shown:
            self._status.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._status.stop()

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Say which epoch begins.

        Parameters
        ----------
        estimator : estimator of sktransfer
            That is fitted.
        context : sklearn.callback.CallbackContext
            Of the training, or of an epoch.
        """
        n_epochs = context.parent.max_subtasks if context.task_name == "epoch" else 0
        # A single "epoch" may be the fit of a head to convergence.
        if n_epochs > 1:
            self._status.update(f"{self._doing}, epoch {context.task_id + 1} of {n_epochs}")

    def setup(self, estimator: Any, context: Any) -> None:
        """Do nothing; a command says itself when it begins."""

    def teardown(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Do nothing."""
