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
`Modality`        what an input is                              sktransfer.modalities
================  ============================================  ============================

Pretrained weights of a plugin's own are a `KnownWeights` behind an entry point of the group
``sktransfer.weights``; `find_weights` gives their folder. Models of the transformers library are
`ModelFiles`.

Hold a plugin to its contract with `sktransfer.testing.parametrize_with_contracts`.
"""

from sktransfer.contracts import (
    Alignment,
    Backbone,
    BackboneWrapper,
    Decision,
    Encoder,
    EncoderWrapper,
    FileFormats,
    Fingerprint,
    Forward,
    FreezeStrategy,
    HashedInput,
    Head,
    Inputs,
    LabelChange,
    Modality,
    Plugin,
    PluginInfo,
    Regulariser,
    ShellOption,
    Task,
    Truncation,
    Variation,
    VectorEncoder,
    WeightChange,
    available,
    content_of,
    modality_class,
    param,
    parameters_of,
    register,
    resolve,
    with_parameters,
)
from sktransfer.estimators._base import TransferEstimator
from sktransfer.estimators._classifier import TransferClassifier
from sktransfer.estimators._encoder import TransferEncoder
from sktransfer.estimators._regressor import TransferRegressor
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
    "FileFormats",
    "Fingerprint",
    "Forward",
    "FreezeStrategy",
    "HashedInput",
    "Head",
    "Inputs",
    "KnownWeights",
    "LabelChange",
    "Modality",
    "ModelFiles",
    "Plugin",
    "PluginInfo",
    "Regulariser",
    "ShellOption",
    "Task",
    "TransferClassifier",
    "TransferEncoder",
    "TransferEstimator",
    "TransferRegressor",
    "Truncation",
    "Variation",
    "VectorEncoder",
    "WeightChange",
    "available",
    "content_of",
    "drawing",
    "find_weights",
    "modality_class",
    "model_class",
    "param",
    "parameters_of",
    "refuse_named_code",
    "register",
    "resolve",
    "with_parameters",
]
