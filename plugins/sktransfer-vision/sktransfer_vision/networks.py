"""The networks, in torch: imported where one is loaded.

Each is a row of steps from the pixels to the last maps, of which the mean or the maximum are the
features. A step is a block of the encoder, and both have the name that the step has as a submodule.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sktransfer_vision.statistics import keep_statistics, of_rows

__all__ = ["EfficientNetLiteNetwork", "ImageNetwork", "VGG16Network", "draw", "folded", "halved"]

# (repeats, kernel, stride, expansion, channels) of the stages between stem and last convolution.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM, _LAST = 32, 1280
# Of statistics that are learned from nothing, in a training of a few hundred steps.
_MOMENTUM = 0.1
# (convolutions, channels)
_VGG_STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
# Of blue, green and red in the pictures that VGG was trained on.
_VGG_MEAN = (103.939, 116.779, 123.68)


class ImageNetwork(nn.Module):
    """A row of steps.

    Attributes
    ----------
    steps : list of str
        Names of submodules, input side first.
    dim : int
        Width of the features.
    magnitude : float
        About how large the numbers are that `scaled` gives: weights that are drawn allow for it.
    keeps_statistics : bool
        Whether a training leaves the statistics of batch normalisation as they are.
    n_trainings : int
        How often the network was made ready for training.
    colours : dict of str to list of float
        How it reads colours, where its weights were trained on others than is usual for it.
    """

    steps: list[str]
    dim: int
    magnitude: float = 1.0
    keeps_statistics: bool = False
    n_trainings: int = 0

    def __init__(self) -> None:
        super().__init__()
        self.colours: dict[str, list[float]] = {}

    def scaled(self, pixels: torch.Tensor) -> torch.Tensor:
        """Turn pixels (n, height, width, 3), uint8, into maps (n, 3, height, width) as trained."""
        raise NotImplementedError(f"{type(self).__name__}.scaled")

    def pooled(self, maps: torch.Tensor) -> torch.Tensor:
        """Turn the last maps into features (n, dim)."""
        raise NotImplementedError(f"{type(self).__name__}.pooled")

    def train(self, mode: bool = True) -> ImageNetwork:
        """Set the mode; statistics that are kept are used in training, too."""
        super().train(mode)
        self.n_trainings += mode
        if self.keeps_statistics:
            keep_statistics(self)
        return self

    def run(self, maps: torch.Tensor, steps: Sequence[str]) -> torch.Tensor:
        """Take some steps."""
        maps = maps.to(self.dtype)
        with of_rows(self, len(maps)):
            for step in steps:
                maps = self.get_submodule(step)(maps)
        return maps

    @property
    def dtype(self) -> torch.dtype:
        """What convolutions compute in."""
        return next(p.dtype for p in self.parameters() if p.ndim == 4)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Compute features of pixels."""
        return self.pooled(self.run(self.scaled(pixels), self.steps))


class EfficientNetLiteNetwork(ImageNetwork):
    """EfficientNet without squeeze-and-excitation, with activations up to 6.

    Parameters
    ----------
    width : float
        Multiplies channels, but for those of the first and the last convolution.
    depth : float
        Multiplies repeats, but for those of the first and the last stage.
    dropout : float
        Share of features that a training sets to zero.
    drop_connect : float
        Share of rows for which a training skips the last block; earlier ones are skipped less.
    """

    def __init__(self, width: float, depth: float, dropout: float, drop_connect: float) -> None:
        super().__init__()
        last = len(_STAGES) - 1
        repeats = [
            n if i in (0, last) else math.ceil(depth * n) for i, (n, *_) in enumerate(_STAGES)
        ]
        self.stem = ConvNorm(3, _STEM, 3, 2)
        stages, n_in, nth = [], _STEM, 0
        for n, (_, kernel, stride, expansion, channels) in zip(repeats, _STAGES, strict=True):
            n_out, blocks = _rounded(width * channels), []
            for i in range(n):
                drop = drop_connect * nth / sum(repeats)
                step = stride if i == 0 else 1
                blocks.append(InvertedResidual(n_in, n_out, kernel, step, expansion, drop))
                n_in, nth = n_out, nth + 1
            stages.append(nn.Sequential(*blocks))
        self.block = nn.ModuleList(stages)
        self.conv_head = ConvNorm(n_in, _LAST)
        self.dropout = nn.Dropout(dropout)
        self.steps = ["stem", *(f"block.{i}" for i in range(len(stages))), "conv_head"]
        self.dim = _LAST

    def scaled(self, pixels: torch.Tensor) -> torch.Tensor:
        """Turn pixels into numbers from about -1 to 1."""
        return (pixels.permute(0, 3, 1, 2).float() - 127.0) / 128.0

    def pooled(self, maps: torch.Tensor) -> torch.Tensor:
        """Average the last maps."""
        return self.dropout(maps.mean(dim=(2, 3))).float()


class VGG16Network(ImageNetwork):
    """The convolutions of VGG16.

    Parameters
    ----------
    width : float
        Multiplies channels.
    pooling : {"avg", "max"}
        How features are made of the last maps.
    """

    magnitude = 64.0

    def __init__(self, width: float, pooling: str) -> None:
        super().__init__()
        self.pooling = pooling
        stages, n_in = [], 3
        for n, channels in _VGG_STAGES:
            n_out, parts = max(1, round(width * channels)), []
            for _ in range(n):
                parts += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU(inplace=True)]
                n_in = n_out
            stages.append(nn.Sequential(*parts, nn.MaxPool2d(2)))
        self.block = nn.ModuleList(stages)
        self.steps = [f"block.{i}" for i in range(len(stages))]
        self.dim = n_in

    def scaled(self, pixels: torch.Tensor) -> torch.Tensor:
        """Turn pixels around, into blue, green, red, and subtract the mean of each."""
        maps = pixels.flip(3).permute(0, 3, 1, 2).float()
        mean = self.colours.get("mean", _VGG_MEAN)
        maps = maps - maps.new_tensor(mean).view(1, 3, 1, 1)
        std = self.colours.get("std")
        return maps if std is None else maps / maps.new_tensor(std).view(1, 3, 1, 1)

    def pooled(self, maps: torch.Tensor) -> torch.Tensor:
        """Take the mean or the maximum of each of the last maps."""
        return (maps.mean(dim=(2, 3)) if self.pooling == "avg" else maps.amax(dim=(2, 3))).float()


class ConvNorm(nn.Module):
    """A convolution with TensorFlow's "same" padding, batch normalisation, an activation up to 6.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    kernel, stride : int
        Of the convolution; the kernel is odd.
    groups : int, default=1
        Groups of channels that are convolved apart.
    activation : bool, default=True
        Whether there is one.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        activation: bool = True,
    ) -> None:
        super().__init__()
        # With stride 1, "same" padding is alike on all sides, and the convolution can do it.
        own = kernel // 2 if stride == 1 else 0
        self.conv = nn.Conv2d(n_in, n_out, kernel, stride, own, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(n_out, eps=1e-3, momentum=0.01)
        self.activation = nn.ReLU6(inplace=True) if activation else nn.Identity()

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Convolve."""
        kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]
        if stride > 1:
            high, wide = (_same_padding(n, kernel, stride) for n in maps.shape[2:])
            maps = functional.pad(maps, [*wide, *high])
        return self.activation(self.norm(self.conv(maps)))


class InvertedResidual(nn.Module):
    """Widen, convolve each channel by itself, narrow, and add what was there before (MBConv).

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    kernel, stride : int
        Of the convolution.
    expansion : int
        How much wider it is inside.
    drop : float
        Share of rows for which a training leaves all but the sum out.
    """

    def __init__(
        self, n_in: int, n_out: int, kernel: int, stride: int, expansion: int, drop: float
    ) -> None:
        super().__init__()
        inside = n_in * expansion
        self.expand = ConvNorm(n_in, inside) if expansion > 1 else nn.Identity()
        self.depthwise = ConvNorm(inside, inside, kernel, stride, groups=inside)
        self.project = ConvNorm(inside, n_out, activation=False)
        self.adds = stride == 1 and n_in == n_out
        self.drop = drop

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Compute the block."""
        new = self.project(self.depthwise(self.expand(maps)))
        if not self.adds:
            return new
        if self.training and self.drop > 0:
            new = new * functional.dropout(new.new_ones(len(new), 1, 1, 1), self.drop)
        return maps + new


def folded(network: ImageNetwork) -> ImageNetwork:
    """Copy a network whose batch normalisations became a part of the convolutions before them.

    Nearly half of the time that a CPU takes for a small network is that of reading and writing maps
    for them.

    Parameters
    ----------
    network : ImageNetwork
        In evaluation mode.

    Returns
    -------
    copy : ImageNetwork
        Gives the same features but for rounding, and cannot be trained.
    """
    found = copy.deepcopy(network)
    for part in found.modules():
        if isinstance(part, ConvNorm):
            part.conv = fuse_conv_bn_eval(part.conv, part.norm)
            part.norm = nn.Identity()
    return found.requires_grad_(False)


def halved(network: ImageNetwork) -> ImageNetwork:
    """Copy a network whose convolutions compute in bfloat16.

    Parameters
    ----------
    network : ImageNetwork
        With convolutions in single precision.

    Returns
    -------
    copy : ImageNetwork
        Shares the batch normalisations, which compute in single precision whatever they are given.
    """
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    shared = {id(t): t for norm in norms for t in (*norm.parameters(), *norm.buffers())}
    found = copy.deepcopy(network, shared)
    vars(found).pop("forward", None)  # compiled for the original
    for part in found.modules():
        if isinstance(part, nn.Conv2d):
            part.to(torch.bfloat16)
    return found


def draw(network: ImageNetwork, seed: int) -> None:
    """Draw all weights, by a generator of its own, as EfficientNet's authors do.

    Parameters
    ----------
    network : ImageNetwork
        Of convolutions and batch normalisations; what its tensors hold does not matter.
    seed : int
        The same one gives the same weights.
    """
    generator = torch.Generator().manual_seed(seed % 2**63)
    magnitude = network.magnitude
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            fan_out = math.prod(part.kernel_size) * part.out_channels // part.groups
            std = math.sqrt(2 / fan_out) / magnitude
            nn.init.normal_(part.weight, std=std, generator=generator)
            magnitude = 1.0  # what the first convolution gives is of that size
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            part.reset_parameters()
            # As the authors have it, statistics would be half those of the drawing after 70 steps.
            part.momentum = _MOMENTUM


def _same_padding(n: int, kernel: int, stride: int) -> tuple[int, int]:
    """Give the padding before and behind n pixels; where it is odd, there is more behind."""
    padding = max(0, (n - 1) // stride * stride + kernel - n)
    return padding // 2, padding - padding // 2


def _rounded(channels: float) -> int:
    """Round to a multiple of 8, at least 8, and by a tenth downwards at most."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8
