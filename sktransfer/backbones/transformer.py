"""Any encoder of the transformers library, by name, folder or hub id."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sktransfer.contracts import Backbone, Encoder
from sktransfer.weights import ModelFiles

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from sktransfer.backbones._transformer_encoder import TransformerEncoder

__all__ = [
    "TransformerBackbone",
    "bert_base_cased",
    "bert_base_uncased",
    "distilbert_base_uncased",
    "minilm",
    "multilingual",
    "roberta_base",
    "xlm_roberta_base",
]


# Models that are known to be trained on English only.
_ENGLISH = frozenset(
    {
        "minilm",
        "FacebookAI/roberta-base",
        "distilbert/distilbert-base-uncased",
        "google-bert/bert-base-cased",
        "google-bert/bert-base-uncased",
        "sentence-transformers/all-MiniLM-L6-v2",
    }
)


class TransformerBackbone(Backbone):
    """A transformers encoder with its tokenizer and pooling.

    Parameters
    ----------
    model : str or pathlib.Path, default="minilm"
        Name of known weights (see `sktransfer.weights.known_weights`), hub id ``owner/name``, or
        folder as a ``pathlib.Path`` or a string that begins with ``./`` or ``/``.
    pooling : {"auto", "mean", "cls", "max", "pooler"}, default="auto"
        How token states are pooled into one vector. ``"auto"`` reads the model's own
        sentence-transformers files, and is the mean if there are none.
    normalize : bool or "auto", default="auto"
        Whether features are scaled to unit length. ``"auto"`` reads the model's own
        sentence-transformers files, and is False if there are none.
    max_length : int or None, default=None
        Length of the longest text, in tokens. None is the length in the model's files, at most 512.
    long_text : {"truncate", "head_tail", "window_mean", "window_max"}, default="truncate"
        Part of a longer text that is read: its beginning; a quarter from its beginning and the
        rest from its end [1]_; or all of it, in at most 64 windows, whose features are averaged or
        maximised. In a pair, the longer text is truncated.
    stride : int or None, default=None
        Number of tokens from the beginning of a window to that of the next one; None makes windows
        that do not overlap.
    prefix : str, default=""
        Prefix of each text, for models that were trained with one, such as ``"query: "``.
    revision : str or None, default=None
        Branch, tag or commit on the hub.
    trust_remote_code : bool, default=False
        Whether code that comes with the model may run. Read it first.

    References
    ----------
    .. [1] Sun, C., Qiu, X., Xu, Y. and Huang, X. (2019). How to fine-tune BERT for text
       classification? CCL. arXiv:1905.05583.

    Examples
    --------
    >>> from sktransfer.backbones.transformer import TransformerBackbone
    >>> TransformerBackbone("sentence-transformers/all-mpnet-base-v2", max_length=128)
    TransformerBackbone(max_length=128,
                        model='sentence-transformers/all-mpnet-base-v2')
    """

    modality: ClassVar[str] = "text"
    reads_pairs: ClassVar[bool] = True

    def __init__(
        self,
        model: str | os.PathLike[str] = "minilm",
        pooling: str = "auto",
        normalize: bool | str = "auto",
        max_length: int | None = None,
        long_text: str = "truncate",
        stride: int | None = None,
        prefix: str = "",
        revision: str | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        self.model = model
        self.pooling = pooling
        self.normalize = normalize
        self.max_length = max_length
        self.long_text = long_text
        self.stride = stride
        self.prefix = prefix
        self.revision = revision
        self.trust_remote_code = trust_remote_code

    @property
    def english_only(self) -> bool:
        """Whether the model is known to be trained on English only."""
        return isinstance(self.model, str) and self.model in _ENGLISH

    def search_space(self) -> dict[str, BaseDistribution]:
        """Return the parameters that are worth tuning.

        Returns
        -------
        space : dict of str to optuna.distributions.BaseDistribution
        """
        from optuna.distributions import CategoricalDistribution

        return {"pooling": CategoricalDistribution(["auto", "mean", "cls", "max"])}

    def load(self, *, device: str, random_state: int) -> TransformerEncoder:
        """Find the files, verify those with known hashes, and load the model in single precision.

        Parameters
        ----------
        device : str
            Device of the module.
        random_state : int
            Seed of weights that the files lack; a warning counts them.

        Returns
        -------
        encoder : TransformerEncoder

        Raises
        ------
        OSError
            If the model is not on this machine and cannot be downloaded, or a file is damaged.
        ValueError
            If the folder is not a model, or the model needs code that is not trusted.
        """
        files = self._files()
        files.check(
            trust_remote_code=self.trust_remote_code,
            caller=type(self).__name__,
            settings=["tokenizer_config.json"],
        )
        with files.loading(random_state):
            module, tokenizer, incomplete = self._from_pretrained(files)
        from sktransfer.backbones._transformer_encoder import TransformerEncoder

        # Drawn weights are a part of the encoder's fingerprint, as those of the files are.
        drawn = f"random_state={random_state}" if incomplete else ""
        return TransformerEncoder(self, module.to(device), tokenizer, files, device, drawn)

    def export(self, encoder: Encoder, folder: Path) -> TransformerBackbone:
        """Copy the model's files.

        Parameters
        ----------
        encoder : TransformerEncoder
            Encoder that `load` returned.
        folder : pathlib.Path
            An existing empty folder.

        Returns
        -------
        backbone : TransformerBackbone
            Backbone that loads from ``folder``; its other parameters are the same.
        """
        files: ModelFiles = encoder.files  # type: ignore[attr-defined]
        files.copy_to(folder)
        return type(self)(**{**self.get_params(), "model": folder, "revision": None})

    def _files(self) -> ModelFiles:
        from sktransfer.weights import find_weights
        from sktransfer.weights.catalogue import named

        if isinstance(self.model, str) and named(self.model) is not None:
            return ModelFiles(find_weights(self.model), kept=True)
        return ModelFiles.find(self.model, self.revision)

    def _from_pretrained(self, files: ModelFiles) -> tuple[Any, Any, bool]:
        import torch
        from transformers import AutoModel, AutoTokenizer

        folder = files.folder
        _check_reads_texts(files, files.config(trust_remote_code=self.trust_remote_code))
        shared = {"trust_remote_code": self.trust_remote_code, "local_files_only": True}
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, **shared)
            module, report = AutoModel.from_pretrained(
                folder,
                dtype=torch.float32,
                use_safetensors=True,
                output_loading_info=True,
                **shared,
            )
        except (OSError, KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise files.unloadable(error) from error
        missing = [name for name in report["missing_keys"] if "pooler" not in name]
        files.warn_of_missing(missing)
        if getattr(module.config, "is_encoder_decoder", False):
            module = module.get_encoder()
        files.hold(module)
        return module, tokenizer, bool(missing)


def _check_reads_texts(files: ModelFiles, config: Any) -> None:
    from sktransfer.weights import model_class

    cls = model_class(config)
    both = hasattr(config, "vision_config")
    if both or getattr(cls, "main_input_name", "") == "pixel_values":
        raise ValueError(
            f"{files.folder} holds a model of the kind {config.model_type!r}, which reads "
            + ("texts and images" if both else "images")
            + ": an estimator of texts needs an encoder of texts alone. Its images are read by "
            "ImageTransformer of the plugin sktransfer-vision, see Plugins in the README."
        )


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
