"""Real pictures for benchmarks, from the folder that SKTRANSFER_DATA names, and their floor."""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC


def home(name: str) -> Path:
    root = os.environ.get("SKTRANSFER_DATA")
    if not root:
        sys.exit("Set SKTRANSFER_DATA to the folder that holds the data sets.")
    return Path(root) / name


def unpack(name: str, folder: str | Path) -> pd.DataFrame:
    """Unpack a data set: columns path, of the unpacked files, label, split and often domain."""
    frame = pd.read_csv(home(name) / "labels.csv.gz", dtype=str, keep_default_na=False)
    target = Path(folder) / name
    if not target.exists():
        with zipfile.ZipFile(home(name) / f"{name}.zip") as archive:
            archive.extractall(target)
    frame["path"] = [str(target / path) for path in frame.path]
    return frame


def parts(frame: pd.DataFrame) -> tuple[list[str], np.ndarray, list[str], np.ndarray]:
    """Give paths and labels of the training rows, and of the test rows."""
    train, test = (frame[frame.split == name] for name in ("train", "test"))
    return train.path.tolist(), train.label.to_numpy(), test.path.tolist(), test.label.to_numpy()


def pixels(X: Sequence[Any], size: int = 32) -> np.ndarray:
    """Shrink pictures, of files or arrays, to rows of numbers."""
    pictures = (Image.open(x) if isinstance(x, str) else Image.fromarray(x) for x in X)
    rows = [np.asarray(p.convert("RGB").resize((size, size))).ravel() for p in pictures]
    return np.stack(rows) / 255.0


def floor(n_rows: int, seed: int) -> GridSearchCV:
    """Build what does without transfer: components of pixels, and a support vector machine."""
    n_components = min(64, n_rows // 2)
    pipe = make_pipeline(PCA(n_components, whiten=True, random_state=seed), SVC(random_state=seed))
    return GridSearchCV(pipe, {"svc__C": [0.3, 1.0, 3.0, 10.0, 30.0]}, cv=3)


def floor_accuracy(X: Any, y: Any, X_test: Any, y_test: Any, seed: int = 0) -> float:
    """Fit the floor on pixels of pictures, and score it."""
    return float(floor(len(y), seed).fit(pixels(X), y).score(pixels(X_test), y_test))
