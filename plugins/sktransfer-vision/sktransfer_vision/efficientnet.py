"""EfficientNet-Lite: small networks for images, without what phones compute slowly."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from sklearn.utils._param_validation import Interval, Options

from sktransfer_vision.base import AUTO, CROP, ImageBackbone

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from sktransfer_vision.networks import ImageNetwork

__all__ = ["EfficientNetLite", "lite1", "lite2"]


class _Variant(NamedTuple):
    width: float
    depth: float
    image_size: int
    dropout: float


_VARIANTS = {
    0: _Variant(1.0, 1.0, 224, 0.2),
    1: _Variant(1.0, 1.1, 240, 0.2),
    2: _Variant(1.1, 1.2, 260, 0.3),
}


class EfficientNetLite(ImageBackbone):
    """EfficientNet-Lite [1]_ [2]_, of which the mean of the last maps are 1280 features.

    Pictures are read as the authors test: the middle is cut out and resized
    by bicubic interpolation; colours become ``(x - 127) / 128``.

    Parameters
    ----------
    variant : {0, 1, 2}, default=0
        3.4, 4.1 and 4.8 million parameters, on pictures of 224, 240 and 260 pixels.
    weights : {"auto"}, str, path-like or None, default="auto"
        ``"auto"`` stands for ``"efficientnet-lite0"``, ``"efficientnet-lite1"`` or
        ``"efficientnet-lite2"``, trained on ImageNet: ``sktransfer weights get`` fetches them. A
        path is one of a file of safetensors; None draws the weights. Statistics of batch
        normalisation that were loaded are kept by every training; those of a drawn network are
        learned.
    image_size : int or None, default=None
        Pixels of a side of what the network reads, at least 33; by default what the variant was
        trained on.
    crop : float, default=0.93
        Fraction of the shorter side of a picture that is read, from its middle: what is left of the
        longer side is not seen. 0.875 is what the authors test with; 1 suits pictures that are
        filled to the edge.
    dropout : float or None, default=None
        Share of features that a training sets to zero; by default that of the variant.
    drop_connect : float, default=0.2
        Share of rows for which a training skips the last block; earlier ones are skipped less.
    width : float or None, default=None
        Multiplies the channels of the smallest network. Other values than the variant's, which is
        the default, are for networks without pretrained weights.
    depth : float or None, default=None
        Multiplies the blocks of a stage, likewise.

    References
    ----------
    .. [1] Tan, M. and Le, Q. V. (2019). EfficientNet: rethinking model scaling for convolutional
       neural networks. ICML. arXiv:1905.11946.
    .. [2] Liu, R. (2020). Higher accuracy on vision models with EfficientNet-Lite. TensorFlow Blog.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer_vision import EfficientNetLite
    >>> encoder = EfficientNetLite(weights=None).load(device="cpu", random_state=0)
    >>> rows = encoder.prepare([np.zeros((300, 400, 3), dtype=np.uint8)])
    >>> encoder.forward(encoder.collate(rows)).shape
    torch.Size([1, 1280])
    >>> list(encoder.blocks)[:3]
    ['stem', 'block.0', 'block.1']
    """

    _resample: ClassVar[str] = "bicubic"
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **ImageBackbone._parameter_constraints,
        "variant": [Options(Integral, set(_VARIANTS))],
        "dropout": [Interval(Real, 0, 1, closed="left"), None],
        "drop_connect": [Interval(Real, 0, 1, closed="left")],
        "depth": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        variant: int = 0,
        weights: str | os.PathLike[str] | None = AUTO,
        image_size: int | None = None,
        crop: float = CROP,
        dropout: float | None = None,
        drop_connect: float = 0.2,
        width: float | None = None,
        depth: float | None = None,
    ) -> None:
        self.variant = variant
        self.weights = weights
        self.image_size = image_size
        self.crop = crop
        self.dropout = dropout
        self.drop_connect = drop_connect
        self.width = width
        self.depth = depth

    @classmethod
    def test_params(cls) -> list[dict[str, Any]]:
        """Give constructor parameters of small instances.

        Returns
        -------
        params : list of dict
        """
        tiny = {"weights": None, "width": 0.1, "depth": 0.3, "image_size": 48}
        return [tiny, {**tiny, "variant": 2, "image_size": 65, "depth": 0.5}]

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning.

        Returns
        -------
        space : dict of str to optuna.distributions.BaseDistribution
        """
        from optuna.distributions import FloatDistribution

        return {
            "crop": FloatDistribution(0.75, 1.0),
            "dropout": FloatDistribution(0.0, 0.5),
            "drop_connect": FloatDistribution(0.0, 0.4),
        }

    def _registered(self) -> str:
        return f"efficientnet-lite{self.variant}"

    def _trained_size(self) -> int:
        return _VARIANTS[self.variant].image_size

    def _network(self) -> ImageNetwork:
        from sktransfer_vision.networks import EfficientNetLiteNetwork

        default = _VARIANTS[self.variant]
        return EfficientNetLiteNetwork(
            width=default.width if self.width is None else float(self.width),
            depth=default.depth if self.depth is None else float(self.depth),
            dropout=default.dropout if self.dropout is None else float(self.dropout),
            drop_connect=float(self.drop_connect),
        )


def lite1() -> EfficientNetLite:
    """Give what the name ``efficientnet-lite1`` stands for.

    Returns
    -------
    backbone : EfficientNetLite
    """
    return EfficientNetLite(variant=1)


def lite2() -> EfficientNetLite:
    """Give what the name ``efficientnet-lite2`` stands for.

    Returns
    -------
    backbone : EfficientNetLite
    """
    return EfficientNetLite(variant=2)
