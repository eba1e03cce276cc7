"""Features, or activations below the lowest block that trains, computed once for a training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch

from sktransfer.contracts import Encoder, Variation
from sktransfer.features.batches import StateRow, prefetch, sorted_batches
from sktransfer.features.corpus import CorpusStore
from sktransfer.features.encode import encode_rows, pace_of
from sktransfer.features.precision import autocast
from sktransfer.features.store import FeatureStore
from sktransfer.training.augmentation import (
    augment_online,
    fixed_views,
    sample_cached_views,
    views,
)
from sktransfer.training.batch import TrainingRows
from sktransfer.training.module import FEATURES, HEAD, TransferModule
from sktransfer.training.schedule import TrainingSchedule

__all__ = ["FrozenPrefix", "SplitData"]

# Rows of which the length of features is estimated.
_SAMPLE = 64
_BATCH_SIZE = 64
# Activations of more than this are computed anew in each epoch instead.
_MAX_BYTES = 4 * 2**30
_TOLERANCE = 1e-4


class SplitData(NamedTuple):
    """Rows as the module takes them where a training begins.

    Attributes
    ----------
    train, valid : TrainingRows
        Those that are trained on, and those that are held out, if any are.
    prefix : str
        What was computed once, or why nothing was.
    """

    train: TrainingRows
    valid: TrainingRows | None
    prefix: str


@dataclass(frozen=True, eq=False)
class FrozenPrefix:
    """The part of a network that no epoch of a training changes.

    Attributes
    ----------
    module : TransferModule
        What is trained.
    store : FeatureStore or None, default=None
        Where features are looked up and kept.
    variation : Variation or None, default=None
        How rows that are trained on are augmented.
    views_recur : bool, default=True
        Whether another training will see the same augmented views, so that they are worth keeping
        in the store.
    seed : int, default=0
        Seeds the views.
    """

    module: TransferModule
    store: FeatureStore | None = None
    variation: Variation | None = None
    views_recur: bool = True
    seed: int = 0

    def probe_data(self, rows: TrainingRows) -> tuple[TrainingRows, torch.Tensor]:
        """Compute the features that a head is fitted to, of all views of rows.

        Parameters
        ----------
        rows : TrainingRows
            All of them labelled.

        Returns
        -------
        rows : TrainingRows
            All views of the rows.
        features : torch.Tensor of shape (n, dim)
        """
        seen = rows
        if self.variation is not None:
            seen = fixed_views(rows, self.variation, self.module.encoder, self.seed)
        if self.module.of_states:
            return seen, torch.cat(self.module.state_features(seen.rows))
        if self.store is None:
            encoder = self.module.encoder
            pace = pace_of(encoder, seen.rows, len(seen), self.module.progress)
            features = encode_rows(
                encoder,
                seen.rows,
                self.module.precision,
                compile=self.module.compiled,
                pace=pace,
            )
            pace.close()
            return seen, features
        # Views that no other training will see are not stored: they would push out other features.
        n_kept = len(seen) if self.views_recur else len(rows)
        features = self.module.features(seen.inputs[:n_kept], self.store)
        others = seen.inputs[n_kept:]
        if len(others):
            features = torch.cat([features, self.module.features(others)])
        return seen, features

    def mean_norm(self, rows: TrainingRows, schedule: TrainingSchedule) -> float:
        """Estimate the length of features, which the head's learning rate has to suit.

        Parameters
        ----------
        rows : TrainingRows
            Of which the first few are looked at.
        schedule : TrainingSchedule
            Where nothing but the head trains, the store will be asked for all rows anyway.

        Returns
        -------
        norm : float
        """
        few = rows.rows[:_SAMPLE]
        if self.module.of_states:
            features = torch.cat(self.module.state_features(few))
        elif schedule.blocks or self.store is None:
            features = encode_rows(self.module.encoder, few, self.module.precision)
        else:
            features = self.module.features(rows.inputs[:_SAMPLE], self.store)
        return float(features.norm(dim=1).mean())

    @contextlib.contextmanager
    def split(
        self, schedule: TrainingSchedule, train: TrainingRows, valid: TrainingRows | None
    ) -> Iterator[SplitData]:
        """Run the module from the lowest block that trains on, inside a with block.

        Parameters
        ----------
        schedule : TrainingSchedule
            Says which blocks train.
        train : TrainingRows
            To be trained on, with inputs.
        valid : TrainingRows or None
            Held out, with inputs.

        Yields
        ------
        data : SplitData
        """
        if not schedule.blocks:
            block, data = HEAD, self._features(train, valid)
        else:
            blocks = self.module.encoder.blocks
            block = next(name for name in blocks if name in schedule.blocks)
            data = self._states(train, valid, block)
            if data.prefix.startswith("none"):
                yield data
                return
        self.module.split_block = block
        try:
            yield data
        finally:
            self.module.split_block = None

    def _features(self, train: TrainingRows, valid: TrainingRows | None) -> SplitData:
        """Compute the whole encoder, so that only the head is left."""

        def compute(inputs: Sequence[Any], recur: bool = True) -> list[StateRow]:
            if self.module.of_states:
                states = self.module.state_features(self.module.encoder.prepare(inputs))
                return [StateRow({FEATURES: row}, len(row)) for row in states]
            features = self.module.features(inputs, self.store if recur else None)
            return [StateRow({FEATURES: row}, 1) for row in features]

        seen = [train.inputs] if self.variation is None else self._views(train)
        computed = [compute(seen[0]), *(compute(view, self.views_recur) for view in seen[1:])]
        rows = replace(train, rows=computed[0])
        if self.variation is not None:
            rows = sample_cached_views(rows, computed, self.variation)
        held_out = None if valid is None else replace(valid, rows=compute(valid.inputs))
        return SplitData(rows, held_out, f"all of it{_count_of(len(seen))}")

    def _states(self, train: TrainingRows, valid: TrainingRows | None, block: str) -> SplitData:
        """Compute what lies below a block, if that can be done and kept."""
        module, variation = self.module, self.variation
        held_out = [] if valid is None else valid.rows
        n_views = 1 if variation is None else int(variation.n_views)
        reason = why_not_split(module.encoder, [*train.rows, *held_out], block, n_views)
        if reason:
            rows = train if variation is None else augment_online(train, variation, module.encoder)
            return SplitData(rows, valid, f"none: {reason}")

        def compute(rows: Sequence[Any]) -> list[StateRow]:
            return prefix_rows(module.encoder, rows, block, module.precision)

        def states(
            inputs: Sequence[Any], rows: Sequence[Any], recur: bool = True
        ) -> list[StateRow]:
            shared = None
            if recur and isinstance(self.store, CorpusStore):
                key = f"{module.identity()}|{module.precision}|{block}"
                together = n_views if self.views_recur else 1
                shared = self.store.states(
                    key, inputs, lambda X: compute(module.encoder.prepare(X)), together
                )
            return compute(rows) if shared is None else shared

        first = replace(train, rows=states(train.inputs, train.rows))
        if variation is not None:
            prepare = module.encoder.prepare
            others = self._views(train)[1:]
            seen = [first.rows, *(states(v, prepare(v), self.views_recur) for v in others)]
            first = sample_cached_views(first, seen, variation)
        if valid is not None:
            valid = replace(valid, rows=states(valid.inputs, valid.rows))
        return SplitData(first, valid, f"below {block}{_count_of(n_views)}")

    def _views(self, rows: TrainingRows) -> list[list[Any]]:
        assert self.variation is not None
        return views(rows.inputs, self.variation, self.seed)


def _count_of(n_views: int) -> str:
    return f", of {n_views} views" if n_views > 1 else ""


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
    # The longest row is among them, since a row of several windows cannot be stopped half-way.
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
    # Some architectures pass more than states from layer to layer; then the numbers differ.
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
