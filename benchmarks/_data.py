"""Real data for benchmarks, from the folder that SKTRANSFER_DATA names."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd


def read(name: str) -> pd.DataFrame:
    """Read a data set: columns text, label, split and often domain, all str."""
    root = os.environ.get("SKTRANSFER_DATA")
    if not root:
        sys.exit("Set SKTRANSFER_DATA to the folder that holds the data sets.")
    path = Path(root) / name / f"{name}.csv.gz"
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def draw(name: str, rows: int, seed: int = 0, split: str = "train") -> tuple[list[str], np.ndarray]:
    """Draw texts and labels of a part of a data set."""
    frame = read(name)
    frame = frame[frame.split == split].sample(rows, random_state=seed)
    return frame.text.tolist(), frame.label.to_numpy()


def shots(labels: np.ndarray, per_class: int, seed: int) -> np.ndarray:
    """Draw positions of ``per_class`` rows of each label."""
    rng = np.random.RandomState(seed)
    return np.concatenate(
        [rng.permutation(np.flatnonzero(labels == c))[:per_class] for c in np.unique(labels)]
    )
