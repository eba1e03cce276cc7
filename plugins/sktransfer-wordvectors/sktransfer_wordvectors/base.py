"""What backbones on word vectors have in common."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sklearn.base import clone
from sklearn.utils._param_validation import Interval

from sktransfer.plugins import Backbone, Encoder
from sktransfer_wordvectors.known import ENGLISH, path_of
from sktransfer_wordvectors.saving import save_part
from sktransfer_wordvectors.vectors import WordVectors, read_vectors
from sktransfer_wordvectors.vocabulary import grown
from sktransfer_wordvectors.words import tokenizer

if TYPE_CHECKING:
    import torch

    from sktransfer_wordvectors.encoder import WordEncoder

__all__ = ["WordBackbone"]

_EXPORTED = "vectors.safetensors"


class WordBackbone(Backbone):
    """What backbones on word vectors have in common: the words, and the table of their vectors.

    Subclasses take the parameters below and those of their network, which `_network` builds.
    """

    modality: ClassVar[str] = "text"
    # Of networks that are drawn, there is nothing to keep by freezing, whatever the vectors.
    pretrained: bool = False
    # Chosen as the hashing backbone's, and not tuned.
    lr: ClassVar[float] = 2e-3
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "vectors": [str, os.PathLike, None],
        "dim": [Interval(Integral, 1, None, closed="left")],
        "tokenizer": [str],
        "max_words": [Interval(Integral, 1, None, closed="left")],
        "min_count": [Interval(Integral, 1, None, closed="left")],
        "max_vocabulary": [Interval(Integral, 0, None, closed="left"), None],
        "n_buckets": [Interval(Integral, 1, None, closed="left")],
        "word_dropout": [Interval(Real, 0, 1, closed="left")],
        "vocabulary": ["array-like"],
    }

    def __init__(
        self,
        vectors: str | os.PathLike[str] | None = None,
        dim: int = 50,
        tokenizer: str = "words",
        max_words: int = 256,
        min_count: int = 1,
        max_vocabulary: int | None = None,
        n_buckets: int = 2048,
        word_dropout: float = 0.0,
        vocabulary: Sequence[str] = (),
    ) -> None:
        self.vectors = vectors
        self.dim = dim
        self.tokenizer = tokenizer
        self.max_words = max_words
        self.min_count = min_count
        self.max_vocabulary = max_vocabulary
        self.n_buckets = n_buckets
        self.word_dropout = word_dropout
        self.vocabulary = vocabulary

    @property
    def english_only(self) -> bool:
        """Whether all that is pretrained is of English."""
        return self.vectors in ENGLISH

    def _network(self, dim: int) -> tuple[torch.nn.Module, int, dict[str, list[str]]]:
        """Draw the network for vectors of a width; give it, its features' width, and its blocks."""
        raise NotImplementedError(f"{type(self).__name__}._network")

    def _reading(self) -> dict[str, Any]:
        """Give what else the encoder has to know about reading texts."""
        return {}

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

        Raises
        ------
        ValueError
            If a parameter is not what it may be, or the vectors' file is damaged.
        """
        self._validate_params()
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

        Raises
        ------
        OSError
            If the vectors are not on this machine.
        ValueError
            If a parameter is not what it may be, or the vectors' file is damaged.
        """
        import torch

        from sktransfer_wordvectors.encoder import WordEncoder
        from sktransfer_wordvectors.table import draw_table

        self._validate_params()
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
            word_dropout=self.word_dropout,
            **self._reading(),
        )

    def export(self, encoder: Encoder, folder: Path) -> WordBackbone:
        """Write the pretrained vectors of the vocabulary; others are not needed any more.

        Parameters
        ----------
        encoder : WordEncoder
            What `load` returned.
        folder : pathlib.Path
            An existing empty folder.

        Returns
        -------
        backbone : WordBackbone
            Loads from ``folder``. A training that goes on draws vectors for new words.
        """
        vectors = self._vectors()
        if vectors is None:
            return self
        save_part(vectors, self.vocabulary, folder / _EXPORTED)
        return clone(self).set_params(vectors=folder / _EXPORTED)

    def _weights(self, vectors: WordVectors | None, random_state: int) -> str:
        """Name the weights that are the same whatever words were learned."""
        reading = {
            "vocabulary",
            "vectors",
            "tokenizer",
            "max_words",
            "min_count",
            "max_vocabulary",
            "word_dropout",
            "dropout",
        }
        params = {k: v for k, v in self.get_params().items() if k not in reading}
        pretrained = "none" if vectors is None else vectors.fingerprint
        described = repr((type(self).__name__, sorted(params.items()), random_state, pretrained))
        return f"words:{hashlib.sha256(described.encode()).hexdigest()}"

    def _vectors(self) -> WordVectors | None:
        if self.vectors is None:
            return None
        path = path_of(self.vectors)
        stat = path.stat()
        return _read_once(path, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=2)
def _read_once(path: Path, size: int, mtime_ns: int) -> WordVectors:
    """Read a file once per process, as long as it stays what it is."""
    return read_vectors(path)
