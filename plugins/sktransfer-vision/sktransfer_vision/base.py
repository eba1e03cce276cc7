"""What backbones that read images have in common."""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sklearn.base import clone
from sklearn.utils._param_validation import Interval

from sktransfer.plugins import Backbone, Encoder
from sktransfer_vision.known import FILE, is_hub_id, is_name, path_of
from sktransfer_vision.weight_files import Weights, put_weights, read_weights, write_weights

if TYPE_CHECKING:
    from sktransfer_vision.encoder import ImageEncoder
    from sktransfer_vision.networks import ImageNetwork

__all__ = ["AUTO", "CROP", "FROZEN_BELOW", "ImageBackbone"]

# The weights that are registered for a network.
AUTO = "auto"
# Networks are tested on 0.875 of the shorter side, since they were trained on parts of pictures in
# which things look larger. Of the pictures of others, which may not be centred, a little more is
# worth it: see docs/decisions/0016-image-backbones.md.
CROP = 0.93
# Labelled pictures of a class: with 122 of ants and of bees no training of EfficientNet-Lite beats
# its features as they are, with 200 of each class of CIFAR-10 one does. What lies between is a
# guess, and so it is for other networks; see docs/decisions/0016-image-backbones.md.
FROZEN_BELOW = 128
# What the first layers make of smaller pictures is a single pixel in the end.
_LEAST_SIZE = 33


class ImageBackbone(Backbone):
    """What backbones that read images have in common: their weights, and the size they read.

    Subclasses take the parameters below and those of their network, and say the rest by what is
    declared here.
    """

    modality: ClassVar[str] = "image"
    frozen_below: ClassVar[int] = FROZEN_BELOW
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "weights": [str, os.PathLike, None],
        "width": [Interval(Real, 0, None, closed="neither"), None],
        "image_size": [Interval(Integral, _LEAST_SIZE, None, closed="left"), None],
        "crop": [Interval(Real, 0, 1, closed="right")],
    }
    _resample: ClassVar[str]
    # Pictures computed together, without gradients on a CPU and with them anywhere.
    _at_once: ClassVar[int] = 16
    _at_once_in_training: ClassVar[int] = 32

    weights: Any
    image_size: int | None
    crop: float

    @property
    def pretrained(self) -> bool:
        """Whether there is something to keep by freezing."""
        return self.weights is not None

    @property
    def lr(self) -> float:
        """Learning rate with ``lr="auto"``; what is drawn has a longer way to go. Not tuned."""
        return 1e-4 if self.pretrained else 1e-3

    def _registered(self) -> str:
        """Name the weights that are registered for the network."""
        raise NotImplementedError(f"{type(self).__name__}._registered")

    def _trained_size(self) -> int:
        """Give the pixels of a side that the network was trained on."""
        raise NotImplementedError(f"{type(self).__name__}._trained_size")

    def _network(self) -> ImageNetwork:
        """Build the network; what its tensors hold does not matter."""
        raise NotImplementedError(f"{type(self).__name__}._network")

    def _read(self, weights: str | os.PathLike[str]) -> Weights:
        """Read weights by their name or path."""
        owner = type(self).__name__
        if is_hub_id(weights):
            raise ValueError(
                f"weights={weights!r} is a model of the hub, of which {owner} reads none; expected "
                f"{AUTO!r}, a known name, or the path of a file. A path that looks so begins with "
                "'./'; a model of transformers is read as backbone='owner/name'."
            )
        return read_weights(path_of(weights), owner)

    def _settings(self) -> dict[str, Any]:
        """Give what features depend on besides weights, pictures and their size."""
        return {}

    def learned_from(self, X: Sequence[Any], earlier: Backbone | None = None) -> Backbone:
        """Learn nothing; give a path from the root, so that it is found from wherever it is loaded.

        Parameters
        ----------
        X : sequence of n pictures
            Not looked at.
        earlier : Backbone or None, default=None
            Not looked at.

        Returns
        -------
        backbone : ImageBackbone
        """
        if self.weights is None or is_name(self.weights) or is_hub_id(self.weights):
            return self
        path = Path(self.weights).expanduser()
        return self if path.is_absolute() else clone(self).set_params(weights=path.absolute())

    def load(self, *, device: str, random_state: int) -> ImageEncoder:
        """Build the network, and read or draw its weights.

        Parameters
        ----------
        device : str
            Where it has to be.
        random_state : int
            Seeds weights that are drawn.

        Returns
        -------
        encoder : ImageEncoder

        Raises
        ------
        OSError
            If the weights are not on this machine.
        ValueError
            If a parameter is not what it may be, or the file holds other weights.
        """
        import torch

        from sktransfer_vision.encoder import ImageEncoder
        from sktransfer_vision.networks import draw

        self._validate_params()
        with torch.device("meta"):
            network = self._network()
        if self.weights is None:
            network.to_empty(device="cpu")
            draw(network, random_state)
        else:
            owner, registered = type(self).__name__, self._registered()
            weights = self._read(registered if self.weights == AUTO else self.weights)
            put_weights(weights, network, owner, registered)
            # A fine-tuning is too short for new ones, and would be tested with what it was not
            # trained with.
            network.keeps_statistics = True
        return ImageEncoder(
            network,
            device=device,
            image_size=int(self.image_size or self._trained_size()),
            crop=float(self.crop),
            resample=self._resample,
            settings={**self._settings(), **network.colours},
            at_once=self._at_once,
            at_once_in_training=self._at_once_in_training,
        )

    def export(self, encoder: Encoder, folder: Path) -> ImageBackbone:
        """Write the weights; what is drawn needs no file.

        Parameters
        ----------
        encoder : ImageEncoder
            What `load` returned.
        folder : pathlib.Path
            An existing empty folder.

        Returns
        -------
        backbone : ImageBackbone
            Loads from ``folder``.
        """
        if self.weights is None:
            return self
        write_weights(encoder.module, folder / FILE)
        return clone(self).set_params(weights=folder / FILE)
