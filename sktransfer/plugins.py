"""What a plugin author imports: the contracts, and the registry that finds what fulfils them.

A plugin is a scikit-learn *parameter object*: its constructor stores parameters and does nothing
else, so ``clone``, ``repr``, ``set_params`` and every search tool work on it. Heavy work happens in
one named method, and torch is imported there and not before.

================  ============================================  ============================
kind              decides                                       entry-point group
================  ============================================  ============================
`Backbone`        which encoder turns inputs into features      sktransfer.backbones
`FreezeStrategy`  which blocks train, when, and how fast        sktransfer.freeze_strategies
`Head`            outputs, the loss, the probabilities          sktransfer.heads
`Alignment`       how source and target are pulled together     sktransfer.alignments
================  ============================================  ============================

Pretrained weights of a plugin's own are a `KnownWeights` behind an entry point of the group
``sktransfer.weights``; `find_weights` gives their folder. Models of the transformers library are
`ModelFiles`.

Hold a plugin to its contract with `sktransfer.testing.parametrize_with_contracts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from sklearn.base import BaseEstimator

from sktransfer._encoder import Encoder
from sktransfer._registry import PluginInfo, available, register, resolve
from sktransfer.weights import (
    Artifact,
    KnownWeights,
    ModelFiles,
    drawing,
    find_weights,
    model_class,
)

if TYPE_CHECKING:
    import torch
    from optuna.distributions import BaseDistribution

__all__ = [
    "Alignment",
    "Artifact",
    "Backbone",
    "Decision",
    "Encoder",
    "FreezeStrategy",
    "Head",
    "KnownWeights",
    "ModelFiles",
    "Plugin",
    "PluginInfo",
    "available",
    "drawing",
    "find_weights",
    "model_class",
    "register",
    "resolve",
]


class Plugin(BaseEstimator):
    """A parameter object that the registry can find.

    Subclasses take all settings as constructor parameters with defaults, and store them unchanged.
    """

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning.

        Returns
        -------
        space : dict of str to optuna.distributions.BaseDistribution
            Keys are names of own parameters. Empty where nothing is worth tuning.
        """
        return {}

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """Give constructor parameters of small offline instances, for the conformance kit.

        Returns
        -------
        params : list of dict
            At least one entry; each builds an instance that loads in well under a second.
        """
        return [{}]


class Backbone(Plugin):
    """A pretrained encoder, as parameters.

    Attributes
    ----------
    modality : {"text", "image", "tokens"}
        What `Encoder.prepare` accepts: str; arrays of shape (height, width, 3), uint8; lists of
        str.
    pretrained : bool
        False where the weights are random, so that there is nothing to keep by freezing.
    reads_pairs : bool
        Whether `Encoder.prepare` also accepts pairs, as tuples.
    lr : float
        Learning rate of the body with ``lr="auto"``.
    frozen_below : int
        Labelled rows per class, on average, below which ``freeze="auto"`` trains the head alone on
        the features as they are, unless an earlier training has changed the encoder. 0 for never.
    english_only : bool
        Whether the pretrained weights know English alone. Estimators then warn of training texts
        in another script.
    """

    modality: ClassVar[str] = "text"
    pretrained: ClassVar[bool] = True
    reads_pairs: ClassVar[bool] = False
    lr: ClassVar[float] = 1e-4
    frozen_below: ClassVar[int] = 0

    @property
    def english_only(self) -> bool:
        """Whether the pretrained weights know English alone; an attribute may say so as well."""
        return False

    def learned_from(self, X: Sequence[Any], earlier: Backbone | None = None) -> Backbone:
        """Learn from training inputs what no gradient can, such as a vocabulary.

        Parameters
        ----------
        X : sequence of n inputs
            All that a training is about to see.
        earlier : Backbone or None, default=None
            What the training before this one used. What that knows has to keep its place.

        Returns
        -------
        backbone : Backbone
            Loads an encoder for these inputs; by default this one.
        """
        return self

    def load(self, *, device: str, random_state: int) -> Encoder:
        """Build the encoder; all heavy work happens here.

        Parameters
        ----------
        device : str
            Where ``module`` has to be, as torch names devices.
        random_state : int
            Seeds every weight that is not pretrained. The global random state is left alone.

        Returns
        -------
        encoder : Encoder
            A fresh one: a second call shares no memory that training could change.
        """
        raise NotImplementedError(f"{type(self).__name__}.load")

    def export(self, encoder: Encoder, folder: Path) -> Backbone:
        """Write what `load` needs into an existing empty folder.

        Parameters
        ----------
        encoder : Encoder
            What `load` of this backbone returned, with its weights as loaded.
        folder : pathlib.Path
            Where to write. Nothing outside is touched.

        Returns
        -------
        backbone : Backbone
            A parameter object that loads from ``folder`` alone, with the same ``random_state``.
            The default suits backbones that need no files.
        """
        return self


class Decision(NamedTuple):
    """What a freeze strategy settled on, and why, in a sentence for people."""

    strategy: FreezeStrategy
    reason: str


class FreezeStrategy(Plugin):
    """Which blocks train at which epoch, and at which fraction of the learning rate.

    Pure functions of names and numbers: no torch, no state. So the whole plan is known before
    training starts, and what never trains is computed once.

    Attributes
    ----------
    lr_factor : float
        The backbone's default learning rate is multiplied by this with ``lr="auto"``.
    fits_head_first : bool
        Whether the head is fitted to convergence in place of leading epochs in which no block
        trains. Otherwise these are epochs like all others.
    """

    lr_factor: ClassVar[float] = 1.0
    fits_head_first: ClassVar[bool] = True

    def trainable(
        self, blocks: Sequence[str], epoch: int, n_epochs: int, stage: str
    ) -> frozenset[str]:
        """Name the blocks that train.

        Parameters
        ----------
        blocks : sequence of str
            All blocks of the encoder, input side first.
        epoch : int
            0 to ``n_epochs - 1``, counted within the stage.
        n_epochs : int
            Epochs of the stage.
        stage : {"source", "target"}
            What the training is for.

        Returns
        -------
        names : frozenset of str
            Empty when only the head trains, which it always does.
        """
        raise NotImplementedError(f"{type(self).__name__}.trainable")

    def lr_scale(self, blocks: Sequence[str]) -> tuple[float, ...]:
        """Give each block's fraction of the learning rate.

        Parameters
        ----------
        blocks : sequence of str
            All blocks of the encoder, input side first.

        Returns
        -------
        scales : tuple of float
            One for each block, in (0, 1].
        """
        return (1.0,) * len(blocks)

    def trains_parameter(self, name: str) -> bool:
        """Say whether a parameter of a block that trains takes part; all do by default.

        Parameters
        ----------
        name : str
            Name in the encoder's module, such as ``"layer.0.output.dense.bias"``.

        Returns
        -------
        trains : bool
        """
        return True

    def min_epochs(self, n_blocks: int) -> int:
        """Give the fewest epochs in which every block that ever trains gets its turn.

        Parameters
        ----------
        n_blocks : int
            Number of blocks of the encoder.

        Returns
        -------
        n_epochs : int
            ``max_epochs="auto"`` trains at least as long.
        """
        return 1

    def decide(
        self, *, rows: float, per: str, pretrained: bool, stage: str, frozen_below: int = 0
    ) -> Decision:
        """Settle on a strategy once the data is known; by default, on this one.

        Parameters
        ----------
        rows : float
            Labelled training rows for each of what ``per`` names.
        per : {"class", "label", "target"}
            Classes of which one is right, labels of which several may be, numbers to predict.
        pretrained : bool
            Whether the backbone's weights are worth keeping.
        stage : {"source", "target"}
            What the training is for.
        frozen_below : int, default=0
            What the backbone says of itself; 0 where an earlier training has changed the encoder.

        Returns
        -------
        decision : Decision
        """
        return Decision(self, "as asked for")


class Head(Plugin):
    """Features to outputs; owns its loss and its probabilities.

    Attributes
    ----------
    C : float
        Inverse regularisation strength when the head is fitted to convergence, as in
        scikit-learn's LogisticRegression.
    lr_scale : float
        The head's learning rate as a multiple of a pretrained body's: it starts from nothing.
    """

    C: float = 1.0
    lr_scale: float = 1.0

    def build(self, in_features: int, n_outputs: int) -> torch.nn.Module:
        """Make a new module that maps (n, in_features) to (n, n_outputs).

        Parameters
        ----------
        in_features : int
            Width of the features.
        n_outputs : int
            Number of outputs.

        Returns
        -------
        module : torch.nn.Module
            Its last two parameters are the output layer's weight (n_outputs, width) and bias
            (n_outputs,), whose rows follow the labels. Initialised by torch's global generator.
        """
        raise NotImplementedError(f"{type(self).__name__}.build")

    def loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Compute the loss of each row.

        Parameters
        ----------
        output : torch.Tensor of shape (n, n_outputs)
            What the module returned.
        target : torch.Tensor of shape (n,)
            Codes of the labels, int64.

        Returns
        -------
        loss : torch.Tensor of shape (n,)
            Not reduced.
        """
        raise NotImplementedError(f"{type(self).__name__}.loss")

    def to_proba(self, output: torch.Tensor) -> torch.Tensor:
        """Turn outputs into probabilities.

        Parameters
        ----------
        output : torch.Tensor of shape (n, n_outputs)
            What the module returned.

        Returns
        -------
        proba : torch.Tensor of shape (n, n_outputs)
            Rows sum to 1.
        """
        raise NotImplementedError(f"{type(self).__name__}.to_proba")


class Alignment(Plugin):
    """A loss that pulls the features of source and target together."""

    def build(self, dim: int, n_classes: int) -> torch.nn.Module | None:
        """Make the module that the loss needs, such as a domain classifier.

        Parameters
        ----------
        dim : int
            Width of the features.
        n_classes : int
            Number of labels.

        Returns
        -------
        module : torch.nn.Module or None
            None where there is none.
        """
        return None

    def loss(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Compute the distance between two samples.

        Parameters
        ----------
        source : torch.Tensor of shape (n, dim)
            Features of source rows.
        target : torch.Tensor of shape (m, dim)
            Features of target rows.

        Returns
        -------
        loss : torch.Tensor of shape ()
            0 at equal distributions, else positive, or the class's docstring says "negative".
        """
        raise NotImplementedError(f"{type(self).__name__}.loss")
