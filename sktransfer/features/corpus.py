"""Features of a fixed set of inputs, which many fits draw from."""

from __future__ import annotations

import hashlib
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
        """Say whether all inputs are of the corpus, and not what a pipeline made of it."""
        return self._inputs.issuperset(inputs)

    def fill(self, identity: str, dim: int, compute: Callable[[list[Any]], np.ndarray]) -> None:
        """Compute the features of the whole corpus, unless they are there.

        Parameters
        ----------
        identity : str
            Of weights, preprocessing and precision.
        dim : int
            Numbers of each input.
        compute : callable
            Gives features of shape (n, dim).
        """
        if 4 * dim * len(self.corpus) > self.max_bytes:
            return
        with self._filling:
            keys = store_keys(identity, self.corpus)
            if any(value is None for value in self.get(keys)):
                super().put(zip(keys, compute(list(self.corpus)), strict=True))

    def states(
        self, key: str, inputs: Sequence[Any], compute: Callable[[list[Any]], list[Any]]
    ) -> list[Any] | None:
        """Give the state of each input before a block; those of the whole corpus are computed.

        Parameters
        ----------
        key : str
            Of weights, preprocessing, precision and block.
        inputs : sequence of n hashable inputs
            Some of the corpus.
        compute : callable
            Gives one `StateRow` for each input.

        Returns
        -------
        states : list of n StateRow, or None
            None if an input is not of the corpus, or they would take too much memory.
        """
        with self._filling:
            if not self.covers(inputs):
                return None
            if key not in self._states:
                some = compute(list(self.corpus[:_SOME]))
                size = sum(row.nbytes for row in some) / len(some) * len(self.corpus)
                if size > _MAX_STATES:
                    return None
                rows = compute(list(self.corpus))
                self._states[key] = dict(zip(self.corpus, rows, strict=True))
                self._state_bytes[key] = sum(row.nbytes for row in rows)
                while len(self._states) > 1 and sum(self._state_bytes.values()) > _MAX_STATES:
                    oldest, _ = self._states.popitem(last=False)
                    del self._state_bytes[oldest]
            self._states.move_to_end(key)
            return [self._states[key][x] for x in inputs]

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
