"""Activations below the lowest block that trains, computed once and trained from in every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from sktransfer.contracts import Encoder
from sktransfer.features.batches import sorted_batches
from sktransfer.features.precision import autocast
from sktransfer.features.prefetch import prefetch

_BATCH_SIZE = 64
# Activations of more than this are computed anew in each epoch instead.
_MAX_BYTES = 4 * 2**30
_TOLERANCE = 1e-4


@dataclass(slots=True)
class StateRow:
    """The state of one row before a block.

    Attributes
    ----------
    values : dict of str to torch.Tensor
        By name, without padding.
    length : int
        What the row costs, as the row that it was computed from.
    """

    values: dict[str, torch.Tensor]
    length: int

    def __len__(self) -> int:
        return self.length

    @property
    def nbytes(self) -> int:
        """Memory of its tensors, in bytes."""
        return sum(value.nbytes for value in self.values.values())


def why_not_split(encoder: Encoder, rows: Sequence[Any], block: str, n_views: int = 1) -> str:
    """Say why a training cannot start from stored activations; empty if it can.

    Parameters
    ----------
    encoder : Encoder
        Its module is left in evaluation mode.
    rows : sequence of n rows
        What would be trained on.
    block : str
        The lowest block that trains.
    n_views : int, default=1
        Ways in which each row is seen.

    Returns
    -------
    reason : str
    """
    if block == next(iter(encoder.blocks)):
        return "the lowest block trains"
    if not encoder.can_split:
        return "the encoder cannot be split"
    encoder.module.eval()
    # The longest, too: one of several windows cannot be stopped half-way.
    longest, *others = sorted(rows, key=len, reverse=True)
    few = [longest, *others[-2:]]
    batch = encoder.collate(few)
    try:
        with torch.inference_mode():
            whole = encoder.forward(batch)
            state = encoder.forward_until(batch, block)
            split = encoder.forward_from(state, block)
    except (NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        return f"the encoder cannot be split before {block} ({error})"
    # An architecture may pass more from layer to layer than states; the numbers tell.
    if not torch.allclose(whole, split, atol=_TOLERANCE, rtol=_TOLERANCE):
        return f"the encoder gives other features when it is split before {block}"
    per_token = sum(v[0].numel() * v.element_size() for v in state.values()) / max(1, len(longest))
    size = n_views * per_token * sum(len(row) for row in rows)
    if size > _MAX_BYTES:
        return f"the activations would take {size / 2**30:.1f} GiB"
    return ""


def prefix_rows(
    encoder: Encoder, rows: Sequence[Any], block: str, precision: str
) -> list[StateRow]:
    """Compute the state before a block for each row, without gradients and without dropout.

    Parameters
    ----------
    encoder : Encoder
        Its module is left in evaluation mode.
    rows : sequence of n rows
        What ``encoder.prepare`` returned.
    block : str
        Where to stop.
    precision : {"bf16", "fp32"}
        In which the encoder runs.

    Returns
    -------
    states : list of n StateRow
        As long as the rows, so that batches are made of them alike.
    """
    encoder.module.eval()
    device = next(encoder.module.parameters()).device.type
    padded = encoder.padded_states
    states: list[Any] = [None] * len(rows)
    with torch.no_grad(), autocast(precision, device):
        batches = sorted_batches(rows, _BATCH_SIZE, encoder.budget())
        for batch, inputs in prefetch(
            lambda batch: encoder.collate([rows[i] for i in batch]), batches, encoder
        ):
            state = encoder.forward_until(inputs, block)
            for j, i in enumerate(batch):
                n = len(rows[i])
                states[i] = StateRow(
                    {k: (v[j, :n] if k in padded else v[j]).clone() for k, v in state.items()}, n
                )
    return states


def collate_states(encoder: Encoder, rows: Sequence[StateRow]) -> dict[str, torch.Tensor]:
    """Put states into one batch, padded on the right with zeros.

    Parameters
    ----------
    encoder : Encoder
        Says which of its states are padded.
    rows : sequence of n StateRow
        What `prefix_rows` returned.

    Returns
    -------
    state : dict of str to torch.Tensor
        As ``encoder.forward_until`` returns it.
    """
    padded = encoder.padded_states
    pad = torch.nn.utils.rnn.pad_sequence
    return {
        name: pad([row.values[name] for row in rows], batch_first=True)
        if name in padded
        else torch.stack([row.values[name] for row in rows])
        for name in rows[0].values
    }
