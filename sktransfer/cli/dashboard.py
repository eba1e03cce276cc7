"""``sktransfer dashboard``: a study in the browser."""

from __future__ import annotations

from typing import Annotated

import typer

from sktransfer.cli.console import results, status

__all__ = ["dashboard"]


def dashboard(
    storage: Annotated[
        str,
        typer.Argument(metavar="STORAGE", help="What a search was given: SQLite file, or URL."),
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8080,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others can read what is on 0.0.0.0.")
    ] = "127.0.0.1",
) -> None:
    """Show the trials of a search in the browser, also while it runs; Ctrl-C ends it."""
    from sktransfer.tuning.dashboard import make_dashboard

    with make_dashboard(storage, host, port) as server:
        results().print(f"http://{host}:{server.server_port}/")
        status().print("Ctrl-C ends it.")
        server.serve_forever()
