"""Any encoder of the transformers library, by name, folder or hub id."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sktransfer._process import GLOBAL_STATE
from sktransfer._warnings import warn_user
from sktransfer.plugins import Backbone, Encoder

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from sktransfer.backbones._transformer_encoder import TransformerEncoder

__all__ = ["TransformerBackbone", "parse_model"]

# Of models that are known well enough to say so.
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
        Known weights by name (see `sktransfer.weights.known_weights`), a hub id ``owner/name``,
        or a folder as a ``pathlib.Path`` or a string that begins with ``./`` or ``/``.
    pooling : {"auto", "mean", "cls", "max", "pooler"}, default="auto"
        How token states become one vector. ``"auto"`` reads the model's own
        sentence-transformers files, and is the mean where there are none.
    normalize : bool or "auto", default="auto"
        Whether features are scaled to unit length. ``"auto"`` reads the model's own
        sentence-transformers files, and is False where there are none.
    max_length : int or None, default=None
        Longest text in tokens. None takes what the model's files say, at most 512.
    long_text : {"truncate", "head_tail", "window_mean", "window_max"}, default="truncate"
        What is read of a longer text: its beginning; a quarter from its beginning and the rest
        from its end [1]_; or all of it, in windows whose features are averaged, or maximised. At
        most 64 windows of a text are read. Of pairs the longer text is truncated.
    stride : int or None, default=None
        Tokens from the beginning of a window to that of the next; None lets them not overlap.
    prefix : str, default=""
        Put before each text, for models that were trained with one, such as ``"query: "``.
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
        """Whether the model is one of those that are known to have read English alone."""
        return isinstance(self.model, str) and self.model in _ENGLISH

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning.

        Returns
        -------
        space : dict of str to optuna.distributions.BaseDistribution
        """
        from optuna.distributions import CategoricalDistribution

        return {"pooling": CategoricalDistribution(["auto", "mean", "cls", "max"])}

    def load(self, *, device: str, random_state: int) -> TransformerEncoder:
        """Find the files, verify what is known by hash, and load them in single precision.

        Parameters
        ----------
        device : str
            Where the module has to be.
        random_state : int
            Seeds weights that the file lacks; a warning counts them.

        Returns
        -------
        encoder : TransformerEncoder

        Raises
        ------
        OSError
            If the model is not on this machine and cannot be downloaded, or a file is damaged.
        ValueError
            If the folder is no model, or the model needs code that is not trusted.
        """
        import torch
        from safetensors import SafetensorError

        folder = self._folder()
        self._check_folder(folder)
        with GLOBAL_STATE, _quiet_transformers(), torch.random.fork_rng(devices=[]):
            # Seeding the generator of the CPU alone leaves accelerators' generators untouched.
            torch.default_generator.manual_seed(random_state)
            try:
                module, tokenizer, incomplete = self._from_pretrained(folder)
            except SafetensorError as error:
                raise ValueError(
                    f"A weight file in {folder} is damaged or cut short: {error}. Download the "
                    "model again."
                ) from error
        from sktransfer.backbones._transformer_encoder import TransformerEncoder

        # Weights that are drawn here belong to what the encoder is, as those in the file do.
        drawn = f"random_state={random_state}" if incomplete else ""
        return TransformerEncoder(self, module.to(device), tokenizer, folder, device, drawn)

    def export(self, encoder: Encoder, folder: Path) -> TransformerBackbone:
        """Copy the model's files.

        Parameters
        ----------
        encoder : TransformerEncoder
            What `load` returned.
        folder : pathlib.Path
            An existing empty folder.

        Returns
        -------
        backbone : TransformerBackbone
            Loads from ``folder``, with all other parameters as here.
        """
        source: Path = encoder.folder  # type: ignore[attr-defined]
        for pattern in ("*.json", "*.txt", "*.model", "*.safetensors", "*/config.json"):
            for path in sorted(source.glob(pattern)):
                target = folder / path.relative_to(source)
                target.parent.mkdir(exist_ok=True)
                # The hub's cache is made of links; what is wanted is the file.
                shutil.copyfile(path.resolve(), target)
        return type(self)(**{**self.get_params(), "model": folder, "revision": None})

    def _folder(self) -> Path:
        from sktransfer.weights import find_on_hub, find_weights
        from sktransfer.weights.known import named

        if isinstance(self.model, str) and not _is_path(self.model):
            if named(self.model) is not None:
                return find_weights(self.model)
            _check_hub_id(self.model)
            return find_on_hub(self.model, self.revision)
        return Path(self.model)

    def _check_folder(self, folder: Path) -> None:
        config = folder / "config.json"
        if (folder / "manifest.json").is_file():
            raise ValueError(
                f"{folder} holds a model that sktransfer saved, not a pretrained one: give it as "
                f"source={str(folder)!r}, or use sktransfer.load({str(folder)!r})."
            )
        if not config.is_file():
            raise ValueError(
                f"{folder} is no transformers model: "
                + ("it has no config.json." if folder.is_dir() else "there is no such folder.")
                + " A model of the hub is written 'owner/name'."
            )
        if not any(folder.glob("*.safetensors")):
            raise ValueError(
                f"{folder} has no *.safetensors file. Pickled weights (*.bin) are not loaded, "
                "since a pickle can run code; convert them with model.save_pretrained(...)."
            )
        if not self.trust_remote_code:
            from sktransfer.backbones._sentence_files import read_json

            for name in ("config.json", "tokenizer_config.json"):
                if (folder / name).is_file() and "auto_map" in read_json(folder / name, dict):
                    raise ValueError(
                        f"{folder / name} has an auto_map: the model comes with code of its own, "
                        "which is not run. Read that code, then pass "
                        "TransformerBackbone(..., trust_remote_code=True)."
                    )

    def _from_pretrained(self, folder: Path) -> tuple[Any, Any, bool]:
        import torch
        from transformers import AutoModel, AutoTokenizer

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
            raise ValueError(
                f"{folder} cannot be loaded as a transformers model: {error}"
            ) from error
        missing = [name for name in report["missing_keys"] if "pooler" not in name]
        if missing:
            warn_user(
                f"{len(missing)} weights of the encoder are not in the files of {folder} and start "
                f"at random (the first is {missing[0]!r}): is this the right model?"
            )
        if getattr(module.config, "is_encoder_decoder", False):
            module = module.get_encoder()
        if isinstance(self.model, str) and not _is_path(self.model):
            _share_with_files(module, folder)
        else:
            # A folder of the user's may be written to at any time, other than a package or the
            # hub's cache; what is loaded must not change with it.
            for value in (*module.parameters(), *module.buffers()):
                value.data = value.data.clone()
        return module, tokenizer, bool(missing)


def _share_with_files(module: Any, folder: Path) -> None:
    """Back weights by the files themselves, so that processes and models share their memory.

    A weight that trains is copied by the operating system when it is first written to.
    """
    import torch
    from safetensors.torch import load_file

    stored: dict[str, Any] = {}
    for path in sorted(folder.glob("*.safetensors")):
        stored |= load_file(path)
    prefix = f"{getattr(module, 'base_model_prefix', '')}."
    for name, parameter in module.named_parameters():
        for key in (name, prefix + name):
            value = stored.get(key)
            # A model may rename or change what it reads: only what is equal is shared.
            if value is not None and value.dtype == parameter.dtype:
                if torch.equal(value, parameter.data):
                    parameter.data = value
                break


def parse_model(spec: Any) -> TransformerBackbone | None:
    """Read a backbone that is not a registered name: a folder or a hub id.

    Parameters
    ----------
    spec : object
        What the user gave.

    Returns
    -------
    backbone : TransformerBackbone or None
        None if it is neither, so that it is a name that nobody has registered.

    Raises
    ------
    ValueError
        If it looks like a path or an address, but not like one that is accepted.

    Examples
    --------
    >>> from pathlib import Path
    >>> from sktransfer.backbones.transformer import parse_model
    >>> parse_model("intfloat/e5-small-v2")
    TransformerBackbone(model='intfloat/e5-small-v2')
    >>> parse_model("minlim") is None
    True
    """
    if isinstance(spec, os.PathLike):
        return TransformerBackbone(model=Path(spec).absolute())
    if not isinstance(spec, str):
        return None
    if _is_path(spec):
        # What is fitted now has to find the folder later, from wherever it is loaded then.
        return TransformerBackbone(model=Path(spec).absolute())
    if "/" in spec or "\\" in spec or ":" in spec or spec.startswith("~") or not spec.strip():
        _check_hub_id(spec)
        return TransformerBackbone(model=spec)
    return None


def _is_path(model: str) -> bool:
    return model.startswith(("./", ".\\")) or os.path.isabs(model)


def _check_hub_id(model: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(model)
        if model.startswith("~") or "/" not in model:
            raise HFValidationError("no owner")
    except HFValidationError:
        raise ValueError(
            f"{model!r} is no backbone: a model of the hub is written 'owner/name', and a folder "
            "is given as pathlib.Path(...) or as a string that begins with './' or '/'."
        ) from None


@contextlib.contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Silence loading, and leave the caller's settings as they were."""
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
