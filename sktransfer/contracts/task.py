"""The contract of tasks: how targets are encoded, which loss is minimised, and predictions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sktransfer.contracts.head import Head
from sktransfer.contracts.inputs import is_missing

if TYPE_CHECKING:
    import torch

__all__ = ["LabelChange", "Task"]


@dataclass(frozen=True)
class LabelChange:
    """How one set of outputs becomes another.

    Attributes
    ----------
    kept, added, dropped : list
        Labels, in order.
    rows : list of (int, int)
        Positions of each kept label now and before.
    """

    kept: list[Any]
    added: list[Any]
    dropped: list[Any]
    rows: list[tuple[int, int]]

    @classmethod
    def between(cls, old: np.ndarray | None, new: np.ndarray) -> LabelChange:
        """Compare two label sets.

        Parameters
        ----------
        old : ndarray of shape (n_before,) or None
            None where there was none.
        new : ndarray of shape (n_now,)
            The one that takes its place.

        Returns
        -------
        change : LabelChange
        """
        before = [] if old is None else old.tolist()
        after = new.tolist()
        rows = [(i, before.index(label)) for i, label in enumerate(after) if label in before]
        return cls(
            kept=[after[i] for i, _ in rows],
            added=[label for label in after if label not in before],
            dropped=[label for label in before if label not in after],
            rows=rows,
        )


class Task(ABC):
    """What a target is: one class, several labels, numbers, a tag for each word.

    A task comes with its estimator, which makes one from the targets of a fit. It is not changed
    afterwards: what is learned from held-out rows is in the copy that `calibrate` returns.

    Attributes
    ----------
    unit : str
        What `rows_each` counts rows for, such as ``"class"``.
    of_states : bool
        Whether each row has a value for each of its states, instead of one for the whole row. The
        head then maps states to outputs; values, outputs and losses of all rows of a batch stand
        one after the other.
    is_regression : bool
        Whether scorers see a regressor.
    """

    unit: ClassVar[str]
    of_states: ClassVar[bool] = False
    is_regression: ClassVar[bool] = False

    @classmethod
    def is_marker(cls, target: Any) -> bool:
        """Tell whether a target says that its row has no label.

        It is asked beside ``sample_domain`` alone, for a class that the estimator names, since
        the task itself is made from labelled targets.

        Parameters
        ----------
        target : object
            One target as users pass it: a value, or a list or array of values, as it is for a row
            of a matrix and for a row of states.

        Returns
        -------
        is_marker : bool
            By default, whether it is None, NaN or another missing value, or has no other values.
        """
        values = target if isinstance(target, list | tuple | np.ndarray) else [target]
        return all(is_missing(value) for value in values)

    @property
    @abstractmethod
    def names(self) -> np.ndarray:
        """What each output of the head stands for, of shape (n_outputs,)."""

    @abstractmethod
    def encode(self, y: Any) -> np.ndarray:
        """Code targets.

        Parameters
        ----------
        y : array-like of n targets
            As users pass them, all of them labelled.

        Returns
        -------
        values : ndarray of shape (n,) or (n, n_outputs)
            Codes of labels as int64, or float32. Where each state has a value, an object array of
            n such arrays of any lengths.
        """

    @abstractmethod
    def decode(self, values: np.ndarray) -> Any:
        """Undo `encode`.

        Parameters
        ----------
        values : ndarray of n values
            What `encode` returned.

        Returns
        -------
        y : array-like with an entry for each row
        """

    @abstractmethod
    def loss(self, head: Head, outputs: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Compute the loss of each row, or of each state, through the head.

        Parameters
        ----------
        head : Head
            Owns the loss of outputs.
        outputs : torch.Tensor of shape (n, n_outputs)
            What the head's module returned.
        values : torch.Tensor of shape (n,) or (n, n_outputs)
            Coded targets.

        Returns
        -------
        loss : torch.Tensor of shape (n,)
        """

    @abstractmethod
    def predict(self, head: Head, outputs: torch.Tensor, lengths: Sequence[int] = ()) -> Any:
        """Predict targets from outputs.

        Parameters
        ----------
        head : Head
            Owns the probabilities of outputs.
        outputs : torch.Tensor of float64 of shape (n, n_outputs)
            What the head's module returned, on the CPU.
        lengths : sequence of int, default=()
            Where each state has a value: how many states each row has, of which there are n
            altogether.

        Returns
        -------
        predictions : ndarray, sparse matrix or list, with an entry for each row
        """

    def predict_proba(
        self, head: Head, outputs: torch.Tensor, lengths: Sequence[int] = ()
    ) -> np.ndarray:
        """Predict probabilities from outputs.

        Parameters
        ----------
        head : Head
            Owns the probabilities of outputs.
        outputs : torch.Tensor of float64 of shape (n, n_outputs)
            What the head's module returned, on the CPU.
        lengths : sequence of int, default=()
            As in `predict`.

        Returns
        -------
        proba : ndarray of float64 of shape (n, n_outputs)

        Raises
        ------
        NotImplementedError
            If the task has none.
        """
        raise NotImplementedError(f"{type(self).__name__} has no probabilities.")

    @abstractmethod
    def attributes(self) -> dict[str, Any]:
        """Give the fitted attributes from which `from_attributes` makes the task again."""

    @classmethod
    @abstractmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> Task:
        """Make the task of a fitted estimator, as far as predictions need it.

        Parameters
        ----------
        attributes : mapping of str to object
            Fitted attributes of an estimator.

        Returns
        -------
        task : Task
        """

    def carry_over(self, earlier: Task | None) -> LabelChange:
        """Say which outputs of an earlier task are those of this one.

        Parameters
        ----------
        earlier : Task or None
            What the head was trained for before; None where there was no head.

        Returns
        -------
        change : LabelChange
        """
        return LabelChange.between(
            earlier.names if earlier is not None and type(earlier) is type(self) else None,
            self.names,
        )

    def row_weights(self, values: np.ndarray, sample_weight: np.ndarray) -> np.ndarray:
        """Multiply weights of classes and of rows.

        Parameters
        ----------
        values : ndarray of n values
            What `encode` returned.
        sample_weight : ndarray of float64 of shape (n,)
            Weights of the rows, not negative.

        Returns
        -------
        weights : ndarray of float64 of shape (n,)
            Not normalised; by default the weights of the rows.
        """
        return sample_weight

    def unlabelled_values(self, x: Any) -> np.ndarray:
        """Give values for the states of an input that has no label; they are not looked at.

        Parameters
        ----------
        x : input
            As the modality validated it; its length is the number of its states.

        Returns
        -------
        values : ndarray of shape (length,)
        """
        return np.zeros(len(x), dtype=np.int64)

    def check_trainable(self, values: np.ndarray) -> None:
        """Refuse targets that nothing can be learned from; by default, none are refused.

        Parameters
        ----------
        values : ndarray of n values
            What `encode` returned.

        Raises
        ------
        ValueError
            If all rows have the same target, for example.
        """
        return

    def rows_each(self, values: np.ndarray) -> float:
        """Count the rows for each of what ``unit`` names, on average.

        Parameters
        ----------
        values : ndarray of n values
            What `encode` returned.

        Returns
        -------
        n_rows : float
        """
        return float(len(values))

    def strata(self, values: np.ndarray) -> np.ndarray | None:
        """Give codes whose shares a held-out part keeps.

        Parameters
        ----------
        values : ndarray of n values
            What `encode` returned.

        Returns
        -------
        strata : ndarray of int of shape (n,) or None
            None where there is nothing of the kind.
        """
        return None

    def penalty(self, n_outputs: int) -> float:
        """Give what the squared weights are multiplied by in a fit of the head to convergence.

        Parameters
        ----------
        n_outputs : int
            Number of the head's outputs.

        Returns
        -------
        factor : float
        """
        return 1.0

    def decide(self, outputs: torch.Tensor) -> torch.Tensor:
        """Give the coded targets that outputs stand for; numbers stand for themselves.

        Parameters
        ----------
        outputs : torch.Tensor of shape (n, n_outputs)
            What the head's module returned.

        Returns
        -------
        values : torch.Tensor of shape (n,) or (n, n_outputs)
        """
        return outputs

    def errors(self, head: Head, outputs: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Say how wrong each row, or each state, is predicted; lower is better.

        Settings of the head are compared by it on held-out rows.

        Parameters
        ----------
        head : Head
            Owns the loss of outputs.
        outputs : torch.Tensor of shape (n, n_outputs)
            What the head's module returned.
        values : torch.Tensor of shape (n,) or (n, n_outputs)
            Coded targets.

        Returns
        -------
        errors : torch.Tensor of shape (n,)
            By default the loss.
        """
        return self.loss(head, outputs, values)

    def calibrate(
        self, head: Head, outputs: torch.Tensor, values: np.ndarray, weights: np.ndarray
    ) -> Task:
        """Learn from held-out rows how outputs are read; by default, nothing.

        Parameters
        ----------
        head : Head
            Owns the probabilities of outputs.
        outputs : torch.Tensor of float64 of shape (n, n_outputs)
            Of held-out rows.
        values : ndarray of n values
            Their coded targets.
        weights : ndarray of float64 of shape (n,)
            Their sample weights, without those of classes, which `row_weights` multiplies in.

        Returns
        -------
        task : Task
            Another one where something was learned.
        """
        return self
