"""What commands are given: a table with a column of inputs or paths, or files in folders."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from sktransfer._warnings import warn_user
from sktransfer.cli.console import status
from sktransfer.cli.modalities import folder_of, forms_of, installed_modalities, table_of
from sktransfer.cli.table import KINDS_OF_TABLES, column, is_table, listed, no_column, read_table

if TYPE_CHECKING:
    from pandas import DataFrame

    from sktransfer.contracts import Modality

__all__ = ["Inputs", "Reading", "check_options", "read_inputs", "read_labelled"]


@dataclass(frozen=True)
class Reading:
    """What a user says about the data.

    Attributes
    ----------
    typed : mapping of str to object
        Values of the options of all modalities, by the names of their parameters. Under the name
        of a modality stands the column that holds its inputs, or None.
    label : str
        Name of the column of labels.
    encoding : str
        Of CSV and JSON.
    """

    typed: Mapping[str, Any] = field(default_factory=dict)
    label: str = "label"
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Inputs:
    """Inputs of one modality, and all that is known of each.

    Attributes
    ----------
    modality : type
        The subclass of `Modality`.
    table : DataFrame
        A row for each. Files that came in folders have columns of their own: ``path``, and
        ``label`` where each class has a folder.
    origin : str
        Where it came from, for messages.
    column : str
        The column of inputs or of paths.
    label : str
        The column of labels, if there is one.
    folder : Path or None
        What paths in a table are relative to; None where there are no paths in a table.
    """

    modality: type[Modality]
    table: DataFrame
    origin: str
    column: str
    label: str
    folder: Path | None = None

    @property
    def counted(self) -> str:
        """How many there are of what."""
        return f"{len(self.table):,} {self.modality.plural if self.modality.suffixes else 'rows'}"

    def values(self) -> list[Any]:
        """Give the inputs, or the paths of their files.

        Raises
        ------
        ValueError
            If there is no such column, or a cell is missing, blank or a URL.
        TypeError
            If a path is not a str.
        FileNotFoundError
            If none of the files exists. One that is missing among others is left to the modality.
        """
        files = bool(self.modality.suffixes)
        if not files and self.column not in self.table:
            others = [m for m in installed_modalities() if m.suffixes]
            raise ValueError(
                f"{no_column(self.table, self.column, self.origin)} Name the column of "
                f"{self.modality.plural} with --{self.modality.name} COLUMN"
                + "".join(f", or one of paths of {m.plural} with --{m.name} COLUMN" for m in others)
                + "."
            )
        cells = column(self.table, self.column, self.origin, blank_is_missing=files)
        return cells if self.folder is None else self._paths(cells, self.folder)

    def _paths(self, cells: list[Any], folder: Path) -> list[str]:
        from sktransfer.images.formats import is_url

        name, plural, one = self.modality.name, self.modality.plural, self.modality.formats().one
        for row, cell in enumerate(cells, start=1):
            where = f"{self.origin} has in row {row} of {self.column!r} "
            if not isinstance(cell, str):
                raise TypeError(f"{where}{type(cell).__name__}; expected the path of {one}.")
            if not cell.strip():
                raise ValueError(f"{where}a blank; expected the path of {one}.")
            if is_url(cell):
                raise ValueError(
                    f"{where}a URL: {cell!r}. URLs are not fetched: download the {plural} first, "
                    "and name their paths."
                )
        # No other folder is searched, so that a name is never one image today and another tomorrow.
        paths = [str(folder / os.path.expanduser(cell)) for cell in cells]
        if not any(map(os.path.exists, paths)):
            message = (
                f"None of the {len(paths):,} {plural} that {self.origin} names as {self.column!r} "
                f"exists; the first is {os.path.abspath(paths[0])}."
            )
            if not os.path.isabs(os.path.expanduser(cells[0])):
                known = "." if os.path.exists(cells[0]) else "FOLDER"
                message += f" Name the folder that paths are relative to: --{name}-folder {known}"
            raise FileNotFoundError(message)
        return paths

    def labels(self) -> list[Any]:
        """Give the labels; raise a ValueError if a cell, or the column, is missing."""
        return column(self.table, self.label, self.origin, blank_is_missing=True)

    def name_of(self, i: int, path: str) -> str:
        """Name the i-th file, and the row that it comes from."""
        return path if self.folder is None else f"{path} (row {i + 1} of {self.origin})"

    def check_model(self, estimator: Any, model: Path) -> None:
        """Raise a ValueError if a model, loaded from a path, is for another modality."""
        if estimator.modality == self.modality.name:
            return
        from sktransfer.contracts import modality_class

        wanted = modality_class(estimator.modality)
        got = _form(Path(self.origin), self.modality)
        expected = (
            folder_of(wanted) if wanted.suffixes else f"{table_of(wanted)} ({KINDS_OF_TABLES})"
        )
        if got == table_of(self.modality):
            columns = listed(self.table)
            expected += f", or the name of a column, --{wanted.name} COLUMN: {columns}"
        raise ValueError(
            f"{model} holds a {type(estimator).__name__}, which expects {expected}. Got "
            f"{self.origin}, {got}."
        )

    def readable(self, typed: Mapping[str, Any]) -> tuple[Inputs, list[Any], list[Any]]:
        """Leave out inputs that cannot be read, or refuse them, as the options say.

        Parameters
        ----------
        typed : mapping of str to object
            Values of the options of all modalities.

        Returns
        -------
        inputs : Inputs
            All that can be read.
        values, labels : list
            Inputs or the paths of their files, and their labels.

        Raises
        ------
        ValueError
            If there are such inputs and they are not to be left out, or nothing else is left.
        """
        # Before files are read, which takes long; and while rows have the numbers of the table.
        values, labels = self.values(), self.labels()
        bad = self.unreadable(values)
        lenient = self.modality.lenient
        if bad and any(typed[name] != value for name, value in lenient.items()):
            first = min(bad)
            skip = " ".join(
                f"{option.typed} {lenient[option.parameter]}"
                for option in self.modality.options
                if option.parameter in lenient
            )
            raise ValueError(
                f"{len(bad):,} of {self.counted} cannot be read. "
                f"{self.name_of(first, values[first])} {bad[first].rstrip('.')}. Remove what is "
                f"damaged, or leave it out with {skip}."
            )
        self.warn_of(bad, values, "left out")
        kept = [i for i in range(len(values)) if i not in bad]
        inputs = replace(self, table=self.table.iloc[kept].reset_index(drop=True)) if bad else self
        return inputs, [values[i] for i in kept], [labels[i] for i in kept]

    def unreadable(self, paths: Sequence[str]) -> dict[int, str]:
        """Read all inputs once, where the modality can skip those that cannot be read.

        Parameters
        ----------
        paths : sequence of n str
            What `values` gave.

        Returns
        -------
        reasons : dict of int to str
            Position of each one that cannot be read, and why, as the rest of a sentence about it.

        Raises
        ------
        ValueError
            If it is all of them.
        """
        if not self.modality.lenient:
            return {}
        modality = self.modality(**self.modality.lenient)
        inputs = modality.validate(paths)
        with status().status(f"reading {len(inputs):,} {modality.plural}"):
            bad = modality.unreadable(inputs)
        reasons = {}
        for i, said in bad.items():
            # The path is named with its row, and not as an element of X.
            _, named, rest = said.partition(f"{paths[i]}, ")
            reasons[i] = rest if named else said
        if len(reasons) == len(paths):
            one = f"{self.name_of(0, paths[0])} {reasons[0].rstrip('.')}."
            raise ValueError(f"None of {self.counted} can be read. {one}")
        return reasons

    def warn_of(self, bad: Mapping[int, str], paths: Sequence[str], consequence: str) -> None:
        """Warn of inputs that cannot be read, and say what becomes of them."""
        if bad:
            named = {i: f"{self.name_of(i, paths[i])} {reason}" for i, reason in bad.items()}
            self.modality().warn_of_skipped(named, len(paths), consequence)


def read_labelled(data: Path, reading: Reading) -> Inputs:
    """Read a table, or a folder with one folder of files a class.

    Raises
    ------
    OSError, ValueError
        If it is neither.
    """
    modality = _modality_of(data, reading.typed)
    if is_table(data) and not data.is_dir():
        return _in_table(data, modality, reading)
    import pandas as pd

    from sktransfer.datasets.image_folder import read_class_folders

    paths, classes = read_class_folders(data, modality.formats())
    table = pd.DataFrame({"path": paths, "label": classes.tolist()}, dtype=object)
    return Inputs(modality, table, str(data), "path", "label")


def read_inputs(data: Sequence[Path], reading: Reading) -> Inputs:
    """Read what needs no labels.

    Parameters
    ----------
    data : sequence of Path
        One table; or any number of folders, which may have folders of their own, and of files.
    reading : Reading
        What is said of it.

    Returns
    -------
    inputs : Inputs

    Raises
    ------
    OSError, ValueError
        If something is neither, is missing, has no inputs, or has those of another modality; or a
        table does not stand alone.
    """
    tables = [each for each in data if is_table(each) and not each.is_dir()]
    if tables and len(data) > 1:
        raise ValueError(
            f"{tables[0]} is a table, of which one is read at a time; got {len(data)} paths. Only "
            "folders and files may be several."
        )
    modality, *others = dict.fromkeys(_modality_of(each, reading.typed) for each in data)
    if others:
        raise ValueError(
            f"Got files of {modality.plural} and {others[0].plural}; expected those of one kind."
        )
    if tables:
        return _in_table(tables[0], modality, reading)
    import pandas as pd

    from sktransfer.datasets._image_files import files_below, not_read
    from sktransfer.images.formats import is_url

    formats = modality.formats()
    paths: list[str] = []
    unread: list[str] = []
    for each in data:
        if each.is_dir():
            found = files_below(each, formats)
            if not found.read:
                left_out = f" {not_read(found.unread, formats)}" if found.unread else ""
                raise ValueError(
                    f"There are no {formats.plural} in {each}, nor in the folders in it.{left_out}"
                )
            paths += found.read
            unread += found.unread
        elif each.exists():
            paths.append(os.fspath(each))
        else:
            fetch = " URLs are not fetched: download it first." if is_url(os.fspath(each)) else ""
            raise FileNotFoundError(f"There is no {each}; expected {formats.one}.{fetch}")
    if unread:
        warn_user(not_read(unread, formats))
    table = pd.DataFrame({"path": list(dict.fromkeys(paths))}, dtype=object)
    return Inputs(modality, table, str(data[0]), "path", "label")


def _in_table(path: Path, modality: type[Modality], reading: Reading) -> Inputs:
    table = read_table(path, reading.encoding)
    name = reading.typed.get(modality.name) or modality.name
    folder = None
    if modality.suffixes:
        folder = reading.typed.get(f"{modality.name}_folder") or path.parent
    return Inputs(modality, table, str(path), name, reading.label, folder)


def _modality_of(data: Path, typed: Mapping[str, Any]) -> type[Modality]:
    """Find out what data holds.

    Of a table, the option that names a column says so; without one, it holds inputs that are no
    files. Of a folder, it is the modality that most files in it belong to.
    """
    from sktransfer.datasets._image_files import files_below, is_shown, unpack_hint
    from sktransfer.images.formats import suffix_of

    modalities = installed_modalities()
    of_files = [modality for modality in modalities if modality.suffixes]
    if data.is_dir():
        if len(of_files) == 1:
            return of_files[0]  # without a walk through all of the folder
        return max(of_files, key=lambda m: len(files_below(data, m.formats()).read))
    if is_table(data):
        of_cells = [modality for modality in modalities if not modality.suffixes]
        # A column of files comes first: the option of another modality is refused then.
        named = [m for m in [*of_files, *of_cells] if typed.get(m.name) is not None]
        return (named or of_cells)[0]
    all_formats = [modality.formats() for modality in of_files]
    for modality, formats in zip(of_files, all_formats, strict=True):
        if formats.is_read(data) and is_shown(data.name):
            return modality
    plurals = " or ".join(formats.plural for formats in all_formats)
    expected = f"expected a folder of {plurals}, or a table ({KINDS_OF_TABLES})."
    if not data.exists():
        raise FileNotFoundError(f"There is no {data}; {expected}")
    for formats in all_formats:
        if formats.is_known(data):
            raise ValueError(
                f"{data} is of a format that is not read ({suffix_of(data)}): convert it to "
                f"{formats.convert_to}."
            )
    kinds = " or ".join([*(formats.one for formats in all_formats), "a table"])
    raise ValueError(f"{data} has no suffix of {kinds}; {expected}{unpack_hint(data)}")


def _form(data: Path, modality: type[Modality]) -> str:
    """Say what data is, whose modality is known."""
    if data.is_dir():
        return folder_of(modality)
    return table_of(modality) if is_table(data) else modality.formats().one


def check_options(context: typer.Context, data: Path) -> None:
    """Refuse options that the data has no use for.

    Parameters
    ----------
    context : typer.Context
        Of the command; its ``obj`` has the values of the options of all modalities.
    data : Path
        What the command was given.

    Raises
    ------
    typer.BadParameter
        If one of them was typed.
    """
    form = _form(data, _modality_of(data, context.obj))
    users: dict[str, list[type[Modality]]] = {}
    forms: dict[str, list[str]] = {}
    for modality in installed_modalities():
        columns = ("label", "encoding", modality.name, f"{modality.name}_folder")
        whole = [option.parameter for option in modality.options]
        whole += ["sheet"] if modality.draws_worst else []
        for name in (*columns, *whole):
            users.setdefault(name, []).append(modality)
            fit = forms_of(modality) if name in whole else (table_of(modality),)
            forms.setdefault(name, []).extend(fit)
    for parameter in context.command.get_params(context):
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if form in forms.get(name, (form,)) or source is None or source.name != "COMMANDLINE":
            continue
        message = f"it is for {' or '.join(forms[name])}, and {data} is {form}; leave it out"
        if is_table(data):
            flags = " or ".join(f"--{modality.name} COLUMN" for modality in users[name])
            message += f", or name a column with {flags}"
        raise typer.BadParameter(f"{message}.", param_hint=parameter.opts[0])
