"""Options that several commands share, so that they are called and explained alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sktransfer.cli._targets import TaskName

_TABLE = (
    "table: .csv, .tsv, .jsonl, .ndjson, .json, each also with .gz, .bz2, .xz, .zip or .zst, or "
    ".parquet or .xlsx"
)

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help=f"Folder with one folder of files, such as images, a class; or {_TABLE}.",
    ),
]
DataOrFiles = Annotated[
    list[Path],
    typer.Argument(
        metavar="DATA", help=f"Folders of files, such as images; files; or one {_TABLE}."
    ),
]
Model = Annotated[
    Path, typer.Argument(metavar="MODEL_DIR", help="Folder that `sktransfer train` wrote.")
]
Label = Annotated[
    str, typer.Option("--label", metavar="COLUMN", help="Column of a table's labels.")
]
LabelOfModel = Annotated[
    str | None,
    typer.Option(
        "--label",
        metavar="COLUMN",
        help="Column of a table's labels.",
        show_default="the one that the model was trained on, or label",
    ),
]
Encoding = Annotated[
    str, typer.Option(metavar="NAME", help="Encoding of CSV and JSON, such as cp1252.")
]
Separator = Annotated[
    str,
    typer.Option(
        "--sep",
        metavar="CHARACTER",
        help="Separator of CSV.",
        show_default="the one of , ; and tab that the header has most of",
    ),
]
Task = Annotated[
    TaskName,
    typer.Option(
        help="What the labels are: one for each row, several, or numbers.",
        show_default="by the labels",
    ),
]
LabelSeparator = Annotated[
    str, typer.Option("--label-sep", metavar="CHARACTER", help="Between several labels of a cell.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing output.")]

Backbone = Annotated[
    str | None,
    typer.Option(help="Registered name, hub id owner/name, or ./folder."),
]
Head = Annotated[str, typer.Option(help="What maps features to labels; see `sktransfer plugins`.")]
Source = Annotated[
    Path | None,
    typer.Option(metavar="MODEL_DIR", help="Model to start from; its labels may be others."),
]
MaxEpochs = Annotated[
    str, typer.Option(metavar="INTEGER|auto", help="Epochs; auto goes by the rows.")
]
BatchSize = Annotated[int, typer.Option(min=1, help="Rows of a batch.")]
Balanced = Annotated[
    bool, typer.Option("--balanced", help="Weigh rows so that all labels count alike.")
]
Seed = Annotated[int, typer.Option(min=0, help="Seeds everything random.")]
Device = Annotated[str, typer.Option(help="As torch names it, such as cpu or cuda:1.")]
EmbedBackbone = Annotated[
    bool,
    typer.Option(
        "--embed-backbone", help="Copy the pretrained weights, so that the folder is complete."
    ),
]
