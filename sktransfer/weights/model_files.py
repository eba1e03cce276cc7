"""The files of models of the transformers library: find, check, load and copy them."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sktransfer._warnings import warn_user
from sktransfer.weights.files import file_sha256, read_json
from sktransfer.weights.global_state import GLOBAL_STATE
from sktransfer.weights.hub import find_on_hub
from sktransfer.weights.named_code import refuse_named_code

__all__ = ["ModelFiles", "check_hub_id", "drawing", "is_path", "model_class", "parse_model"]

# Errors that transformers raises for files that are damaged or of an unexpected kind.
_UNREADABLE = (OSError, KeyError, TypeError, ValueError)


@dataclass(frozen=True)
class ModelFiles:
    """The folder of a model of the transformers library.

    Attributes
    ----------
    folder : pathlib.Path
        Folder of the files.
    kept : bool, default=False
        Whether nobody writes to the folder, as in the hub's cache, so that loaded weights may share
        memory with the files.

    Examples
    --------
    >>> from pathlib import Path
    >>> from sktransfer.plugins import ModelFiles
    >>> ModelFiles.find(Path("models/vit")).folder.as_posix()
    'models/vit'
    """

    folder: Path
    kept: bool = False

    @classmethod
    def find(
        cls,
        model: str | os.PathLike[str],
        revision: str | None = None,
        *,
        preprocessor: bool = False,
    ) -> ModelFiles:
        """Find a model.

        Parameters
        ----------
        model : str or path-like
            A hub id ``owner/name``; or a folder as a path, or as a string that begins with ``./``
            or ``/``, which need not exist.
        revision : str or None, default=None
            Branch, tag or commit on the hub.
        preprocessor : bool, default=False
            Whether a preprocessor prepares the inputs, as for images; otherwise a tokenizer.

        Returns
        -------
        files : ModelFiles

        Raises
        ------
        OSError
            If it is not on this machine and cannot be downloaded.
        ValueError
            If a string is neither a hub id nor a path.
        """
        if isinstance(model, str) and not is_path(model):
            check_hub_id(model)
            return cls(find_on_hub(model, revision, preprocessor=preprocessor), kept=True)
        return cls(Path(model))

    def check(self, *, trust_remote_code: bool, caller: str, settings: Sequence[str]) -> None:
        """Check, before anything is loaded, that files can be loaded safely.

        Parameters
        ----------
        trust_remote_code : bool
            Whether code that comes with the model may run.
        caller : str
            Name of the backbone's class, for messages.
        settings : sequence of str
            Files besides ``config.json`` that transformers reads for this backbone.

        Raises
        ------
        ValueError
            If this is not a model, has no safetensors, or has a key in its settings that names code
            which is not trusted; the message gives the file and the key.
        """
        folder = self.folder
        if (folder / "manifest.json").is_file():
            raise ValueError(
                f"{folder} holds a model that sktransfer saved, not a pretrained one: give it as "
                f"source={str(folder)!r}, or use sktransfer.load({str(folder)!r})."
            )
        if not (folder / "config.json").is_file():
            raise ValueError(
                f"{folder} is not a model of transformers: "
                + ("it has no config.json." if folder.is_dir() else "there is no such folder.")
                + " A model of the hub is written 'owner/name'."
            )
        if not any(folder.glob("*.safetensors")):
            raise ValueError(
                f"{folder} has no *.safetensors file. Pickled weights (*.bin) are not loaded, "
                "since a pickle can run code; convert them with model.save_pretrained(...)."
            )
        if trust_remote_code:
            return
        # transformers loads an adapter that lies beside the model wherever peft is installed.
        for path in (folder / name for name in ("config.json", "adapter_config.json", *settings)):
            if path.is_file():
                refuse_named_code(read_json(path, dict), str(path), caller)

    @contextlib.contextmanager
    def loading(self, random_state: int) -> Iterator[None]:
        """Load a model in the block, without output, and draw weights that the files lack.

        Parameters
        ----------
        random_state : int
            Seed of the drawn weights. The global random state and transformers' settings are
            restored afterwards.

        Yields
        ------
        nothing : None

        Raises
        ------
        ValueError
            If a file of weights is damaged.
        """
        with drawing(random_state):
            from safetensors import SafetensorError

            try:
                yield
            except SafetensorError as error:
                raise ValueError(
                    f"A weight file in {self.folder} is damaged or cut short: {error}. Download "
                    "the model again."
                ) from error

    def config(self, *, trust_remote_code: bool) -> Any:
        """Read the configuration, which says what kind of model this is.

        Parameters
        ----------
        trust_remote_code : bool
            Whether code that comes with the model may run.

        Returns
        -------
        config : transformers.PreTrainedConfig

        Raises
        ------
        ValueError
            If the file cannot be read, or names a kind that transformers does not know.
        """
        from transformers import AutoConfig

        try:
            return AutoConfig.from_pretrained(
                self.folder, trust_remote_code=trust_remote_code, local_files_only=True
            )
        except _UNREADABLE as error:
            raise self.unloadable(error) from error

    def unloadable(self, error: Exception) -> ValueError:
        """Return the error to raise for a model that transformers does not load.

        Parameters
        ----------
        error : Exception
            Error of transformers, which the message quotes.

        Returns
        -------
        error : ValueError
        """
        return ValueError(f"{self.folder} cannot be loaded as a transformers model: {error}")

    def warn_of_missing(self, missing: Sequence[str]) -> None:
        """Warn of weights that were drawn at random, since the files lack them.

        Parameters
        ----------
        missing : sequence of str
            Names of the weights; there is no warning if it is empty.
        """
        if missing:
            warn_user(
                f"{len(missing)} weights of the encoder are not in the files of {self.folder} and "
                f"start at random (the first is {missing[0]!r}): is this the right model?"
            )

    def hold(self, module: Any) -> None:
        """Keep loaded weights from changing with the files, and from taking memory twice.

        Parameters
        ----------
        module : torch.nn.Module
            Module that was just loaded; it is changed in place.
        """
        if self.kept:
            _share_with_files(module, self.folder)
            return
        # Unlike a package or the hub's cache, a folder of the user may be written to at any time;
        # loaded weights must not change with it.
        for value in (*module.parameters(), *module.buffers()):
            value.data = value.data.clone()

    def hashes(self) -> list[str]:
        """Return the hashes that identify the weights.

        Returns
        -------
        digests : list of str
            SHA-256 of ``config.json`` and of each file of weights.
        """
        paths = [self.folder / "config.json", *sorted(self.folder.glob("*.safetensors"))]
        return [file_sha256(path) for path in paths]

    def copy_to(self, folder: Path) -> None:
        """Copy the files that loading needs.

        Parameters
        ----------
        folder : pathlib.Path
            An existing folder.
        """
        for pattern in ("*.json", "*.txt", "*.model", "*.safetensors", "*/config.json"):
            for path in sorted(self.folder.glob(pattern)):
                target = folder / path.relative_to(self.folder)
                target.parent.mkdir(exist_ok=True)
                # The hub's cache consists of links; the copy has to be a file.
                shutil.copyfile(path.resolve(), target)


@contextlib.contextmanager
def drawing(random_state: int) -> Iterator[None]:
    """Build a model in the block, without output, with weights drawn from a seed.

    Parameters
    ----------
    random_state : int
        Seed of the weights. The global random state and transformers' settings are restored
        afterwards.

    Yields
    ------
    nothing : None
    """
    import torch

    with GLOBAL_STATE, _quiet_transformers(), torch.random.fork_rng(devices=[]):
        # Seeding the generator of the CPU alone leaves accelerators' generators untouched.
        torch.default_generator.manual_seed(random_state)
        yield


def model_class(config: Any) -> Any:
    """Return the class of a model without a head.

    Parameters
    ----------
    config : transformers.PreTrainedConfig
        Configuration of the model.

    Returns
    -------
    cls : type or None
        None if the model comes with code of its own. ``cls.main_input_name`` is ``"input_ids"``
        for texts, and ``"pixel_values"`` for images.
    """
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    found = MODEL_MAPPING.get(type(config), None)
    return found[0] if isinstance(found, tuple) else found


def _share_with_files(module: Any, folder: Path) -> None:
    """Map weights to the files, so that processes and models share their memory.

    The operating system copies a weight that trains when it is first written to.
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
            # A model may rename or change the weights that it reads: only equal ones are shared.
            if value is not None and value.dtype == parameter.dtype:
                if torch.equal(value, parameter.data):
                    parameter.data = value
                break


def parse_model(spec: Any) -> str | Path | None:
    """Return the hub id or the folder that a user passed as a model.

    Parameters
    ----------
    spec : object
        Argument of the user.

    Returns
    -------
    model : str, pathlib.Path or None
        A hub id, or an absolute path; None for anything else, such as a registered name.

    Raises
    ------
    ValueError
        If it looks like a path or an address, but not like one that is accepted.

    Examples
    --------
    >>> from sktransfer.weights.model_files import parse_model
    >>> parse_model("intfloat/e5-small-v2")
    'intfloat/e5-small-v2'
    >>> parse_model("minlim") is None
    True
    """
    if isinstance(spec, os.PathLike) or (isinstance(spec, str) and is_path(spec)):
        # A fitted estimator has to find the folder from any working directory.
        return Path(spec).absolute()
    if not isinstance(spec, str):
        return None
    if "/" in spec or "\\" in spec or ":" in spec or spec.startswith("~") or not spec.strip():
        check_hub_id(spec)
        return spec
    return None


def is_path(model: str) -> bool:
    """Return whether a string is a path rather than a hub id."""
    return model.startswith(("./", ".\\")) or os.path.isabs(model)


def check_hub_id(model: str) -> None:
    """Raise a ValueError, which says how a hub id is written, unless a string is one."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(model)
        # Earlier versions of huggingface_hub accept a line break at the end.
        if model.startswith("~") or "/" not in model or model != model.strip():
            raise HFValidationError("no owner")
    except HFValidationError:
        raise ValueError(
            f"{model!r} is not a backbone: a model of the hub is written 'owner/name', a folder as "
            "pathlib.Path(...) or as a string that begins with './' or '/'."
        ) from None


@contextlib.contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Silence transformers in the block, and restore the caller's settings."""
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
