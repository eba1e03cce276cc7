"""Two ways to do one thing, timed alternately in one process, as a ratio with its spread."""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np


def seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def alternate(peer: Callable[[], Any], ours: Callable[[], Any], rounds: int) -> dict[str, Any]:
    """Time both in turn; the ratio of each round is what other work on the machine moves least."""
    return summary([(seconds(peer), seconds(ours)) for _ in range(rounds)])


def summary(pairs: list[tuple[float, float]]) -> dict[str, Any]:
    """Give seconds of peer and ours, and the median of their ratios with its spread."""
    ratios = sorted(a / b for a, b in pairs)
    return {
        "peer_seconds": [round(a, 4) for a, _ in pairs],
        "our_seconds": [round(b, 4) for _, b in pairs],
        "ratio": float(np.median(ratios)),
        "lowest": ratios[0],
        "highest": ratios[-1],
    }


def arguments(doc: str, rounds: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--json", help="Where to write the results; none by default.")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--threads", type=int, default=None, help="Of torch; all by default.")
    return parser


def report(name: str, measured: dict[str, Any], wanted: float | None = None) -> None:
    asked = "" if wanted is None else f"  (wanted {wanted:g})"
    print(
        f"{name}: {measured['ratio']:.2f}x, from {measured['lowest']:.2f} to "
        f"{measured['highest']:.2f}{asked}",
        flush=True,
    )


def write(path: str | None, results: dict[str, Any], packages: tuple[str, ...] = ()) -> None:
    if path is None:
        return
    import torch

    content = {
        "machine": {
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "processor": platform.processor() or platform.machine(),
            "capability": torch.backends.cpu.get_cpu_capability(),
        },
        "versions": {n: version(n) for n in ("sktransfer", "torch", "transformers", *packages)},
        "results": results,
    }
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists():
        content["results"] = json.loads(file.read_text())["results"] | results
    file.write_text(json.dumps(content, indent=1))
