"""``sktransfer plugins``: what is installed, and whether it works."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from sktransfer.cli.console import results
from sktransfer.cli.errors import sentence

__all__ = ["plugins"]


def plugins(
    check: Annotated[
        bool, typer.Option("--check", help="Import each one; exit with 1 if one is broken.")
    ] = False,
) -> None:
    """List what can be given for backbone, freeze and head."""
    from sktransfer.plugins import available

    table = Table("kind", "name", "distribution", "status", box=None, pad_edge=False)
    n_broken = 0
    for info in available():
        status = f"not used: {info.shadowed_by!r} has the name" if info.shadowed_by else "ok"
        if check:
            try:
                _try(info)
            except (ImportError, TypeError) as error:
                n_broken += 1
                status = f"broken: {sentence(error)}"
        elif not info.shadowed_by:
            status = "not checked"
        table.add_row(*map(Text, (info.kind, info.name, info.distribution, status)))
    results().print(table)
    if n_broken:
        raise ImportError(
            f"{n_broken} plugin{'s' if n_broken > 1 else ''} cannot be used; the table says why."
        )


def _try(info: object) -> None:
    """Import a plugin, and hold what the name gives against the kind."""
    from sktransfer.plugins import PluginInfo, resolve

    assert isinstance(info, PluginInfo)
    if info.shadowed_by:
        info.load()  # the name would give the other one
    else:
        resolve(info.kind, info.name)
