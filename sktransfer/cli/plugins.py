"""``sktransfer plugins``: what is installed, and whether it works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from sktransfer.cli.console import results, status
from sktransfer.cli.errors import sentence

if TYPE_CHECKING:
    from sktransfer.contracts import PluginInfo

__all__ = ["plugins"]


def plugins(
    check: Annotated[
        bool, typer.Option("--check", help="Import each one; exit with 1 if one is broken.")
    ] = False,
) -> None:
    """List what can be given for backbone, freeze and head, and what backbones read."""
    from sktransfer.contracts import available

    found = available()
    n_broken, n_unknown = 0, 0
    rows = []
    for info in found:
        reads, said = info.modality, "ok" if check else ""
        if info.shadowed_by:
            said = f"not used: {info.shadowed_by!r} has the name"
        if check:
            try:
                reads = getattr(_tried(info), "modality", "")
            except (ImportError, TypeError) as error:
                n_broken += 1
                said = f"broken: {sentence(error)}"
        n_unknown += info.kind == "backbone" and not reads
        rows.append((info.kind, info.name, reads, info.distribution, said))
    # The column of the status is left out where it would be empty.
    n_columns = 5 if any(said for *_, said in rows) else 4
    names = ("kind", "name", "reads", "distribution", "status")
    table = Table(*names[:n_columns], box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row[:n_columns]))
    results().print(table)
    if n_unknown and not check:
        status().print("`sktransfer plugins --check` imports all, and says what the others read.")
    if n_broken:
        raise ImportError(
            f"{n_broken} plugin{'s' if n_broken > 1 else ''} cannot be used; the table says why."
        )


def _tried(info: PluginInfo) -> Any:
    """Import a plugin, and hold what the name gives against the kind."""
    from sktransfer.contracts import resolve

    # A shadowed name would give the plugin that shadows it, and estimators cannot be resolved.
    by_name = not info.shadowed_by and info.kind != "estimator"
    return resolve(info.kind, info.name) if by_name else info.load()
