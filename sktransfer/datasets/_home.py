"""The folder that keeps data sets."""

from __future__ import annotations

import os
from pathlib import Path

from sktransfer.weights.cache_dir import cache_dir


def dataset_dir(data_home: str | os.PathLike[str] | None) -> Path:
    """Return the folder of the data sets; it need not exist.

    Parameters
    ----------
    data_home : str, path-like or None
        The folder; None is ``datasets`` in the cache folder.

    Returns
    -------
    folder : pathlib.Path
    """
    if data_home is None:
        return cache_dir() / "datasets"
    return Path(data_home).expanduser().absolute()
