"""Whether the process that runs a trial is still there."""

from __future__ import annotations

import contextlib
import os
import platform
import threading
from pathlib import Path
from typing import Any

_PROC = Path("/proc")
# Attributes of trials: who runs one, and that it has all its parameters.
PROCESS, ASKED = "process", "asked"


def this_process() -> dict[str, Any]:
    """Describe this process, so that another one on the same machine can look for it.

    Returns
    -------
    process : dict
        ``host``, ``pid`` and ``started``; plain values that JSON holds.
    """
    return {"host": _host(), "pid": os.getpid(), "started": _state(os.getpid())[1]}


def is_gone(process: Any) -> bool:
    """Say whether a process has certainly ended.

    Parameters
    ----------
    process : object
        What `this_process` returned, or anything else.

    Returns
    -------
    gone : bool
        False also if it runs elsewhere, or nothing can be known.
    """
    if not isinstance(process, dict) or process.get("host") != _host() or os.name != "posix":
        return False
    try:
        os.kill(int(process["pid"]), 0)
    except ProcessLookupError:
        return True
    except (OSError, KeyError, TypeError, ValueError):
        return False
    status, started = _state(int(process["pid"]))
    # Another process may have been given the number since.
    return status in ("Z", "X") or started != process.get("started")


def _host() -> str:
    """Name the machine, and on Linux the boot and the namespace of process numbers."""
    parts = [platform.node()]
    for read in (
        lambda: (_PROC / "sys/kernel/random/boot_id").read_text().strip(),
        lambda: os.readlink(_PROC / "self/ns/pid"),
    ):
        try:
            parts.append(read())
        except OSError:
            continue
    return "/".join(parts)


def _state(pid: int) -> tuple[str, str]:
    """Give the state of a process and when it began, where the system tells."""
    try:
        # The name may hold blanks and brackets; what follows it does not.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", ""
    return fields[0], fields[19]


def heartbeat_interval(storage: Any) -> float | None:
    """Give the seconds between signs of life that a storage keeps; None if it keeps none."""
    return getattr(storage, "get_heartbeat_interval", lambda: None)()


class Heartbeat:
    """Tell a storage every few seconds that trials are being worked on.

    Parameters
    ----------
    storage : optuna.storages.BaseStorage
        One without heartbeats is left alone.
    """

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self._ids: list[int] = []
        self._interval = heartbeat_interval(storage)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Heartbeat:
        if self._interval is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def add(self, trial_id: int) -> None:
        """Begin with a trial."""
        if self._interval is not None:
            self._storage.record_heartbeat(trial_id)
            self._ids.append(trial_id)

    def _beat(self) -> None:
        while not self._over.wait(self._interval):
            for trial_id in list(self._ids):
                # A storage that is away for a while is away for those who look for signs of life,
                # too; the next call in the search's own thread says what is wrong.
                with contextlib.suppress(Exception):
                    self._storage.record_heartbeat(trial_id)
