"""``sktransfer train``: a table or a folder of files in, a model folder out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table as RichTable
from rich.text import Text as Plain

from sktransfer.cli import options
from sktransfer.cli._comparison import Scored, compared, score, score_baseline
from sktransfer.cli._parts import Parts, parts_by_column, parts_by_share
from sktransfer.cli._targets import Targets, check_separator, read_targets
from sktransfer.cli._training import check_folder, new_estimator, number, read_examples
from sktransfer.cli._watching import TrainingStatus
from sktransfer.cli.console import results, status
from sktransfer.cli.inputs import Inputs
from sktransfer.cli.reading import Reading, check_options

__all__ = ["train"]

_OF_EPOCHS = ("max_epochs", "early_stopping", "validation_fraction", "batch_size", "lr")


def train(
    context: typer.Context,
    data: options.Data,
    model: Annotated[
        Path, typer.Option("--model", metavar="MODEL_DIR", help="Folder to save the model in.")
    ],
    label: options.Label = "label",
    encoding: options.Encoding = "utf-8",
    sep: options.Separator = "",
    task: options.Task = "auto",
    label_sep: options.LabelSeparator = "|",
    split: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Column of a table's parts: train is trained on, test is scored; dev is left out.",
        ),
    ] = None,
    share: Annotated[
        float | None,
        typer.Option(
            "--hold-out",
            metavar="SHARE",
            help="Share of the rows, such as 0.2, that is held out and scored.",
        ),
    ] = None,
    backbone: options.Backbone = None,
    freeze: Annotated[str, typer.Option(help="What trains when; see `sktransfer plugins`.")] = (
        "auto"
    ),
    head: options.Head = "linear",
    source: options.Source = None,
    max_epochs: options.MaxEpochs = "auto",
    batch_size: options.BatchSize = 16,
    lr: Annotated[
        str, typer.Option(metavar="FLOAT|auto", help="Peak learning rate of the encoder.")
    ] = "auto",
    balanced: options.Balanced = False,
    early_stopping: Annotated[
        bool, typer.Option("--early-stopping", help="Hold rows out and stop when they say so.")
    ] = False,
    validation_fraction: Annotated[
        float, typer.Option(help="Fraction of the rows that --early-stopping holds out.")
    ] = 0.1,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    embed_backbone: options.EmbedBackbone = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Print a line an epoch.")] = False,
    force: options.Force = False,
) -> None:
    """Train a model on a table, or on files of which each class has a folder, and save it."""
    epochs = number(max_epochs, int, "--max-epochs")
    rate = number(lr, float, "--lr")
    check_options(context, data)
    task = check_separator(context, task)
    _check_scoring(split, share)
    check_folder(model, source, force)
    reading = Reading(context.obj, label, encoding, sep)
    inputs, values, labels = read_examples(data, reading, source, split)
    targets = read_targets(inputs, labels, task, label_sep)
    parts = None
    if split is not None:
        parts = parts_by_column(inputs, split)
    elif share is not None:
        parts = parts_by_share(inputs, values, targets, share, seed)
    rows = range(len(values)) if parts is None else parts.train
    known, trained = targets.take(rows), [values[i] for i in rows]

    clf = new_estimator(
        inputs.modality,
        targets.task,
        context.obj,
        backbone=backbone,
        freeze=freeze,
        head=head,
        source=source,
        max_epochs=epochs,
        batch_size=batch_size,
        lr=rate,
        balanced=balanced,
        early_stopping=early_stopping,
        validation_fraction=validation_fraction,
        random_state=seed,
        device=device,
        verbose=2 * int(verbose),
    )
    started = time.perf_counter()
    share_of = f"{len(trained):,} of " if parts else ""
    doing = f"training on {share_of}{inputs.counted}"
    with TrainingStatus(doing, shown=not verbose) as watching:
        clf.set_callbacks(watching).fit(trained, known.y)
    seconds = time.perf_counter() - started
    from sktransfer.persistence.estimators import save

    save(clf, model, embed_backbone=embed_backbone, columns=inputs.columns)
    if not _epochs_of(clf) and clf.freeze != "auto":  # which warns itself
        _say_what_had_no_effect(context)
    results().print(_summary(clf, known, seconds, model))
    if parts is not None:
        _report(clf, inputs, values, targets, parts, seconds)


def _check_scoring(split: str | None, share: float | None) -> None:
    if share is None:
        return
    if split is not None:
        raise typer.BadParameter(
            "--split says already which rows are scored; leave one of them out.",
            param_hint="--hold-out",
        )
    if not 0 < share < 1:
        raise typer.BadParameter(
            f"{share:g} is no share of the rows between 0 and 1, such as 0.2.",
            param_hint="--hold-out",
        )


def _report(
    clf: Any, inputs: Inputs, values: list[Any], targets: Targets, parts: Parts, seconds: float
) -> None:
    """Print the scores of the model and of the plain baseline on the rows that are held out."""
    train, test = ([values[i] for i in rows] for rows in (parts.train, parts.test))
    known, held = targets.take(parts.train), targets.take(parts.test)
    with status().status(f"scoring {len(test):,} rows"):
        scored = [Scored("this model", score(clf, test, held, known), seconds)]
        try:
            scored.append(score_baseline(inputs.modality(), known, train, held, test))
        except (NotImplementedError, ValueError) as error:
            status().print(f"warning: there is no baseline to compare with: {error}")
    results().print(f"\n{len(test):,} rows that it was not trained on:")
    results().print(compared(targets.task, scored))
    unused = f" {len(parts.unused):,} rows for validation are not used." if parts.unused else ""
    status().print(
        f"The saved model was fitted on {len(train):,} of {len(values):,} rows.{unused} To fit it "
        f"on all of them, leave {parts.option} out.",
        soft_wrap=True,
    )


def _summary(clf: Any, targets: Targets, seconds: float, model: Path) -> RichTable:
    decision = clf.decision_
    summary = RichTable(box=None, show_header=False, pad_edge=False)
    summary.add_column()
    summary.add_column(overflow="fold")  # a path stays whole
    for name, value in [
        ("rows", f"{len(targets.values):,}"),
        ("labels", targets.words),
        ("trained", f"{decision['freeze']}: {decision['reason']}"),
        ("epochs", f"{_said_of_epochs(clf)} on {decision['device']} in {decision['precision']}"),
        ("seconds", f"{seconds:.1f}"),
        ("saved to", str(model)),
    ]:
        summary.add_row(name, Plain(value))
    return summary


def _epochs_of(clf: Any) -> int:
    """Count the epochs that were trained, without the fit of a head to convergence."""
    return sum("solver_iterations" not in epoch for epoch in clf.history_)


def _said_of_epochs(clf: Any) -> str:
    n_epochs = _epochs_of(clf)
    if n_epochs == len(clf.history_):
        return str(n_epochs)
    return f"{n_epochs}, {'after ' if n_epochs else ''}the head fitted to convergence,"


def _say_what_had_no_effect(context: typer.Context) -> None:
    """Warn of options about epochs that were typed although no epoch was trained."""
    typed = [
        parameter.opts[0]
        for parameter in context.command.get_params(context)
        if parameter.name in _OF_EPOCHS
        and (source := context.get_parameter_source(parameter.name)) is not None
        and source.name == "COMMANDLINE"
    ]
    if typed:
        status().print(
            f"warning: {' and '.join(typed)} had no effect: the head alone was trained, and that "
            "to convergence. Another --freeze trains by epochs, such as head_by_epochs.",
            soft_wrap=True,
        )
