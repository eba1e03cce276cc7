"""A backbone of hashed n-grams, which needs no pretrained weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from sktransfer.contracts import Backbone, Fingerprint, VectorEncoder

if TYPE_CHECKING:
    import torch
    from optuna.distributions import BaseDistribution

__all__ = ["HashingBackbone"]

# Longest text in characters, which bounds the cost of a row.
_MAX_CHARS = 20_000
# A prime factor, so that the texts of a pair use different buckets.
_SECOND = 7919


class HashingBackbone(Backbone):
    """Embed hashed word and character n-grams, and average them.

    The weights are random, so that nothing is transferred: this is a baseline for pretrained
    backbones, and runs where no weights can be installed.

    Parameters
    ----------
    dim : int, default=64
        Number of features.
    n_buckets : int, default=16384
        Number of embeddings; n-grams with the same hash share one.
    word_ngrams : tuple of (int, int), default=(1, 2)
        Shortest and longest word n-gram.
    char_ngrams : tuple of (int, int), default=(3, 5)
        Shortest and longest character n-gram, within words.

    References
    ----------
    Bojanowski, P., Grave, E., Joulin, A. and Mikolov, T. (2017). Enriching word vectors with
    subword information. TACL 5. arXiv:1607.04606.

    Examples
    --------
    >>> from sktransfer.backbones.hashing import HashingBackbone
    >>> encoder = HashingBackbone(dim=8).load(device="cpu", random_state=0)
    >>> rows = encoder.prepare(["a good film", ""])
    >>> encoder.forward(encoder.collate(rows)).shape
    torch.Size([2, 8])
    """

    modality: ClassVar[str] = "text"
    reads_pairs: ClassVar[bool] = True
    pretrained: ClassVar[bool] = False
    lr: ClassVar[float] = 2e-3

    def __init__(
        self,
        dim: int = 64,
        n_buckets: int = 2**14,
        word_ngrams: tuple[int, int] = (1, 2),
        char_ngrams: tuple[int, int] = (3, 5),
    ) -> None:
        self.dim = dim
        self.n_buckets = n_buckets
        self.word_ngrams = word_ngrams
        self.char_ngrams = char_ngrams

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """Return constructor parameters of small instances.

        Returns
        -------
        params : list of dict
        """
        return [{"dim": 8, "n_buckets": 64}, {"dim": 4, "n_buckets": 32, "word_ngrams": (1, 1)}]

    def search_space(self) -> dict[str, BaseDistribution]:
        """Return the parameters that are worth tuning.

        Returns
        -------
        space : dict of str to optuna.distributions.BaseDistribution
        """
        from optuna.distributions import CategoricalDistribution

        return {"dim": CategoricalDistribution([32, 64, 128, 256])}

    def load(self, *, device: str, random_state: int) -> HashingEncoder:
        """Draw the weights.

        Parameters
        ----------
        device : str
            Device of the module.
        random_state : int
            Seed of the weights.

        Returns
        -------
        encoder : HashingEncoder
        """
        return HashingEncoder(self, device, random_state)


class HashingEncoder(VectorEncoder):
    """The encoder of `HashingBackbone`; see `sktransfer.plugins.Encoder`."""

    def __init__(self, backbone: HashingBackbone, device: str, random_state: int) -> None:
        import numpy as np
        import torch
        from sklearn.feature_extraction.text import HashingVectorizer
        from torch import nn

        self.dim = backbone.dim
        self._n_buckets = backbone.n_buckets
        self._device = device
        shared = {"n_features": backbone.n_buckets, "alternate_sign": False, "norm": None}
        self._vectorizers = [
            HashingVectorizer(
                ngram_range=tuple(backbone.word_ngrams), token_pattern=r"\w+|[^\w\s]", **shared
            ),
            HashingVectorizer(
                analyzer="char_wb", ngram_range=tuple(backbone.char_ngrams), **shared
            ),
        ]
        rng = np.random.RandomState(random_state % 2**32)
        table = rng.standard_normal((backbone.n_buckets + 1, self.dim)) / self.dim**0.5
        table[0] = 0.0
        embeddings = nn.EmbeddingBag.from_pretrained(
            torch.tensor(table, dtype=torch.float32), freeze=False, mode="sum", padding_idx=0
        )
        # A rotation keeps all distances, so that the second block does not change frozen features.
        rotation, _ = np.linalg.qr(rng.standard_normal((self.dim, self.dim)))
        projection = nn.utils.skip_init(nn.Linear, self.dim, self.dim)
        projection.load_state_dict(
            {"weight": torch.tensor(rotation), "bias": torch.zeros(self.dim)}
        )
        module = nn.ModuleDict({"embeddings": embeddings, "projection": projection})
        self.module = module.to(device)
        self.blocks = {
            "embeddings": ["embeddings.weight"],
            "projection": ["projection.weight", "projection.bias"],
        }
        digest = hashlib.sha256(repr(backbone.get_params()).encode())
        for name, value in module.state_dict().items():
            digest.update(name.encode())
            digest.update(value.cpu().numpy().tobytes())
        self.fingerprint = Fingerprint(f"hashing:{digest.hexdigest()}")

    def prepare(self, X: Sequence[Any]) -> list[list[int]]:
        """Hash each text into the buckets of its distinct n-grams."""
        if len(X) and isinstance(X[0], tuple):
            first, second = (self.prepare(side) for side in zip(*X, strict=True))
            return [
                sorted({*a, *(b * _SECOND % self._n_buckets + 1 for b in rows)})
                for a, rows in zip(first, second, strict=True)
            ]
        texts = [text[:_MAX_CHARS] for text in X]
        if not texts:
            return []
        counts = sum(vectorizer.transform(texts) for vectorizer in self._vectorizers).tocsr()
        counts.sort_indices()
        return [
            (counts.indices[start:end] + 1).tolist()
            for start, end in zip(counts.indptr[:-1], counts.indptr[1:], strict=True)
        ]

    def collate(self, rows: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
        """Pad rows with bucket 0, which has no weight."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        buckets = [torch.tensor([*row, 0], dtype=torch.int64) for row in rows]
        return {"buckets": pad_sequence(buckets, batch_first=True).to(self._device)}

    def table(self) -> Any:
        """Return the embeddings."""
        return self.module["embeddings"]

    def entries(self, rows: Sequence[Sequence[int]]) -> set[int]:
        """Return the embeddings that rows use."""
        return {0}.union(*rows)

    def forward(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Sum the embeddings, divided by the square root of their number."""
        import torch

        buckets = batch["buckets"]
        count = (buckets != 0).sum(dim=1, keepdim=True).clamp(min=1)
        summed = self.module["embeddings"](buckets) / count.sqrt()
        # Half precision gains nothing on a layer this small. Double precision costs little, and
        # makes the features of a row independent of the other rows of its batch.
        projection: Any = self.module["projection"]
        with torch.autocast(buckets.device.type, enabled=False):
            return torch.nn.functional.linear(
                summed.double(), projection.weight.double(), projection.bias.double()
            ).float()
