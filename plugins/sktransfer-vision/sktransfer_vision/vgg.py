"""VGG16: a plain row of convolutions, and what many later results are compared with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sklearn.utils._param_validation import StrOptions

from sktransfer.plugins import ModelFiles
from sktransfer_vision.base import AUTO, CROP, ImageBackbone
from sktransfer_vision.known import is_hub_id, is_name

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from sktransfer_vision.networks import ImageNetwork
    from sktransfer_vision.weight_files import Weights

__all__ = ["VGG16"]


class VGG16(ImageBackbone):
    """The convolutions of VGG16 [1]_, of whose last maps the means are 512 features.

    Pictures are read as they are where the weights come from: the middle is cut
    out and resized by bilinear interpolation; colours are in the order blue, green, red,
    less the mean of each. Weights of timm were trained on colours that were divided by their
    deviation, too, and read them so.

    Parameters
    ----------
    weights : {"auto"}, str, path-like or None, default="auto"
        ``"auto"`` stands for ``"vgg16"``, the authors' own, trained on ImageNet: ``sktransfer
        weights get vgg16`` fetches it. ``"timm/vgg16.tv_in1k"``, or another model ``owner/name`` of
        the HuggingFace hub, is timm's VGG16. A path is one of a folder with such a model, or of a
        file of safetensors that this class wrote; None draws the weights.
    pooling : {"avg", "max"}, default="avg"
        Whether a feature is the mean or the maximum of a map.
    image_size : int or None, default=None
        Pixels of a side of what the network reads, at least 33; by default 224.
    crop : float, default=0.93
        Fraction of the shorter side of a picture that is read, from its middle: what is left of the
        longer side is not seen. 0.875 is what the authors test with; 1 suits pictures that are
        filled to the edge.
    width : float or None, default=None
        Multiplies the channels. Other values than 1, which is the default, are for networks without
        pretrained weights.

    References
    ----------
    .. [1] Simonyan, K. and Zisserman, A. (2015). Very deep convolutional networks for large-scale
       image recognition. ICLR. arXiv:1409.1556.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer_vision import VGG16
    >>> encoder = VGG16(weights=None, width=0.1).load(device="cpu", random_state=0)
    >>> rows = encoder.prepare([np.zeros((300, 400, 3), dtype=np.uint8)])
    >>> encoder.forward(encoder.collate(rows)).shape
    torch.Size([1, 51])
    >>> list(encoder.blocks)
    ['block.0', 'block.1', 'block.2', 'block.3', 'block.4']
    """

    _resample: ClassVar[str] = "bilinear"
    # Its first maps have 64 channels of the pictures' own size.
    _at_once: ClassVar[int] = 8
    _at_once_in_training: ClassVar[int] = 8
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **ImageBackbone._parameter_constraints,
        "pooling": [StrOptions({"avg", "max"})],
    }

    def __init__(
        self,
        weights: str | os.PathLike[str] | None = AUTO,
        pooling: str = "avg",
        image_size: int | None = None,
        crop: float = CROP,
        width: float | None = None,
    ) -> None:
        self.weights = weights
        self.pooling = pooling
        self.image_size = image_size
        self.crop = crop
        self.width = width

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """Give constructor parameters of small instances.

        Returns
        -------
        params : list of dict
        """
        tiny = {"weights": None, "width": 0.1, "image_size": 33}
        return [tiny, {**tiny, "pooling": "max", "image_size": 64}]

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning.

        Returns
        -------
        space : dict of str to optuna.distributions.BaseDistribution
        """
        from optuna.distributions import CategoricalDistribution, FloatDistribution

        return {
            "crop": FloatDistribution(0.75, 1.0),
            "pooling": CategoricalDistribution(["avg", "max"]),
        }

    def _registered(self) -> str:
        return "vgg16"

    def _read(self, weights: str | os.PathLike[str]) -> Weights:
        from sktransfer_vision.timm_files import read_vgg16

        if is_hub_id(weights):
            if Path(weights).exists():
                raise ValueError(
                    f"weights={str(weights)!r} may be a model of the hub, and is a path here as "
                    f"well: write './{weights}' for the path, or remove it."
                )
            return read_vgg16(ModelFiles.find(weights, preprocessor=True).folder)
        if not is_name(weights) and Path(weights).expanduser().is_dir():
            return read_vgg16(Path(weights).expanduser())
        return super()._read(weights)

    def _trained_size(self) -> int:
        return 224

    def _network(self) -> ImageNetwork:
        from sktransfer_vision.networks import VGG16Network

        return VGG16Network(1.0 if self.width is None else float(self.width), self.pooling)

    def _settings(self) -> dict[str, Any]:
        return {"pooling": self.pooling}
