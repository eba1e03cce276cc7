"""Pictures to features: a network, and how pictures are brought to what it reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sktransfer_vision.pictures import squared

if TYPE_CHECKING:
    import torch

    from sktransfer_vision.networks import ImageNetwork

__all__ = ["ImageEncoder"]


class ImageEncoder:
    """What the backbones of this distribution load; see `sktransfer.plugins.Encoder`.

    Parameters
    ----------
    network : ImageNetwork
        With its weights.
    device : str
        Where it has to be.
    image_size : int
        Pixels of a side of what it reads.
    resample : {"bilinear", "bicubic"}
        How pictures are brought to that size.
    settings : dict
        What features depend on besides weights and pictures.
    at_once : int
        Pictures whose features a CPU computes together.
    at_once_in_training : int
        The same with gradients, which take several times the memory.
    """

    # Maps are of one size, so that nothing is padded.
    padded_states: frozenset[str] = frozenset()

    def __init__(
        self,
        network: ImageNetwork,
        *,
        device: str,
        image_size: int,
        resample: str,
        settings: Mapping[str, Any],
        at_once: int,
        at_once_in_training: int,
    ) -> None:
        weights = _hash_of(network)
        self.module = network.to(device)
        self.dim = network.dim
        names = [name for name, _ in network.named_parameters()]
        self.blocks = {
            step: [name for name in names if name.startswith(f"{step}.")] for step in network.steps
        }
        read = json.dumps([image_size, resample, settings], sort_keys=True)
        self.fingerprint = f"image:{weights}+{read}"
        self._device = device
        self._size = image_size
        self._resample = resample
        self._at_once = at_once
        self._at_once_in_training = at_once_in_training

    def prepare(self, X: Sequence[Any]) -> list[np.ndarray]:
        """Cut out the middle of each picture, and bring it to the size that the network reads.

        Parameters
        ----------
        X : sequence of n ndarray of uint8 of shape (height, width, 3)
            Pictures in red, green and blue.

        Returns
        -------
        rows : list of n ndarray of uint8 of shape (image_size, image_size, 3)

        Raises
        ------
        ValueError
            If a picture is no such array.
        """
        return [squared(picture, self._size, self._resample) for picture in X]

    def collate(self, rows: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        """Put rows into one batch.

        Parameters
        ----------
        rows : sequence of n rows
            What `prepare` returned.

        Returns
        -------
        batch : dict of str to torch.Tensor
            ``pixels`` of shape (n, image_size, image_size, 3), uint8.
        """
        import torch

        # As bytes: the network makes numbers of them where it is.
        return {"pixels": torch.from_numpy(np.stack(rows)).to(self._device)}

    def budget(self) -> int:
        """Say what the rows of a batch of inference should cost together.

        Returns
        -------
        budget : int
        """
        # Few at a time stay in a CPU's cache; other hardware is idle with few.
        factor = 1 if self._device.startswith("cpu") else 8
        return factor * self._at_once * self._size

    def training_budget(self) -> int:
        """Say what the rows may cost for which gradients are computed together.

        Returns
        -------
        budget : int
        """
        return self._at_once_in_training * self._size

    def forward(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Compute features.

        Parameters
        ----------
        batch : mapping of str to torch.Tensor
            What `collate` returned.

        Returns
        -------
        features : torch.Tensor of shape (n, dim)
        """
        return self.module(batch["pixels"])

    def forward_until(self, batch: Mapping[str, torch.Tensor], block: str) -> dict[str, Any]:
        """Stop before a block.

        Parameters
        ----------
        batch : mapping of str to torch.Tensor
            What `collate` returned.
        block : str
            A key of ``blocks``.

        Returns
        -------
        state : dict of str to torch.Tensor
            ``maps`` of shape (n, channels, height, width).
        """
        network = self.module
        below = network.steps[: network.steps.index(block)]
        return {"maps": network.run(network.scaled(batch["pixels"]), below)}

    def forward_from(self, state: Mapping[str, torch.Tensor], block: str) -> torch.Tensor:
        """Go on with a block.

        Parameters
        ----------
        state : mapping of str to torch.Tensor
            What `forward_until` returned.
        block : str
            The same one.

        Returns
        -------
        features : torch.Tensor of shape (n, dim)
        """
        network = self.module
        return network.pooled(
            network.run(state["maps"], network.steps[network.steps.index(block) :])
        )


def _hash_of(network: ImageNetwork) -> str:
    digest = hashlib.sha256(type(network).__name__.encode())
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(value.numpy()).data)
    return digest.hexdigest()
