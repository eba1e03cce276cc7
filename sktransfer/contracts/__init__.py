"""The contracts that plugins and the other rooms implement, and the registry of names."""

from sktransfer.contracts.backbone import Backbone
from sktransfer.contracts.base import Plugin
from sktransfer.contracts.encoder import Encoder, Fingerprint, Truncation
from sktransfer.contracts.freezing import Decision, FreezeStrategy
from sktransfer.contracts.head import Head
from sktransfer.contracts.inputs import HashedInput, Inputs, content_of
from sktransfer.contracts.losses import Alignment, Forward, Regulariser, WeightChange
from sktransfer.contracts.modality import Modality, Variation
from sktransfer.contracts.parameters import param, parameters_of, with_parameters
from sktransfer.contracts.registry import (
    PluginInfo,
    available,
    modality_class,
    register,
    resolve,
)
from sktransfer.contracts.shell import FileFormats, ShellOption
from sktransfer.contracts.task import LabelChange, Task
from sktransfer.contracts.vector_encoder import VectorEncoder
from sktransfer.contracts.wrapper import BackboneWrapper, EncoderWrapper

__all__ = [
    "Alignment",
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
    "LabelChange",
    "Modality",
    "Plugin",
    "PluginInfo",
    "Regulariser",
    "ShellOption",
    "Task",
    "Truncation",
    "Variation",
    "VectorEncoder",
    "WeightChange",
    "available",
    "content_of",
    "modality_class",
    "param",
    "parameters_of",
    "register",
    "resolve",
    "with_parameters",
]
