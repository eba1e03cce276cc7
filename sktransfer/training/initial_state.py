"""Where a training starts: a fresh encoder and head, with what an earlier training left of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from sktransfer.contracts import Backbone, Encoder, Head, LabelChange, Task
from sktransfer.training.module import TransferModule
from sktransfer.training.state import ModelState

# With 16 rows of a class the head alone is as good, in a third of the time: see
# docs/decisions/0030-few-rows-after-a-source.md.
_AFTER_THE_SAME_LABELS = 32

__all__ = ["Execution", "InitialState", "Model", "build_model"]


@dataclass(frozen=True)
class Execution:
    """Where and how a model computes.

    Attributes
    ----------
    device : str
        Where the module has to be, as torch names devices.
    precision : {"bf16", "fp32"}
        In which the encoder runs.
    seed : int
        Seeds what is random.
    compiled : bool
        Whether torch compiles the encoder for computing features.
    """

    device: str
    precision: str
    seed: int
    compiled: bool = False


@dataclass(frozen=True)
class InitialState:
    """Weights of an earlier training to start from.

    Attributes
    ----------
    model : ModelState
        Body and head.
    task : Task or None
        What the head was trained for; None where there is no head.
    n_stages : int
        Stages of the training, each of which draws a seed of its own.
    """

    model: ModelState
    task: Task | None = None
    n_stages: int = 0

    def frozen_below(self, backbone: Backbone, task: Task) -> int:
        """Say up to how many rows the encoder is better used as it is.

        Parameters
        ----------
        backbone : Backbone
            What it was loaded from.
        task : Task
            What is trained for now.

        Returns
        -------
        frozen_below : int
            Labelled rows per class: what the backbone says of its own features; 32 of those that
            were trained for the same labels; 0 of those that were trained for others.
        """
        if not self.model.body:
            return backbone.frozen_below
        change = task.carry_over(self.task)
        return 0 if change.added or change.dropped else _AFTER_THE_SAME_LABELS


@dataclass
class Model:
    """A module that is ready to be trained.

    Attributes
    ----------
    module : TransferModule
        Shares no memory with anything fitted.
    backbone : Backbone
        What the encoder was loaded from, with what it has learned from the inputs.
    change : LabelChange
        Which outputs of the head were there before.
    anchor : list of torch.Tensor or None
        Earlier weights of the head, zero for new labels; None where the head is new.
    backbone_seed : int
        What the encoder was loaded with.
    """

    module: TransferModule
    backbone: Backbone
    change: LabelChange
    anchor: list[torch.Tensor] | None
    backbone_seed: int


def build_model(
    backbone: Backbone,
    inputs: Sequence[Any],
    head: Head | None,
    task: Task | None,
    initial: InitialState | None,
    execution: Execution,
) -> Model:
    """Load the encoder, build the head, and transplant earlier weights.

    Parameters
    ----------
    backbone : Backbone
        Loads the encoder, after it has learned from the inputs.
    inputs : sequence of n inputs
        All that is about to be trained on.
    head : Head or None
        Builds the head; None for an encoder alone.
    task : Task or None
        What the head is for; None for an encoder alone.
    initial : InitialState or None
        Earlier weights.
    execution : Execution
        Where the module has to be. An encoder that has random weights keeps those of ``initial``.

    Returns
    -------
    model : Model

    Raises
    ------
    ValueError
        If ``initial`` has another encoder.
    """
    earlier = None if initial is None else initial.model
    seed = execution.seed if earlier is None else earlier.backbone_seed
    backbone = backbone.learned_from(inputs, None if earlier is None else earlier.backbone)
    encoder = backbone.load(device=execution.device, random_state=seed)
    built: nn.Module = nn.Identity()
    change = LabelChange([], [], [], [])
    if head is not None and task is not None:
        built = head.build(encoder.dim, len(task.names)).to(execution.device)
        change = task.carry_over(None if initial is None else initial.task)
    of_states = task is not None and task.of_states
    module = TransferModule(encoder, built, execution.precision, of_states)
    module.compiled = execution.compiled
    anchor = None
    if earlier is not None:
        _check_same_weights(encoder, backbone, earlier)
        module.load_trained(earlier.body)
        anchor = None if head is None else _transplant_head(module.head, earlier, change)
    return Model(module, backbone, change, anchor, seed)


def _check_same_weights(encoder: Encoder, backbone: Backbone, earlier: ModelState) -> None:
    if encoder.fingerprint.weights != earlier.fingerprint.weights:
        raise ValueError(
            f"The earlier training used {earlier.backbone!r}, whose weights are not those of "
            f"{backbone!r}. Use the same backbone, or start anew with fit and without source."
        )


def _transplant_head(
    new: nn.Module, earlier: ModelState, change: LabelChange
) -> list[torch.Tensor] | None:
    """Copy the layers of an earlier head of the same shapes; None for another kind of head."""
    parameters, weights = dict(new.named_parameters()), earlier.head_weights
    *hidden, weight, bias = parameters
    fits = all(
        name in weights and parameters[name].shape[i:] == weights[name].shape[i:]
        for names, i in ((hidden, 0), ((weight, bias), 1))
        for name in names
    )
    if not fits or not (change.rows or hidden):
        return None
    with torch.no_grad():
        for name in hidden:
            parameters[name].copy_(weights[name])
        for name in (weight, bias):
            for row, old in change.rows:
                parameters[name][row] = weights[name][old].to(parameters[name].device)
    anchor = [weights[name].clone() for name in hidden]
    for name in (weight, bias):
        values = torch.zeros(parameters[name].shape)
        for row, old in change.rows:
            values[row] = weights[name][old]
        anchor.append(values)
    return anchor
