"""The version of a package that others bring."""

from __future__ import annotations

import functools
import sys
from importlib.metadata import packages_distributions, version

__all__ = ["version_of"]


@functools.cache
def version_of(package: str) -> str:
    """Name the version of a package's code.

    Parameters
    ----------
    package : str
        Name by which it is imported, without submodules.

    Returns
    -------
    version : str
        What it says itself, or else that of its distributions; empty if neither is known.
    """
    said = getattr(sys.modules.get(package), "__version__", None)
    if said is not None:
        return f"{package}={said}"
    names = sorted(set(packages_distributions().get(package, [])))
    return ",".join(f"{name}={version(name)}" for name in names)
