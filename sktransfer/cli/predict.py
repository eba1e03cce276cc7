"""``sktransfer predict``: a table or files in, a table with predictions out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sktransfer.cli import options
from sktransfer.cli.columns import add_columns
from sktransfer.cli.console import status
from sktransfer.cli.inputs import Inputs
from sktransfer.cli.output import check_output, encode_csv, write_table
from sktransfer.cli.reading import Reading, check_options, check_order, like_trained, read_inputs

__all__ = ["predict"]


def predict(
    context: typer.Context,
    model: options.Model,
    data: options.DataOrFiles,
    encoding: options.Encoding = "utf-8",
    sep: options.Separator = "",
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
    force: options.Force = False,
) -> None:
    """Add a column `prediction` to a table, or to the paths of files.

    Inputs that are missing and images that cannot be read have no prediction, and a column `error`
    says why; the command goes on, warns of them and exits with 0. Where none can be read, it is an
    error. For images the column is there without errors, too, so that what reads the table finds
    the same columns each time.
    """
    for each in data:
        check_order(model, each)
        check_options(context, each)
    if output is not None:
        check_output(output, inputs=data, force=force)
    reading = Reading(context.obj, encoding=encoding, separator=sep)
    inputs = read_inputs(data, reading)

    from sktransfer.persistence.about import about

    known = about(model)
    inputs = like_trained(inputs, known, reading)
    inputs.check_model(known.estimator, model)
    values = inputs.values(may_be_missing=True)
    # Column names are checked before inputs are encoded, which takes long.
    explains = bool(inputs.modality.lenient) or any(value is None for value in values)
    new = ("prediction", "error") if explains else ("prediction",)
    add_columns(inputs.table, dict.fromkeys(new, values), inputs.origin)

    from sktransfer import load  # torch, which takes seconds: what is wrong without it was said

    clf = load(model)
    if onnx is not None:
        from sktransfer.serving import with_onnx

        clf = with_onnx(clf, onnx)
    found = _columns(clf, values, inputs, model, proba)
    table = add_columns(inputs.table, found, inputs.origin)
    if output is None:
        sys.stdout.buffer.write(encode_csv(table))
    else:
        write_table(table, output, inputs=data, force=force)
        status().print(f"{len(table):,} rows written to {output}")


def _columns(
    clf: Any, values: list[Any], inputs: Inputs, model: Path, proba: bool
) -> dict[str, list[Any]]:
    """Give the columns of all rows: None and a reason in ``error`` for unreadable ones."""
    modality = inputs.modality
    texts = [] if modality.suffixes else [value for value in values if value is not None]
    blank = sum(not str(value).strip() for value in texts)
    if blank:
        n = len(values)
        status().print(f"warning: {blank:,} of {n:,} {modality.plural} are empty or blank.")
    bad = inputs.unreadable(values)
    inputs.warn_of(bad, values, "no prediction")
    good = [i for i in range(len(values)) if i not in bad]
    with status().status(f"predicting {inputs.counted}"):
        found = _predicted(clf, [values[i] for i in good], model, proba)
    if not modality.lenient and not bad:
        return found
    columns: dict[str, list[Any]] = {}
    for name, cells in found.items():
        of_row = dict(zip(good, cells, strict=True))
        columns[name] = [of_row.get(i) for i in range(len(values))]
    return columns | {"error": [bad.get(i) for i in range(len(values))]}


def _predicted(clf: Any, values: list[Any], model: Path, proba: bool) -> dict[str, list[Any]]:
    """Give the columns to add: labels, several labels joined by ``|``, or numbers."""
    from sklearn.base import is_classifier, is_regressor

    if is_regressor(clf):
        if proba:
            raise ValueError(f"{model} predicts numbers, which have no probabilities: drop --proba")
        return {"prediction": clf.predict(values).tolist()}
    if not is_classifier(clf):
        raise TypeError(f"{model} holds a {type(clf).__name__}, which predicts nothing.")
    probabilities = clf.predict_proba(values)
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
