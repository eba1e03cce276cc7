"""The runtime side of `ImageTransformer`: pictures in, pooled features out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sktransfer.plugins import Fingerprint, VectorEncoder
from sktransfer_vision.rows import LazyRow, stacked

if TYPE_CHECKING:
    import torch

    from sktransfer.plugins import ModelFiles
    from sktransfer_vision.reading import PictureReader
    from sktransfer_vision.tower_network import TowerNetwork

__all__ = ["TowerEncoder"]

# A row costs as much as it has squares of that many pixels, which is about a token each.
_PIXELS = 16 * 16


class TowerEncoder(VectorEncoder):
    """What `ImageTransformer.load` returns; see `sktransfer.plugins.Encoder`.

    Parameters
    ----------
    network : TowerNetwork
        With its weights.
    reader : PictureReader
        What brings pictures to what it reads.
    weights : sequence of str
        What tells its weights from others.
    files : ModelFiles or None
        Where they come from; None if they were drawn.
    device : str
        Where the network has to be.
    """

    # All pictures are of one size, so that nothing is padded.
    padded_states: frozenset[str] = frozenset()
    slow_collate = True
    can_split = True

    def __init__(
        self,
        network: TowerNetwork,
        reader: PictureReader,
        *,
        weights: Sequence[str],
        files: ModelFiles | None,
        device: str,
    ) -> None:
        from sktransfer_vision.tower_network import blocks_of

        self.module = network.to(device)
        self.dim = network.dim
        self.files = files
        self.blocks = blocks_of(network)
        digest = hashlib.sha256()
        for each in weights:
            digest.update(each.encode())
        read = json.dumps([network.pooling, reader.settings], sort_keys=True)
        preprocessing = hashlib.sha256(read.encode()).hexdigest()
        self.fingerprint = Fingerprint(f"image-transformer:{digest.hexdigest()}", preprocessing)
        self._reader = reader
        self._device = device
        self._cost = -(-reader.height * reader.width // _PIXELS)

    def prepare(self, X: Sequence[Any]) -> list[LazyRow]:
        """Take pictures as they are; they are read when they are put into a batch."""
        return [LazyRow(picture, self._reader, self._cost) for picture in X]

    def collate(self, rows: Sequence[LazyRow]) -> dict[str, torch.Tensor]:
        """Read pictures, and put them into one batch."""
        import torch

        return {"pixels": torch.from_numpy(stacked(rows)).to(self._device)}

    def budget(self) -> int:
        """Say what the rows of a batch of inference should cost together."""
        # 16 pictures of 224 pixels; few stay in a CPU's cache, and other hardware wants many.
        return 16 * 196 if self._device.startswith("cpu") else 64 * 512

    def training_budget(self) -> int:
        """Say what the rows may cost for which gradients are computed together."""
        return 4096 if self._device.startswith("cpu") else 32 * 512

    def forward(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Compute features."""
        return self.module(batch["pixels"])

    def forward_until(self, batch: Mapping[str, torch.Tensor], block: str) -> dict[str, Any]:
        """Stop before a block."""
        layer = _number_of(block)
        if layer is None:
            return dict(batch)
        return {"hidden": self.module.until(batch["pixels"], layer)}

    def forward_from(self, state: Mapping[str, torch.Tensor], block: str) -> torch.Tensor:
        """Go on with a block."""
        layer = _number_of(block)
        if layer is None:
            return self.forward(state)
        return self.module.since(state["hidden"], layer)


def _number_of(block: str) -> int | None:
    """Give the number of a layer's block; None for the embeddings."""
    number = block.partition(".")[2]
    return int(number) if number else None
