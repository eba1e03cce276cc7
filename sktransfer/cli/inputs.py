"""What commands are given: a table with a column of texts or paths, or images in folders."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from sktransfer._warnings import warn_user
from sktransfer.cli.console import status
from sktransfer.cli.table import KINDS_OF_TABLES, column, is_table, listed, no_column, read_table

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Columns", "Inputs", "Kind", "check_options", "read_inputs", "read_labelled"]

Kind = Literal["text", "image"]

# What data is.
_TEXTS, _LISTED = "a table of texts", "a table of images"
_FOLDER, _IMAGE = "a folder of images", "an image"
# Options that are not for everything, and what they are for.
_LIMITED = {
    ("text", "max_length"): (_TEXTS,),
    ("label", "encoding"): (_TEXTS, _LISTED),
    ("image", "image_folder"): (_LISTED,),
    ("augment", "image_size", "on_bad_image", "sheet"): (_LISTED, _FOLDER, _IMAGE),
}


@dataclass(frozen=True)
class Columns:
    """What a user says about a table.

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
    encoding : str
        Of CSV and JSON.
    """

    text: str = "text"
    image: str | None = None
    image_folder: Path | None = None
    label: str = "label"
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Inputs:
    """Texts or images, and all that is known of each.

    Attributes
    ----------
    kind : {"text", "image"}
        The modality.
    table : DataFrame
        A row for each. Images that came in folders have columns of their own: ``path``, and
        ``label`` where each class has a folder.
    origin : str
        Where it came from, for messages.
    column : str
        The column of texts or of paths.
    label : str
        The column of labels, if there is one.
    folder : Path or None
        What paths in a table are relative to; None where there is no table.
    """

    kind: Kind
    table: DataFrame
    origin: str
    column: str
    label: str
    folder: Path | None = None

    @property
    def counted(self) -> str:
        """How many there are of what."""
        return f"{len(self.table):,} {'rows' if self.kind == 'text' else 'images'}"

    def values(self) -> list[Any]:
        """Give the texts, or the paths of the images.

        Raises
        ------
        ValueError
            If there is no such column, or a cell is missing, blank or a URL.
        TypeError
            If a path is not a str.
        FileNotFoundError
            If none of the images exists. One that is missing among others is left to the decoding.
        """
        images = self.kind == "image"
        if not images and self.column not in self.table:
            raise ValueError(
                f"{no_column(self.table, self.column, self.origin)} Name the column of texts with "
                "--text COLUMN, or one of paths of images with --image COLUMN."
            )
        cells = column(self.table, self.column, self.origin, blank_is_missing=images)
        return cells if self.folder is None else self._paths(cells, self.folder)

    def _paths(self, cells: list[Any], folder: Path) -> list[str]:
        from sktransfer.images.formats import is_url

        for row, cell in enumerate(cells, start=1):
            where = f"{self.origin} has in row {row} of {self.column!r} "
            if not isinstance(cell, str):
                raise TypeError(f"{where}{type(cell).__name__}; expected the path of an image.")
            if not cell.strip():
                raise ValueError(f"{where}a blank; expected the path of an image.")
            if is_url(cell):
                raise ValueError(
                    f"{where}a URL: {cell!r}. URLs are not fetched: download the images first, and "
                    "name their paths."
                )
        # No other folder is searched, so that a name is never one image today and another tomorrow.
        paths = [str(folder / os.path.expanduser(cell)) for cell in cells]
        if not any(map(os.path.exists, paths)):
            message = (
                f"None of the {len(paths):,} images that {self.origin} names as {self.column!r} "
                f"exists; the first is {os.path.abspath(paths[0])}."
            )
            if not os.path.isabs(os.path.expanduser(cells[0])):
                known = "." if os.path.exists(cells[0]) else "FOLDER"
                message += f" Name the folder that paths are relative to: --image-folder {known}"
            raise FileNotFoundError(message)
        return paths

    def labels(self) -> list[Any]:
        """Give the labels; raise a ValueError if a cell, or the column, is missing."""
        return column(self.table, self.label, self.origin, blank_is_missing=True)

    def name_of(self, i: int, path: str) -> str:
        """Name the i-th image, and the row that it comes from."""
        return path if self.folder is None else f"{path} (row {i + 1} of {self.origin})"

    def check_model(self, estimator: Any, model: Path) -> None:
        """Raise a ValueError if a model, loaded from a path, is for another modality."""
        if estimator.modality == self.kind:
            return
        got = _form(Path(self.origin), self.column if self.kind == "image" else None)
        expected = _FOLDER if self.kind == "text" else f"{_TEXTS} ({KINDS_OF_TABLES})"
        if got in (_TEXTS, _LISTED):
            option = "--image" if self.kind == "text" else "--text"
            expected += f", or the name of a column, {option} COLUMN: {listed(self.table)}"
        raise ValueError(
            f"{model} holds a {type(estimator).__name__}, which expects {expected}. Got "
            f"{self.origin}, {got}."
        )

    def readable(self, on_bad_image: Literal["raise", "skip"]) -> tuple[Inputs, list[Any], list]:
        """Leave out images that cannot be decoded, or refuse them; texts stay as they are.

        Parameters
        ----------
        on_bad_image : {"raise", "skip"}
            What to do.

        Returns
        -------
        inputs : Inputs
            All that can be decoded.
        values, labels : list
            Texts or paths of images, and their labels.

        Raises
        ------
        ValueError
            If there are such images and they are not to be left out, or nothing else is left.
        """
        # Before images are decoded, which takes long; and while rows have the numbers of the table.
        values, labels = self.values(), self.labels()
        bad = self.unreadable(values) if self.kind == "image" else {}
        if bad and on_bad_image == "raise":
            first = min(bad)
            raise ValueError(
                f"{len(bad):,} of {self.counted} cannot be read. "
                f"{self.name_of(first, values[first])} {bad[first].rstrip('.')}. Remove what is "
                "damaged, or leave it out with --on-bad-image skip."
            )
        self.warn_of(bad, values, "left out")
        kept = [i for i in range(len(values)) if i not in bad]
        inputs = replace(self, table=self.table.iloc[kept].reset_index(drop=True)) if bad else self
        return inputs, [values[i] for i in kept], [labels[i] for i in kept]

    def unreadable(self, paths: Sequence[str]) -> dict[int, str]:
        """Decode all images once.

        Parameters
        ----------
        paths : sequence of n str
            What `values` gave.

        Returns
        -------
        reasons : dict of int to str
            Position of each one that cannot be decoded, and why, as the rest of a sentence about
            it.

        Raises
        ------
        ValueError
            If it is all of them.
        """
        from sktransfer.images.validation import check_pictures, unreadable

        pictures = check_pictures(paths)
        with status().status(f"reading {len(pictures):,} images"):
            bad = unreadable(pictures)
        reasons = {i: said.removeprefix(f"{pictures[i].name} ") for i, said in bad.items()}
        if len(reasons) == len(paths):
            one = f"{self.name_of(0, paths[0])} {reasons[0].rstrip('.')}."
            raise ValueError(f"None of {self.counted} can be read. {one}")
        return reasons

    def warn_of(self, bad: Mapping[int, str], paths: Sequence[str], consequence: str) -> None:
        """Warn of images that cannot be decoded, and say what becomes of them."""
        from sktransfer.modalities.image.modality import ImageModality

        if bad:
            named = {i: f"{self.name_of(i, paths[i])} {reason}" for i, reason in bad.items()}
            ImageModality().warn_of_skipped(named, len(paths), consequence)


def read_labelled(data: Path, columns: Columns) -> Inputs:
    """Read a table, or a folder with one folder of images a class.

    Raises
    ------
    OSError, ValueError
        If it is neither.
    """
    if _form(data) == _TEXTS:
        return _in_table(data, columns)
    import pandas as pd

    from sktransfer.datasets import read_image_folder

    paths, classes = read_image_folder(data, return_X_y=True)
    table = pd.DataFrame({"path": paths, "label": classes.tolist()}, dtype=object)
    return Inputs("image", table, str(data), "path", "label")


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
    tables = [each for each in data if _form(each) == _TEXTS]
    if tables and len(data) > 1:
        raise ValueError(
            f"{tables[0]} is a table, of which one is read at a time; got {len(data)} paths. Only "
            "folders and files of images may be several."
        )
    if tables:
        return _in_table(tables[0], columns)
    import pandas as pd

    from sktransfer.datasets._image_files import files_below, not_read
    from sktransfer.images.formats import is_url

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
    table = pd.DataFrame({"path": list(dict.fromkeys(paths))}, dtype=object)
    return Inputs("image", table, str(data[0]), "path", "label")


def _in_table(path: Path, columns: Columns) -> Inputs:
    table = read_table(path, columns.encoding)
    if columns.image is None:
        return Inputs("text", table, str(path), columns.text, columns.label)
    folder = path.parent if columns.image_folder is None else columns.image_folder
    return Inputs("image", table, str(path), columns.image, columns.label, folder)


def _form(data: Path, image: str | None = None) -> str:
    """Say what data is, by what its path looks like and whether a column of images is named."""
    if data.is_dir():
        return _FOLDER
    if is_table(data):
        return _TEXTS if image is None else _LISTED
    from sktransfer.datasets._image_files import unpack_hint
    from sktransfer.datasets.image_folder import is_image
    from sktransfer.images.formats import is_of_image, suffix_of

    if is_image(data):
        return _IMAGE
    expected = f"expected a folder of images, or a table ({KINDS_OF_TABLES})."
    if not data.exists():
        raise FileNotFoundError(f"There is no {data}; {expected}")
    if is_of_image(data):
        raise ValueError(
            f"{data} is of a format that is not read ({suffix_of(data)}): convert it to JPEG."
        )
    raise ValueError(f"{data} has no suffix of an image or a table; {expected}{unpack_hint(data)}")


def check_options(context: typer.Context, data: Path, image: str | None) -> None:
    """Refuse options that the data has no use for.

    Parameters
    ----------
    context : typer.Context
        Of the command.
    data : Path
        What the command was given.
    image : str or None
        Name of the column of paths of images, if one was given.

    Raises
    ------
    typer.BadParameter
        If one of them was typed.
    """
    form = _form(data, image)
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        forms = next((forms for names, forms in _LIMITED.items() if name in names), (form,))
        if form in forms or source is None or source.name != "COMMANDLINE":
            continue
        message = f"it is for {' or '.join(forms)}, and {data} is {form}; leave it out"
        if form == _TEXTS:
            message += ", or name a column of paths of images with --image COLUMN"
        raise typer.BadParameter(f"{message}.", param_hint=parameter.opts[0])
