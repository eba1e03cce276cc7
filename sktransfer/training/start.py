"""Where epochs start: what the blocks below the lowest one that trains give, computed once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from sktransfer.features.corpus import CorpusStore
from sktransfer.features.encode import encode_rows
from sktransfer.features.prefix import StateRow, prefix_rows, why_not_split
from sktransfer.features.store import FeatureStore
from sktransfer.training.module import FEATURES, HEAD, TransferModule
from sktransfer.training.net import Rows
from sktransfer.training.plan import Plan
from sktransfer.training.varied import Variation, drawn_anew, drawn_of, views

__all__ = ["Started", "features_of", "some_features", "started"]

# Rows of which the length of features is estimated.
_SOME = 64


class Started(NamedTuple):
    """Rows as they are where the module starts.

    Attributes
    ----------
    train, valid : Rows
        Those that are trained on, and those that are held out, if any are.
    prefix : str
        What was computed once, or why nothing was.
    """

    train: Rows
    valid: Rows | None
    prefix: str


@contextlib.contextmanager
def started(
    module: TransferModule,
    plan: Plan,
    train: Rows,
    valid: Rows | None,
    *,
    store: FeatureStore | None,
    variation: Variation | None,
    views_recur: bool,
    seed: int,
) -> Iterator[Started]:
    """Let a module start with the lowest block that trains, inside.

    Parameters
    ----------
    module : TransferModule
        Of which the blocks that train are open.
    plan : Plan
        Says which these are.
    train : Rows
        To be trained on, with inputs.
    valid : Rows or None
        Held out, with inputs.
    store : FeatureStore or None
        Where features are looked up.
    variation : Variation or None
        How rows are seen that are trained on.
    views_recur : bool
        Whether the store is worth looking into for views other than the inputs as they are.
    seed : int
        Of views.

    Yields
    ------
    started : Started
    """
    if not plan.blocks:
        rows = _features(module, train, valid, store, variation, views_recur, seed)
        start = HEAD
    else:
        start = next(block for block in module.encoder.blocks if block in plan.blocks)
        rows = _states(module, train, valid, start, store, variation, views_recur, seed)
        if rows.prefix.startswith("none"):
            yield rows
            return
    module.start = start
    try:
        yield rows
    finally:
        module.start = None


def features_of(
    module: TransferModule, rows: Rows, n_kept: int, store: FeatureStore | None
) -> torch.Tensor:
    """Compute the features of rows.

    Parameters
    ----------
    module : TransferModule
        The whole of it is run.
    rows : Rows
        With inputs.
    n_kept : int
        So many, from the first, are looked up and kept. The others are views that nobody will see
        again, and would push them out.
    store : FeatureStore or None
        Where features are looked up.

    Returns
    -------
    features : torch.Tensor of shape (n, dim)
    """
    if store is None:
        return encode_rows(module.encoder, rows.rows, module.precision, compile=module.compiled)
    features = module.features(rows.inputs[:n_kept], store)
    others = rows.inputs[n_kept:]
    return torch.cat([features, module.features(others)]) if others else features


def some_features(
    module: TransferModule, plan: Plan, train: Rows, store: FeatureStore | None
) -> torch.Tensor:
    """Compute the features of a few rows.

    Parameters
    ----------
    module : TransferModule
        The whole of it is run.
    plan : Plan
        Where nothing but the head trains, the store will be asked for all rows.
    train : Rows
        With inputs.
    store : FeatureStore or None
        Where features are looked up.

    Returns
    -------
    features : torch.Tensor of shape (n, dim)
    """
    if plan.blocks or store is None:
        return encode_rows(module.encoder, train.rows[:_SOME], module.precision)
    return module.features(train.inputs[:_SOME], store)


def _features(
    module: TransferModule,
    train: Rows,
    valid: Rows | None,
    store: FeatureStore | None,
    variation: Variation | None,
    views_recur: bool,
    seed: int,
) -> Started:
    """Compute all of it, so that the head is left."""

    def compute(inputs: Sequence[Any], recur: bool = True) -> list[StateRow]:
        found = module.features(inputs, store if recur else None)
        return [StateRow({FEATURES: row}, 1) for row in found]

    seen = [train.inputs] if variation is None else views(train.inputs, variation, seed)
    computed = [compute(seen[0]), *(compute(view, views_recur) for view in seen[1:])]
    rows = replace(train, rows=computed[0])
    if variation is not None:
        rows = drawn_of(rows, computed, variation)
    held_out = None if valid is None else replace(valid, rows=compute(valid.inputs))
    return Started(rows, held_out, f"all of it{_of_views(len(seen))}")


def _states(
    module: TransferModule,
    train: Rows,
    valid: Rows | None,
    start: str,
    store: FeatureStore | None,
    variation: Variation | None,
    views_recur: bool,
    seed: int,
) -> Started:
    """Compute what lies below a block, if that can be done and kept."""
    held_out = [] if valid is None else valid.rows
    n_views = 1 if variation is None else int(variation.n_views)
    reason = why_not_split(module.encoder, [*train.rows, *held_out], start, n_views)
    if reason:
        rows = train if variation is None else drawn_anew(train, variation, module.encoder)
        return Started(rows, valid, f"none: {reason}")

    def compute(rows: Sequence[Any]) -> list[StateRow]:
        return prefix_rows(module.encoder, rows, start, module.precision)

    def states(inputs: Sequence[Any], rows: Sequence[Any], recur: bool = True) -> list[StateRow]:
        found = None
        if recur and isinstance(store, CorpusStore):
            key = f"{module.identity()}|{module.precision}|{start}"
            together = n_views if views_recur else 1
            found = store.states(
                key, inputs, lambda X: compute(module.encoder.prepare(X)), together
            )
        return compute(rows) if found is None else found

    first = replace(train, rows=states(train.inputs, train.rows))
    if variation is not None:
        others = views(train.inputs, variation, seed)[1:]
        prepare = module.encoder.prepare
        seen = [first.rows, *(states(view, prepare(view), views_recur) for view in others)]
        first = drawn_of(first, seen, variation)
    if valid is not None:
        valid = replace(valid, rows=states(valid.inputs, valid.rows))
    return Started(first, valid, f"below {start}{_of_views(n_views)}")


def _of_views(n: int) -> str:
    return f", of {n} views" if n > 1 else ""
