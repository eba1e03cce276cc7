"""What backbones on word vectors have in common."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from sklearn.base import clone

from sktransfer.plugins import Backbone
from sktransfer_wordvectors.vectors import WordVectors, read_vectors
from sktransfer_wordvectors.vocabulary import grown
from sktransfer_wordvectors.words import tokenizer

if TYPE_CHECKING:
    import torch

    from sktransfer_wordvectors.encoder import WordEncoder

__all__ = ["WordBackbone"]


class WordBackbone(Backbone):
    """What backbones on word vectors have in common: the words, and the table of their vectors.

    Subclasses take the parameters below and those of their network, which `_network` builds.
    """

    modality: ClassVar[str] = "text"
    # Chosen as the hashing backbone's, and not tuned.
    lr: ClassVar[float] = 2e-3

    def __init__(
        self,
        vectors: str | os.PathLike[str] | None = None,
        dim: int = 50,
        tokenizer: str = "words",
        max_words: int = 256,
        min_count: int = 1,
        max_vocabulary: int | None = None,
        n_buckets: int = 2048,
        vocabulary: Sequence[str] = (),
    ) -> None:
        self.vectors = vectors
        self.dim = dim
        self.tokenizer = tokenizer
        self.max_words = max_words
        self.min_count = min_count
        self.max_vocabulary = max_vocabulary
        self.n_buckets = n_buckets
        self.vocabulary = vocabulary

    @property
    def pretrained(self) -> bool:
        """Whether there is something to keep by freezing."""
        return self.vectors is not None

    def _network(self, dim: int) -> tuple[torch.nn.Module, int, dict[str, list[str]]]:
        """Draw the network for vectors of a width; give it, its features' width, and its blocks."""
        raise NotImplementedError(f"{type(self).__name__}._network")

    def learned_from(self, X: Sequence[str], earlier: Backbone | None = None) -> Backbone:
        """Learn the words of texts; those of an earlier training keep their places.

        Parameters
        ----------
        X : sequence of str
            Texts.
        earlier : WordBackbone or None, default=None
            Used by the training before.

        Returns
        -------
        backbone : WordBackbone
            With a longer ``vocabulary``.
        """
        split = tokenizer(self.tokenizer)
        words = grown(
            getattr(earlier, "vocabulary", self.vocabulary),
            (split(text)[: self.max_words] for text in X),
            self._vectors() or (),
            min_count=self.min_count,
            max_words=self.max_vocabulary,
        )
        return clone(self).set_params(vocabulary=words)

    def load(self, *, device: str, random_state: int) -> WordEncoder:
        """Build the table and the network.

        Parameters
        ----------
        device : str
            Where they have to be.
        random_state : int
            Seeds what is not pretrained.

        Returns
        -------
        encoder : WordEncoder
        """
        import torch

        from sktransfer_wordvectors.encoder import WordEncoder, draw_table

        vectors = self._vectors()
        dim = self.dim if vectors is None else vectors.dim
        table = draw_table(
            self.vocabulary, vectors, dim=dim, n_buckets=self.n_buckets, seed=random_state
        )
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(random_state % 2**63)
            network, width, blocks = self._network(dim)
        return WordEncoder(
            self.vocabulary,
            tokenizer(self.tokenizer),
            network,
            table,
            n_buckets=self.n_buckets,
            dim=width,
            max_words=self.max_words,
            weights=self._weights(vectors, random_state),
            settings=repr((self.tokenizer, self.max_words)),
            device=device,
            blocks=blocks,
        )

    def _weights(self, vectors: WordVectors | None, random_state: int) -> str:
        """Name the weights that are the same whatever words were learned."""
        reading = {"vocabulary", "vectors", "tokenizer", "max_words", "min_count", "max_vocabulary"}
        params = {k: v for k, v in self.get_params().items() if k not in reading}
        pretrained = "none" if vectors is None else vectors.fingerprint
        described = repr((type(self).__name__, sorted(params.items()), random_state, pretrained))
        return f"words:{hashlib.sha256(described.encode()).hexdigest()}"

    def _vectors(self) -> WordVectors | None:
        return None if self.vectors is None else _read_once(os.fspath(self.vectors))


@functools.lru_cache(maxsize=2)
def _read_once(path: str) -> WordVectors:
    return read_vectors(path)
