"""Pretrained word vectors, from the formats in which they are published."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

__all__ = ["ENDINGS", "Origin", "WordVectors", "read_vectors"]

# Words are shorter; what is longer is no word, but a file of another kind.
_MAX_WORD = 1000
_MAX_DIM = 100_000
_TEXT, _ARRAYS = (".txt", ".vec"), (".npy", ".safetensors")
ENDINGS = (*_TEXT, ".bin", ".gz", *_ARRAYS)
# Rows that are looked at together.
_PART = 2**14
# Of so many of the most frequent words the variance is taken.
_SAMPLE = 10_000


class Origin(NamedTuple):
    """What has to be known of vectors where only a part of them is left."""

    fingerprint: str
    spread: float


class WordVectors:
    """Words and their vectors.

    Parameters
    ----------
    words : sequence of n str
        All different.
    matrix : ndarray of float32 of shape (n, dim)
        May be backed by a file; only the rows that are asked for are read.
    origin : Origin or None, default=None
        Of the vectors of which these are a part, and for which they stand.
    """

    def __init__(
        self, words: Sequence[str], matrix: np.ndarray, origin: Origin | None = None
    ) -> None:
        self.words = words
        self.matrix = matrix
        self._origin = origin

    @property
    def dim(self) -> int:
        """Numbers of a vector."""
        return int(self.matrix.shape[1])

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.words)}

    def __contains__(self, word: object) -> bool:
        return word in self._rows

    def __len__(self) -> int:
        return len(self.words)

    def of(self, words: Iterable[str]) -> np.ndarray:
        """Copy the vectors of some words.

        Parameters
        ----------
        words : iterable of m str
            Of those that have one.

        Returns
        -------
        vectors : ndarray of float32 of shape (m, dim)

        Raises
        ------
        KeyError
            If a word has none.
        """
        return np.array(self.matrix[[self._rows[word] for word in words]], dtype=np.float32)

    @cached_property
    def spread(self) -> float:
        """Half the width of the interval that has the variance of the numbers, as Kim (2014)."""
        if self._origin is not None:
            return self._origin.spread
        some = np.asarray(self.matrix[: min(len(self), _SAMPLE)], dtype=np.float64)
        return float(np.sqrt(3.0) * some.std())

    @cached_property
    def fingerprint(self) -> str:
        """Name words and numbers: equal strings mean equal vectors, or parts of equal ones."""
        if self._origin is not None:
            return self._origin.fingerprint
        digest = hashlib.sha256(json.dumps([*self.words, *self.matrix.shape]).encode("ascii"))
        for part in _in_parts(self.matrix):
            digest.update(np.ascontiguousarray(part, dtype="<f4"))
        return digest.hexdigest()


def read_vectors(path: str | os.PathLike[str]) -> WordVectors:
    """Read vectors from a file.

    Parameters
    ----------
    path : str or path-like
        GloVe's or word2vec's text (``.txt``, ``.vec``), word2vec's binary format (``.bin``), each
        also with ``.gz``; or ``.npy`` or ``.safetensors`` (one tensor) with the words beside it, in
        a file of the same name that ends in ``.json`` (a list) or ``.txt`` (a word a line). An
        ``.npy`` is mapped into memory and not copied; `save_vectors` writes one.

    Returns
    -------
    vectors : WordVectors

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If the file is damaged or of another kind; says where and what was expected.
    """
    path = Path(path)
    packed = path.suffix.lower() == ".gz"
    kind = (path.with_suffix("") if packed else path).suffix.lower()
    if kind not in (*_TEXT, ".bin", *(() if packed else _ARRAYS)):
        raise ValueError(
            f"{path}: vectors are read from *.txt, *.vec and *.bin, each also with .gz, *.npy and "
            f"*.safetensors, got {path.suffix or 'no ending'}."
        )
    try:
        return _read_array(path, kind) if kind in _ARRAYS else _parse(path, kind)
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile):
            raise ValueError(f"{path} is cut short or damaged: {error}.") from error
        raise
    except Exception as error:  # a damaged file makes each library that reads it fail in its way
        if isinstance(error, ValueError) and str(error).startswith(str(path.with_suffix(""))):
            raise
        raise ValueError(f"{path} is cut short or damaged: {error}.") from error


def _parse(path: Path, kind: str) -> WordVectors:
    with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as file:
        return _collected(_binary(file, path) if kind == ".bin" else _text(file, path), path)


def _collected(rows: Iterator[tuple[str, str, np.ndarray]], path: Path) -> WordVectors:
    """Put rows into one array; ``where`` says where a row stands."""
    words: dict[str, str] = {}
    vectors = []
    for where, word, vector in rows:
        if word in words:
            raise ValueError(
                f"{path}, {where}: the word {word!r} was there before, in {words[word]}; each word "
                "is expected once."
            )
        words[word] = where
        vectors.append(vector)
    if not words:
        raise ValueError(f"{path} holds no vectors.")
    return WordVectors(list(words), np.stack(vectors))


def _text(file: Any, path: Path) -> Iterator[tuple[str, str, np.ndarray]]:
    """Read a word and its numbers a line; a first line of two integers counts them."""
    dim, expected, n, blank = None, None, 0, 0
    for number, raw in enumerate(file, start=1):
        line = raw.rstrip(b"\r\n")
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if not line.strip():
            blank = blank or number
            continue
        # Blank lines may stand at the end alone.
        where = f"line {blank or number}"
        line = b"" if blank else line
        if number == 1 and (header := _header(line)):
            expected, dim = header
            continue
        # What GloVe calls a word may hold blanks, of all kinds; a number does not.
        parts = line.rstrip(b" ").rsplit(b" ", -1 if dim is None else dim)
        dim = len(parts) - 1 if dim is None else dim
        if dim < 1 or len(parts) != dim + 1 or not parts[0]:
            raise ValueError(
                f"{path}, {where}: a word and {dim} numbers are expected, got {len(parts) - 1} "
                f"numbers in {_shown(line)}."
            )
        try:
            vector = np.array(parts[1:], dtype=np.float32)
        except ValueError:
            raise ValueError(
                f"{path}, {where}: a word and {dim} numbers are expected, got {_shown(line)}."
            ) from None
        if not np.isfinite(vector).all():
            raise ValueError(f"{path}, {where}: numbers have to be finite, got {_shown(line)}.")
        n += 1
        yield where, parts[0].decode("utf-8", errors="backslashreplace"), vector
    if expected is not None and n != expected:
        raise ValueError(f"{path}: {expected:,} words are announced, {n:,} are there.")


def _binary(file: Any, path: Path) -> Iterator[tuple[str, str, np.ndarray]]:
    """Read word2vec's binary format: a word, a blank, its numbers as float32."""
    first = file.readline(_MAX_WORD)
    header = _header(first.rstrip(b"\r\n"))
    if header is None:
        raise ValueError(
            f"{path}: the number of words and of their numbers is expected in the first line, got "
            f"{_shown(first)}."
        )
    expected, dim = header
    at = len(first)
    for i in range(expected):
        where = f"byte {at:,}"
        word = bytearray()
        while (byte := file.read(1)) != b" ":
            if not byte or len(word) > _MAX_WORD:
                raise ValueError(
                    f"{path}, byte {at + len(word):,}: word {i + 1:,} of {expected:,} is expected, "
                    f"got {'the end of the file' if not byte else _shown(bytes(word[:40]))}."
                )
            word += byte
        data = file.read(4 * dim)
        if len(data) < 4 * dim:
            raise ValueError(
                f"{path}, byte {at + len(word) + 1 + len(data):,}: the file ends within the "
                f"numbers of word {i + 1:,} of {expected:,}; {4 * dim} bytes are expected, got "
                f"{len(data)}."
            )
        vector = np.frombuffer(data, dtype="<f4").astype(np.float32)
        if not np.isfinite(vector).all():
            raise ValueError(
                f"{path}, {where}: numbers have to be finite, got others for word {i + 1:,} of "
                f"{expected:,}."
            )
        at += len(word) + 1 + len(data)
        # word2vec ends each row with a newline, which others leave out.
        yield where, bytes(word).lstrip(b"\n").decode("utf-8", errors="backslashreplace"), vector
    if (more := file.read(_MAX_WORD)).strip():
        raise ValueError(
            f"{path}, byte {at:,}: the end is expected after {expected:,} words, got "
            f"{_shown(more[:40])}."
        )


def _header(line: bytes) -> tuple[int, int] | None:
    parts = line.split()
    if len(parts) == 2 and all(part.isdigit() for part in parts):
        n, dim = map(int, parts)
        return (n, dim) if 0 < dim <= _MAX_DIM else None
    return None


def _read_array(path: Path, kind: str) -> WordVectors:
    beside = [path.with_suffix(".json"), path.with_suffix(".txt")]
    found = next((file for file in beside if file.is_file()), None)
    if found is None:
        path.stat()  # says so if that is what is missing
        raise FileNotFoundError(
            f"{path} needs its words beside it, in {' or '.join(map(str, beside))}."
        )
    text = found.read_text(encoding="utf-8")
    # By newlines alone: others that Unicode has may be part of a word.
    names = json.loads(text) if found.suffix == ".json" else text.removesuffix("\n").split("\n")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{found}: a list of words is expected.")
    matrix, origin = _mapped(path) if kind == ".npy" else _tensor(path)
    if matrix.ndim != 2 or matrix.dtype.kind != "f":
        raise ValueError(
            f"{path}: floats of shape (words, dim) are expected, got {matrix.dtype} of shape "
            f"{matrix.shape}."
        )
    if len(names) != len(matrix):
        raise ValueError(f"{path} has {len(matrix):,} vectors, {found} has {len(names):,} words.")
    if len(set(names)) < len(names):
        twice = next(name for name, n in Counter(names).items() if n > 1)
        raise ValueError(f"{found}: the word {twice!r} is there twice.")
    at = 0
    for part in _in_parts(matrix):
        if not np.isfinite(part).all():
            row = at + int(np.flatnonzero(~np.isfinite(part).all(axis=1))[0])
            raise ValueError(f"{path}: numbers have to be finite, got others for {names[row]!r}.")
        at += len(part)
    return WordVectors(names, matrix, origin)


def _in_parts(matrix: np.ndarray) -> Iterator[np.ndarray]:
    """Give some rows after the other, so that a file is not in memory as a whole."""
    return (matrix[i : i + _PART] for i in range(0, len(matrix), _PART))


def _mapped(path: Path) -> tuple[np.ndarray, None]:
    return np.load(path, mmap_mode="r", allow_pickle=False), None


def _tensor(path: Path) -> tuple[np.ndarray, Origin | None]:
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        names = list(file.keys())
        if len(names) != 1:
            raise ValueError(f"{path}: one tensor is expected, got {names}.")
        about = file.metadata() or {}
        origin = (
            Origin(about["fingerprint"], float(about["spread"]))
            if {"fingerprint", "spread"} <= set(about)
            else None
        )
        return np.asarray(file.get_tensor(names[0])), origin


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", errors="replace")
    return repr(text if len(text) <= 60 else text[:57] + "...")
