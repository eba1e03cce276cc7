"""Where the images lie that a column of a table names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sktransfer.images.urls import is_url

__all__ = ["paths_of_images"]


def paths_of_images(cells: Sequence[Any], folder: Path, origin: str, column: str) -> list[str]:
    """Give the paths of images that a table names.

    Parameters
    ----------
    cells : sequence of n
        What the column holds.
    folder : Path
        What relative paths are relative to. No other folder is searched, so that a name is never
        one image today and another one tomorrow.
    origin : str
        The table, for messages.
    column : str
        Name of the column, for messages.

    Returns
    -------
    paths : list of n str
        Absolute ones as they are. A ``~`` is the home folder.

    Raises
    ------
    TypeError
        If a cell is no text.
    ValueError
        If a cell is blank or a URL.
    FileNotFoundError
        If there is not one of the images; says what was looked for where. One that is missing among
        others is left to whoever reads it.
    """
    for row, cell in enumerate(cells, start=1):
        if not isinstance(cell, str):
            raise TypeError(
                f"{origin} has {type(cell).__name__} as {column!r} in row {row}; expected the path "
                "of an image."
            )
        if not cell.strip():
            raise ValueError(
                f"{origin} has a blank {column!r} in row {row}; expected the path of an image."
            )
        if is_url(cell):
            raise ValueError(
                f"{origin} has a URL as {column!r} in row {row}: {cell!r}. URLs are not fetched: "
                "download the images first, and name their paths."
            )
    paths = [str(folder / os.path.expanduser(cell)) for cell in cells]
    if not any(map(os.path.exists, paths)):
        raise FileNotFoundError(
            f"There is none of the {len(paths):,} images that {origin} names as {column!r}. "
            f"{_where(cells[0], paths[0], folder)}"
        )
    return paths


def _where(cell: str, path: str, folder: Path) -> str:
    """Say where the first one was looked for, and what may help."""
    if os.path.isabs(os.path.expanduser(cell)):
        return f"The first is {path}."
    said = f"The first, {cell!r}, was looked for in {folder.absolute()}: there is no {path!r}."
    if os.path.exists(cell):
        return f"{said} It is there from the current folder: type --image-folder ."
    return f"{said} Name the folder that the paths are relative to: --image-folder FOLDER."
