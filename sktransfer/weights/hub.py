"""Models of the HuggingFace hub: in its local cache, or downloaded into it."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Any

from sktransfer._warnings import warn_user
from sktransfer.weights.cache_dir import cache_dir
from sktransfer.weights.catalogue import KNOWN_WEIGHTS
from sktransfer.weights.files import read_json

__all__ = ["cached", "download", "find_on_hub", "why_no_hub"]

# Files that an encoder needs, without the other formats of a model (onnx, pickles, tf).
_HUB_FILES: dict[str, Any] = {
    "allow_patterns": ["*.json", "*.txt", "*.model", "*.safetensors"],
    "ignore_patterns": ["onnx/*", "openvino/*", "*/model*.safetensors"],
}
_TIMEOUT = 10.0  # seconds

# By whether a preprocessor prepares the inputs: the files of a model's settings, and their content
# for messages.
_SETTINGS = {
    False: (
        ("modules.json",),
        "the model's own settings for pooling and length; without them the mean of tokens is taken",
    ),
    True: (
        ("preprocessor_config.json", "processor_config.json"),
        "the settings by which the model reads images; without them images are read as by most "
        "networks of ImageNet",
    ),
}


def find_on_hub(repo_id: str, revision: str | None = None, *, preprocessor: bool = False) -> Path:
    """Find a model in the local hub cache, or download it.

    Parameters
    ----------
    repo_id : str
        ``owner/name``.
    revision : str or None, default=None
        Branch, tag or commit; None is the main branch.
    preprocessor : bool, default=False
        Whether a preprocessor prepares the inputs, as for images; otherwise a tokenizer.

    Returns
    -------
    folder : pathlib.Path
        The snapshot in the hub's cache.

    Raises
    ------
    OSError
        If the model is not cached and cannot be downloaded; one sentence says why.
    """
    snapshot = cached(repo_id, revision)
    if snapshot is not None and _marker(snapshot).is_file():
        return snapshot
    try:
        return download(repo_id, revision)
    except OSError:
        if snapshot is None:
            raise
    # Other libraries leave out files that they do not need, such as these settings.
    files, what = _SETTINGS[preprocessor]
    if not any((snapshot / name).is_file() for name in files) and not _is_of_timm(snapshot):
        warn_user(
            f"The copy of {repo_id!r} in the local hub cache was not made by sktransfer and may "
            f"lack {what}. `hf download {repo_id}` completes it."
        )
    return snapshot


def download(repo_id: str, revision: str | None) -> Path:
    """Download the missing files of a model into the local hub cache."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        # This request comes first, since a download without a network retries for half a minute.
        commit = HfApi().model_info(repo_id, revision=revision, timeout=_TIMEOUT).sha
        snapshot_download(repo_id, revision=revision, tqdm_class=_silent_progress(), **_HUB_FILES)
    except GatedRepoError as error:
        raise OSError(
            f"{repo_id!r} on the hub asks for consent first: accept its terms there, then run "
            "`hf auth login`."
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise FileNotFoundError(
            f"There is no model {repo_id!r} on the hub"
            + (f" at revision {revision!r}" if revision else "")
            + ", or it is private. A folder is given as pathlib.Path(...) or './...'."
        ) from error
    except Exception as error:  # the types of errors depend on the HTTP library of the hub's client
        same = [known.name for known in KNOWN_WEIGHTS.values() if known.hub_id == repo_id]
        other = f"backbone={same[0]!r} is the same model and needs no hub; or " if same else ""
        raise OSError(
            f"The model {repo_id!r} is not in the local hub cache and cannot be downloaded "
            f"({why_no_hub()}): {other}download it where there is a network with "
            f"`hf download {repo_id}`, or give a folder as pathlib.Path(...)."
        ) from error
    folder = cached(repo_id, revision)
    if folder is None:
        raise FileNotFoundError(
            f"The model {repo_id!r} on the hub (commit {commit}) has no *.safetensors file, and "
            "pickled weights are not loaded."
        )
    marker = _marker(folder)
    with contextlib.suppress(OSError):  # without the marker the hub is asked again next time
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
    return folder


def _is_of_timm(snapshot: Path) -> bool:
    """Return whether config.json has the settings for images, which other models have elsewhere."""
    path = snapshot / "config.json"
    return path.is_file() and "pretrained_cfg" in read_json(path, dict)


def _marker(snapshot: Path) -> Path:
    """Return the file whose existence says that a snapshot holds all files of _HUB_FILES."""
    digest = hashlib.sha256(os.fspath(snapshot.absolute()).encode()).hexdigest()
    return cache_dir() / "complete" / digest


def cached(repo_id: str, revision: str | None = None) -> Path | None:
    """Return a snapshot in the local hub cache that has weights; None if there is none."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = snapshot_download(repo_id, revision=revision, local_files_only=True, **_HUB_FILES)
    except LocalEntryNotFoundError:
        return None
    # A download that was cut off leaves a snapshot without its weights.
    return Path(folder) if any(Path(folder).glob("*.safetensors")) else None


def why_no_hub() -> str:
    """Return the reason, for messages, why the hub was not reached."""
    from huggingface_hub.constants import HF_HUB_OFFLINE

    return "HF_HUB_OFFLINE is set" if HF_HUB_OFFLINE else "no connection"


def _silent_progress() -> type:
    from tqdm.auto import tqdm

    class Silent(tqdm):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **{**kwargs, "disable": True})

    return Silent
