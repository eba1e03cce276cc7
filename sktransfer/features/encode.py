"""Features of inputs, in the order of the inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
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


def encode_rows(
    encoder: Encoder,
    rows: Sequence[Any],
    precision: str,
    in_bf16: Callable[[], Encoder] | None = None,
) -> torch.Tensor:
    """Compute the features of prepared rows, without gradients and without dropout.

    Parameters
    ----------
    encoder : Encoder
        Its module is left in evaluation mode.
    rows : sequence of n rows
        What ``encoder.prepare`` returned.
    precision : {"bf16", "fp32"}
        In which the encoder runs.
    in_bf16 : callable or None, default=None
        Gives the copy of the encoder that many rows are worth; by default it is made here.

    Returns
    -------
    features : torch.Tensor of shape (n, dim)
        float32, on the CPU.
    """
    encoder.module.eval()
    if precision == "bf16" and len(rows) >= _WORTH_A_COPY and hasattr(encoder, "in_bf16"):
        encoder, precision = (in_bf16 or encoder.in_bf16)(), "fp32"
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
    position = number_distinct(X)
    features = torch.empty((len(position), encoder.dim), dtype=torch.float32)
    start = 0
    for chunk in encode_chunks(encoder, list(position), precision, store=store, identity=identity):
        features[start : start + len(chunk)] = chunk
        start += len(chunk)
    return features[torch.tensor([position[x] for x in X], dtype=torch.int64)]


def number_distinct(X: Sequence[Any]) -> dict[Any, int]:
    """Number distinct inputs in the order in which they first occur.

    Parameters
    ----------
    X : sequence of hashable inputs
        Some may be equal.

    Returns
    -------
    numbers : dict of input to int
    """
    numbers: dict[Any, int] = {}
    for x in X:
        numbers.setdefault(x, len(numbers))
    return numbers


def encode_chunks(
    encoder: Encoder,
    distinct: Sequence[Any],
    precision: str,
    *,
    store: FeatureStore | None = None,
    identity: str = "",
) -> Iterator[torch.Tensor]:
    """Compute the features of inputs, so many at a time that rows and features fit into memory.

    Parameters
    ----------
    encoder : Encoder
        Its module is left in evaluation mode.
    distinct : sequence of n hashable inputs
        All different.
    precision : {"bf16", "fp32"}
        In which the encoder runs.
    store : FeatureStore or None, default=None
        Where features are looked up, and kept.
    identity : str, default=""
        Names the encoder's weights and preprocessing in the store.

    Yields
    ------
    features : torch.Tensor of shape (n_chunk, dim)
        float32, on the CPU; those of the next inputs.
    """
    # Made when it is first needed, once for all chunks.
    in_bf16 = cache(lambda: encoder.in_bf16())  # type: ignore[attr-defined]
    for start in range(0, len(distinct), _CHUNK):
        chunk = list(distinct[start : start + _CHUNK])
        yield _looked_up(encoder, chunk, precision, store, identity, in_bf16)


def _looked_up(
    encoder: Encoder,
    X: list[Any],
    precision: str,
    store: FeatureStore | None,
    identity: str,
    in_bf16: Callable[[], Encoder],
) -> torch.Tensor:
    """Take from the store what it has, compute the rest, and put that there."""
    if store is None:
        return encode_rows(encoder, encoder.prepare(X), precision, in_bf16)
    keys = store_keys(f"{identity}|{precision}", X)
    found = store.get(keys)
    missing = [i for i, value in enumerate(found) if value is None or len(value) != encoder.dim]
    features = torch.empty((len(X), encoder.dim), dtype=torch.float32)
    for i, value in enumerate(found):
        if value is not None and len(value) == encoder.dim:
            features[i] = torch.from_numpy(np.array(value))
    if missing:
        rows = encoder.prepare([X[i] for i in missing])
        computed = encode_rows(encoder, rows, precision, in_bf16)
        features[missing] = computed
        store.put((keys[i], row) for i, row in zip(missing, computed.numpy(), strict=True))
    return features
