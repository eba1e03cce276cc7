"""Features of a fixed set of inputs, which many fits draw from."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from sktransfer.features.store import MemoryStore, store_keys

__all__ = ["CorpusStore", "corpus_of", "forgetting"]

# Activations of the lowest blocks are kept up to this size.
_MAX_STATES = 2**29
# Inputs by which their size is estimated.
_SOME = 64
# Searches may be nested, so that one is not enough.
_MAX_CORPORA = 2


class CorpusStore(MemoryStore):
    """Features of some inputs, always computed for all of them at once.

    The numbers of a text depend, in their last bits, on those that were beside it in a batch.
    Here they are computed together, in one order: a fit gives the same result whichever fits came
    before it, in this process or in another. Nothing else is kept.

    Parameters
    ----------
    corpus : sequence of n hashable inputs
        All different.
    max_bytes : int, default=2**28
        Bytes of features that are kept.
    """

    def __init__(self, corpus: Sequence[Any], max_bytes: int = 2**28) -> None:
        super().__init__(max_bytes)
        self.corpus = tuple(corpus)
        self._inputs = frozenset(self.corpus)
        self._states: OrderedDict[str, dict[Any, Any]] = OrderedDict()
        self._state_bytes: dict[str, int] = {}
        self._filling = threading.RLock()

    def put(self, items: Iterable[tuple[bytes, np.ndarray]]) -> None:
        """Keep nothing that was computed beside other inputs."""

    def covers(self, inputs: Iterable[Any]) -> bool:
        """Say whether all inputs are of the corpus, and not what a pipeline made of it.

        An input that shows another one, as a view of a picture does, has that as ``origin``, says
        by ``how`` which view it is, and gives the same view of a third by ``of``.
        """
        return self._inputs.issuperset(getattr(x, "origin", x) for x in inputs)

    def fill(
        self,
        identity: str,
        inputs: Iterable[Any],
        dim: int,
        compute: Callable[[list[Any]], np.ndarray],
    ) -> None:
        """Compute the features of the whole corpus as it is shown, unless they are there.

        Parameters
        ----------
        identity : str
            Of weights, preprocessing and precision.
        inputs : iterable of hashable inputs
            Some of the corpus, or some views of it: all of it is computed in each of these ways.
        dim : int
            Numbers of each input.
        compute : callable
            Gives features of shape (n, dim).
        """
        shown = self._shown_as(inputs)
        if 4 * dim * len(self.corpus) * len(shown) > self.max_bytes:
            return
        with self._filling:
            for corpus in shown:
                keys = store_keys(identity, corpus)
                if any(value is None for value in self.get(keys)):
                    super().put(zip(keys, compute(corpus), strict=True))

    def states(
        self,
        key: str,
        inputs: Sequence[Any],
        compute: Callable[[list[Any]], list[Any]],
        n_views: int = 1,
    ) -> list[Any] | None:
        """Give the state of each input before a block; those of the whole corpus are computed.

        Parameters
        ----------
        key : str
            Of weights, preprocessing, precision and block.
        inputs : sequence of n hashable inputs
            Some of the corpus, or of one view of it.
        compute : callable
            Gives one `StateRow` for each input.
        n_views : int, default=1
            Views of which states are asked for, and which have to be kept together.

        Returns
        -------
        states : list of n StateRow, or None
            None if an input is not of the corpus, or they would take too much memory.
        """
        with self._filling:
            if not inputs or not self.covers(inputs):
                return None
            (corpus,) = self._shown_as(inputs)
            key = f"{key}|{getattr(corpus[0], 'how', '')}"
            if key not in self._states:
                some = compute(corpus[:_SOME])
                size = sum(row.nbytes for row in some) / len(some) * len(corpus)
                if size * n_views > _MAX_STATES:
                    return None
                rows = some if len(corpus) <= _SOME else compute(corpus)
                self._states[key] = dict(zip(corpus, rows, strict=True))
                self._state_bytes[key] = sum(row.nbytes for row in rows)
                while len(self._states) > 1 and sum(self._state_bytes.values()) > _MAX_STATES:
                    oldest, _ = self._states.popitem(last=False)
                    del self._state_bytes[oldest]
            self._states.move_to_end(key)
            return [self._states[key][x] for x in inputs]

    def _shown_as(self, inputs: Iterable[Any]) -> list[list[Any]]:
        """Give the corpus in each way in which inputs show it."""
        ways = {getattr(x, "how", None): getattr(x, "of", None) for x in inputs}
        return [list(self.corpus if of is None else map(of, self.corpus)) for of in ways.values()]

    def __reduce__(self) -> tuple[Any, ...]:
        return corpus_of, (self.corpus,)

    def __repr__(self) -> str:
        return f"<features of {len(self.corpus)} inputs>"


_CORPORA: OrderedDict[bytes, CorpusStore] = OrderedDict()
_LOCK = threading.Lock()


def corpus_of(inputs: Sequence[Any]) -> CorpusStore:
    """Give the store of these inputs in this process.

    Parameters
    ----------
    inputs : sequence of n str, or of n tuples of str
        Some may be equal.

    Returns
    -------
    store : CorpusStore
        The same one for the same inputs, as long as few others were asked for since.
    """
    distinct = list(dict.fromkeys(inputs))
    digest = hashlib.blake2b(b"".join(store_keys("corpus", distinct)), digest_size=16).digest()
    with _LOCK:
        store = _CORPORA.get(digest)
        if store is None:
            store = _CORPORA[digest] = CorpusStore(distinct)
        _CORPORA.move_to_end(digest)
        while len(_CORPORA) > _MAX_CORPORA:
            _CORPORA.popitem(last=False)
        return store


@contextmanager
def forgetting() -> Iterator[None]:
    """Let go of what this process keeps, once a search is over."""
    try:
        yield
    finally:
        with _LOCK:
            _CORPORA.clear()


def _forget_locks() -> None:
    """Make locks anew in a process that was forked: another thread may have held them."""
    global _LOCK
    _LOCK = threading.Lock()
    for store in _CORPORA.values():
        store._lock = threading.Lock()
        store._filling = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_locks)
