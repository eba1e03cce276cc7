"""Run an encoder in the form that torch compiles."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from sktransfer._compat.torch import reason_of_compile_error


@contextlib.contextmanager
def compiled(module: Any) -> Iterator[None]:
    """Compile a module's forward, for batches of any shape, as long as the context lasts.

    torch keeps the compiled code for the rest of the process, also for copies of the module.

    Parameters
    ----------
    module : torch.nn.Module
        Module, which is restored at the end.

    Yields
    ------
    nothing : None

    Raises
    ------
    RuntimeError
        If torch cannot compile it, for example if there is no C++ compiler.
    """
    own = vars(module).get("forward")
    module.forward = fast = torch.compile(module.forward, dynamic=True)
    try:
        yield
    except Exception as error:
        cause = reason_of_compile_error(error)
        if cause is None:
            raise
        raise RuntimeError(
            f"compile=True failed: {cause}. A CPU needs a C++ compiler such as g++; compile=False "
            "needs none."
        ) from error
    finally:
        # Another thread may have compiled the module in the meantime; it restores it itself.
        if vars(module).get("forward") is fast:
            vars(module).pop("forward")
            if own is not None:
                module.forward = own
