"""Prefetch: collate the next batch while the model computes on this one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

__all__ = ["prefetch"]


def prefetch(
    make: Callable[[Any], Any], items: Iterable[Any], encoder: Any
) -> Iterator[tuple[Any, Any]]:
    """Apply a function to each item, to the next one while the caller is busy with this one.

    Parameters
    ----------
    make : callable
        ``make(item)``; called in the order of the items, and never twice at a time.
    items : iterable
        Arguments of the function.
    encoder : Encoder
        Says by ``slow_collate`` whether the function takes long. Otherwise, and where torch may
        use one thread alone, nothing is prefetched.

    Yields
    ------
    item, made : object
        In the order of the items.
    """
    if not encoder.slow_collate or torch.get_num_threads() < 2:
        for item in items:
            yield item, make(item)
        return
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting: list[tuple[Any, Any]] = []
        for item in items:
            waiting.append((item, pool.submit(make, item)))
            if len(waiting) > 1:
                first, made = waiting.pop(0)
                yield first, made.result()
        for last, made in waiting:
            yield last, made.result()
