"""Printed reports of metrics."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text as Plain

__all__ = ["about_unknown", "print_labels", "print_numbers"]

_NAMED = 5


def about_unknown(measured: dict[str, Any]) -> str:
    """Say which labels the model does not know.

    Parameters
    ----------
    measured : dict
        What `sktransfer.cli._measures.measure` gave.

    Returns
    -------
    sentence : str
    """
    unknown = measured["unknown_labels"]
    named = ", ".join(f"{label!r} ({count:,})" for label, count in list(unknown.items())[:_NAMED])
    if len(unknown) > _NAMED:
        named += f" and {len(unknown) - _NAMED} more"
    return (
        f"{sum(unknown.values()):,} of {measured['rows']:,} rows have a label that the model does "
        f"not know, and count as errors: {named}."
    )


def print_labels(measured: dict[str, Any], console: Console) -> None:
    """Print a classification report.

    Parameters
    ----------
    measured : dict
        What `sktransfer.cli._measures.measure` gave.
    console : rich.console.Console
        Where.
    """
    console.print(f"rows      {measured['rows']:,}")
    console.print(f"accuracy  {measured['accuracy']:.4f}\n")
    table = RichTable("label", box=None, pad_edge=False)
    for name in ("precision", "recall", "F1", "rows"):
        table.add_column(name, justify="right")
    for label, scores in measured["labels"].items():
        table.add_row(Plain(label), *_scores(scores), f"{scores['rows']:,}")
    table.add_row()
    for name, scores in measured["averages"].items():
        table.add_row(f"{name} average", *_scores(scores), f"{measured['rows']:,}")
    console.print(table)


def _scores(scores: dict[str, float]) -> list[str]:
    return [f"{scores[name]:.4f}" for name in ("precision", "recall", "f1")]


def print_numbers(measured: dict[str, Any], console: Console) -> None:
    """Print how far off numbers are.

    Parameters
    ----------
    measured : dict
        What `sktransfer.cli._measures.measure_numbers` gave.
    console : rich.console.Console
        Where.
    """
    console.print(f"rows  {measured['rows']:,}")
    # Four significant digits, since errors have the unit of the target, which may be tiny or huge.
    console.print(f"MAE   {measured['mae']:.4g}")
    console.print(f"RMSE  {measured['rmse']:.4g}")
    r2 = measured["r2"]
    console.print(f"R2    {'needs two rows' if r2 is None else f'{r2:.4f}'}")
