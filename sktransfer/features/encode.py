"""Features of inputs, in the order of the inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from sktransfer.features.batches import sorted_batches
from sktransfer.features.precision import autocast
from sktransfer.features.store import FeatureStore, store_keys
from sktransfer.plugins import Encoder

_BATCH_SIZE = 64
_CHUNK = 4096
# Rows from which a copy of the encoder in half precision is faster than casting as it runs.
_WORTH_A_COPY = 256


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
    if precision == "bf16" and len(rows) >= _WORTH_A_COPY and hasattr(encoder, "in_bf16"):
        encoder, precision = encoder.in_bf16(), "fp32"
    device = next(encoder.module.parameters()).device.type
    budget = getattr(encoder, "budget", None)
    batches = sorted_batches(rows, _BATCH_SIZE, *([] if budget is None else [budget()]))
    features = torch.empty((len(rows), encoder.dim), dtype=torch.float32)
    with torch.inference_mode(), autocast(precision, device):
        for batch in batches:
            states = encoder.forward(encoder.collate([rows[i] for i in batch]))
            features[torch.from_numpy(batch)] = states.float().cpu()
    return features


def encode(
    encoder: Encoder,
    X: Sequence[Any],
    precision: str,
    *,
    store: FeatureStore | None = None,
    identity: str = "",
) -> torch.Tensor:
    """Compute the features of inputs; equal inputs are encoded once.

    Parameters
    ----------
    encoder : Encoder
        Its module is left in evaluation mode.
    X : sequence of n hashable inputs
        What ``encoder.prepare`` accepts.
    precision : {"bf16", "fp32"}
        In which the encoder runs.
    store : FeatureStore or None, default=None
        Where features are looked up, and kept.
    identity : str, default=""
        Names the encoder's weights and preprocessing in the store.

    Returns
    -------
    features : torch.Tensor of shape (n, dim)
        float32, on the CPU.
    """
    position = {x: i for i, x in enumerate(dict.fromkeys(X))}
    distinct = list(position)
    features = torch.empty((len(distinct), encoder.dim), dtype=torch.float32)
    # Rows take more memory than features, so only so many are held at once.
    for start in range(0, len(distinct), _CHUNK):
        chunk = distinct[start : start + _CHUNK]
        features[start : start + len(chunk)] = _looked_up(
            encoder, chunk, precision, store, identity
        )
    return features[torch.tensor([position[x] for x in X], dtype=torch.int64)]


def _looked_up(
    encoder: Encoder, X: list[Any], precision: str, store: FeatureStore | None, identity: str
) -> torch.Tensor:
    """Take from the store what it has, compute the rest, and put that there."""
    if store is None:
        return encode_rows(encoder, encoder.prepare(X), precision)
    keys = store_keys(f"{identity}|{precision}", X)
    found = store.get(keys)
    missing = [i for i, value in enumerate(found) if value is None or len(value) != encoder.dim]
    features = torch.empty((len(X), encoder.dim), dtype=torch.float32)
    for i, value in enumerate(found):
        if value is not None and len(value) == encoder.dim:
            features[i] = torch.from_numpy(np.array(value))
    if missing:
        computed = encode_rows(encoder, encoder.prepare([X[i] for i in missing]), precision)
        features[missing] = computed
        store.put((keys[i], row) for i, row in zip(missing, computed.numpy(), strict=True))
    return features
