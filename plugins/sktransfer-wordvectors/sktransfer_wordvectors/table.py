"""The table of word vectors: pretrained rows, drawn rows, and hashed n-grams."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sktransfer_wordvectors.vectors import WordVectors

__all__ = ["PADDING", "draw_table", "hash_of"]

# The row before those of n-grams and of words.
PADDING = 0
# As Kim (2014) draws words without pretrained vectors beside none.
_SPREAD = 0.25


def draw_table(
    vocabulary: Sequence[str],
    vectors: WordVectors | None,
    *,
    dim: int,
    n_buckets: int,
    seed: int,
) -> np.ndarray:
    """Make the table: pretrained rows where there are, others drawn by the word itself.

    Parameters
    ----------
    vocabulary : sequence of n str
        Words.
    vectors : WordVectors or None
        Pretrained ones.
    dim : int
        Numbers of a vector.
    n_buckets : int
        Rows of hashed n-grams.
    seed : int
        Of what is drawn.

    Returns
    -------
    table : ndarray of float32 of shape (1 + n_buckets + n, dim)
        Drawn rows have the variance of the pretrained ones, as in Kim (2014).
    """
    spread = _SPREAD if vectors is None else vectors.spread
    rng = np.random.default_rng([seed % 2**32, 1])
    table = np.zeros((1 + n_buckets + len(vocabulary), dim), dtype=np.float32)
    table[1 : 1 + n_buckets] = rng.uniform(-spread, spread, size=(n_buckets, dim))
    known = [i for i, word in enumerate(vocabulary) if vectors is not None and word in vectors]
    if vectors is not None and known:
        rows = np.array(known) + 1 + n_buckets
        table[rows] = vectors.of(vocabulary[i] for i in known)
    had = set(known)
    for i, word in enumerate(vocabulary):
        if i not in had:
            # By the word and not by its place, so that it is the same in every vocabulary.
            own = np.random.default_rng([seed % 2**32, 2, hash_of(word)])
            table[1 + n_buckets + i] = own.uniform(-spread, spread, size=dim)
    return table


def hash_of(text: str) -> int:
    """Give a number that is the same in every process, of 64 bits.

    Parameters
    ----------
    text : str
        Of any length.

    Returns
    -------
    number : int
    """
    plain = unicodedata.normalize("NFC", text).encode(errors="replace")
    return int.from_bytes(hashlib.blake2b(plain, digest_size=8).digest(), "big")
