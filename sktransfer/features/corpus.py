"""Stores of the features of a fixed set of inputs, which many fits use."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from sktransfer.contracts import HashedInput
from sktransfer.features.store import MemoryStore, store_keys
from sktransfer.weights.global_state import ForkSafeLock

__all__ = ["CorpusStore", "corpus_of", "forgetting"]

# Largest size of the states that are kept, in bytes.
_MAX_STATES = 2**29
# Number of inputs by which the size of their states is estimated.
_SOME = 64
# Largest number of stores: a search and one that is nested in it have one each.
_MAX_CORPORA = 2


class CorpusStore(MemoryStore):
    """A store of the features of some inputs, which are always computed for all of them at once.

    The features of a text depend, in their last bits, on the other texts of its batch. Here all
    are computed together, in one order, so that the result of a fit does not depend on earlier
    fits, in this process or in another. Features of other inputs are not kept.

    Parameters
    ----------
    corpus : sequence of n hashable inputs
        Inputs, all of which differ.
    max_bytes : int, default=2**28
        Largest size of the features, in bytes.
    """

    def __init__(self, corpus: Sequence[Any], max_bytes: int = 2**28) -> None:
        super().__init__(max_bytes)
        self.corpus = tuple(corpus)
        self._inputs = frozenset(self.corpus)
        self._states: OrderedDict[str, dict[Any, Any]] = OrderedDict()
        self._filling = ForkSafeLock()

    def put(self, items: Iterable[tuple[bytes, np.ndarray]]) -> None:
        """Store nothing, since these features were computed in batches with other inputs."""

    def covers(self, inputs: Iterable[Any]) -> bool:
        """Return whether all inputs are in the corpus, rather than made of it by a pipeline.

        A view of an input counts as that input.
        """
        return self._inputs.issuperset(
            x.origin if isinstance(x, HashedInput) else x for x in inputs
        )

    def fill(
        self,
        identity: str,
        inputs: Iterable[Any],
        dim: int,
        compute: Callable[[list[Any]], np.ndarray],
    ) -> None:
        """Compute the features of the whole corpus, unless they are in the store.

        Parameters
        ----------
        identity : str
            Name of weights, preprocessing and precision.
        inputs : iterable of hashable inputs
            Inputs of the corpus, or views of them; the features of all inputs are computed for each
            of these views.
        dim : int
            Number of features of an input.
        compute : callable
            Returns the features of a list of inputs, of shape (n, dim).
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
        """Return the state of each input before a block, computed for the whole corpus at once.

        Parameters
        ----------
        key : str
            Name of weights, preprocessing, precision and block.
        inputs : sequence of n hashable inputs
            Inputs of the corpus, or of one view of it.
        compute : callable
            Returns one `StateRow` for each of a list of inputs.
        n_views : int, default=1
            Number of views whose states have to be kept together.

        Returns
        -------
        states : list of n StateRow, or None
            None if an input is not in the corpus, or the states would take too much memory.
        """
        with self._filling:
            if not inputs or not self.covers(inputs):
                return None
            (corpus,) = self._shown_as(inputs)
            if isinstance(corpus[0], HashedInput):
                key = f"{key}|{corpus[0].how}"
            if key not in self._states:
                some = compute(corpus[:_SOME])
                size = sum(row.nbytes for row in some) / len(some) * len(corpus)
                if size * n_views > _MAX_STATES:
                    return None
                rows = some if len(corpus) <= _SOME else compute(corpus)
                self._states[key] = dict(zip(corpus, rows, strict=True))
                while len(self._states) > 1 and self._size_of_states() > _MAX_STATES:
                    self._states.popitem(last=False)
            self._states.move_to_end(key)
            return [self._states[key][x] for x in inputs]

    def _size_of_states(self) -> int:
        return sum(row.nbytes for rows in self._states.values() for row in rows.values())

    def _shown_as(self, inputs: Iterable[Any]) -> list[list[Any]]:
        """Return the corpus in each of the views of inputs."""
        ways: dict[str, Callable[[Any], Any] | None] = {}
        for x in inputs:
            if isinstance(x, HashedInput):
                ways[x.how] = x.of
            else:
                ways[""] = None
        return [list(self.corpus if of is None else map(of, self.corpus)) for of in ways.values()]

    def __reduce__(self) -> tuple[Any, ...]:
        return corpus_of, (self.corpus,)

    def __repr__(self) -> str:
        return f"<features of {len(self.corpus)} inputs>"


_CORPORA: OrderedDict[bytes, CorpusStore] = OrderedDict()
_LOCK = ForkSafeLock()


def corpus_of(inputs: Sequence[Any]) -> CorpusStore:
    """Return the store of these inputs in this process.

    Parameters
    ----------
    inputs : sequence of n str, or of n tuples of str
        Inputs, some of which may be equal.

    Returns
    -------
    store : CorpusStore
        The same store for the same inputs, unless several other ones were made since.
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
    """Drop all stores of this module at the end of the context, when a search is over."""
    try:
        yield
    finally:
        with _LOCK:
            _CORPORA.clear()
