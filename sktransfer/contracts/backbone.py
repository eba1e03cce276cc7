"""The contract of backbones: pretrained encoders, as parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from sktransfer.contracts.base import Plugin
from sktransfer.contracts.encoder import Encoder

__all__ = ["Backbone"]


class Backbone(Plugin):
    """A pretrained encoder, as parameters.

    Attributes
    ----------
    modality : str
        Name of the modality whose validated inputs `Encoder.prepare` accepts.
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

    def forward_params(self, params: Mapping[str, Any]) -> None:
        """Take over parameters that were given to an estimator, such as the length of texts.

        Parameters
        ----------
        params : mapping of str to object
            By name.

        Raises
        ------
        ValueError
            If the backbone has no parameter of such a name.
        """
        own = self.get_params(deep=False)
        for name, value in params.items():
            if name not in own:
                raise ValueError(
                    f"{name}={value!r} is given, but {type(self).__name__} has no such parameter."
                )
        self.set_params(**params)
