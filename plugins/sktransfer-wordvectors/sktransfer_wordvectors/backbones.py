"""Small networks on word vectors, as backbones."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from sktransfer_wordvectors.base import WordBackbone

if TYPE_CHECKING:
    import torch
    from optuna.distributions import BaseDistribution

__all__ = ["GRU", "BiLSTM", "FastText", "TextCNN"]


class TextCNN(WordBackbone):
    """Convolutions of several widths over word vectors, each maximised over the text.

    Parameters
    ----------
    widths : sequence of int, default=(3, 4, 5)
        Words that a filter sees.
    n_filters : int, default=100
        Of each width.
    dropout : float, default=0.5
        Of the features.
    vectors : path-like or None, default=None
        Pretrained vectors, in a format of `read_vectors`; None draws all of them.
    dim : int, default=50
        Numbers of a word vector, where they are drawn.
    tokenizer : {"words", "characters", "jieba"}, default="words"
        How texts become words.
    max_words : int, default=256
        Words of a text that are read.
    min_count : int, default=1
        How often a word without a pretrained vector has to be there to get a row of its own.
    max_vocabulary : int or None, default=None
        Most words that a training adds, the most frequent ones.
    n_buckets : int, default=2048
        Rows for the hashed n-grams of all other words.
    vocabulary : sequence of str, default=()
        Words that have a row; a training adds its own.

    References
    ----------
    Kim, Y. (2014). Convolutional neural networks for sentence classification. EMNLP.
    arXiv:1408.5882.

    Examples
    --------
    >>> from sktransfer_wordvectors import TextCNN
    >>> backbone = TextCNN(n_filters=4, dim=8).learned_from(["a good film", "a bad film"])
    >>> backbone.vocabulary
    ('a', 'film', 'bad', 'good')
    >>> encoder = backbone.load(device="cpu", random_state=0)
    >>> list(encoder.blocks)
    ['embeddings', 'convolution']
    """

    def __init__(
        self,
        widths: Sequence[int] = (3, 4, 5),
        n_filters: int = 100,
        dropout: float = 0.5,
        vectors: str | os.PathLike[str] | None = None,
        dim: int = 50,
        tokenizer: str = "words",
        max_words: int = 256,
        min_count: int = 1,
        max_vocabulary: int | None = None,
        n_buckets: int = 2048,
        vocabulary: Sequence[str] = (),
    ) -> None:
        self.widths = widths
        self.n_filters = n_filters
        self.dropout = dropout
        super().__init__(
            vectors,
            dim,
            tokenizer,
            max_words,
            min_count,
            max_vocabulary,
            n_buckets,
            vocabulary,
        )

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """Give constructor parameters of small instances.

        Returns
        -------
        params : list of dict
        """
        return [
            {"n_filters": 3, "dim": 4, "n_buckets": 32},
            {"widths": (2,), "n_filters": 5, "dim": 3},
        ]

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning.

        Returns
        -------
        space : dict of str to optuna.distributions.BaseDistribution
        """
        from optuna.distributions import CategoricalDistribution, FloatDistribution

        return {
            "n_filters": CategoricalDistribution([50, 100, 200]),
            "dropout": FloatDistribution(0.0, 0.6),
        }

    def _network(self, dim: int) -> tuple[torch.nn.Module, int, dict[str, list[str]]]:
        from sktransfer_wordvectors.networks import Convolutions

        network = Convolutions(dim, self.widths, self.n_filters, self.dropout)
        names = [name for name, _ in network.named_parameters()]
        return network, len(network.widths) * self.n_filters, {"convolution": names}


class RecurrentBackbone(WordBackbone):
    """What networks have in common that read in both directions; subclasses name the cells."""

    cells: ClassVar[str]

    def __init__(
        self,
        width: int = 100,
        dropout: float = 0.3,
        vectors: str | os.PathLike[str] | None = None,
        dim: int = 50,
        tokenizer: str = "words",
        max_words: int = 256,
        min_count: int = 1,
        max_vocabulary: int | None = None,
        n_buckets: int = 2048,
        vocabulary: Sequence[str] = (),
    ) -> None:
        self.width = width
        self.dropout = dropout
        super().__init__(
            vectors,
            dim,
            tokenizer,
            max_words,
            min_count,
            max_vocabulary,
            n_buckets,
            vocabulary,
        )

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """Give constructor parameters of small instances.

        Returns
        -------
        params : list of dict
        """
        return [{"width": 3, "dim": 4, "n_buckets": 32}]

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning.

        Returns
        -------
        space : dict of str to optuna.distributions.BaseDistribution
        """
        from optuna.distributions import CategoricalDistribution, FloatDistribution

        return {
            "width": CategoricalDistribution([50, 100, 200]),
            "dropout": FloatDistribution(0.0, 0.6),
        }

    def _network(self, dim: int) -> tuple[torch.nn.Module, int, dict[str, list[str]]]:
        from sktransfer_wordvectors.networks import Recurrent

        network = Recurrent(self.cells, dim, self.width, self.dropout)
        names = [name for name, _ in network.named_parameters()]
        states = [name for name in names if name.startswith("states.")]
        attention = [name for name in names if name not in states]
        return network, 2 * self.width, {"states": states, "attention": attention}


class BiLSTM(RecurrentBackbone):
    """An LSTM that reads in both directions, and attention over its states.

    Parameters
    ----------
    width : int, default=100
        Of the states in each direction.
    dropout : float, default=0.3
        Of the features.
    vectors : path-like or None, default=None
        Pretrained vectors, in a format of `read_vectors`; None draws all of them.
    dim : int, default=50
        Numbers of a word vector, where they are drawn.
    tokenizer : {"words", "characters", "jieba"}, default="words"
        How texts become words.
    max_words : int, default=256
        Words of a text that are read.
    min_count : int, default=1
        How often a word without a pretrained vector has to be there to get a row of its own.
    max_vocabulary : int or None, default=None
        Most words that a training adds, the most frequent ones.
    n_buckets : int, default=2048
        Rows for the hashed n-grams of all other words.
    vocabulary : sequence of str, default=()
        Words that have a row; a training adds its own.

    References
    ----------
    Yang, Z., Yang, D., Dyer, C., He, X., Smola, A. and Hovy, E. (2016). Hierarchical attention
    networks for document classification. NAACL.

    Examples
    --------
    >>> from sktransfer_wordvectors import BiLSTM
    >>> backbone = BiLSTM(width=4, dim=8).learned_from(["a good film", "a bad film"])
    >>> backbone.vocabulary
    ('a', 'film', 'bad', 'good')
    >>> encoder = backbone.load(device="cpu", random_state=0)
    >>> list(encoder.blocks)
    ['embeddings', 'states', 'attention']
    """

    cells: ClassVar[str] = "lstm"


class GRU(RecurrentBackbone):
    """A GRU that reads in both directions, and attention over its states.

    Parameters
    ----------
    width : int, default=100
        Of the states in each direction.
    dropout : float, default=0.3
        Of the features.
    vectors : path-like or None, default=None
        Pretrained vectors, in a format of `read_vectors`; None draws all of them.
    dim : int, default=50
        Numbers of a word vector, where they are drawn.
    tokenizer : {"words", "characters", "jieba"}, default="words"
        How texts become words.
    max_words : int, default=256
        Words of a text that are read.
    min_count : int, default=1
        How often a word without a pretrained vector has to be there to get a row of its own.
    max_vocabulary : int or None, default=None
        Most words that a training adds, the most frequent ones.
    n_buckets : int, default=2048
        Rows for the hashed n-grams of all other words.
    vocabulary : sequence of str, default=()
        Words that have a row; a training adds its own.

    References
    ----------
    Yang, Z., Yang, D., Dyer, C., He, X., Smola, A. and Hovy, E. (2016). Hierarchical attention
    networks for document classification. NAACL.

    Examples
    --------
    >>> from sktransfer_wordvectors import GRU
    >>> backbone = GRU(width=4, dim=8).learned_from(["a good film", "a bad film"])
    >>> backbone.vocabulary
    ('a', 'film', 'bad', 'good')
    >>> encoder = backbone.load(device="cpu", random_state=0)
    >>> list(encoder.blocks)
    ['embeddings', 'states', 'attention']
    """

    cells: ClassVar[str] = "gru"


class FastText(WordBackbone):
    """The mean of word vectors.

    Parameters
    ----------
    vectors : path-like or None, default=None
        Pretrained vectors, in a format of `read_vectors`; None draws all of them.
    dim : int, default=50
        Numbers of a word vector, where they are drawn.
    tokenizer : {"words", "characters", "jieba"}, default="words"
        How texts become words.
    max_words : int, default=256
        Words of a text that are read.
    min_count : int, default=1
        How often a word without a pretrained vector has to be there to get a row of its own.
    max_vocabulary : int or None, default=None
        Most words that a training adds, the most frequent ones.
    n_buckets : int, default=2048
        Rows for the hashed n-grams of all other words.
    vocabulary : sequence of str, default=()
        Words that have a row; a training adds its own.

    References
    ----------
    Joulin, A., Grave, E., Bojanowski, P. and Mikolov, T. (2017). Bag of tricks for efficient text
    classification. EACL. arXiv:1607.01759.

    Examples
    --------
    >>> from sktransfer_wordvectors import FastText
    >>> backbone = FastText(dim=8).learned_from(["a good film", "a bad film"])
    >>> backbone.vocabulary
    ('a', 'film', 'bad', 'good')
    >>> encoder = backbone.load(device="cpu", random_state=0)
    >>> list(encoder.blocks)
    ['embeddings']
    """

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """Give constructor parameters of small instances.

        Returns
        -------
        params : list of dict
        """
        return [{"dim": 4, "n_buckets": 32}]

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning.

        Returns
        -------
        space : dict of str to optuna.distributions.BaseDistribution
        """
        from optuna.distributions import CategoricalDistribution

        return {"dim": CategoricalDistribution([50, 100, 300])}

    def _network(self, dim: int) -> tuple[torch.nn.Module, int, dict[str, list[str]]]:
        from sktransfer_wordvectors.networks import Mean

        return Mean(), dim, {}
