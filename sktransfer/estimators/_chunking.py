"""Predictions of inputs of any number, a few thousand of an iterator at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from scipy.sparse import issparse, vstack

from sktransfer.contracts import Inputs

# Inputs of an iterator that are held at once.
_PART = 4096


def in_parts(X: Any, read: Callable[[Any, int], Inputs]) -> Iterator[Inputs]:
    """Validate inputs of a prediction: a sequence as a whole, an iterator part by part.

    Parameters
    ----------
    X : sequence or iterator of inputs
        As a user gave them.
    read : callable
        ``read(X, start)`` validates them; ``start`` is the number of the first.

    Yields
    ------
    inputs : Inputs
        Validated. At least one list, which may be what `read` makes of nothing.
    """
    if not isinstance(X, Iterator):
        yield read(X, 0)
        return
    start = 0
    while part := list(islice(X, _PART)):
        yield read(part, start)
        start += len(part)
    if start == 0:
        read([], 0)


def joined(parts: list[Any]) -> Any:
    """Concatenate the arrays, sparse matrices or lists of all parts."""
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], list):
        return [entry for part in parts for entry in part]
    return vstack(parts, format="csr") if issparse(parts[0]) else np.concatenate(parts)
