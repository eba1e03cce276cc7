"""Known pretrained weights, and the files of models on this machine.

Known weights are looked for in an installed package of weights, whose files are found through its
metadata and never imported; then among the files that ``sktransfer weights get`` fetched; then in
the local hub cache; then they are downloaded from the hub. Files whose hashes are known are
verified.
"""

from sktransfer._artifacts import Artifact
from sktransfer.weights.catalogue import KNOWN_WEIGHTS, KnownWeights, known_weights
from sktransfer.weights.files import file_sha256
from sktransfer.weights.hub import find_on_hub
from sktransfer.weights.locate import fetch_weights, find_weights, where_weights_are
from sktransfer.weights.model_files import ModelFiles, drawing, model_class
from sktransfer.weights.named_code import refuse_named_code

__all__ = [
    "KNOWN_WEIGHTS",
    "Artifact",
    "KnownWeights",
    "ModelFiles",
    "drawing",
    "fetch_weights",
    "file_sha256",
    "find_on_hub",
    "find_weights",
    "known_weights",
    "model_class",
    "refuse_named_code",
    "where_weights_are",
]
