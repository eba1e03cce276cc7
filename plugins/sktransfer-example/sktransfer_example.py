"""A backbone that reads letters: the whole of a plugin in one file.

A plugin imports `sktransfer.plugins` and nothing else of sktransfer. It imports torch inside its
methods, so that its name can be listed, tuned and shown in a repr without loading torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from sktransfer.plugins import Backbone, Fingerprint, VectorEncoder

# For type checkers only: at run time, torch waits until it is needed.
if TYPE_CHECKING:
    import torch
    from optuna.distributions import BaseDistribution


class LettersBackbone(Backbone):
    """Average embeddings of a text's bytes, then apply one hidden layer.

    Parameters
    ----------
    dim : int, default=32
        Width of the features.
    max_length : int, default=512
        Bytes of a text that are read.
    """

    modality: ClassVar[str] = "text"
    # The weights are random. Saying so makes freeze="auto" train them instead of freezing noise.
    pretrained: ClassVar[bool] = False
    # An embedding that starts from noise takes longer steps than pretrained layers.
    lr: ClassVar[float] = 5e-3

    # Store the parameters and do nothing else: `clone` and every search rely on that. A wrong
    # value is for `load` to complain about.
    def __init__(self, dim: int = 32, max_length: int = 512) -> None:
        self.dim = dim
        self.max_length = max_length

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """Give constructor parameters of small instances; the conformance kit tests each."""
        return [{"dim": 4}, {"dim": 3, "max_length": 20}]

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning. Keys are names of constructor parameters."""
        from optuna.distributions import CategoricalDistribution, IntDistribution

        return {
            "dim": CategoricalDistribution([16, 32, 64]),
            "max_length": IntDistribution(64, 1024, log=True),
        }

    def load(self, *, device: str, random_state: int) -> LettersEncoder:
        """Build the encoder. All heavy work happens here; a plugin with weights reads them here."""
        import torch

        # Seeded inside a fork, so that the caller's random numbers are what they would have been.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(random_state)
            embeddings = torch.nn.Embedding(257, self.dim, padding_idx=0)
            hidden = torch.nn.Linear(self.dim, self.dim)
        module = torch.nn.ModuleDict({"embeddings": embeddings, "hidden": hidden})
        return LettersEncoder(module.to(device), self.dim, self.max_length, device)


class LettersEncoder(VectorEncoder):
    """What `load` returns. The estimator calls prepare, then collate, then forward."""

    def __init__(self, module: torch.nn.ModuleDict, dim: int, max_length: int, device: str) -> None:
        self.module = module
        self.dim = dim
        self._max_length = max_length
        self._device = device
        # Every parameter in one block, input side first: freeze strategies go by this order.
        self.blocks = {
            "embeddings": ["embeddings.weight"],
            "hidden": ["hidden.weight", "hidden.bias"],
        }
        # Features are cached under the fingerprint, so all that they depend on goes in: the code,
        # the settings and the weights. Python's hash() would differ in every process.
        digest = hashlib.sha256(f"letters 1 {max_length}".encode())
        for weights in module.state_dict().values():
            digest.update(weights.cpu().numpy().tobytes())
        self.fingerprint = Fingerprint(f"letters:{digest.hexdigest()}")

    def prepare(self, X: Sequence[str]) -> list[list[int]]:
        """Turn each text into a list of numbers. No text may change what another one becomes."""
        # 0 is left for padding. What UTF-8 cannot express, such as half of an emoji, is a "?".
        n = self._max_length
        return [[byte + 1 for byte in text[:n].encode(errors="replace")[:n]] for text in X]

    def collate(self, rows: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
        """Pad rows to the longest one; the first axis of each tensor is that of the rows."""
        import torch

        # At least one column, so that a batch of empty texts is a batch all the same.
        longest = max(1, *(len(row) for row in rows))
        padded = [[*row, *[0] * (longest - len(row))] for row in rows]
        return {"letters": torch.tensor(padded, dtype=torch.int64, device=self._device)}

    def forward(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Compute features of shape (n, dim), with gradients."""
        letters = batch["letters"]
        # Divide by the letters and not by the columns: a row must not feel how long its mates are.
        count = (letters > 0).sum(dim=1, keepdim=True).clamp(min=1)
        mean = self.module["embeddings"](letters).sum(dim=1) / count
        return self.module["hidden"](mean).tanh()
