"""Convolutions over word vectors, as backbones."""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

from sklearn.utils._param_validation import Interval

from sktransfer_wordvectors.base import WordBackbone

if TYPE_CHECKING:
    import torch
    from optuna.distributions import BaseDistribution

__all__ = ["Conv1D", "TextCNN"]


class TextCNN(WordBackbone):
    """Convolutions of several widths over word vectors, each maximised over the text.

    The network of Kim (2014) [1]_. Without vectors it is his "rand", with them "non-static";
    ``freeze=TopLayers(k=1)``, which trains all blocks but the embeddings, makes it "static".

    Parameters
    ----------
    widths : sequence of int, default=(3, 4, 5)
        Words that a filter sees.
    n_filters : int, default=100
        Of each width.
    dropout : float, default=0.5
        Of the features.
    multichannel : bool, default=False
        Whether filters see each vector twice: as it is trained, and as it was loaded.
    vectors : str, path-like or None, default=None
        Pretrained vectors: a registered name (``sktransfer weights list`` has them), such as
        ``"glove-6b-50d"``, or a file in a format of `read_vectors`. None draws all of them.
    dim : int, default=50
        Numbers of a word vector, where they are drawn.
    tokenizer : {"auto", "words", "characters", "jieba"}, default="auto"
        How texts become words. ``"auto"`` is ``"characters"`` where most letters of the training
        texts are of scripts without blanks, such as Chinese, and ``"words"`` elsewhere.
    max_length : int, default=256
        Words of a text that are read.
    min_count : int, default=1
        How often a word without a pretrained vector has to be there to get a row of its own.
    max_vocabulary : int or None, default=None
        Most words that a training adds, the most frequent ones.
    n_buckets : int, default=2048
        Rows for the hashed n-grams of all other words.
    word_dropout : float, default=0.0
        Share of words that is left out at each step of a training.
    vocabulary : sequence of str, default=()
        Words that have a row; a training adds its own.

    References
    ----------
    .. [1] Kim, Y. (2014). Convolutional neural networks for sentence classification. EMNLP.
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

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **WordBackbone._parameter_constraints,
        "widths": ["array-like"],
        "n_filters": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "multichannel": ["boolean"],
    }

    def __init__(
        self,
        widths: Sequence[int] = (3, 4, 5),
        n_filters: int = 100,
        dropout: float = 0.5,
        multichannel: bool = False,
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
        self.widths = widths
        self.n_filters = n_filters
        self.dropout = dropout
        self.multichannel = multichannel
        super().__init__(
            vectors,
            dim,
            tokenizer,
            max_length,
            min_count,
            max_vocabulary,
            n_buckets,
            word_dropout,
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
            {"widths": (2,), "n_filters": 5, "dim": 3, "multichannel": True},
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

    def _check(self) -> None:
        super()._check()
        good = [isinstance(width, Integral) and width >= 1 for width in self.widths]
        if not good or not all(good):
            raise ValueError(
                f"widths has to hold one or more integers of at least 1, got {self.widths!r}."
            )

    def _network(self, dim: int) -> tuple[torch.nn.Module, int, dict[str, list[str]]]:
        from sktransfer_wordvectors.networks import Convolutions

        channels = 2 if self.multichannel else 1
        widths = [int(width) for width in self.widths]
        network = Convolutions(channels * dim, widths, self.n_filters, self.dropout)
        names = [name for name, _ in network.named_parameters()]
        return network, len(network.widths) * self.n_filters, {"convolution": names}

    def _reading(self) -> dict[str, Any]:
        return {"fixed_channel": self.multichannel}


class Conv1D(WordBackbone):
    """A convolution over word vectors, its maximum over the text, and a dense layer.

    The stack that tutorials teach: embedding, ``Conv1D``, global maximum, dense, dropout.

    Parameters
    ----------
    width : int, default=5
        Words that a filter sees.
    n_filters : int, default=128
        How many.
    hidden : int, default=128
        Width of the dense layer, and of the features.
    dropout : float, default=0.5
        Of the features.
    vectors : str, path-like or None, default=None
        Pretrained vectors: a registered name (``sktransfer weights list`` has them), such as
        ``"glove-6b-50d"``, or a file in a format of `read_vectors`. None draws all of them.
    dim : int, default=50
        Numbers of a word vector, where they are drawn.
    tokenizer : {"auto", "words", "characters", "jieba"}, default="auto"
        How texts become words. ``"auto"`` is ``"characters"`` where most letters of the training
        texts are of scripts without blanks, such as Chinese, and ``"words"`` elsewhere.
    max_length : int, default=256
        Words of a text that are read.
    min_count : int, default=1
        How often a word without a pretrained vector has to be there to get a row of its own.
    max_vocabulary : int or None, default=None
        Most words that a training adds, the most frequent ones.
    n_buckets : int, default=2048
        Rows for the hashed n-grams of all other words.
    word_dropout : float, default=0.0
        Share of words that is left out at each step of a training.
    vocabulary : sequence of str, default=()
        Words that have a row; a training adds its own.

    Examples
    --------
    >>> from sktransfer_wordvectors import Conv1D
    >>> backbone = Conv1D(n_filters=4, hidden=3, dim=8).learned_from(["a good film", "a bad film"])
    >>> backbone.vocabulary
    ('a', 'film', 'bad', 'good')
    >>> encoder = backbone.load(device="cpu", random_state=0)
    >>> list(encoder.blocks)
    ['embeddings', 'convolution', 'dense']
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **WordBackbone._parameter_constraints,
        "width": [Interval(Integral, 1, None, closed="left")],
        "n_filters": [Interval(Integral, 1, None, closed="left")],
        "hidden": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        width: int = 5,
        n_filters: int = 128,
        hidden: int = 128,
        dropout: float = 0.5,
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
        self.width = width
        self.n_filters = n_filters
        self.hidden = hidden
        self.dropout = dropout
        super().__init__(
            vectors,
            dim,
            tokenizer,
            max_length,
            min_count,
            max_vocabulary,
            n_buckets,
            word_dropout,
            vocabulary,
        )

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """Give constructor parameters of small instances.

        Returns
        -------
        params : list of dict
        """
        return [{"width": 2, "n_filters": 8, "hidden": 8, "dim": 4, "n_buckets": 32}]

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning.

        Returns
        -------
        space : dict of str to optuna.distributions.BaseDistribution
        """
        from optuna.distributions import CategoricalDistribution, FloatDistribution

        return {
            "n_filters": CategoricalDistribution([64, 128, 256]),
            "dropout": FloatDistribution(0.0, 0.6),
        }

    def _network(self, dim: int) -> tuple[torch.nn.Module, int, dict[str, list[str]]]:
        from sktransfer_wordvectors.networks import Stack

        network = Stack(dim, self.width, self.n_filters, self.hidden, self.dropout)
        blocks = {
            part: [name for name, _ in network.named_parameters() if name.startswith(f"{part}.")]
            for part in ("convolution", "dense")
        }
        return network, self.hidden, blocks
