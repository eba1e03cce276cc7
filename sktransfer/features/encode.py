"""Compute the features of inputs, in the order of the inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch

from sktransfer.contracts import Encoder
from sktransfer.features.batches import prefetch, sorted_batches
from sktransfer.features.compiled import compiled
from sktransfer.features.corpus import CorpusStore
from sktransfer.features.pace import Pace, advice_on_inputs
from sktransfer.features.precision import autocast, copy_in_bf16
from sktransfer.features.store import FeatureStore, store_keys

_BATCH_SIZE = 64
CHUNK = 4096
# Rows from which a copy of the encoder in half precision is faster than casting as it runs.
_WORTH_A_COPY = 256
# Total length of rows, such as tokens, below which casting the weights takes longer than it saves.
_WORTH_CASTING = 64


def encode_rows(
    encoder: Encoder,
    rows: Sequence[Any],
    precision: str,
    *,
    in_bf16: Callable[[Sequence[Any]], Any] | None = None,
    compile: bool = False,
    pace: Pace | None = None,
) -> torch.Tensor:
    """Compute the features of prepared rows, without gradients and without dropout.

    Parameters
    ----------
    encoder : Encoder
        Encoder, whose module is left in evaluation mode.
    rows : sequence of n rows
        Rows that ``encoder.prepare`` returned.
    precision : {"bf16", "fp32"}
        Precision in which the encoder runs.
    in_bf16 : callable or None, default=None
        Returns the copy of the encoder in half precision that is used for many rows; None is
        `copy_in_bf16`.
    compile : bool, default=False
        Whether torch compiles the encoder.
    pace : Pace or None, default=None
        Pace of a computation of which this is a part; None watches this one.

    Returns
    -------
    features : torch.Tensor of shape (n, dim)
        float32, on the CPU.
    """
    # Setting the mode of a hundred layers takes as long as a tenth of them.
    if encoder.module.training:
        encoder.module.eval()
    if precision == "bf16" and len(rows) >= _WORTH_A_COPY:
        copy = copy_in_bf16(encoder, rows) if in_bf16 is None else in_bf16(rows)
        if copy is not None:
            encoder, precision = copy, "fp32"
    device = next(encoder.module.parameters()).device.type
    if precision == "bf16" and device == "cpu" and sum(map(len, rows)) < _WORTH_CASTING:
        precision = "fp32"
    features = torch.empty((len(rows), encoder.dim), dtype=torch.float32)
    own = pace_of(encoder, rows, len(rows)) if pace is None else pace
    compiling = compiled(encoder.module) if compile else nullcontext()
    with torch.inference_mode(), autocast(precision, device), compiling:
        for batch, inputs in _collated(encoder, rows):
            features[torch.from_numpy(batch)] = encoder.forward(inputs).float().cpu()
            own.advance(sum(len(rows[i]) for i in batch))
    return features


def pace_of(encoder: Encoder, rows: Sequence[Any], n_rows: int, progress: bool = False) -> Pace:
    """Watch how long the features of rows take.

    Parameters
    ----------
    encoder : Encoder
        Encoder.
    rows : sequence of rows
        The first of those that are encoded one after the other.
    n_rows : int
        How many there are altogether.
    progress : bool, default=False
        Whether a line shows how far it is.

    Returns
    -------
    pace : Pace
    """
    size = sum(map(len, rows)) * n_rows / max(1, len(rows))
    advice = [advice_on_inputs(encoder, rows)]
    return Pace(f"Computing features of {n_rows:,} inputs", size, advice, progress)


def encode_states(encoder: Encoder, rows: Sequence[Any], precision: str) -> list[torch.Tensor]:
    """Compute the last states of prepared rows, without gradients and without dropout.

    Parameters
    ----------
    encoder : Encoder
        Encoder, whose module is left in evaluation mode.
    rows : sequence of n rows
        Rows that ``encoder.prepare`` returned.
    precision : {"bf16", "fp32"}
        Precision in which the encoder runs.

    Returns
    -------
    states : list of n torch.Tensor of shape (length, dim)
        float32, on the CPU, without padding.
    """
    encoder.module.eval()
    device = next(encoder.module.parameters()).device.type
    states: list[Any] = [None] * len(rows)
    with torch.inference_mode(), autocast(precision, device):
        for batch, inputs in _collated(encoder, rows):
            hidden, mask = encoder.states(inputs)
            for i, row, real in zip(batch, hidden.float().cpu(), mask.bool().cpu(), strict=True):
                states[i] = row[real].clone()
    return states


def _collated(encoder: Encoder, rows: Sequence[Any]) -> Iterator[tuple[np.ndarray, Any]]:
    """Yield the positions of the rows of each batch, and the collated batch."""
    batches = sorted_batches(rows, _BATCH_SIZE, encoder.budget())
    return prefetch(lambda batch: encoder.collate([rows[i] for i in batch]), batches, encoder)


def encode(
    encoder: Encoder,
    X: Sequence[Any],
    precision: str,
    *,
    store: FeatureStore | None = None,
    identity: str = "",
    compile: bool = False,
    progress: bool = False,
) -> torch.Tensor:
    """Compute the features of inputs; equal inputs are encoded once.

    Parameters
    ----------
    encoder : Encoder
        Encoder, whose module is left in evaluation mode.
    X : sequence of n hashable inputs
        Inputs that ``encoder.prepare`` accepts.
    precision : {"bf16", "fp32"}
        Precision in which the encoder runs.
    store : FeatureStore or None, default=None
        Store in which features are looked up and kept.
    identity : str, default=""
        Name of the encoder's weights and preprocessing in the store.
    compile : bool, default=False
        Whether torch compiles the encoder.
    progress : bool, default=False
        Whether a line shows how far it is.

    Returns
    -------
    features : torch.Tensor of shape (n, dim)
        float32, on the CPU.
    """
    how: Any = {"compile": compile, "progress": progress}
    if isinstance(store, CorpusStore) and store.covers(X):

        def compute(corpus: list[Any]) -> np.ndarray:
            return encode(encoder, corpus, precision, **how).numpy()

        store.fill(_named(encoder, identity, precision), X, encoder.dim, compute)
    position = unique_index(X)
    features = torch.empty((len(position), encoder.dim), dtype=torch.float32)
    start = 0
    chunks = encode_chunks(
        encoder, list(position), precision, store=store, identity=identity, **how
    )
    for chunk in chunks:
        features[start : start + len(chunk)] = chunk
        start += len(chunk)
    if len(position) == len(X):
        return features
    return features[torch.tensor([position[x] for x in X], dtype=torch.int64)]


def unique_index(X: Sequence[Any]) -> dict[Any, int]:
    """Index distinct inputs in the order in which they first occur.

    Parameters
    ----------
    X : sequence of hashable inputs
        Inputs, some of which may be equal.

    Returns
    -------
    numbers : dict of input to int
        Position of each input among the distinct ones.
    """
    return {x: i for i, x in enumerate(dict.fromkeys(X))}


def encode_chunks(
    encoder: Encoder,
    distinct: Sequence[Any],
    precision: str,
    *,
    store: FeatureStore | None = None,
    identity: str = "",
    compile: bool = False,
    progress: bool = False,
) -> Iterator[torch.Tensor]:
    """Compute the features of inputs in chunks that fit into memory.

    Parameters
    ----------
    encoder : Encoder
        Encoder, whose module is left in evaluation mode.
    distinct : sequence of n hashable inputs
        Inputs, all of which differ.
    precision : {"bf16", "fp32"}
        Precision in which the encoder runs.
    store : FeatureStore or None, default=None
        Store in which features are looked up and kept.
    identity : str, default=""
        Name of the encoder's weights and preprocessing in the store.
    compile : bool, default=False
        Whether torch compiles the encoder.
    progress : bool, default=False
        Whether a line shows how far it is.

    Yields
    ------
    features : torch.Tensor of shape (n_chunk, dim)
        Features of the next inputs: float32, on the CPU.
    """
    made: list[Any] = []
    paces: list[Pace] = []

    def in_bf16(rows: Sequence[Any]) -> Any:
        """Make the copy for the first chunk that needs it, and use it for all others."""
        if not made:
            made.append(copy_in_bf16(encoder, rows))
        return made[0]

    def compute(X: list[Any]) -> torch.Tensor:
        rows = encoder.prepare(X)
        # The first chunk tells how long all of them take.
        if not paces:
            paces.append(pace_of(encoder, rows, len(distinct), progress))
        return encode_rows(
            encoder, rows, precision, in_bf16=in_bf16, compile=compile, pace=paces[0]
        )

    for start in range(0, len(distinct), CHUNK):
        chunk = list(distinct[start : start + CHUNK])
        if store is None:
            yield compute(chunk)
        else:
            named = _named(encoder, identity, precision)
            yield _looked_up(chunk, encoder.dim, store, named, compute)
    for pace in paces:
        pace.close()


def _named(encoder: Encoder, identity: str, precision: str) -> str:
    """Return a name of all that features depend on, except for inputs and versions of libraries."""
    return f"{identity}|{precision}|{encoder.code_version()}"


def _looked_up(
    X: list[Any],
    dim: int,
    store: FeatureStore,
    identity: str,
    compute: Callable[[list[Any]], torch.Tensor],
) -> torch.Tensor:
    """Take features from the store, and compute and store those that are missing."""
    keys = store_keys(identity, X)
    missing = []
    features = torch.empty((len(X), dim), dtype=torch.float32)
    for i, value in enumerate(store.get(keys)):
        if value is None or len(value) != dim:
            missing.append(i)
        else:
            features[i] = torch.from_numpy(np.array(value))
    if missing:
        computed = compute([X[i] for i in missing])
        features[missing] = computed
        store.put((keys[i], row) for i, row in zip(missing, computed.numpy(), strict=True))
    return features
