"""Read the tensors of an ONNX file, and nothing else of it.

A file is a protocol buffer: fields of (number, kind, value), some of which are messages again. Only
these are looked at: the graph of the model (7), its initializers (5), and of each its dimensions
(1), its data type (2), its name (8) and its bytes (9).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

__all__ = ["read_tensors"]

_FLOAT32 = 1
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def read_tensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read the weights that are in an ONNX file.

    Parameters
    ----------
    path : str or path-like
        The file; it holds its tensors itself.

    Returns
    -------
    tensors : dict of str to ndarray of float32
        By the names of the initializers. Those that are no plain float32 are left out.

    Raises
    ------
    ValueError
        If the file is no ONNX file, or ends early.
    """
    data = memoryview(Path(path).read_bytes())
    found: dict[str, np.ndarray] = {}
    try:
        for graph in _messages(data, 7):
            for initializer in _messages(graph, 5):
                name, value = _tensor(initializer)
                if value is not None:
                    found[name] = value
    except (IndexError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{path} is no ONNX file, or is damaged: {error}.") from error
    return found


def _tensor(message: memoryview) -> tuple[str, np.ndarray | None]:
    shape, kind, name, raw = [], 0, "", None
    for number, value in _fields(message):
        if number == 1:
            shape += [value] if isinstance(value, int) else list(_varints(value))
        elif isinstance(value, int):
            kind = value if number == 2 else kind
        elif number == 8:
            name = str(value, "utf-8")
        elif number == 9:
            raw = value
    if kind != _FLOAT32 or raw is None:
        return name, None
    return name, np.frombuffer(raw, dtype="<f4").reshape(shape)


def _messages(message: memoryview, wanted: int) -> Iterator[memoryview]:
    for number, value in _fields(message):
        if number == wanted:
            if isinstance(value, int):
                raise ValueError(f"field {number} is no message")
            yield value


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field of a message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"there is no field of kind {kind}")
        if at + length > len(message):
            raise ValueError("the file ends within a field")
        yield number, message[at : at + length]
        at += length


def _varints(message: memoryview) -> Iterator[int]:
    at = 0
    while at < len(message):
        value, at = _varint(message, at)
        yield value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Give a number, of which each byte holds seven bits, and where what follows begins."""
    value = 0
    for shift in range(0, 64, 7):
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("a number has more than 64 bits")
