"""The program ``sktransfer``; commands import what they need when they run."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from sktransfer import __version__
from sktransfer.cli import dashboard, demo, evaluate, plugins, predict, train, tune, weights
from sktransfer.cli.errors import Commands
from sktransfer.cli.modalities import DataCommand, MeasuringCommand, TrainingCommand

__all__ = ["app", "run"]

app = typer.Typer(
    name="sktransfer",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("train", cls=TrainingCommand)(train.train)
app.command("predict", cls=DataCommand)(predict.predict)
app.command("evaluate", cls=MeasuringCommand)(evaluate.evaluate)
app.command("tune", cls=TrainingCommand)(tune.tune)
app.command("dashboard")(dashboard.dashboard)
app.command("plugins")(plugins.plugins)
app.add_typer(weights.weights, name="weights")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sktransfer {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print it and exit."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; stands anywhere.")
    ] = False,
) -> None:
    """Transfer learning for scikit-learn: train a classifier of texts, images or more."""


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit.

    Parameters
    ----------
    arguments : sequence of str or None, default=None
        What follows the program's name; None takes it from ``sys.argv``.

    Raises
    ------
    SystemExit
        Always: 0 for success, 1 for an error in what was given, 2 for a usage error, 130 for
        Ctrl-C.
    """
    # torch's threads spin while they wait for each other. Where something else uses the cores, too,
    # that makes training several times slower; it is read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    app(args=list(sys.argv[1:] if arguments is None else arguments), prog_name="sktransfer")


if __name__ == "__main__":
    run()
