"""The folder that keeps downloads between runs."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_dir"]


def cache_dir() -> Path:
    """Return the folder that keeps all downloads; it need not exist.

    Returns
    -------
    folder : pathlib.Path
        ``$SKTRANSFER_CACHE`` if it is set, else ``$XDG_CACHE_HOME/sktransfer``, else
        ``~/.cache/sktransfer``.

    Examples
    --------
    >>> from sktransfer.weights.cache_dir import cache_dir
    >>> cache_dir().is_absolute()
    True
    """
    own = os.environ.get("SKTRANSFER_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification asks for relative values to be ignored.
    base = Path(xdg) if Path(xdg).is_absolute() else Path.home() / ".cache"
    return base / "sktransfer"
