"""What of a training does not change: features, or activations below the lowest trained block."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch

from sktransfer.contracts import Variation
from sktransfer.features.corpus import CorpusStore
from sktransfer.features.encode import encode_rows
from sktransfer.features.prefix import StateRow, prefix_rows, why_not_split
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
    """Compute once what lies below everything that trains.

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
            features = encode_rows(
                self.module.encoder,
                seen.rows,
                self.module.precision,
                compile=self.module.compiled,
            )
            return seen, features
        # Views that no other training will see would push others out of the store.
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
        """Let the module begin with the lowest block that trains, inside.

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
