"""Words to features: a table of word vectors, and a network on it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sktransfer.plugins import Fingerprint, Truncation, VectorEncoder
from sktransfer_wordvectors.table import PADDING, hash_of
from sktransfer_wordvectors.words import subwords

if TYPE_CHECKING:
    import torch

# N-grams by which an unknown word is known: of those that a long one has, the least hashes.
_MAX_NGRAMS = 8
# Unknown words whose n-grams are kept in memory, so that a frequent one is taken apart once.
_REMEMBERED = 50_000
# Between words that are hashed together; no tokenizer leaves it within one.
_JOINT = " "


@dataclass(slots=True)
class WordRow:
    """The rows of the table that a text's words have.

    Attributes
    ----------
    rows : list of int
        One for each word; that of padding for a word without a row of its own.
    unknown : list of (int, tuple of int)
        Where such words stand, and the rows of their n-grams, whose mean is their vector.
    tokens : int
        Words of the text.
    cut : int
        How many of them are left out.
    """

    rows: list[int]
    unknown: Sequence[tuple[int, tuple[int, ...]]]
    tokens: int
    cut: int

    def __len__(self) -> int:
        return len(self.rows)


class WordEncoder(VectorEncoder):
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
    n_buckets : int
        Rows of hashed n-grams.
    dim : int
        Width of the features.
    max_length : int
        Words of a text that are read.
    weights : str
        Names the pretrained vectors, the network and its seed.
    settings : str
        Names how texts are read.
    device : str
        Where everything is.
    blocks : dict of str to list of str
        Of the network, with names as in the network, input side first.
    word_dropout : float, default=0.0
        Share of words that a training leaves out at each step.
    word_ngrams : int, default=1
        Longest run of words that is hashed to a row of its own, behind those of the words.
    fixed_channel : bool, default=False
        Whether embeddings are put beside those as loaded, which never train; the network is given
        twice the dim.
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
        max_length: int,
        weights: str,
        settings: str,
        device: str,
        blocks: Mapping[str, Sequence[str]],
        word_dropout: float = 0.0,
        word_ngrams: int = 1,
        fixed_channel: bool = False,
    ) -> None:
        import torch
        from torch import nn

        from sktransfer_wordvectors.networks import WordDropout

        first = 1 + n_buckets
        self._rows: dict[str, int] = {word: first + i for i, word in enumerate(vocabulary)}
        self._unknown: dict[str, tuple[int, ...]] = {}
        self._tokenizer = tokenizer
        self._n_buckets = n_buckets
        self.max_length = max_length
        self._word_ngrams = word_ngrams
        self._device = device
        weight = torch.from_numpy(table)
        embeddings = nn.Embedding.from_pretrained(weight, freeze=False, padding_idx=PADDING)
        parts = {"embeddings": embeddings, "dropout": WordDropout(word_dropout), "network": network}
        self.module = nn.ModuleDict(parts).to(device)
        # No part of the module: it is not trained, and loaded as the table is.
        self._fixed = weight.clone().to(device) if fixed_channel else None
        self.dim = dim
        self.blocks = {"embeddings": ["embeddings.weight"]} | {
            block: [f"network.{name}" for name in names] for block, names in blocks.items()
        }
        learned = hashlib.sha256(json.dumps([settings, *vocabulary]).encode("ascii"))
        self.fingerprint = Fingerprint(weights, learned.hexdigest())

    def prepare(self, X: Sequence[str]) -> list[WordRow]:
        """Turn each text into the rows of its words."""
        return [self._prepared(text) for text in X]

    def _prepared(self, text: str) -> WordRow:
        words = self._tokenizer(text)
        kept = words[: self.max_length]
        known = self._rows
        rows = [known.get(word, PADDING) for word in kept]
        unknown = []
        if PADDING in rows:
            unknown = [(i, self._ngrams(kept[i])) for i, row in enumerate(rows) if row == PADDING]
        for n in range(2, self._word_ngrams + 1):
            for i in range(len(kept) - n + 1):
                rows.append(self._bucket(_JOINT.join(kept[i : i + n])))
        return WordRow(rows, unknown, len(words), len(words) - len(kept))

    def _ngrams(self, word: str) -> tuple[int, ...]:
        found = self._unknown.get(word)
        if found is None:
            hashes = sorted({hash_of(ngram) for ngram in subwords(word)})
            found = tuple(1 + each % self._n_buckets for each in hashes[:_MAX_NGRAMS])
            if len(self._unknown) < _REMEMBERED:
                self._unknown[word] = found
        return found

    def _bucket(self, words: str) -> int:
        return 1 + hash_of(words) % self._n_buckets

    def collate(self, rows: Sequence[WordRow]) -> dict[str, torch.Tensor]:
        """Pad rows to the longest one.

        Parameters
        ----------
        rows : sequence of n rows
            What `prepare` returned.

        Returns
        -------
        batch : dict of str to torch.Tensor
            ``words`` of shape (n, longest row), int64: rows of the table, or 0 where there is none;
            ``lengths`` of shape (n,), int64; ``places`` of shape (n, most unknown words of a row)
            and ``ngrams`` of shape (n, most unknown words, 8), int64: where unknown words stand,
            and the rows of their n-grams, 0 for none.
        """
        import torch

        words = np.zeros((len(rows), max([1, *map(len, rows)])), dtype=np.int64)
        for i, row in enumerate(rows):
            words[i, : len(row)] = row.rows
        unknown = [
            (i, nth, j, ngrams)
            for i, row in enumerate(rows)
            for nth, (j, ngrams) in enumerate(row.unknown)
        ]
        # One at least, so that the computation is the same with and without them.
        most = max([1, *(len(row.unknown) for row in rows)])
        places = np.zeros((len(rows), most), dtype=np.int64)
        pieces = np.zeros((len(rows), most, _MAX_NGRAMS), dtype=np.int64)
        for i, nth, j, ngrams in unknown:
            places[i, nth] = j
            pieces[i, nth, : len(ngrams)] = ngrams
        batch = {
            "words": words,
            "lengths": np.fromiter(map(len, rows), dtype=np.int64, count=len(rows)),
            "places": places,
            "ngrams": pieces,
        }
        return {name: torch.from_numpy(value).to(self._device) for name, value in batch.items()}

    def table(self) -> Any:
        """Give the embeddings, of which only what rows look up is trained."""
        return self.module["embeddings"]

    def entries(self, rows: Sequence[WordRow]) -> set[int]:
        """Say which entries of the table rows look up."""
        found = {PADDING}
        for row in rows:
            found.update(row.rows)
            for _, ngrams in row.unknown:
                found.update(ngrams)
        return found

    def truncation(self, rows: Sequence[WordRow]) -> Truncation:
        """Count the words that are not read."""
        return Truncation(
            n_inputs=sum(row.cut > 0 for row in rows),
            n_tokens=sum(row.tokens for row in rows),
            n_cut=sum(row.cut for row in rows),
        )

    def forward(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Compute features."""
        import torch

        embedded = _embedded(batch, self.module["embeddings"])
        if self._fixed is not None:
            fixed = self._fixed
            other = _embedded(batch, lambda rows: torch.nn.functional.embedding(rows, fixed))
            embedded = torch.cat([embedded, other], dim=2)
        mask = _inside(batch["lengths"], embedded.shape[1])
        return self.module["network"](self.module["dropout"](embedded), mask)


def _embedded(
    batch: Mapping[str, torch.Tensor], look_up: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """Look words up; padding is zeros, and an unknown word is the mean of its n-grams."""
    words, ngrams = batch["words"], batch["ngrams"]
    # Padding has a zero vector when loaded, but may be given another by a training.
    embedded = look_up(words) * (words != PADDING).unsqueeze(2)
    there = (ngrams != PADDING).unsqueeze(3)
    count = there.sum(dim=2).clamp(min=1)
    means = (look_up(ngrams) * there).sum(dim=2) / count
    places = batch["places"].unsqueeze(2).expand(-1, -1, means.shape[2])
    # Where a text has fewer unknown words than another, zeros are added to its first word.
    return embedded.scatter_add(1, places, means.to(embedded.dtype))


def _inside(lengths: torch.Tensor, longest: int) -> torch.Tensor:
    """Say which places of (n, longest) are words."""
    import torch

    return torch.arange(longest, device=lengths.device)[None, :] < lengths[:, None]
