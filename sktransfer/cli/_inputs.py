"""What commands are given: a table with a column of texts, or images in folders and files."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import typer

from sktransfer.cli.tables import KINDS_OF_TABLES, Table, is_table, read_table

__all__ = ["Inputs", "Kind", "check_options", "kind_of", "read_inputs", "read_labelled"]

Kind = Literal["text", "image"]

# The columns of the table that images make.
_PATH, _LABEL = "path", "label"
# Options that one kind of data has no use for.
_OPTIONS: dict[Kind, Collection[str]] = {
    "text": ("text", "label", "max_length"),
    "image": ("augment", "image_size", "on_bad_image", "sheet"),
}
_FOR = {"text": "tables of texts", "image": "images"}
_ARCHIVES = {".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar"}


@dataclass(frozen=True)
class Inputs:
    """Texts or images, and all that is known of each.

    Attributes
    ----------
    kind : {"text", "image"}
        What a model reads of it.
    table : Table
        A row for each. Images have columns of their own: ``path``, and ``label`` where the folder
        they lie in is their class.
    """

    kind: Kind
    table: Table

    @property
    def counted(self) -> str:
        """How many there are of what."""
        return f"{self.table.n_rows:,} {'rows' if self.kind == 'text' else 'images'}"

    def values(self, text: str) -> list[Any]:
        """Give what a model reads.

        Parameters
        ----------
        text : str
            Name of the column of texts.

        Returns
        -------
        values : list
            Texts, or paths of images.
        """
        return self.table.column(text if self.kind == "text" else _PATH)

    def labels(self, label: str) -> list[Any]:
        """Give the labels.

        Parameters
        ----------
        label : str
            Name of their column in a table of texts.

        Returns
        -------
        labels : list
        """
        name = label if self.kind == "text" else _LABEL
        return self.table.column(name, blank_is_missing=True)

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
        reads, expected = "images", "a folder of images, such as photos/"
        if self.kind == "image":
            reads, expected = "texts", f"a table with a column of texts ({KINDS_OF_TABLES})"
        data = self.table.origin
        raise ValueError(
            f"{model} holds a {type(estimator).__name__}, which reads {reads}, but {data} is "
            f"{_described(Path(data))}; expected {expected}."
        )


def kind_of(data: Path) -> Kind:
    """Tell images from a table by what the path looks like.

    Parameters
    ----------
    data : Path
        A folder is one of images, and a file is what its suffix says.

    Returns
    -------
    kind : {"text", "image"}

    Raises
    ------
    FileNotFoundError
        If there is nothing, and the suffix says nothing either.
    ValueError
        If it is a file of another kind.
    """
    if data.is_dir():
        return "image"
    if is_table(data):
        return "text"
    from sktransfer.datasets.image_folder import is_image

    if is_image(data):
        return "image"
    if not data.exists():
        raise FileNotFoundError(
            f"There is no {data}; expected a folder of images, or a table ({KINDS_OF_TABLES})."
        )
    unpack = " Unpack it first." if data.suffix.lower() in _ARCHIVES else ""
    raise ValueError(
        f"{data} has no suffix of an image or a table; expected a folder of images, or a table "
        f"({KINDS_OF_TABLES}).{unpack}"
    )


def check_options(context: typer.Context, data: Path) -> None:
    """Refuse options that the data has no use for.

    Parameters
    ----------
    context : typer.Context
        Of the command.
    data : Path
        What the command was given.

    Raises
    ------
    typer.BadParameter
        If one of them was typed.
    """
    kind = kind_of(data)
    other: Kind = "image" if kind == "text" else "text"
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if name in _OPTIONS[other] and source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(
                f"this is for {_FOR[other]}, and {data} is {_described(data)}; leave it out.",
                param_hint=parameter.opts[0],
            )


def _described(data: Path) -> str:
    if kind_of(data) == "text":
        return "a table of texts"
    return "a folder of images" if data.is_dir() else "an image"


def read_labelled(data: Path) -> Inputs:
    """Read what has labels.

    Parameters
    ----------
    data : Path
        A table, or a folder with one folder of images a class.

    Returns
    -------
    inputs : Inputs

    Raises
    ------
    OSError, ValueError
        If it is neither.
    """
    if kind_of(data) == "text":
        return Inputs("text", read_table(data))
    from sktransfer.datasets import read_image_folder

    paths, classes = read_image_folder(data, return_X_y=True)
    return Inputs("image", Table({_PATH: paths, _LABEL: classes.tolist()}, str(data)))


def read_inputs(data: Sequence[Path]) -> Inputs:
    """Read what needs no labels.

    Parameters
    ----------
    data : sequence of Path
        One table; or any number of folders of images, which may have folders of their own, and of
        files of images.

    Returns
    -------
    inputs : Inputs

    Raises
    ------
    OSError, ValueError
        If something is neither, is missing, or has no images; or a table does not stand alone.
    """
    tables = [each for each in data if kind_of(each) == "text"]
    if tables and len(data) > 1:
        other = next((each for each in data if each != tables[0]), tables[0])
        raise ValueError(
            f"{tables[0]} is a table and stands alone; {other} is given besides. Several folders "
            "and files of images are possible, but of tables only one."
        )
    if tables:
        return Inputs("text", read_table(tables[0]))
    from sktransfer.datasets.image_folder import list_images

    paths: list[str] = []
    for each in data:
        if each.is_dir():
            found = list_images(each)
            if not found:
                raise ValueError(f"There are no images in {each}, nor in the folders in it.")
            paths += found
        elif each.exists():
            paths.append(os.fspath(each))
        else:
            raise FileNotFoundError(f"There is no {each}; expected an image.")
    return Inputs("image", Table({_PATH: list(dict.fromkeys(paths))}, str(data[0])))
