"""A modality of somebody else's, with a backbone and an estimator: tones as arrays of samples."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

import numpy as np

from sktransfer.plugins import (
    Backbone,
    Encoder,
    Fingerprint,
    HashedInput,
    Inputs,
    Modality,
    ShellOption,
    TransferClassifier,
    TransferEncoder,
    param,
    with_parameters,
)


class Clip(HashedInput):
    """Samples of a sound, which are known by their contents."""

    def __init__(self, samples):
        self.samples = np.ascontiguousarray(samples, dtype=np.float32)
        self._key = self.samples.tobytes()

    @property
    def digest(self):
        """Hash of the samples."""
        return hashlib.sha256(self._key).digest()

    def __eq__(self, other):
        return isinstance(other, Clip) and self._key == other._key

    def __hash__(self):
        return hash(self._key)

    def __len__(self):
        return len(self.samples)


@with_parameters
class SoundParameters:
    """Options about sounds."""

    _after: ClassVar[str] = "scoring"

    max_samples: int | None = param(
        default=None,
        type="int or None",
        constraint=[int, None],
        doc="Longest sound that is read, in samples. None reads all of it.",
    )


@with_parameters
class SoundOptions(SoundParameters):
    """How estimators of sounds read them."""

    modality: ClassVar[str] = "sound"
    _doc_words: ClassVar[dict[str, str]] = {"inputs": "sounds"}

    backbone: Any = param(default="spectrum", kw_only=False)


@with_parameters
class SoundModality(SoundParameters, Modality):
    """Sounds as arrays of samples."""

    name: ClassVar[str] = "sound"
    plural: ClassVar[str] = "sounds"
    default_backbone: ClassVar[str] = "spectrum"
    suffixes: ClassVar[frozenset[str]] = frozenset({".npy"})
    options: ClassVar[tuple[ShellOption, ...]] = (
        ShellOption("max_samples", "Samples of a sound that are read.", int, minimum=1),
    )

    def validate(self, X, *, start=0):
        """Check that each input is a non-empty array of finite numbers, or the path of one."""
        clips = []
        for i, x in enumerate(X, start=start):
            if isinstance(x, str):
                x = np.load(x)
            samples = x.samples if isinstance(x, Clip) else np.asarray(x, dtype=np.float32)
            if samples.ndim != 1 or not len(samples) or not np.isfinite(samples).all():
                raise ValueError(f"X[{i}] has to be one sound of finite samples.")
            clips.append(Clip(samples[: self.max_samples]))
        if not clips:
            raise ValueError("X is empty: found 0 sounds while a minimum of 1 is required.")
        return Inputs(clips)

    def examples(self, encoder, backbone, fitted):
        """Give sounds of different lengths."""
        return self.samples()

    def samples(self):
        """Give tones of different lengths."""
        rng = np.random.default_rng(0)
        return [Clip(rng.normal(size=n)) for n in (64, 200, 64, 32, 128)]

    def odd_samples(self):
        """Give a single sample, silence and a long sound."""
        return {
            "one sample": Clip([0.5]),
            "silence": Clip(np.zeros(64)),
            "a long sound": Clip(np.ones(9999)),
        }


FRAME = 16


class SpectrumBackbone(Backbone):
    """A small network on frames of a sound; its weights are random.

    Parameters
    ----------
    dim : int, default=16
        Width of the features.
    """

    modality: ClassVar[str] = "sound"
    pretrained: ClassVar[bool] = False
    lr: ClassVar[float] = 3e-3

    def __init__(self, dim=16):
        self.dim = dim

    @classmethod
    def test_params(cls):
        """Give parameters of small instances."""
        return [{"dim": 4}]

    def search_space(self):
        """Say what is worth tuning."""
        from optuna.distributions import CategoricalDistribution

        return {"dim": CategoricalDistribution([8, 16, 32])}

    def load(self, *, device, random_state):
        """Draw the weights."""
        return SpectrumEncoder(self.dim, device, random_state)


class SpectrumEncoder(Encoder):
    """Frames, their spectra, and two layers: a state for each frame."""

    padded_states = frozenset({"frames", "hidden", "mask"})
    can_split = True

    def __init__(self, dim, device, random_state):
        import torch
        from torch import nn

        self.dim = dim
        self._device = device
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(random_state)
            module = nn.ModuleDict(
                {"spectrum": nn.Linear(FRAME // 2 + 1, dim), "hidden": nn.Linear(dim, dim)}
            )
        self.module = module.to(device)
        self.blocks = {name: [f"{name}.weight", f"{name}.bias"] for name in ("spectrum", "hidden")}
        self.fingerprint = Fingerprint(f"spectrum:{dim}:{random_state}")

    def prepare(self, X):
        """Cut each sound into frames."""
        return [
            np.resize(np.pad(x.samples, (0, -len(x) % FRAME)), (-(-len(x) // FRAME), FRAME))
            for x in X
        ]

    def collate(self, rows):
        """Pad with empty frames."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        frames = pad_sequence([torch.from_numpy(row) for row in rows], batch_first=True)
        mask = pad_sequence([torch.ones(len(row)) for row in rows], batch_first=True)
        return {"frames": frames.to(self._device), "mask": mask.to(self._device)}

    def forward_until(self, batch, block):
        """Stop before the second layer."""
        if block == "spectrum":
            return dict(batch)
        return {"hidden": self._low(batch), "mask": batch["mask"]}

    def states_from(self, state, block):
        """Go on from there."""
        if block == "spectrum":
            return self.states(state)
        return self.module["hidden"](state["hidden"]).tanh(), state["mask"]

    def states(self, batch):
        """Run both layers."""
        return self.module["hidden"](self._low(batch)).tanh(), batch["mask"]

    def _low(self, batch):
        import torch

        power = torch.fft.rfft(batch["frames"].float()).abs()
        return self.module["spectrum"](torch.log1p(power)).relu()


@with_parameters
class TransferSoundClassifier(SoundOptions, TransferClassifier):
    """Classify sounds."""


@with_parameters
class TransferSoundEncoder(SoundOptions, TransferEncoder):
    """Turn sounds into features."""


TransferSoundClassifier.encoder_class = TransferSoundEncoder
