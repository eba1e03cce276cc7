"""Options that several commands share, so that they are called and explained alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Data", "Force", "Label", "Model", "Text"]

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA", help="Table: .csv, .jsonl, .ndjson, .json, each also with .gz, or .parquet."
    ),
]
Model = Annotated[
    Path, typer.Argument(metavar="MODEL_DIR", help="Folder that `sktransfer train` wrote.")
]
Text = Annotated[str, typer.Option("--text", metavar="COLUMN", help="Column of the texts.")]
Label = Annotated[str, typer.Option("--label", metavar="COLUMN", help="Column of the labels.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing output.")]
