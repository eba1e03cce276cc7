"""Numbers out of bytes that may end too early or be something else altogether."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np


class ByteReader:
    """Reads little-endian values one after the other, and says where something is wrong.

    Parameters
    ----------
    data : bytes
        A whole file.
    origin : str
        Its path, for messages.
    """

    def __init__(self, data: bytes, origin: str) -> None:
        self.at = 0
        self._data = data
        self._origin = origin

    def unpack(self, formats: str, what: str) -> tuple[Any, ...]:
        """Read values as `struct` names them, without padding between them."""
        start = self._advance(struct.calcsize(f"<{formats}"), what)
        return struct.unpack_from(f"<{formats}", self._data, start)

    def number(self, kind: str, lowest: int, highest: int, what: str) -> int:
        """Read a whole number within bounds."""
        at = self.at
        (value,) = self.unpack(kind, what)
        if not lowest <= value <= highest:
            raise self.error(at, f"{what}, {lowest} to {highest}", str(value))
        return int(value)

    def text(self, n_bytes: int, what: str) -> str:
        """Read UTF-8."""
        start = self._advance(n_bytes, what)
        try:
            return self._data[start : self.at].decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.error(start + error.start, f"{what} in UTF-8", error.reason) from None

    def array(self, dtype: Any, count: int, at: int | None, what: str) -> np.ndarray:
        """Read an array that begins at a byte; without one, at where the reader is."""
        dtype = np.dtype(dtype)
        if at is None:
            at = self._advance(count * dtype.itemsize, what)
        else:
            self._check_room(at, count * dtype.itemsize, what)
        return np.frombuffer(self._data, dtype, count, at)

    def bytes(self, n_bytes: int, what: str) -> bytes:
        """Read bytes as they are."""
        start = self._advance(n_bytes, what)
        return self._data[start : self.at]

    def error(self, at: int, expected: str, got: str) -> ValueError:
        """Make the error of a byte at which there is not what should be."""
        return ValueError(
            f"{self._origin} is damaged or no file of this kind: at byte {at:,} {expected} was "
            f"expected, got {got}."
        )

    def _advance(self, n_bytes: int, what: str) -> int:
        self._check_room(self.at, n_bytes, what)
        start, self.at = self.at, self.at + n_bytes
        return start

    def _check_room(self, at: int, n_bytes: int, what: str) -> None:
        if at + n_bytes > len(self._data):
            end = f"the end of the file at byte {len(self._data):,}"
            raise self.error(at, f"{what}, {n_bytes:,} bytes,", end)
