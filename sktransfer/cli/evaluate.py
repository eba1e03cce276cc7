"""``sktransfer evaluate``: how often the model is right."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table as RichTable
from rich.text import Text as Plain

from sktransfer.cli.console import results, status
from sktransfer.cli.options import Data, Label, Model, Text
from sktransfer.cli.tables import read_table

__all__ = ["evaluate", "measure"]

_NAMED = 5


def evaluate(
    model: Model,
    data: Data,
    text: Text = "text",
    label: Label = "label",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of tables.")
    ] = False,
) -> None:
    """Compare the predictions with the labels of a table."""
    table = read_table(data)
    texts = table.column(text)
    labels = table.column(label, blank_is_missing=True)

    from sktransfer import load

    clf = load(model)
    with status().status(f"predicting {table.n_rows:,} rows"):
        predicted = clf.predict(texts).tolist()
    measured = measure(labels, predicted, clf.classes_.tolist())
    if measured["unknown_labels"]:
        status().print(f"warning: {_about_unknown(measured)}")
    if as_json:
        typer.echo(json.dumps(measured, ensure_ascii=False))
        return
    console = results()
    console.print(f"rows      {measured['rows']:,}")
    console.print(f"accuracy  {measured['accuracy']:.4f}")
    console.print(f"macro F1  {measured['macro_f1']:.4f}\n")
    console.print(_per_label(measured["labels"]))


def measure(
    true: Sequence[Any], predicted: Sequence[Any], classes: Sequence[Any]
) -> dict[str, Any]:
    """Score predictions; labels are the same if they read the same.

    Parameters
    ----------
    true : sequence of n labels
        What the file says; str in CSV, whatever type the model's labels have.
    predicted : sequence of n labels
        What the model says.
    classes : sequence of labels
        All that the model knows. Other labels in ``true`` can only be predicted wrongly, and are
        counted so.

    Returns
    -------
    measured : dict
        ``rows``, ``accuracy``, ``macro_f1``, ``labels`` and ``unknown_labels``; ready for JSON.

    Examples
    --------
    >>> from sktransfer.cli.evaluate import measure
    >>> measure(["0", "1", "2"], [0, 1, 1], [0, 1])["unknown_labels"]
    {'2': 1}
    """
    from sklearn.metrics import precision_recall_fscore_support

    y_true, y_pred = [str(label) for label in true], [str(label) for label in predicted]
    known = [str(label) for label in classes]
    unknown = Counter(label for label in y_true if label not in set(known))
    occurring = {*y_true, *y_pred}
    # What classification_report prints; its dict has no room for a label called "accuracy".
    names = [label for label in [*known, *sorted(unknown)] if label in occurring]
    scores = precision_recall_fscore_support(y_true, y_pred, labels=names, zero_division=0)
    right = sum(a == b for a, b in zip(y_true, y_pred, strict=True))
    return {
        "rows": len(y_true),
        "accuracy": right / len(y_true),
        "macro_f1": float(scores[2].mean()),
        "labels": {
            name: {"precision": p, "recall": r, "f1": f1, "rows": n}
            for name, p, r, f1, n in zip(names, *(each.tolist() for each in scores), strict=True)
        },
        "unknown_labels": dict(unknown.most_common()),
    }


def _about_unknown(measured: dict[str, Any]) -> str:
    unknown = measured["unknown_labels"]
    named = ", ".join(f"{label!r} ({count:,})" for label, count in list(unknown.items())[:_NAMED])
    if len(unknown) > _NAMED:
        named += f" and {len(unknown) - _NAMED} more"
    return (
        f"{sum(unknown.values()):,} of {measured['rows']:,} rows have a label that the model does "
        f"not know, and count as errors: {named}."
    )


def _per_label(labels: dict[str, dict[str, float]]) -> RichTable:
    table = RichTable("label", box=None, pad_edge=False)
    for name in ("precision", "recall", "F1", "rows"):
        table.add_column(name, justify="right")
    for label, scores in labels.items():
        table.add_row(
            Plain(label),
            *(f"{scores[name]:.4f}" for name in ("precision", "recall", "f1")),
            f"{scores['rows']:,}",
        )
    return table
