"""Networks that read images, as backbones of sktransfer."""

from sktransfer_vision.efficientnet import EfficientNetLite
from sktransfer_vision.transformer import ImageTransformer
from sktransfer_vision.vgg import VGG16

__all__ = ["VGG16", "EfficientNetLite", "ImageTransformer"]
__version__ = "0.1.0"
