"""Features of inputs, in the order of the inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from sktransfer.features.batches import sorted_batches
from sktransfer.features.precision import autocast
from sktransfer.plugins import Encoder

_BATCH_SIZE = 64
_CHUNK = 4096


def encode_rows(encoder: Encoder, rows: Sequence[Any], precision: str) -> torch.Tensor:
    """Compute the features of prepared rows, without gradients and without dropout.

    Parameters
    ----------
    encoder : Encoder
        Its module is left in evaluation mode.
    rows : sequence of n rows
        What ``encoder.prepare`` returned.
    precision : {"bf16", "fp32"}
        In which the encoder runs.

    Returns
    -------
    features : torch.Tensor of shape (n, dim)
        float32, on the CPU.
    """
    encoder.module.eval()
    device = next(encoder.module.parameters()).device.type
    features = torch.empty((len(rows), encoder.dim), dtype=torch.float32)
    with torch.inference_mode(), autocast(precision, device):
        for batch in sorted_batches(rows, _BATCH_SIZE):
            states = encoder.forward(encoder.collate([rows[i] for i in batch]))
            features[torch.from_numpy(batch)] = states.float().cpu()
    return features


def encode(encoder: Encoder, X: Sequence[Any], precision: str) -> torch.Tensor:
    """Compute the features of inputs; equal inputs are encoded once.

    Parameters
    ----------
    encoder : Encoder
        Its module is left in evaluation mode.
    X : sequence of n hashable inputs
        What ``encoder.prepare`` accepts.
    precision : {"bf16", "fp32"}
        In which the encoder runs.

    Returns
    -------
    features : torch.Tensor of shape (n, dim)
        float32, on the CPU.
    """
    position = {x: i for i, x in enumerate(dict.fromkeys(X))}
    distinct = list(position)
    # Rows take more memory than features, so only so many are held at once.
    parts = [
        encode_rows(encoder, encoder.prepare(distinct[i : i + _CHUNK]), precision)
        for i in range(0, len(distinct), _CHUNK)
    ]
    features = torch.cat(parts)
    return features[torch.tensor([position[x] for x in X], dtype=torch.int64)]
