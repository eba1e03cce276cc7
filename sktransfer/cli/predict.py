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
    onnx: Annotated[
        Path | None,
        typer.Option(
            "--onnx",
            metavar="FILE",
            help="Compute with onnxruntime, from what the model's export_onnx wrote.",
        ),
    ] = None,
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
    if onnx is not None:
        from sktransfer.serving import with_onnx

        clf = with_onnx(clf, onnx)
    blank = sum(not str(text).strip() for text in texts)
    if blank:
        status().print(f"warning: {blank:,} of {table.n_rows:,} texts are empty or blank.")
    with status().status(f"predicting {table.n_rows:,} rows"):
        table = table.with_columns(_predicted(clf, texts, model, proba))
    if output is None:
        write_text(table.columns, sys.stdout.buffer, "csv")
    else:
        write_table(table, output, inputs=[data], force=force)
        status().print(f"{table.n_rows:,} rows written to {output}")


def _predicted(clf: Any, texts: list[Any], model: Path, proba: bool) -> dict[str, list[Any]]:
    """Give the columns to add: labels, several labels joined by ``|``, or numbers."""
    if not hasattr(clf, "predict"):
        raise TypeError(f"{model} holds a {type(clf).__name__}, which predicts nothing.")
    if not hasattr(clf, "predict_proba"):
        if proba:
            raise ValueError(f"{model} predicts numbers, which have no probabilities: drop --proba")
        numbers = clf.predict(texts).tolist()
        return {"prediction": numbers}
    probabilities = clf.predict_proba(texts)
    labels: list[Any] = clf.classes_.tolist()
    if clf.multilabel_:
        chosen = probabilities >= clf.thresholds_
        found = ["|".join(str(labels[i]) for i in row.nonzero()[0]) for row in chosen]
    else:
        found = [labels[i] for i in probabilities.argmax(axis=1)]
    new: dict[str, list[Any]] = {"prediction": found}
    if proba:
        for label, column in zip(labels, probabilities.T.tolist(), strict=True):
            new[f"proba_{label}"] = column
    return new
