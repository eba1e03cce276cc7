"""``sktransfer train``: a table in, a model folder out."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table as RichTable
from rich.text import Text as Plain

from sktransfer.cli.console import results, status
from sktransfer.cli.options import Data, Force, Label, Text
from sktransfer.cli.tables import read_table

__all__ = ["train"]

_MANY_LABELS = 20


def train(
    data: Data,
    model: Annotated[
        Path, typer.Option("--model", metavar="MODEL_DIR", help="Folder to save the model in.")
    ],
    text: Text = "text",
    label: Label = "label",
    backbone: Annotated[
        str, typer.Option(help="Registered name, hub id owner/name, or ./folder.")
    ] = "minilm",
    freeze: Annotated[str, typer.Option(help="What trains when; see `sktransfer plugins`.")] = (
        "auto"
    ),
    head: Annotated[str, typer.Option(help="linear or mlp.")] = "linear",
    source: Annotated[
        Path | None,
        typer.Option(metavar="MODEL_DIR", help="Model to start from; its labels may be others."),
    ] = None,
    max_epochs: Annotated[
        str, typer.Option(metavar="INTEGER|auto", help="Epochs; auto goes by the rows.")
    ] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Rows of a batch.")] = 16,
    lr: Annotated[
        str, typer.Option(metavar="FLOAT|auto", help="Peak learning rate of the encoder.")
    ] = "auto",
    max_length: Annotated[
        int | None, typer.Option(min=1, help="Tokens of a text that are read.")
    ] = None,
    balanced: Annotated[
        bool, typer.Option("--balanced", help="Weigh rows so that all labels count alike.")
    ] = False,
    early_stopping: Annotated[
        bool, typer.Option("--early-stopping", help="Hold rows out and stop when they say so.")
    ] = False,
    validation_fraction: Annotated[
        float, typer.Option(help="Fraction of the rows that --early-stopping holds out.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Seeds everything random.")] = 0,
    device: Annotated[str, typer.Option(help="As torch names it, such as cpu or cuda:1.")] = "auto",
    embed_backbone: Annotated[
        bool,
        typer.Option(
            "--embed-backbone", help="Copy the pretrained weights, so that the folder is complete."
        ),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Print a line an epoch.")] = False,
    force: Force = False,
) -> None:
    """Train a text classifier on a table and save it."""
    epochs = _number(max_epochs, int, "--max-epochs")
    rate = _number(lr, float, "--lr")
    _check_folder(model, force)
    table = read_table(data)
    texts = table.column(text)
    labels = table.column(label, blank_is_missing=True)
    if any(isinstance(each, list | dict) for each in labels):
        raise TypeError(f"the column {label!r} holds lists or objects; one label a row is expected")
    if source is not None and source.resolve() == model.resolve():
        raise ValueError("--source and --model are the same folder; save to another one")

    from sktransfer import TransferTextClassifier

    clf = TransferTextClassifier(
        backbone,
        freeze=freeze,
        head=head,
        source=None if source is None else os.fspath(source),
        max_epochs=epochs,
        batch_size=batch_size,
        lr=rate,
        max_length=max_length,
        class_weight="balanced" if balanced else None,
        early_stopping=early_stopping,
        validation_fraction=validation_fraction,
        random_state=seed,
        device=device,
        verbose=int(verbose),
    )
    started = time.perf_counter()
    with status().status(f"training on {table.n_rows:,} rows"):
        clf.fit(texts, labels)
    seconds = time.perf_counter() - started
    clf.save(model, embed_backbone=embed_backbone)
    results().print(_summary(clf, labels, seconds, model))


def _number(value: str, kind: type, option: str) -> Any:
    if value == "auto":
        return value
    try:
        return kind(value)
    except ValueError:
        raise typer.BadParameter(
            f"{value!r} is neither 'auto' nor {'an integer' if kind is int else 'a number'}.",
            param_hint=option,
        ) from None


def _check_folder(model: Path, force: bool) -> None:
    """Find out before the training whether the model can be saved after it."""
    from sktransfer.persistence.folder import MANIFEST

    if model.exists():
        if not (model / MANIFEST).is_file():
            raise FileExistsError(
                f"{model} exists and is no model that sktransfer saved; choose another path."
            )
        if not force:
            raise FileExistsError(f"{model} exists; pass --force to replace it.")
    elif not model.absolute().parent.is_dir():
        raise FileNotFoundError(f"There is no folder {model.parent} to save {model.name!r} in.")


def _summary(clf: Any, labels: list[Any], seconds: float, model: Path) -> RichTable:
    decision = clf.decision_
    counts = Counter(labels).most_common()
    words = ", ".join(f"{label} {count:,}" for label, count in counts[:_MANY_LABELS])
    if len(counts) > _MANY_LABELS:
        words += f" and {len(counts) - _MANY_LABELS} more"
    summary = RichTable(box=None, show_header=False, pad_edge=False)
    summary.add_column()
    summary.add_column(overflow="fold")  # a path stays whole
    for name, value in [
        ("rows", f"{len(labels):,}"),
        ("labels", words),
        ("trained", f"{decision['freeze']}: {decision['reason']}"),
        ("epochs", f"{len(clf.history_)} on {decision['device']} in {decision['precision']}"),
        ("seconds", f"{seconds:.1f}"),
        ("saved to", str(model)),
    ]:
        summary.add_row(name, Plain(value))
    return summary
