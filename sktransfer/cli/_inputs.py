"""What commands are given: a table with a column of texts or paths, or images in folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from sktransfer._warnings import warn_user
from sktransfer.cli._image_paths import paths_of_images
from sktransfer.cli._kinds import described, form_of
from sktransfer.cli.tables import KINDS_OF_TABLES, Table, read_table

__all__ = ["Columns", "Inputs", "Kind", "read_inputs", "read_labelled"]

Kind = Literal["text", "image"]

# The columns of the table that folders of images make.
_PATH, _LABEL = "path", "label"


@dataclass(frozen=True)
class Columns:
    """What a user says about the columns of a table.

    Attributes
    ----------
    text : str
        Name of the column of texts.
    image : str or None
        Name of the column of paths of images; None means that the table is one of texts.
    image_folder : Path or None
        What these paths are relative to; None means the folder of the table.
    label : str
        Name of the column of labels.
    """

    text: str = "text"
    image: str | None = None
    image_folder: Path | None = None
    label: str = "label"


@dataclass(frozen=True)
class Inputs:
    """Texts or images, and all that is known of each.

    Attributes
    ----------
    kind : {"text", "image"}
        What a model reads of it.
    table : Table
        A row for each. Images that came in folders have columns of their own: ``path``, and
        ``label`` where each class has a folder.
    column : str
        The column of texts or of paths.
    label : str
        The column of labels, if there is one.
    folder : Path or None
        What paths in a table are relative to; None where there is no table.
    """

    kind: Kind
    table: Table
    column: str
    label: str
    folder: Path | None = None

    @property
    def counted(self) -> str:
        """How many there are of what."""
        return f"{self.table.n_rows:,} {'rows' if self.kind == 'text' else 'images'}"

    def values(self) -> list[Any]:
        """Give what a model reads.

        Returns
        -------
        values : list
            Texts, or paths of images.

        Raises
        ------
        ValueError
            If there is no such column, or a cell is missing or blank.
        TypeError
            If a path is no text.
        FileNotFoundError
            If there is not one of the images.
        """
        columns, origin = self.table.columns, self.table.origin
        if self.kind == "text" and self.column not in columns:
            raise ValueError(
                f"{self.table.no_column(self.column)} Name the column of texts with --text COLUMN, "
                "or one of paths of images with --image COLUMN."
            )
        cells = self.table.column(self.column, blank_is_missing=self.kind == "image")
        if self.folder is None:
            return cells
        return paths_of_images(cells, self.folder, origin, self.column)

    def labels(self) -> list[Any]:
        """Give the labels.

        Returns
        -------
        labels : list

        Raises
        ------
        ValueError
            If there is no such column, or a cell is missing or empty.
        """
        return self.table.column(self.label, blank_is_missing=True)

    def rows(self, index: Sequence[int]) -> Inputs:
        """Give some of the rows.

        Parameters
        ----------
        index : sequence of int
            Which, in this order.

        Returns
        -------
        inputs : Inputs
        """
        return replace(self, table=self.table.rows(index))

    def name_of(self, i: int, path: str) -> str:
        """Say which image is meant, and where it comes from.

        Parameters
        ----------
        i : int
            Its position.
        path : str
            Its path.

        Returns
        -------
        name : str
        """
        return path if self.folder is None else f"{path} (row {i + 1} of {self.table.origin})"

    def check_model(self, estimator: Any, model: Path) -> None:
        """Refuse a model that reads something else.

        Parameters
        ----------
        estimator : estimator of sktransfer
            The model.
        model : Path
            Where it came from.

        Raises
        ------
        ValueError
            If it is of the other kind.
        """
        if estimator.modality == self.kind:
            return
        holds = f"{model} holds a {type(estimator).__name__}, which reads "
        data = self.table.origin
        if self.kind == "text":
            raise ValueError(
                f"{holds}images, but {data} is a table of texts; expected a folder of images, such "
                f"as photos/, or the name of a column of their paths: type --image COLUMN. It has: "
                f"{self.table.names}."
            )
        if self.folder is None:
            raise ValueError(
                f"{holds}texts, but {data} is {described(Path(data))}; expected a table with a "
                f"column of texts ({KINDS_OF_TABLES})."
            )
        raise ValueError(
            f"{holds}texts, but --image {self.column} makes {data} a table of images: name the "
            f"column of texts instead, --text COLUMN. It has: {self.table.names}."
        )


def read_labelled(data: Path, columns: Columns) -> Inputs:
    """Read what has labels.

    Parameters
    ----------
    data : Path
        A table, or a folder with one folder of images a class.
    columns : Columns
        Of a table.

    Returns
    -------
    inputs : Inputs

    Raises
    ------
    OSError, ValueError
        If it is neither.
    """
    if form_of(data) == "texts":
        return _in_table(data, columns)
    from sktransfer.datasets import read_image_folder

    paths, classes = read_image_folder(data, return_X_y=True)
    table = Table({_PATH: paths, _LABEL: classes.tolist()}, str(data))
    return Inputs("image", table, _PATH, _LABEL)


def read_inputs(data: Sequence[Path], columns: Columns) -> Inputs:
    """Read what needs no labels.

    Parameters
    ----------
    data : sequence of Path
        One table; or any number of folders of images, which may have folders of their own, and of
        files of images.
    columns : Columns
        Of a table.

    Returns
    -------
    inputs : Inputs

    Raises
    ------
    OSError, ValueError
        If something is neither, is missing, or has no images; or a table does not stand alone.
    """
    tables = [each for each in data if form_of(each) == "texts"]
    if tables and len(data) > 1:
        other = next((each for each in data if each != tables[0]), tables[0])
        raise ValueError(
            f"{tables[0]} is a table and stands alone; {other} is given besides. Several folders "
            "and files of images are possible, but of tables only one."
        )
    if tables:
        return _in_table(tables[0], columns)
    from sktransfer.datasets._image_files import files_below, not_read
    from sktransfer.images.urls import is_url

    paths: list[str] = []
    unread: list[str] = []
    for each in data:
        if each.is_dir():
            found = files_below(each)
            if not found.images:
                others = f" {not_read(found.unread)}" if found.unread else ""
                raise ValueError(
                    f"There are no images in {each}, nor in the folders in it.{others}"
                )
            paths += found.images
            unread += found.unread
        elif each.exists():
            paths.append(os.fspath(each))
        else:
            fetch = " URLs are not fetched: download it first." if is_url(os.fspath(each)) else ""
            raise FileNotFoundError(f"There is no {each}; expected an image.{fetch}")
    if unread:
        warn_user(not_read(unread))
    table = Table({_PATH: list(dict.fromkeys(paths))}, str(data[0]))
    return Inputs("image", table, _PATH, _LABEL)


def _in_table(path: Path, columns: Columns) -> Inputs:
    table = read_table(path)
    if columns.image is None:
        return Inputs("text", table, columns.text, columns.label)
    folder = path.parent if columns.image_folder is None else columns.image_folder
    return Inputs("image", table, columns.image, columns.label, folder)
