"""The freeze strategies of the literature, as pure functions of block names and epochs."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

from sktransfer.contracts import FreezeStrategy

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

__all__ = [
    "BiasOnly",
    "BottomLayers",
    "ChainThaw",
    "Frozen",
    "Full",
    "Gradual",
    "HeadByEpochs",
    "LinearProbeFineTune",
    "TopLayers",
]


class _TrainsBody(FreezeStrategy):
    """The base of strategies that train the body: layer-wise decay of the learning rate."""

    layer_decay: float

    def lr_scale(self, blocks: Sequence[str]) -> tuple[float, ...]:
        """Give each block's fraction of the learning rate."""
        n = len(blocks)
        return tuple(self.layer_decay ** (n - i) for i in range(n))

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning."""
        from optuna.distributions import FloatDistribution

        return {"layer_decay": FloatDistribution(0.6, 1.0)}


class Full(_TrainsBody):
    """Train every block from the first epoch on: ordinary fine-tuning.

    Parameters
    ----------
    layer_decay : float, default=1.0
        Each block trains at this fraction of the learning rate of the block above it.

    Examples
    --------
    >>> from sktransfer.freezing.strategies import Full
    >>> Full(layer_decay=0.5).lr_scale(["embeddings", "layer.0"])
    (0.25, 0.5)
    """

    def __init__(self, layer_decay: float = 1.0) -> None:
        self.layer_decay = layer_decay

    def trainable(
        self, blocks: Sequence[str], epoch: int, n_epochs: int, stage: str
    ) -> frozenset[str]:
        """Name all blocks."""
        return frozenset(blocks)


class Frozen(FreezeStrategy):
    """Train the head only, to convergence, on features that are computed once.

    See Also
    --------
    HeadByEpochs : The same by steps of an optimizer.

    Examples
    --------
    >>> from sktransfer.freezing.strategies import Frozen
    >>> Frozen().trainable(["embeddings", "layer.0"], epoch=0, n_epochs=3, stage="source")
    frozenset()
    """

    trains_body: ClassVar[bool] = False

    def trainable(
        self, blocks: Sequence[str], epoch: int, n_epochs: int, stage: str
    ) -> frozenset[str]:
        """Name no block."""
        return frozenset()


class HeadByEpochs(Frozen):
    """Train the head only, by epochs, on features that are computed once.

    As books and tutorials do, with ``lr``, ``batch_size`` and ``max_epochs``. `Frozen`, which needs
    none of them, reaches what this reaches, and mostly sooner. But dropout, mixup and early
    stopping of a head have an effect by epochs alone.

    Examples
    --------
    >>> from sktransfer.freezing.strategies import HeadByEpochs
    >>> HeadByEpochs().trainable(["embeddings", "layer.0"], epoch=0, n_epochs=3, stage="source")
    frozenset()
    """

    fits_head_first: ClassVar[bool] = False


class TopLayers(_TrainsBody):
    """Train the blocks nearest to the head.

    Parameters
    ----------
    k : int, default=2
        How many; all where the encoder has fewer.
    layer_decay : float, default=1.0
        Each block trains at this fraction of the learning rate of the block above it.

    Examples
    --------
    >>> from sktransfer.freezing.strategies import TopLayers
    >>> TopLayers(k=1).trainable(["embeddings", "layer.0"], 0, 3, "source")
    frozenset({'layer.0'})
    """

    def __init__(self, k: int = 2, layer_decay: float = 1.0) -> None:
        self.k = k
        self.layer_decay = layer_decay

    def trainable(
        self, blocks: Sequence[str], epoch: int, n_epochs: int, stage: str
    ) -> frozenset[str]:
        """Name the last ``k`` blocks."""
        return frozenset(blocks[max(0, len(blocks) - _count("k", self.k)) :])

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning."""
        from optuna.distributions import IntDistribution

        return {"k": IntDistribution(1, 6), **super().search_space()}


class BottomLayers(_TrainsBody):
    """Train the blocks nearest to the input: surgical fine-tuning for another style of input.

    Parameters
    ----------
    k : int, default=2
        How many; all where the encoder has fewer.
    layer_decay : float, default=1.0
        Each block trains at this fraction of the learning rate of the block above it.

    References
    ----------
    Lee, Y., Chen, A. S., Tajwar, F., Kumar, A., Yao, H., Liang, P. and Finn, C. (2023).
    Surgical fine-tuning improves adaptation to distribution shifts. ICLR. arXiv:2210.11466.

    Examples
    --------
    >>> from sktransfer.freezing.strategies import BottomLayers
    >>> BottomLayers(k=1).trainable(["embeddings", "layer.0"], 0, 3, "target")
    frozenset({'embeddings'})
    """

    def __init__(self, k: int = 2, layer_decay: float = 1.0) -> None:
        self.k = k
        self.layer_decay = layer_decay

    def trainable(
        self, blocks: Sequence[str], epoch: int, n_epochs: int, stage: str
    ) -> frozenset[str]:
        """Name the first ``k`` blocks."""
        return frozenset(blocks[: _count("k", self.k)])

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning."""
        from optuna.distributions import IntDistribution

        return {"k": IntDistribution(1, 6), **super().search_space()}


class LinearProbeFineTune(_TrainsBody):
    """Fit the head to convergence on frozen features, then train everything (LP-FT).

    Parameters
    ----------
    layer_decay : float, default=1.0
        Each block trains at this fraction of the learning rate of the block above it.

    Notes
    -----
    The probe is the first epoch of the stage. It is a regularised logistic regression on
    features that are computed once, so it costs one pass over the data.

    References
    ----------
    Kumar, A., Raghunathan, A., Jones, R., Ma, T. and Liang, P. (2022). Fine-tuning can distort
    pretrained features and underperform out-of-distribution. ICLR. arXiv:2202.10054.

    Examples
    --------
    >>> from sktransfer.freezing.strategies import LinearProbeFineTune
    >>> strategy = LinearProbeFineTune()
    >>> [sorted(strategy.trainable(["a", "b"], epoch, 3, "source")) for epoch in range(3)]
    [[], ['a', 'b'], ['a', 'b']]
    """

    def __init__(self, layer_decay: float = 1.0) -> None:
        self.layer_decay = layer_decay

    def trainable(
        self, blocks: Sequence[str], epoch: int, n_epochs: int, stage: str
    ) -> frozenset[str]:
        """Name no block in the first epoch, and all blocks later."""
        return frozenset() if epoch == 0 else frozenset(blocks)

    def min_epochs(self, n_blocks: int) -> int:
        """Give the fewest epochs in which every block gets its turn."""
        return 2


class Gradual(_TrainsBody):
    """Unfreeze one more block from the top each ``every`` epochs, after the head alone.

    Parameters
    ----------
    every : int, default=1
        Epochs between two unfreezings.
    layer_decay : float, default=0.38
        Each block trains at this fraction of the learning rate of the block above it. The
        default is ULMFiT's division by 2.6.

    References
    ----------
    Howard, J. and Ruder, S. (2018). Universal language model fine-tuning for text
    classification. ACL. arXiv:1801.06146.

    Examples
    --------
    >>> from sktransfer.freezing.strategies import Gradual
    >>> strategy = Gradual()
    >>> [sorted(strategy.trainable(["a", "b"], epoch, 4, "source")) for epoch in range(4)]
    [[], ['b'], ['a', 'b'], ['a', 'b']]
    """

    def __init__(self, every: int = 1, layer_decay: float = 0.38) -> None:
        self.every = every
        self.layer_decay = layer_decay

    def trainable(
        self, blocks: Sequence[str], epoch: int, n_epochs: int, stage: str
    ) -> frozenset[str]:
        """Name the last ``epoch // every`` blocks."""
        open_blocks = epoch // _count("every", self.every)
        return frozenset(blocks[max(0, len(blocks) - open_blocks) :])

    def min_epochs(self, n_blocks: int) -> int:
        """Give the fewest epochs in which every block gets its turn."""
        return _count("every", self.every) * n_blocks + 1

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning."""
        from optuna.distributions import FloatDistribution, IntDistribution

        return {"every": IntDistribution(1, 2), "layer_decay": FloatDistribution(0.3, 1.0)}


class ChainThaw(_TrainsBody):
    """Train the head, then each block alone from the input up, then everything.

    Parameters
    ----------
    every : int, default=1
        Epochs of each phase.
    layer_decay : float, default=1.0
        Each block trains at this fraction of the learning rate of the block above it.

    References
    ----------
    Felbo, B., Mislove, A., Søgaard, A., Rahwan, I. and Lehmann, S. (2017). Using millions of
    emoji occurrences to learn any-domain representations. EMNLP. arXiv:1708.00524.

    Examples
    --------
    >>> from sktransfer.freezing.strategies import ChainThaw
    >>> strategy = ChainThaw()
    >>> [sorted(strategy.trainable(["a", "b"], epoch, 4, "source")) for epoch in range(4)]
    [[], ['a'], ['b'], ['a', 'b']]
    """

    def __init__(self, every: int = 1, layer_decay: float = 1.0) -> None:
        self.every = every
        self.layer_decay = layer_decay

    def trainable(
        self, blocks: Sequence[str], epoch: int, n_epochs: int, stage: str
    ) -> frozenset[str]:
        """Name the block whose turn it is."""
        phase = epoch // _count("every", self.every)
        if phase > len(blocks):
            return frozenset(blocks)
        return frozenset(blocks[phase - 1 : phase]) if phase else frozenset()

    def min_epochs(self, n_blocks: int) -> int:
        """Give the fewest epochs in which every block gets its turn."""
        return _count("every", self.every) * (n_blocks + 1) + 1

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning."""
        from optuna.distributions import IntDistribution

        return {"every": IntDistribution(1, 2), **super().search_space()}


class BiasOnly(_TrainsBody):
    """Train the biases of every block and nothing else of it (BitFit).

    Parameters
    ----------
    layer_decay : float, default=1.0
        Each block trains at this fraction of the learning rate of the block above it.

    References
    ----------
    Ben Zaken, E., Goldberg, Y. and Ravfogel, S. (2022). BitFit: simple parameter-efficient
    fine-tuning for transformer-based masked language-models. ACL. arXiv:2106.10199.

    Examples
    --------
    >>> from sktransfer.freezing.strategies import BiasOnly
    >>> BiasOnly().trains_parameter("layer.0.output.dense.bias")
    True
    >>> BiasOnly().trains_parameter("layer.0.output.dense.weight")
    False
    """

    # Changes of biases alone have little effect, so their learning rate is higher.
    lr_factor: ClassVar[float] = 10.0

    def __init__(self, layer_decay: float = 1.0) -> None:
        self.layer_decay = layer_decay

    def trainable(
        self, blocks: Sequence[str], epoch: int, n_epochs: int, stage: str
    ) -> frozenset[str]:
        """Name all blocks; `trains_parameter` then picks the biases."""
        return frozenset(blocks)

    def trains_parameter(self, name: str) -> bool:
        """Say whether a parameter is a bias."""
        return name.rpartition(".")[2] == "bias"


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} has to be a whole number of at least 1, got {value!r}.")
    return int(value)
