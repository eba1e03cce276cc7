"""BLAS with one thread, where vectors are short and torch's threads are at work beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from typing import Any


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Give BLAS one thread while inside, as scikit-learn's solvers do.

    Its threads and torch's would wait for one another actively, on the same cores: a solver's step
    then takes twenty times as long.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield
