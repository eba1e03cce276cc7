"""Vectors written to files: all of them for quick reading, or a part that a model needs."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO
from uuid import uuid4

import numpy as np

from sktransfer_wordvectors.vectors import WordVectors

__all__ = ["save_part", "save_vectors"]


def save_vectors(vectors: WordVectors, path: str | os.PathLike[str]) -> None:
    r"""Write vectors as an array that later reads map into memory, and the words beside it.

    Parameters
    ----------
    vectors : WordVectors
        What `read_vectors` returned.
    path : str or path-like
        Ends in ``.npy``; the words go into the file of the same name that ends in ``.json``. What
        is there is replaced.

    Raises
    ------
    ValueError
        If the path has another ending.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sktransfer_wordvectors import read_vectors, save_vectors
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "tiny.txt").write_text("good 0.1 0.9\nbad 0.2 -0.8\n")
    >>> save_vectors(read_vectors(folder / "tiny.txt"), folder / "tiny.npy")
    >>> read_vectors(folder / "tiny.npy").of(["bad"])
    array([[ 0.2, -0.8]], dtype=float32)
    """
    path = Path(path)
    if path.suffix != ".npy":
        raise ValueError(f"path has to end in .npy, got {os.fspath(path)!r}.")
    _write(path, lambda file: np.save(file, vectors.matrix, allow_pickle=False), vectors.words)


def save_part(vectors: WordVectors, words: Sequence[str], path: Path) -> None:
    """Write the vectors of some words as safetensors, to stand for all of them.

    Parameters
    ----------
    vectors : WordVectors
        All.
    words : sequence of str
        Of which those are written that have a vector.
    path : pathlib.Path
        Ends in ``.safetensors``; the words go into the file that ends in ``.json``.
    """
    from safetensors.numpy import save

    kept = [word for word in words if word in vectors]
    about = {"fingerprint": vectors.fingerprint, "spread": repr(vectors.spread)}
    matrix = vectors.of(kept).reshape(len(kept), vectors.dim)
    _write(path, lambda file: file.write(save({"vectors": matrix}, metadata=about)), kept)


def _write(path: Path, write: Callable[[IO[bytes]], object], words: Sequence[str]) -> None:
    """Replace an array and its words; at no time do words stand beside another array."""
    beside = path.with_suffix(".json")
    with _replacing(beside) as listed:
        # JSON of ASCII holds whatever a word may be.
        listed.write(json.dumps(list(words)).encode("ascii"))
        with _replacing(path) as file:
            write(file)
            file.flush()
            beside.unlink(missing_ok=True)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    # Not by tempfile, whose files nobody else may read.
    new = path.with_name(f".{path.name}-{uuid4().hex}")
    try:
        with new.open("xb") as file:
            yield file
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
