"""Known pretrained weights, and where a model's files are on this machine.

A known name is looked up as an installed package of weights, whose files are found through its
metadata and never imported; then among what ``sktransfer weights get`` fetched; then in the local
hub cache; then it is downloaded from the hub. What is known by hash is checked by hash.
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
