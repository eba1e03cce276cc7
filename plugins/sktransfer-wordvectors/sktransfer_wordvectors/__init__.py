"""Word vectors and small networks on them, as backbones of sktransfer."""

from sktransfer_wordvectors.backbones import GRU, BiLSTM, FastText, TextCNN
from sktransfer_wordvectors.vectors import WordVectors, read_vectors

__all__ = ["GRU", "BiLSTM", "FastText", "TextCNN", "WordVectors", "read_vectors"]
__version__ = "0.1.0"
