"""What backbones on word vectors have in common."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import warnings
from collections import Counter
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sklearn.base import clone
from sklearn.utils._param_validation import Interval

from sktransfer.plugins import Backbone, Encoder
from sktransfer_wordvectors.known import ENGLISH, absolute, path_of
from sktransfer_wordvectors.saving import save_part
from sktransfer_wordvectors.vectors import WordVectors, read_vectors
from sktransfer_wordvectors.vocabulary import grown
from sktransfer_wordvectors.words import chosen_tokenizer, tokenizer

if TYPE_CHECKING:
    import torch

    from sktransfer_wordvectors.encoder import WordEncoder

__all__ = ["WordBackbone"]

_EXPORTED = "vectors.safetensors"
# Of the running words of a training that have a vector; with fewer, the vectors are hardly used.
_FEW = 0.1
# What an encoder's weights do not depend on.
_NOT_WEIGHTS = {
    "vocabulary",
    "vectors",
    "tokenizer",
    "max_length",
    "min_count",
    "max_vocabulary",
    "word_dropout",
    "dropout",
}


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
        "max_length": [Interval(Integral, 1, None, closed="left")],
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
        tokenizer: str = "auto",
        max_length: int = 256,
        min_count: int = 1,
        max_vocabulary: int | None = None,
        n_buckets: int = 2048,
        word_dropout: float = 0.0,
        vocabulary: Sequence[str] = (),
    ) -> None:
        self.vectors = vectors
        self.dim = dim
        self.tokenizer = tokenizer
        self.max_length = max_length
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
        OSError
            If the vectors are not on this machine.
        ValueError
            If a parameter is not what it may be, or the vectors' file is damaged.

        Warns
        -----
        UserWarning
            If hardly any word has a vector, or ``tokenizer="auto"`` reads characters.
        """
        self._check()
        name = self._tokenizer_for(X, earlier)
        split = tokenizer(name)
        vectors = self._vectors()
        counts = Counter(word for text in X for word in split(text)[: self.max_length])
        if vectors is not None:
            n = sum(counts.values())
            n_known = sum(count for word, count in counts.items() if word in vectors)
            if n_known < _FEW * n:
                frequent = [word for word, _ in counts.most_common(3)]
                warnings.warn(
                    f"{n_known / n:.0%} of the words of the training texts have a vector in "
                    f"vectors={os.fspath(self.vectors)!r}; the most frequent words are {frequent}. "
                    "Are the vectors of this language, and of words in lower case?",
                    UserWarning,
                    stacklevel=2,
                )
        words = grown(
            getattr(earlier, "vocabulary", self.vocabulary),
            counts,
            vectors or (),
            min_count=self.min_count,
            max_words=self.max_vocabulary,
        )
        learned = clone(self).set_params(vocabulary=words, tokenizer=name)
        # What is fitted now has to find the file later, from wherever it is loaded then.
        return learned if vectors is None else learned.set_params(vectors=absolute(self.vectors))

    def _tokenizer_for(self, X: Sequence[str], earlier: Backbone | None) -> str:
        """Name the tokenizer of a training, which goes on with that of the one before."""
        if self.tokenizer != "auto":
            return self.tokenizer
        if isinstance(earlier, WordBackbone) and earlier.tokenizer != "auto":
            return earlier.tokenizer
        name = chosen_tokenizer(X)
        if name == "characters":
            warnings.warn(
                "Most letters of the training texts are of scripts that are written without blanks,"
                " so that they are read character by character: tokenizer='characters' says so, "
                "tokenizer='jieba' finds Chinese words.",
                UserWarning,
                stacklevel=2,
            )
        return name

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

        self._check()
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
            max_length=self.max_length,
            weights=self._weights(vectors, random_state),
            settings=self._settings(vectors),
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
        params = {k: v for k, v in self.get_params().items() if k not in _NOT_WEIGHTS}
        pretrained = None if vectors is None else vectors.fingerprint
        described = [type(self).__name__, params, random_state, pretrained]
        text = json.dumps(described, sort_keys=True, default=_plain)
        return f"words:{hashlib.sha256(text.encode()).hexdigest()}"

    def _settings(self, vectors: WordVectors | None) -> str:
        """Name how texts are read, and which words began with a vector."""
        # A part of the vectors stands for all of them, but has none for words that came later.
        known = "".join("01"[vectors is not None and word in vectors] for word in self.vocabulary)
        settings = [self.tokenizer, self.max_length, self._reading(), known]
        return json.dumps(settings, sort_keys=True, default=_plain)

    def _check(self) -> None:
        """Refuse parameters that are not what they may be."""
        self._validate_params()
        if len({*self.vocabulary}) < len(self.vocabulary) or not all(
            isinstance(word, str) and word for word in self.vocabulary
        ):
            raise ValueError("vocabulary has to hold different words, none of them empty.")

    def _vectors(self) -> WordVectors | None:
        if self.vectors is None:
            return None
        path = path_of(self.vectors)
        files = [path, *(path.with_suffix(suffix) for suffix in (".json", ".txt"))]
        stats = [file.stat() for file in files if file.is_file()]
        if not path.is_file():
            raise FileNotFoundError(
                f"There is no file {path}, which {type(self).__name__} needs for its vectors. Put "
                "it there, or name another one as `vectors`; a model that needs no other file is "
                "saved by save(folder, embed_backbone=True)."
            )
        return _read_once(path, tuple((stat.st_size, stat.st_mtime_ns) for stat in stats))


@functools.lru_cache(maxsize=2)
def _read_once(path: Path, _stats: tuple[tuple[int, int], ...]) -> WordVectors:
    """Read a file once per process, as long as it and the words beside it stay what they are."""
    return read_vectors(path)


def _plain(value: Any) -> Any:
    """Turn NumPy's numbers, and paths, into what JSON has: equal values have to look equal."""
    return value.item() if hasattr(value, "item") else os.fspath(value)
