"""Words to features: a table of word vectors, and a network on it."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sktransfer_wordvectors.words import subwords

if TYPE_CHECKING:
    import torch

    from sktransfer_wordvectors.vectors import WordVectors

# Rows of the table before the first word: padding, and the hashed n-grams of unknown words.
_PADDING = 0
# N-grams by which an unknown word is known: of those that a long one has, the least hashes.
_MAX_NGRAMS = 8

# An unknown word is several rows, whose mean is its vector.
Token = int | tuple[int, ...]


class WordEncoder:
    """What the backbones of this distribution load; see `sktransfer.plugins.Encoder`.

    Parameters
    ----------
    vocabulary : sequence of str
        Words that have a row of their own.
    tokenizer : callable
        Turns a text into words.
    network : torch.nn.Module
        ``network(embedded, mask)`` turns embeddings (n, length, dim) into features (n, dim_out).
    table : ndarray of float32 of shape (1 + n_buckets + n_words, dim)
        Padding, hashed n-grams, words.
    dim : int
        Width of the features.
    max_words : int
        Words of a text that are read.
    weights : str
        Names the pretrained vectors, the network and its seed.
    device : str
        Where everything is.
    blocks : dict of str to list of str
        Of the network, with names as in the network, input side first.
    """

    growing = frozenset({"embeddings.weight"})

    def __init__(
        self,
        vocabulary: Sequence[str],
        tokenizer: Callable[[str], list[str]],
        network: torch.nn.Module,
        table: np.ndarray,
        *,
        n_buckets: int,
        dim: int,
        max_words: int,
        weights: str,
        settings: str,
        device: str,
        blocks: Mapping[str, Sequence[str]],
    ) -> None:
        import torch
        from torch import nn

        first = 1 + n_buckets
        self._rows = {word: first + i for i, word in enumerate(vocabulary)}
        self._tokenizer = tokenizer
        self._n_buckets = n_buckets
        self._max_words = max_words
        self._device = device
        embeddings = nn.Embedding.from_pretrained(
            torch.from_numpy(table), freeze=False, padding_idx=_PADDING
        )
        self.module = nn.ModuleDict({"embeddings": embeddings, "network": network}).to(device)
        self.dim = dim
        self.blocks = {"embeddings": ["embeddings.weight"]} | {
            block: [f"network.{name}" for name in names] for block, names in blocks.items()
        }
        learned = hashlib.sha256("\n".join([settings, *vocabulary]).encode(errors="replace"))
        self.fingerprint = f"{weights}+{learned.hexdigest()}"

    def prepare(self, X: Sequence[str]) -> list[list[Token]]:
        """Turn each text into the rows of its words.

        Parameters
        ----------
        X : sequence of n str
            Texts.

        Returns
        -------
        rows : list of n list
            An int for a word of the vocabulary; a tuple of them, its hashed n-grams, for another.
        """
        return [
            [self._row(word) for word in self._tokenizer(text)[: self._max_words]] for text in X
        ]

    def _row(self, word: str) -> Token:
        known = self._rows.get(word)
        if known is not None:
            return known
        hashes = sorted({_hash(ngram) for ngram in subwords(word)})
        return tuple(1 + each % self._n_buckets for each in hashes[:_MAX_NGRAMS])

    def collate(self, rows: Sequence[Sequence[Token]]) -> dict[str, torch.Tensor]:
        """Pad rows to the longest one.

        Parameters
        ----------
        rows : sequence of n rows
            What `prepare` returned.

        Returns
        -------
        batch : dict of str to torch.Tensor
            ``words`` of shape (n, longest row, most n-grams of a word), int64; 0 is padding.
        """
        import torch

        length = max(1, *map(len, rows))
        depth = max((len(t) for row in rows for t in row if isinstance(t, tuple)), default=1)
        words = np.zeros((len(rows), length, depth), dtype=np.int64)
        for i, row in enumerate(rows):
            if depth == 1 or not any(isinstance(token, tuple) for token in row):
                words[i, : len(row), 0] = [t if isinstance(t, int) else t[0] for t in row]
                continue
            for j, token in enumerate(row):
                ids = (token,) if isinstance(token, int) else token
                words[i, j, : len(ids)] = ids
        return {"words": torch.from_numpy(words).to(self._device)}

    def table(self) -> Any:
        """Give the embeddings, of which only what rows look up is trained.

        Returns
        -------
        embeddings : torch.nn.Embedding
        """
        return self.module["embeddings"]

    def entries(self, rows: Sequence[Sequence[Token]]) -> set[int]:
        """Say which entries of the table rows look up.

        Parameters
        ----------
        rows : sequence of rows
            What `prepare` returned.

        Returns
        -------
        entries : set of int
            That of padding included.
        """
        found = {_PADDING}
        for row in rows:
            for token in row:
                found.update((token,) if isinstance(token, int) else token)
        return found

    def forward(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Compute features.

        Parameters
        ----------
        batch : mapping of str to torch.Tensor
            What `collate` returned.

        Returns
        -------
        features : torch.Tensor of shape (n, dim)
        """
        words = batch["words"]
        real = words != _PADDING
        embedded = self.module["embeddings"](words)
        if words.shape[2] == 1:
            embedded = embedded.squeeze(2)
        else:
            count = real.sum(dim=2, keepdim=True).clamp(min=1)
            # Padding has a zero vector when loaded, but may be given another by a training.
            embedded = (embedded * real.unsqueeze(-1)).sum(dim=2) / count
        mask = real[:, :, 0]
        return self.module["network"](embedded * mask.unsqueeze(-1), mask)


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
    spread = 0.25
    if vectors is not None and len(vectors):
        some = np.asarray(vectors.matrix[: min(len(vectors), 10_000)], dtype=np.float32)
        spread = float(np.sqrt(3.0) * some.std())
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
            own = np.random.default_rng([seed % 2**32, 2, _hash(word)])
            table[1 + n_buckets + i] = own.uniform(-spread, spread, size=dim)
    return table


def _hash(text: str) -> int:
    plain = unicodedata.normalize("NFC", text).encode(errors="replace")
    return int.from_bytes(hashlib.blake2b(plain, digest_size=8).digest(), "big")
