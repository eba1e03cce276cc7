"""What the commands that train ask of their table, their options and their output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from sktransfer.cli.tables import read_table

__all__ = ["check_folder", "labelled_texts", "number"]


def labelled_texts(data: Path, text: str, label: str) -> tuple[list[Any], list[Any]]:
    """Read the texts and labels of a table.

    Parameters
    ----------
    data : Path
        The table.
    text, label : str
        Names of the columns.

    Returns
    -------
    texts, labels : list
        Of all rows.

    Raises
    ------
    TypeError
        If a label is a list or an object.
    """
    table = read_table(data)
    texts = table.column(text)
    labels = table.column(label, blank_is_missing=True)
    if any(isinstance(each, list | dict) for each in labels):
        raise TypeError(f"the column {label!r} holds lists or objects; one label a row is expected")
    return texts, labels


def number(value: str, kind: type, option: str) -> Any:
    """Read an option that is "auto" or a number.

    Parameters
    ----------
    value : str
        What was typed.
    kind : {int, float}
        Of the number.
    option : str
        Name of the option, for the error.

    Returns
    -------
    value : "auto", int or float

    Raises
    ------
    typer.BadParameter
        If it is neither.
    """
    if value == "auto":
        return value
    try:
        return kind(value)
    except ValueError:
        raise typer.BadParameter(
            f"{value!r} is neither 'auto' nor {'an integer' if kind is int else 'a number'}.",
            param_hint=option,
        ) from None


def check_folder(model: Path, source: Path | None, force: bool) -> None:
    """Find out before the training whether the model can be saved after it.

    Parameters
    ----------
    model : Path
        Where it is to be saved.
    source : Path or None
        The model to start from.
    force : bool
        Whether a model may be replaced.

    Raises
    ------
    OSError
        If something is there already, or there is no folder to save it in.
    ValueError
        If it would replace its own source.
    """
    from sktransfer.persistence.folder import MANIFEST

    if source is not None and source.resolve() == model.resolve():
        raise ValueError("--source and --model are the same folder; save to another one")
    if model.exists():
        if not (model / MANIFEST).is_file():
            raise FileExistsError(
                f"{model} exists and is no model that sktransfer saved; choose another path."
            )
        if not force:
            raise FileExistsError(f"{model} exists; pass --force to replace it.")
    elif not model.absolute().parent.is_dir():
        raise FileNotFoundError(f"There is no folder {model.parent} to save {model.name!r} in.")
