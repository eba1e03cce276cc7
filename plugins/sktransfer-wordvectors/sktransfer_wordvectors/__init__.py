"""Word vectors and small networks on them, as backbones of sktransfer."""

from sktransfer_wordvectors.averaging import FastText
from sktransfer_wordvectors.convolutional import Conv1D, TextCNN
from sktransfer_wordvectors.recurrent import GRU, BiLSTM
from sktransfer_wordvectors.saving import save_vectors
from sktransfer_wordvectors.vectors import WordVectors, read_vectors

__all__ = [
    "GRU",
    "BiLSTM",
    "Conv1D",
    "FastText",
    "TextCNN",
    "WordVectors",
    "read_vectors",
    "save_vectors",
]
__version__ = "0.1.0"
