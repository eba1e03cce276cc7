"""Results of a benchmark as JSON, written after every run so that nothing is lost."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np


class Record:
    """Runs by key; a key that is there already is not run again."""

    def __init__(self, path: str | None, settings: dict[str, Any]) -> None:
        self.path = Path(path) if path else None
        self.content: dict[str, Any] = {
            "settings": settings,
            "machine": {
                "processor": platform.processor() or platform.machine(),
                "cores": os.cpu_count(),
            },
            "versions": {
                n: version(n) for n in ("sktransfer", "torch", "transformers", "scikit-learn")
            },
            "runs": {},
        }
        if self.path is not None and self.path.exists():
            self.content["runs"] = json.loads(self.path.read_text())["runs"]

    def run(self, key: tuple[Any, ...], function: Any) -> dict[str, Any]:
        """Call ``function() -> dict`` unless the key has a result."""
        runs, name = self.content["runs"], "/".join(map(str, key))
        if name not in runs:
            runs[name] = function()
            print(name, runs[name], flush=True)
            if self.path is not None:
                new = self.path.with_suffix(".new")
                new.write_text(json.dumps(self.content, indent=1))
                os.replace(new, self.path)
        return runs[name]


def mean_se(values: list[float]) -> tuple[float, float]:
    """Mean and standard error of the mean."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / len(values) ** 0.5)


def table(rows: list[list[str]]) -> str:
    """Align columns as Markdown."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)
