"""What a plugin author imports: the contracts, and the registry that finds what fulfils them.

A plugin is a scikit-learn *parameter object*: its constructor stores parameters and does nothing
else, so ``clone``, ``repr``, ``set_params`` and every search tool work on it. Heavy work happens in
one named method, and torch is imported there and not before.

================  ============================================  ============================
kind              decides                                       entry-point group
================  ============================================  ============================
`Backbone`        which encoder turns inputs into features      sktransfer.backbones
`FreezeStrategy`  which blocks train, when, and how fast        sktransfer.freeze_strategies
`Head`            outputs, the loss, the probabilities          sktransfer.heads
`Alignment`       how source and target are pulled together     sktransfer.alignments
`Regulariser`     what keeps a training from overfitting        sktransfer.regularisers
================  ============================================  ============================

Pretrained weights of a plugin's own are a `KnownWeights` behind an entry point of the group
``sktransfer.weights``; `find_weights` gives their folder. Models of the transformers library are
`ModelFiles`.

Hold a plugin to its contract with `sktransfer.testing.parametrize_with_contracts`.
"""

from sktransfer.plugins.backbone import Backbone
from sktransfer.plugins.base import Plugin
from sktransfer.plugins.encoder import Encoder, Fingerprint, Truncation
from sktransfer.plugins.freezing import Decision, FreezeStrategy
from sktransfer.plugins.head import Head
from sktransfer.plugins.losses import Alignment, Forward, Regulariser, WeightChange
from sktransfer.plugins.registry import PluginInfo, available, register, resolve
from sktransfer.plugins.task import LabelChange, Task
from sktransfer.plugins.vector_encoder import VectorEncoder
from sktransfer.plugins.wrapper import BackboneWrapper, EncoderWrapper
from sktransfer.weights import (
    Artifact,
    KnownWeights,
    ModelFiles,
    drawing,
    find_weights,
    model_class,
    refuse_named_code,
)

__all__ = [
    "Alignment",
    "Artifact",
    "Backbone",
    "BackboneWrapper",
    "Decision",
    "Encoder",
    "EncoderWrapper",
    "Fingerprint",
    "Forward",
    "FreezeStrategy",
    "Head",
    "KnownWeights",
    "LabelChange",
    "ModelFiles",
    "Plugin",
    "PluginInfo",
    "Regulariser",
    "Task",
    "Truncation",
    "VectorEncoder",
    "WeightChange",
    "available",
    "drawing",
    "find_weights",
    "model_class",
    "refuse_named_code",
    "register",
    "resolve",
]
