"""Stores that keep the features of single inputs between fits, processes and restarts.

A key is made of the weights, the preprocessing, the precision, the versions of the libraries and
the input itself. If any of these differs, the key does, so that no entry has to be invalidated.
Values are raw float32 behind a checksum, never pickles.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import struct
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sktransfer._suggestions import import_extra
from sktransfer._warnings import warn_user
from sktransfer.contracts import content_of
from sktransfer.weights.global_state import ForkSafeLock

__all__ = ["DiskStore", "FeatureStore", "MemoryStore", "open_store", "store_keys"]

_LIBRARIES = ("sktransfer", "torch", "transformers", "tokenizers")
_CHECKSUM = 8
# Share of the limit to which entries are evicted, so that evictions are rare.
_AFTER_EVICTION = 0.8


class FeatureStore(Protocol):
    """A store of features."""

    def get(self, keys: Sequence[bytes]) -> list[np.ndarray | None]:
        """Return the features of each key, or None if they are not in the store."""

    def put(self, items: Iterable[tuple[bytes, np.ndarray]]) -> None:
        """Store features by their keys."""


def store_keys(identity: str, X: Sequence[Any]) -> list[bytes]:
    """Make the key of each input.

    Parameters
    ----------
    identity : str
        Names of weights, preprocessing and precision.
    X : sequence of n inputs
        Texts, numbers, tuples of these, or `HashedInput`.

    Returns
    -------
    keys : list of n bytes

    Raises
    ------
    TypeError
        If an input is of another type.
    """
    base = hashlib.blake2b(f"{identity}|{_versions()}".encode(), digest_size=32)
    keys = []
    for x in X:
        own = base.copy()
        for data in content_of(x):
            # The length before each part gives different pairs different bytes.
            own.update(struct.pack("<q", len(data)) + data)
        keys.append(own.digest())
    return keys


@functools.cache
def _versions() -> str:
    """Return the versions of the libraries that features depend on; reading metadata takes long."""
    return "|".join(f"{name}={version(name)}" for name in _LIBRARIES)


class MemoryStore:
    """A store in the memory of this process, which evicts the least recently used features.

    Parameters
    ----------
    max_bytes : int, default=2**28
        Largest size of the features, in bytes.
    """

    def __init__(self, max_bytes: int = 2**28) -> None:
        self.max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[bytes, np.ndarray] = OrderedDict()
        self._lock = ForkSafeLock()

    def __len__(self) -> int:
        return len(self._kept)

    def __deepcopy__(self, memo: Any) -> MemoryStore:
        # `clone` copies parameters, and a copy of the store would share no features.
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.max_bytes,)

    def get(self, keys: Sequence[bytes]) -> list[np.ndarray | None]:
        """Return the features of each key, or None if they are not in the store."""
        with self._lock:
            for key in keys:
                if key in self._kept:
                    self._kept.move_to_end(key)
            return [self._kept.get(key) for key in keys]

    def put(self, items: Iterable[tuple[bytes, np.ndarray]]) -> None:
        """Store features by their keys."""
        with self._lock:
            for key, value in items:
                if key not in self._kept:
                    self._kept[key] = np.array(value, dtype=np.float32)
                    self._bytes += self._kept[key].nbytes
            while self._bytes > self.max_bytes:
                _, value = self._kept.popitem(last=False)
                self._bytes -= value.nbytes


class DiskStore:
    """A store in a folder: an LMDB database that any number of processes share.

    Parameters
    ----------
    path : path-like
        The folder, which is made if it does not exist.
    max_bytes : int, default=2**31
        Largest size of the features, in bytes; the oldest are evicted.

    Raises
    ------
    ImportError
        If lmdb is not installed; the message names the extra.
    OSError
        If the folder cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], max_bytes: int = 2**31) -> None:
        self.path = Path(path).expanduser().absolute()
        self.max_bytes = max_bytes
        self._lock = ForkSafeLock()
        self._env: Any = None
        self._pid = 0
        self._warned: set[str] = set()
        self._open()

    def _open(self) -> Any:
        if self._env is not None and self._pid == os.getpid():
            return self._env
        if self._env is not None:
            # A forked process must not use the environment of its parent. Closing it here only
            # makes lmdb forget that the folder is open.
            self._env.close()
        lmdb = import_extra("lmdb", "cache", f"cache={str(self.path)!r}")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"{self.path} cannot be a folder of features: {error}") from error
        settings: dict[str, Any] = {
            # Address space, not memory or disk; LMDB needs some to note the pages that it frees.
            "map_size": 2 * self.max_bytes + 2**26,
            "max_dbs": 3,
            "readahead": False,
            "metasync": False,
        }
        try:
            self._env = lmdb.open(str(self.path), **settings)
        except (lmdb.InvalidError, lmdb.CorruptedError, lmdb.VersionMismatchError) as error:
            # The file is not a database, or damaged: rename it, and begin with an empty one.
            for file in ("data.mdb", "lock.mdb"):
                with contextlib.suppress(FileNotFoundError):
                    os.replace(self.path / file, self.path / f"{file}.damaged")
            self._warn("damaged", f"{self.path} is no readable feature store ({error})")
            self._env = lmdb.open(str(self.path), **settings)
        self._pid = os.getpid()
        self._features = self._env.open_db(b"features")
        self._order = self._env.open_db(b"order", integerkey=False)
        self._counts = self._env.open_db(b"counts")
        return self._env

    def __len__(self) -> int:
        with self._lock, self._open().begin() as txn:
            return txn.stat(self._features)["entries"]

    def get(self, keys: Sequence[bytes]) -> list[np.ndarray | None]:
        """Return the features of each key, or None if they are not in the store, or damaged."""
        import lmdb

        with self._lock:
            try:
                with self._open().begin(db=self._features, buffers=True) as txn:
                    return [self._checked(key, txn.get(key)) for key in keys]
            except lmdb.Error as error:
                self._warn("read", f"{self.path} cannot be read ({error})")
                return [None] * len(keys)

    def put(self, items: Iterable[tuple[bytes, np.ndarray]]) -> None:
        """Store features by their keys, in one transaction."""
        import lmdb

        with self._lock:
            try:
                with self._open().begin(write=True) as txn:
                    n_bytes, number = self._read_counts(txn)
                    for key, value in items:
                        data = np.ascontiguousarray(value, dtype="<f4").tobytes()
                        old = txn.get(key, db=self._features)
                        entry = _digest(key, data) + data
                        txn.put(key, entry, db=self._features)
                        if old is None:
                            txn.put(struct.pack(">q", number), key, db=self._order)
                            number += 1
                        n_bytes += len(entry) - (0 if old is None else len(old))
                    n_bytes = self._evict(txn, n_bytes)
                    txn.put(b"counts", struct.pack("<qq", n_bytes, number), db=self._counts)
            except (lmdb.Error, OSError) as error:
                self._warn("write", f"{self.path} cannot be written ({error})")

    def _read_counts(self, txn: Any) -> tuple[int, int]:
        counts = txn.get(b"counts", db=self._counts)
        return (0, 0) if counts is None else struct.unpack("<qq", counts)

    def _evict(self, txn: Any, n_bytes: int) -> int:
        if n_bytes <= self.max_bytes:
            return n_bytes
        cursor = txn.cursor(db=self._order)
        while n_bytes > _AFTER_EVICTION * self.max_bytes and cursor.first():
            entry = txn.pop(cursor.value(), db=self._features)
            n_bytes -= 0 if entry is None else len(entry)
            cursor.delete()
        return n_bytes

    def _checked(self, key: bytes, entry: Any) -> np.ndarray | None:
        if entry is None:
            return None
        data = bytes(entry[_CHECKSUM:])
        if len(data) % 4 or bytes(entry[:_CHECKSUM]) != _digest(key, data):
            self._warn("entry", f"{self.path} holds damaged features, which are computed again")
            return None
        return np.frombuffer(data, dtype="<f4")

    def _warn(self, kind: str, message: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            warn_user(message + "; further ones are not reported.")

    def __reduce__(self) -> tuple[Any, ...]:
        return open_store, (str(self.path), self.max_bytes)


def _digest(key: bytes, data: bytes) -> bytes:
    return hashlib.blake2b(data, key=key[:32], digest_size=_CHECKSUM).digest()


# An LMDB environment may be open once in a process.
_OPEN: dict[str, DiskStore] = {}
_MEMORY = MemoryStore()
_LOCK = ForkSafeLock()


def open_store(cache: Any, max_bytes: int = 2**31) -> FeatureStore | None:
    """Return the store that a ``cache`` parameter names.

    Parameters
    ----------
    cache : None, "memory", path-like or FeatureStore
        ``"memory"`` is the store of this process, a path is the store in that folder, and a store
        is returned as it is.
    max_bytes : int, default=2**31
        Largest size of a store in a folder, in bytes.

    Returns
    -------
    store : FeatureStore or None
    """
    if cache is None or hasattr(cache, "put"):
        return cache
    if cache == "memory":
        return _MEMORY
    path = os.path.realpath(os.path.expanduser(cache))
    with _LOCK:
        store = _OPEN.get(path)
        if store is None:
            store = _OPEN[path] = DiskStore(path, max_bytes)
        return store
