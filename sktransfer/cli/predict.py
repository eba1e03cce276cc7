"""``sktransfer predict``: a table in, the same table with predictions out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sktransfer.cli._formats import write_text
from sktransfer.cli.console import status
from sktransfer.cli.options import Data, Force, Model, Text
from sktransfer.cli.tables import check_output, read_table, write_table

__all__ = ["predict"]


def predict(
    model: Model,
    data: Data,
    text: Text = "text",
    output: Annotated[
        Path | None,
        typer.Option(metavar="TABLE", help="File to write; else CSV goes to the standard output."),
    ] = None,
    proba: Annotated[
        bool, typer.Option("--proba", help="Add the probability of each label.")
    ] = False,
    force: Force = False,
) -> None:
    """Add a column `prediction` to a table."""
    if output is not None:
        check_output(output, inputs=[data], force=force)
    table = read_table(data)
    texts = table.column(text)
    # Before the texts are encoded, which takes long: a taken name is an error.
    table.with_columns({"prediction": []})

    from sktransfer import load

    clf = load(model)
    with status().status(f"predicting {table.n_rows:,} rows"):
        probabilities = clf.predict_proba(texts)
    labels: list[Any] = clf.classes_.tolist()
    new = {"prediction": [labels[i] for i in probabilities.argmax(axis=1)]}
    if proba:
        for label, column in zip(labels, probabilities.T.tolist(), strict=True):
            new[f"proba_{label}"] = column
    table = table.with_columns(new)
    if output is None:
        write_text(table.columns, sys.stdout.buffer, "csv")
    else:
        write_table(table, output, inputs=[data], force=force)
        status().print(f"{table.n_rows:,} rows written to {output}")
