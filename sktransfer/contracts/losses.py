"""The contracts of loss terms beside the supervised one: alignments and regularisers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from sktransfer.contracts.base import Plugin

if TYPE_CHECKING:
    import torch

__all__ = ["Alignment", "AuxiliaryLoss", "Forward", "Regulariser", "WeightChange"]


@dataclass(frozen=True, eq=False)
class Forward:
    """What a model computes for some rows of a batch, and what is known of these rows.

    Attributes
    ----------
    features : torch.Tensor of shape (n, dim)
        What the encoder gives; gradients flow to its parameters that train.
    outputs : torch.Tensor of shape (n, n_outputs)
        What the head makes of the features.
    labels : torch.Tensor of shape (n,) or (n, n_outputs)
        Targets as the task codes them: positions in ``classes_`` as int64, indicators or
        standardised numbers as float32. Rows that are not labelled hold zeros.
    labelled : torch.Tensor of bool of shape (n,)
        Which rows have a label.
    weights : torch.Tensor of float32 of shape (n,)
        Weights of the rows, with mean 1 over the labelled rows of the training set, 1 where a row
        is not labelled.
    domains : torch.Tensor of int64 of shape (n,)
        Codes of the domains: 0 and above are sources, below 0 are targets.
    """

    features: torch.Tensor
    outputs: torch.Tensor
    labels: torch.Tensor
    labelled: torch.Tensor
    weights: torch.Tensor
    domains: torch.Tensor

    def __len__(self) -> int:
        return len(self.features)

    def take(self, rows: Any) -> Forward:
        """Select rows.

        Parameters
        ----------
        rows : torch.Tensor of bool of shape (n,), or of int64
            Which rows.

        Returns
        -------
        forward : Forward
        """
        return Forward(*(getattr(self, field.name)[rows] for field in fields(self)))


class AuxiliaryLoss(Plugin):
    """A loss that a training adds to the supervised one; see `Alignment` and `Regulariser`.

    Attributes
    ----------
    weight : float
        What the loss is multiplied by.
    may_be_negative : bool
        Whether the loss can be below 0, as an unbiased estimate of a distance can.
    """

    weight: float = 1.0
    may_be_negative: ClassVar[bool] = False

    def schedule(self, progress: float) -> float:
        """Give what the loss is multiplied by beside ``weight``, as the training goes on.

        Parameters
        ----------
        progress : float
            Fraction of the training's steps that are done, from 0 to below 1.

        Returns
        -------
        factor : float
            1 throughout by default.
        """
        return 1.0

    def build(self, dim: int, n_outputs: int) -> torch.nn.Module | None:
        """Make the module that the loss needs, such as a domain classifier.

        It is trained at the head's learning rate, and saved with the model, so that a later stage
        goes on with it.

        Parameters
        ----------
        dim : int
            Width of the features.
        n_outputs : int
            Number of the head's outputs.

        Returns
        -------
        module : torch.nn.Module or None
            None where the loss needs none.
        """
        return None


class Alignment(AuxiliaryLoss):
    """A loss that pulls source and target together.

    Estimators call it as ``alignment=``, where ``fit`` is given a ``sample_domain``. Each batch
    then holds as many source rows as target rows.

    Attributes
    ----------
    is_distance : bool
        Whether the loss is 0 where both sides have the same distribution, and more elsewhere.
    """

    is_distance: ClassVar[bool] = True

    def loss(
        self,
        source: Forward,
        target: Forward,
        progress: float,
        module: torch.nn.Module | None = None,
    ) -> torch.Tensor:
        """Compute how far apart the two sides of a batch are.

        Parameters
        ----------
        source : Forward
            The rows of the batch whose domain is 0 or above; at least one.
        target : Forward
            The rows of the batch whose domain is below 0; at least one.
        progress : float
            Fraction of the training's steps that are done, from 0 to below 1.
        module : torch.nn.Module or None, default=None
            What `build` returned, on the device of the features.

        Returns
        -------
        loss : torch.Tensor of shape ()
            Not below 0, unless ``may_be_negative`` says so.
        """
        raise NotImplementedError(f"{type(self).__name__}.loss")


@dataclass(frozen=True, eq=False)
class WeightChange:
    """The encoder's weights that train, as they are and as they were.

    Attributes
    ----------
    current : mapping of str to torch.nn.Parameter
        The encoder's parameters that train in this stage, by name. Gradients flow to them.
    start : mapping of str to torch.Tensor
        Copies of the same parameters from the start of the stage.
    """

    current: Mapping[str, torch.Tensor]
    start: Mapping[str, torch.Tensor]


class Regulariser(AuxiliaryLoss):
    """A loss that keeps a training from fitting its few rows too closely.

    Estimators call it as ``regulariser=``.

    Attributes
    ----------
    second_view : bool
        Whether `loss` is given the batch a second time, as computed with other dropout.
    """

    second_view: ClassVar[bool] = False

    def loss(
        self,
        batch: Forward,
        progress: float,
        change: WeightChange,
        second: Forward | None = None,
        module: torch.nn.Module | None = None,
    ) -> torch.Tensor:
        """Compute the penalty of a batch.

        Parameters
        ----------
        batch : Forward
            All rows of the batch.
        progress : float
            Fraction of the training's steps that are done, from 0 to below 1.
        change : WeightChange
            The encoder's weights now, and at the start of the stage.
        second : Forward or None, default=None
            The same rows computed with other dropout, where ``second_view`` asks for them.
        module : torch.nn.Module or None, default=None
            What `build` returned, on the device of the features.

        Returns
        -------
        loss : torch.Tensor of shape ()
            Not below 0, unless ``may_be_negative`` says so.
        """
        raise NotImplementedError(f"{type(self).__name__}.loss")
