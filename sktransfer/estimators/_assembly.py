"""Put encoder and head together, with what an earlier training left of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sktransfer.estimators._labels import LabelChange
from sktransfer.estimators._source import Start
from sktransfer.plugins import Backbone, Encoder, Head

if TYPE_CHECKING:
    import torch
    from torch import nn

    from sktransfer.training.module import TransferModule


@dataclass
class Assembly:
    """A module that is ready to be trained.

    Attributes
    ----------
    module : TransferModule
        Shares no memory with anything fitted.
    backbone : Backbone
        What the encoder was loaded from, with what it has learned from the inputs.
    anchor : list of torch.Tensor or None
        Earlier weights of the head, zero for new labels; None where the head is new.
    backbone_seed : int
        What the encoder was loaded with.
    """

    module: TransferModule
    backbone: Backbone
    anchor: list[torch.Tensor] | None
    backbone_seed: int


def assemble(
    backbone: Backbone,
    X: Sequence[Any],
    head: Head | None,
    n_outputs: int,
    start: Start | None,
    labels: LabelChange,
    *,
    device: str,
    precision: str,
    seed: int,
) -> Assembly:
    """Load the encoder, build the head, and transplant earlier weights.

    Parameters
    ----------
    backbone : Backbone
        Loads the encoder, after it has learned from the inputs.
    X : sequence of n inputs
        All that is about to be trained on.
    head : Head or None
        Builds the head; None for an encoder alone.
    n_outputs : int
        Outputs of the head.
    start : Start or None
        Earlier weights.
    labels : LabelChange
        Which rows of the earlier head stand for which labels.
    device : str
        Where the module has to be.
    precision : {"bf16", "fp32"}
        In which the encoder runs.
    seed : int
        Of what is random; an encoder that has random weights keeps those of ``start``.

    Returns
    -------
    assembly : Assembly

    Raises
    ------
    ValueError
        If ``start`` has another encoder.
    """
    from torch import nn

    from sktransfer.training.module import TransferModule

    backbone_seed = seed if start is None else start.state.backbone_seed
    backbone = backbone.learned_from(X, None if start is None else start.state.backbone)
    encoder = backbone.load(device=device, random_state=backbone_seed)
    built = nn.Identity() if head is None else head.build(encoder.dim, n_outputs).to(device)
    module = TransferModule(encoder, built, precision)
    if start is None:
        return Assembly(module, backbone, None, backbone_seed)
    _check_same_weights(encoder, backbone, start)
    module.load_trained(start.state.body)
    anchor = None if head is None else _transplant_head(module.head, start, labels)
    return Assembly(module, backbone, anchor, backbone_seed)


def _check_same_weights(encoder: Encoder, backbone: Backbone, start: Start) -> None:
    if encoder.fingerprint.partition("+")[0] != start.state.fingerprint.partition("+")[0]:
        raise ValueError(
            f"The earlier training used {start.state.backbone!r}, whose weights are not those of "
            f"{backbone!r}. Use the same backbone, or start anew with fit and without source."
        )


def _transplant_head(
    new: nn.Module, start: Start, labels: LabelChange
) -> list[torch.Tensor] | None:
    """Copy what fits of the earlier head; None where it is of another kind."""
    import torch

    parameters = dict(new.named_parameters())
    earlier = start.state.head_weights
    *hidden, weight, bias = parameters
    fits = all(
        name in earlier and parameters[name].shape[i:] == earlier[name].shape[i:]
        for names, i in ((hidden, 0), ((weight, bias), 1))
        for name in names
    )
    if not fits or not (labels.rows or hidden):
        return None
    with torch.no_grad():
        for name in hidden:
            parameters[name].copy_(earlier[name])
        for name in (weight, bias):
            for row, old in labels.rows:
                parameters[name][row] = earlier[name][old].to(parameters[name].device)
    anchor = [earlier[name].clone() for name in hidden]
    for name in (weight, bias):
        values = torch.zeros(parameters[name].shape)
        for row, old in labels.rows:
            values[row] = earlier[name][old]
        anchor.append(values)
    return anchor
