"""Averages of word vectors, as a backbone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

from sklearn.utils._param_validation import Interval

from sktransfer_wordvectors.base import WordBackbone

if TYPE_CHECKING:
    import torch
    from optuna.distributions import BaseDistribution

__all__ = ["FastText"]


class FastText(WordBackbone):
    """The mean of the vectors of words and of runs of words.

    Parameters
    ----------
    word_ngrams : int, default=1
        Longest run of words that has a vector, too: 2 adds pairs [1]_. They are hashed into the
        rows of ``n_buckets``, of which there should be more then.
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
    n_buckets : int, default=16384
        Rows for the hashed n-grams of all other words.
    word_dropout : float, default=0.0
        Share of words that is left out at each step of a training.
    vocabulary : sequence of str, default=()
        Words that have a row; a training adds its own.

    References
    ----------
    .. [1] Joulin, A., Grave, E., Bojanowski, P. and Mikolov, T. (2017). Bag of tricks for
       efficient text classification. EACL. arXiv:1607.01759.

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

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **WordBackbone._parameter_constraints,
        "word_ngrams": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        word_ngrams: int = 1,
        vectors: str | os.PathLike[str] | None = None,
        dim: int = 50,
        tokenizer: str = "auto",
        max_length: int = 256,
        min_count: int = 1,
        max_vocabulary: int | None = None,
        n_buckets: int = 16384,
        word_dropout: float = 0.0,
        vocabulary: Sequence[str] = (),
    ) -> None:
        self.word_ngrams = word_ngrams
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

    @property
    def pretrained(self) -> bool:
        """Whether there is something to keep by freezing: here the features are the vectors."""
        return self.vectors is not None

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """Give constructor parameters of small instances.

        Returns
        -------
        params : list of dict
        """
        return [{"dim": 4, "n_buckets": 32}, {"dim": 4, "word_ngrams": 2, "n_buckets": 64}]

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning.

        Returns
        -------
        space : dict of str to optuna.distributions.BaseDistribution
        """
        from optuna.distributions import CategoricalDistribution

        return {"word_ngrams": CategoricalDistribution([1, 2])}

    def _network(self, dim: int) -> tuple[torch.nn.Module, int, dict[str, list[str]]]:
        from sktransfer_wordvectors.networks import Mean

        return Mean(), dim, {}

    def _reading(self) -> dict[str, Any]:
        return {"word_ngrams": self.word_ngrams}
