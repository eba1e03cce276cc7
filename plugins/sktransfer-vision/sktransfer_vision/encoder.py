"""Pictures to features: a network, and how pictures are brought to what it reads."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sktransfer.plugins import Fingerprint, VectorEncoder
from sktransfer_vision.pictures import least_side, squared
from sktransfer_vision.rows import LazyRow, stacked

if TYPE_CHECKING:
    import torch

    from sktransfer_vision.networks import ImageNetwork

__all__ = ["ImageEncoder"]


class ImageEncoder(VectorEncoder):
    """What the backbones of this distribution load; see `sktransfer.plugins.Encoder`.

    Parameters
    ----------
    network : ImageNetwork
        With its weights.
    device : str
        Where it has to be.
    image_size : int
        Pixels of a side of what it reads.
    crop : float
        Fraction of a picture's shorter side that is read.
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
    slow_collate = True
    can_split = True

    def __init__(
        self,
        network: ImageNetwork,
        *,
        device: str,
        image_size: int,
        crop: float,
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
        read = json.dumps([image_size, crop, resample, settings], sort_keys=True)
        self.fingerprint = Fingerprint(f"image:{weights}", read)
        self._device = device
        # In half precision a training on a CPU takes longer, and learns less.
        self.trains_in_fp32 = device.startswith("cpu")
        self._size = image_size
        self._least = least_side(image_size, crop)
        self._crop = crop
        self._resample = resample
        self._at_once = at_once
        self._at_once_in_training = at_once_in_training
        self._folded: tuple[Any, ImageNetwork] | None = None

    def prepare(self, X: Sequence[Any]) -> list[LazyRow]:
        """Take pictures as they are; their middle is cut out when they are put into a batch."""
        return [LazyRow(picture, self._squared, self._size, self._least) for picture in X]

    def collate(self, rows: Sequence[LazyRow]) -> dict[str, torch.Tensor]:
        """Read pictures, and put them into one batch."""
        import torch

        # As bytes: the network makes numbers of them where it is.
        return {"pixels": torch.from_numpy(stacked(rows)).to(self._device)}

    def in_bf16(self) -> ImageEncoder:
        """Give a copy that computes in bfloat16."""
        from sktransfer_vision.networks import halved

        other = copy.copy(self)
        other.module, other._folded = halved(self.module), None
        return other

    def budget(self) -> int:
        """Say what the rows of a batch of inference should cost together."""
        # Few at a time stay in a CPU's cache; other hardware is idle with few.
        factor = 1 if self._device.startswith("cpu") else 8
        return factor * self._at_once * self._size

    def training_budget(self) -> int:
        """Say what the rows may cost for which gradients are computed together."""
        return self._at_once_in_training * self._size

    def forward(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Compute features."""
        if "forward" in vars(self.module):  # as torch compiled it
            return self.module(batch["pixels"])
        return self._network()(batch["pixels"])

    def forward_until(self, batch: Mapping[str, torch.Tensor], block: str) -> dict[str, Any]:
        """Stop before a block."""
        network = self._network()
        below = network.steps[: network.steps.index(block)]
        return {"maps": network.run(network.scaled(batch["pixels"]), below)}

    def forward_from(self, state: Mapping[str, torch.Tensor], block: str) -> torch.Tensor:
        """Go on with a block."""
        network = self._network()
        return network.pooled(
            network.run(state["maps"], network.steps[network.steps.index(block) :])
        )

    def _squared(self, picture: np.ndarray) -> np.ndarray:
        return squared(picture, self._size, self._crop, self._resample)

    def _network(self) -> ImageNetwork:
        """Give the network, folded where nothing of it is about to be trained."""
        import torch

        from sktransfer_vision.networks import folded

        trains = self.module.training or torch.is_grad_enabled()
        if trains or torch.compiler.is_compiling():  # which an export to ONNX does as well
            self._folded = None
            return self.module
        tensors = (*self.module.parameters(), *self.module.buffers())
        # Where they are, and how often they were written to, which fused optimizers do not count.
        version = [
            self.module.n_trainings,
            *((t.data_ptr(), 0 if t.is_inference() else t._version) for t in tensors),
        ]
        found = self._folded
        if found is None or found[0] != version:
            found = self._folded = (version, folded(self.module))
        return found[1]


def _hash_of(network: ImageNetwork) -> str:
    digest = hashlib.sha256(type(network).__name__.encode())
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(value.numpy()).data)
    return digest.hexdigest()
