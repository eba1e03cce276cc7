"""Recurrent networks on word vectors, as backbones."""

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

__all__ = ["GRU", "BiLSTM"]


class RecurrentBackbone(WordBackbone):
    """What networks have in common that read in both directions; subclasses name the cells."""

    cells: ClassVar[str]
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **WordBackbone._parameter_constraints,
        "width": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        width: int = 100,
        dropout: float = 0.3,
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
    """An LSTM that reads in both directions, and attention over its states [1]_.

    Parameters
    ----------
    width : int, default=100
        Of the states in each direction.
    dropout : float, default=0.3
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

    References
    ----------
    .. [1] Yang, Z., Yang, D., Dyer, C., He, X., Smola, A. and Hovy, E. (2016). Hierarchical
       attention networks for document classification. NAACL.

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
    """A GRU that reads in both directions, and attention over its states [1]_.

    Parameters
    ----------
    width : int, default=100
        Of the states in each direction.
    dropout : float, default=0.3
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

    References
    ----------
    .. [1] Yang, Z., Yang, D., Dyer, C., He, X., Smola, A. and Hovy, E. (2016). Hierarchical
       attention networks for document classification. NAACL.

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
