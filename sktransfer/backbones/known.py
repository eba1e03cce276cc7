"""Models of transformers that are registered by a name of their own."""

from __future__ import annotations

from sktransfer.backbones.transformer import TransformerBackbone

__all__ = [
    "bert_base_cased",
    "bert_base_uncased",
    "distilbert_base_uncased",
    "minilm",
    "multilingual",
    "roberta_base",
    "xlm_roberta_base",
]


def minilm() -> TransformerBackbone:
    """Make the backbone of all-MiniLM-L6-v2, a small sentence encoder of English."""
    return TransformerBackbone("minilm")


def multilingual() -> TransformerBackbone:
    """Make the backbone of multilingual-e5-small, which reads 100 languages."""
    return TransformerBackbone("multilingual", prefix="query: ")


def bert_base_uncased() -> TransformerBackbone:
    """Make the backbone of BERT, base size, in lower case."""
    return TransformerBackbone("google-bert/bert-base-uncased")


def bert_base_cased() -> TransformerBackbone:
    """Make the backbone of BERT, base size."""
    return TransformerBackbone("google-bert/bert-base-cased")


def distilbert_base_uncased() -> TransformerBackbone:
    """Make the backbone of DistilBERT, base size, in lower case."""
    return TransformerBackbone("distilbert/distilbert-base-uncased")


def roberta_base() -> TransformerBackbone:
    """Make the backbone of RoBERTa, base size."""
    return TransformerBackbone("FacebookAI/roberta-base")


def xlm_roberta_base() -> TransformerBackbone:
    """Make the backbone of XLM-RoBERTa, base size, which reads 100 languages."""
    return TransformerBackbone("FacebookAI/xlm-roberta-base")
