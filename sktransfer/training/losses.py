"""The summands of a training's loss."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from sktransfer._warnings import warn_user
from sktransfer.contracts import Alignment, Forward, Head, Regulariser, Task, WeightChange
from sktransfer.training.batch import Mix

__all__ = ["LossTerm", "LossTerms", "Step", "Supervised", "auxiliary_terms", "is_sane"]

# Cross entropy over any number of labels starts below 20; beyond this a training does not recover.
_DIVERGED = 1e4


@dataclass(frozen=True, eq=False)
class Step:
    """The step of the optimizer for which a loss term is computed.

    Attributes
    ----------
    n_labelled : int
        Rows of the whole batch that have a label.
    mix : Mix or None
        How the rows that are looked at were mixed.
    progress : float
        Fraction of the training's steps that are done.
    change : WeightChange or None
        The encoder's weights that train, now and at the start of the stage.
    second : Forward or None
        The rows computed a second time, with other dropout.
    """

    n_labelled: int
    mix: Mix | None = None
    progress: float = 0.0
    change: WeightChange | None = None
    second: Forward | None = None


class LossTerm(ABC):
    """A summand of the loss.

    Attributes
    ----------
    name : str
        Names the term in the history.
    per_row : bool
        Whether the loss of a batch is the sum of the losses of its rows, so that it may be
        computed micro-batch by micro-batch. Any other term gets whole batches.
    compares_domains : bool
        Whether the term compares source rows with target rows, so that each batch holds as many
        of the one side as of the other.
    second_view : bool
        Whether the term needs the rows computed twice.
    plugin : Alignment, Regulariser or None
        What computes the loss, for messages.
    module : torch.nn.Module or None
        What is trained beside encoder and head.
    """

    name: ClassVar[str]
    per_row: ClassVar[bool] = False
    compares_domains: ClassVar[bool] = False
    second_view: bool = False
    plugin: Any = None
    module: nn.Module | None = None

    @abstractmethod
    def loss(self, forward: Forward, step: Step) -> torch.Tensor:
        """Compute the loss of some rows, as a scalar that gradients flow from."""


class Supervised(LossTerm):
    """The mean of the weighted losses of the rows that have a label.

    Parameters
    ----------
    task : Task
        Computes the loss of each row.
    head : Head
        Through which it does so.
    """

    name = "supervised"
    per_row = True

    def __init__(self, task: Task, head: Head) -> None:
        self.task = task
        self.head = head

    def loss(self, forward: Forward, step: Step) -> torch.Tensor:
        """Compute the share of these rows in the loss of the batch."""
        outputs, labels = forward.outputs, forward.labels
        weights = torch.where(forward.labelled, forward.weights, 0.0)
        loss = weights * self.row_losses(outputs, labels)
        if step.mix is not None:
            other = step.mix.partners
            of_partner = weights[other] * self.row_losses(outputs, labels[other])
            loss = step.mix.share * loss + (1.0 - step.mix.share) * of_partner
        return loss.sum() / max(1, step.n_labelled)

    def row_losses(self, outputs: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Compute the loss of each row."""
        return self.task.loss(self.head, outputs, values)


class Aligned(LossTerm):
    """An alignment of source and target rows.

    Parameters
    ----------
    alignment : Alignment
        Computes the loss.
    module : torch.nn.Module or None
        What the alignment built.
    """

    name = "alignment"
    compares_domains = True

    def __init__(self, alignment: Alignment, module: nn.Module | None = None) -> None:
        self.plugin = alignment
        self.module = module
        self._warned = False

    def loss(self, forward: Forward, step: Step) -> torch.Tensor:
        """Compute the weighted loss; 0 where the batch has rows of one side alone."""
        of_target = forward.domains < 0
        if of_target.all() or not of_target.any():
            if not self._warned:
                self._warned = True
                side = "source" if of_target.all() else "target"
                warn_user(
                    f"The alignment {self.plugin!r} has no effect on batches without a {side} row "
                    f"(seen with {len(forward)} rows): raise batch_size, which must be at least 2."
                )
            return forward.outputs.new_zeros(())
        factor = self.plugin.weight * self.plugin.schedule(step.progress)
        source, target = forward.take(~of_target), forward.take(of_target)
        return factor * self.plugin.loss(source, target, step.progress, self.module)


class Regularised(LossTerm):
    """A regulariser of the training.

    Parameters
    ----------
    regulariser : Regulariser
        Computes the loss.
    module : torch.nn.Module or None
        What the regulariser built.
    """

    name = "regulariser"

    def __init__(self, regulariser: Regulariser, module: nn.Module | None = None) -> None:
        self.plugin = regulariser
        self.module = module
        self.second_view = regulariser.second_view

    def loss(self, forward: Forward, step: Step) -> torch.Tensor:
        """Compute the weighted loss."""
        assert step.change is not None
        factor = self.plugin.weight * self.plugin.schedule(step.progress)
        value = self.plugin.loss(
            forward, step.progress, step.change, second=step.second, module=self.module
        )
        return factor * value


@dataclass(frozen=True, eq=False)
class LossTerms:
    """The summands of a training's loss.

    Attributes
    ----------
    supervised : Supervised
        What labelled rows teach.
    auxiliary : tuple of LossTerm
        What is added to it.
    """

    supervised: Supervised
    auxiliary: tuple[LossTerm, ...] = ()

    def __iter__(self) -> Iterator[LossTerm]:
        return iter((self.supervised, *self.auxiliary))

    @property
    def per_row(self) -> bool:
        """Whether batches may be computed micro-batch by micro-batch."""
        return all(term.per_row for term in self)

    @property
    def compares_domains(self) -> bool:
        """Whether each batch has to hold as many source rows as target rows."""
        return any(term.compares_domains for term in self)

    @property
    def second_view(self) -> bool:
        """Whether a term needs each batch computed twice."""
        return any(term.second_view for term in self)

    def weights(self) -> dict[str, torch.Tensor]:
        """Copy the weights of the terms' modules to the CPU.

        Returns
        -------
        weights : dict of str to torch.Tensor
            Names begin with those of the term and of the plugin's class.
        """
        return {
            f"{_name_of(term)}.{name}": value.detach().cpu().clone()
            for term in self
            if term.module is not None
            for name, value in term.module.state_dict().items()
        }

    def load_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Load the weights of an earlier stage into modules of the same plugins and shapes.

        Parameters
        ----------
        weights : mapping of str to torch.Tensor
            What `weights` gave then.
        """
        for term in self:
            if term.module is None:
                continue
            own = term.module.state_dict()
            earlier = {name: weights.get(f"{_name_of(term)}.{name}") for name in own}
            alike = {n: v for n, v in earlier.items() if v is not None and v.shape == own[n].shape}
            if alike.keys() == own.keys():
                term.module.load_state_dict(alike)


def auxiliary_terms(
    plugins: Sequence[Alignment | Regulariser | None], dim: int, n_outputs: int, device: str
) -> tuple[LossTerm, ...]:
    """Build the terms of alignment and regulariser, with their modules.

    Parameters
    ----------
    plugins : sequence of Alignment, Regulariser or None
        What the user asked for; None adds nothing.
    dim : int
        Width of the features.
    n_outputs : int
        Number of the head's outputs.
    device : str
        Where the modules have to be.

    Returns
    -------
    terms : tuple of LossTerm
    """
    terms: list[LossTerm] = []
    for plugin in plugins:
        if plugin is None:
            continue
        module = plugin.build(dim, n_outputs)
        module = None if module is None else module.to(device)
        if isinstance(plugin, Alignment):
            terms.append(Aligned(plugin, module))
        else:
            terms.append(Regularised(plugin, module))
    return tuple(terms)


def _name_of(term: LossTerm) -> str:
    """Name a term and the class of its plugin: another plugin has no use for the weights."""
    return f"{term.name}.{type(term.plugin).__qualname__}"


def is_sane(loss: float) -> bool:
    """Say whether a training can go on from a loss: it is finite, and not absurdly large."""
    return math.isfinite(loss) and loss <= _DIVERGED
