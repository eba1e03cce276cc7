"""Where commands print: results to the standard output, everything else to standard error."""

from __future__ import annotations

from rich.console import Console

__all__ = ["results", "status"]


def results() -> Console:
    """Give the console for the results of a command.

    Returns
    -------
    console : rich.console.Console
        Prints labels and texts as they are: ``[red]`` in a label is not markup.
    """
    return Console(markup=False, emoji=False, highlight=False)


def status() -> Console:
    """Give the console for progress and remarks, which must not end up in a pipe.

    Returns
    -------
    console : rich.console.Console
    """
    return Console(stderr=True, markup=False, emoji=False, highlight=False)
