"""``sktransfer evaluate``: how often the model is right, or how far off it is."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from sktransfer.cli import options
from sktransfer.cli._measures import measure, measure_numbers
from sktransfer.cli._mistakes import (
    LABEL_COLUMNS,
    NUMBER_COLUMNS,
    wrong_labels,
    wrong_numbers,
)
from sktransfer.cli._reports import about_unknown, print_labels, print_numbers
from sktransfer.cli.columns import add_columns, place
from sktransfer.cli.console import results, status
from sktransfer.cli.inputs import Inputs
from sktransfer.cli.output import check_free, check_output, write_file, write_table
from sktransfer.cli.reading import Reading, check_options, check_order, like_trained, read_labelled

__all__ = ["evaluate"]


def evaluate(
    context: typer.Context,
    model: options.Model,
    data: options.Data,
    label: options.LabelOfModel = None,
    encoding: options.Encoding = "utf-8",
    sep: options.Separator = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of tables.")
    ] = False,
    confusion: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw which labels are taken for which."),
    ] = None,
    errors: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE", help="Write the rows that were predicted wrongly, worst first."
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="Draw the most confident mistakes, where inputs can be drawn, as images can.",
        ),
    ] = None,
    force: options.Force = False,
) -> None:
    """Compare the predictions with the labels, or numbers, of a table or a folder of files."""
    check_order(model, data)
    check_options(context, data)
    _check_outputs(confusion, errors, sheet, data, force)
    reading = Reading(context.obj, label, encoding, sep)
    inputs = read_labelled(data, reading)

    from sktransfer.persistence.about import about

    known = about(model)
    inputs = like_trained(inputs, known, reading)
    inputs.check_model(known.estimator, model)
    inputs.check_columns()

    from sktransfer import load  # torch, which takes seconds: what is wrong without it was said

    estimator = load(model)
    inputs, values, cells = inputs.readable(context.obj)
    table, origin = inputs.table, inputs.origin
    predicts_numbers = _predicts_numbers(estimator, model)
    for option, picture in (("--confusion", confusion), ("--sheet", sheet)):
        if picture is not None and predicts_numbers:
            raise typer.BadParameter(
                f"{model} predicts numbers; only labels can be taken for one another.",
                param_hint=option,
            )
    if errors is not None:
        new = NUMBER_COLUMNS if predicts_numbers else LABEL_COLUMNS
        add_columns(table, dict.fromkeys(new, [None] * len(table)), origin)
    if predicts_numbers:
        true = _numbers(cells, inputs)
        with status().status(f"predicting {inputs.counted}"):
            predicted = estimator.predict(values).tolist()
        _report(measure_numbers(true, predicted), print_numbers, as_json)
        mistakes = None if errors is None else wrong_numbers(table, true, predicted)
    else:
        classes = estimator.classes_.tolist()
        with status().status(f"predicting {inputs.counted}"):
            probabilities = estimator.predict_proba(values)
        predicted = [classes[i] for i in probabilities.argmax(axis=1)]
        measured = measure(cells, predicted, classes)
        if measured["unknown_labels"]:
            status().print(f"warning: {about_unknown(measured)}")
        _report(measured, print_labels, as_json)
        mistakes = None if errors is None else wrong_labels(table, cells, probabilities, classes)
        if confusion is not None:
            _draw(confusion, cells, predicted, list(measured["labels"]))
        if sheet is not None:
            _draw_sheet(sheet, inputs, values, cells, probabilities, classes)
    if errors is not None and mistakes is not None:
        write_table(mistakes, errors, inputs=[data], force=force)
        status().print(f"{len(mistakes):,} rows written to {errors}")


def _check_outputs(
    confusion: Path | None, errors: Path | None, sheet: Path | None, data: Path, force: bool
) -> None:
    """Find out before anything is predicted whether everything can be written."""
    if errors is not None:
        check_output(errors, inputs=[data], force=force)
    for picture in (confusion, sheet):
        if picture is None:
            continue
        if picture.suffix.lower() != ".png":
            raise ValueError(f"A picture is written as *.png, got {picture}.")
        check_free(picture, force=force)
    if confusion is not None:
        if confusion == sheet:
            raise ValueError(f"--confusion and --sheet are the same file, {sheet}.")
        from sktransfer.inspection._matplotlib import check_matplotlib

        check_matplotlib()


def _predicts_numbers(estimator: Any, model: Path) -> bool:
    """Tell a regressor from a classifier; refuse what cannot be measured here."""
    from sklearn.base import is_classifier, is_regressor

    if is_classifier(estimator):
        if estimator.multilabel_:
            raise ValueError(
                f"{model} predicts any number of labels a row, which this command cannot measure: "
                "use sktransfer.load and sklearn.metrics in Python."
            )
        return False
    if not is_regressor(estimator):
        raise TypeError(
            f"{model} holds a {type(estimator).__name__}, which predicts nothing to be measured."
        )
    if estimator.n_targets_ is not None:
        raise ValueError(
            f"{model} predicts {estimator.n_targets_} numbers a row, and a table has one column of "
            "labels: use sktransfer.load and sklearn.metrics in Python."
        )
    return True


def _numbers(cells: Sequence[Any], inputs: Inputs) -> list[float]:
    numbers = []
    for i, cell in enumerate(cells):
        try:
            number = float(cell)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(
                f"{inputs.origin} has {cell!r} as {inputs.label!r} in "
                f"{place(inputs.table, i)}; the model predicts numbers, and is compared with them."
            )
        numbers.append(number)
    return numbers


def _report(measured: dict[str, Any], show: Any, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(measured, ensure_ascii=False))
    else:
        show(measured, results())


def _draw(path: Path, true: Sequence[Any], predicted: Sequence[Any], labels: Sequence[str]) -> None:
    from sktransfer.inspection.confusion import write_confusion

    with write_file(path) as file:
        write_confusion(list(map(str, true)), list(map(str, predicted)), file, labels=labels)
    status().print(f"confusion matrix written to {path}")


def _draw_sheet(
    path: Path, inputs: Inputs, values: list[Any], true: list[Any], probabilities: Any, classes: Any
) -> None:
    with write_file(path) as file:
        inputs.modality().draw_worst(values, true, probabilities, classes, file)
    right = [str(classes[i]) for i in probabilities.argmax(axis=1)] == list(map(str, true))
    said = (
        f"no mistakes to draw; {path} says so"
        if right
        else f"the most confident mistakes drawn in {path}"
    )
    status().print(said, soft_wrap=True)
