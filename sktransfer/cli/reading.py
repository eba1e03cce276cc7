"""Reading the data of a command: a table with a column of inputs or paths, or files in folders."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from sktransfer._warnings import warn_user
from sktransfer.cli.inputs import Inputs
from sktransfer.cli.modalities import form_of, forms_of, table_of
from sktransfer.cli.table import KINDS_OF_TABLES, is_table, read_table

if TYPE_CHECKING:
    from sktransfer.contracts import Modality
    from sktransfer.persistence.about import About

__all__ = [
    "Reading",
    "check_options",
    "check_order",
    "like_trained",
    "read_inputs",
    "read_labelled",
]


@dataclass(frozen=True)
class Reading:
    """The options of a user about the data.

    Attributes
    ----------
    typed : mapping of str to object
        Values of the options of all modalities, by the names of their parameters. Under the name
        of a modality stands the column that holds its inputs, or None.
    label : str or None
        Name of the column of labels; None for ``"label"``, or for that of a model.
    encoding : str
        Of CSV and JSON.
    separator : str
        Of CSV; empty for the one that the header has most of.
    """

    typed: Mapping[str, Any] = field(default_factory=dict)
    label: str | None = None
    encoding: str = "utf-8"
    separator: str = ""


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

    from sktransfer.datasets.class_folders import read_class_folders

    paths, classes = read_class_folders(data, modality.formats())
    rows = range(1, len(paths) + 1)
    table = pd.DataFrame({"path": paths, "label": classes.tolist()}, rows, dtype=object)
    return Inputs(modality, table, str(data), "path", "label")


def read_inputs(data: Sequence[Path], reading: Reading) -> Inputs:
    """Read inputs without labels.

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

    from sktransfer.datasets._input_files import files_below, not_read
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
    paths = list(dict.fromkeys(paths))
    table = pd.DataFrame({"path": paths}, range(1, len(paths) + 1), dtype=object)
    return Inputs(modality, table, str(data[0]), "path", "label")


def _in_table(path: Path, modality: type[Modality], reading: Reading) -> Inputs:
    from sktransfer.images.formats import is_url

    if is_url(os.fspath(path)):
        raise FileNotFoundError(f"{path} is a URL, which is not fetched: download it first.")
    table = read_table(path, reading.encoding, reading.separator)
    name = reading.typed.get(modality.name) or modality.name
    folder = _folder_of(path, modality, reading)
    return Inputs(modality, table, str(path), name, reading.label or "label", folder)


def check_order(model: Path, data: Path) -> None:
    """Raise a ValueError if a model is given as the data, and a file as the model."""
    from sktransfer.persistence.folder import MANIFEST

    if model.is_file() and (data / MANIFEST).is_file():
        raise ValueError(f"{data} is a model and {model} is a file: the model comes first.")


def like_trained(inputs: Inputs, model: About, reading: Reading) -> Inputs:
    """Take the columns that a model was trained on, where no others are named.

    Parameters
    ----------
    inputs : Inputs
        As they were read.
    model : About
        What the model says of itself.
    reading : Reading
        What the user said of the data; that wins.

    Returns
    -------
    inputs : Inputs
        The same table. Columns that it does not have are not taken.
    """
    from sktransfer.contracts.registry import modality_class, modality_classes

    if inputs.columns is None:
        return inputs
    label, name = model.columns.get("label"), model.columns.get("input")
    if label is not None and label in inputs.table and reading.label is None:
        inputs = replace(inputs, label=label)
    typed = any(reading.typed.get(modality.name) for modality in modality_classes())
    if name is None or name not in inputs.table or typed:
        return inputs
    modality = modality_class(model.estimator.modality)  # type: ignore[attr-defined]
    folder = _folder_of(Path(inputs.origin), modality, reading)
    return replace(inputs, modality=modality, column=name, folder=folder)


def _folder_of(table: Path, modality: type[Modality], reading: Reading) -> Path | None:
    """Give the folder that the paths in a table are relative to; None where it has no paths."""
    if not modality.suffixes:
        return None
    return reading.typed.get(f"{modality.name}_folder") or table.parent


def _modality_of(data: Path, typed: Mapping[str, Any]) -> type[Modality]:
    """Find the modality of data.

    Of a table, the option that names a column says so; without one, it holds inputs that are no
    files. Of a folder, it is the modality that most files in it belong to.
    """
    from sktransfer.contracts.registry import modality_classes
    from sktransfer.datasets._input_files import files_below, is_shown, unpack_hint
    from sktransfer.images.formats import suffix_of

    modalities = modality_classes()
    of_files = [modality for modality in modalities if modality.suffixes]
    if data.is_dir():
        if len(of_files) == 1:
            return of_files[0]  # without a walk through all of the folder
        return max(of_files, key=lambda m: len(files_below(data, m.formats()).read))
    if is_table(data):
        of_cells = [modality for modality in modalities if not modality.suffixes]
        # If several columns are named, that of files decides, and check_options refuses the others.
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


def check_options(context: typer.Context, data: Path) -> None:
    """Refuse options that have no effect on the data.

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
    from sktransfer.contracts.registry import modality_classes

    form = form_of(data, _modality_of(data, context.obj))
    users: dict[str, list[type[Modality]]] = {}
    forms: dict[str, list[str]] = {}
    for modality in modality_classes():
        columns = (
            "label",
            "encoding",
            "sep",
            "task",
            "label_sep",
            "split",
            modality.name,
            f"{modality.name}_folder",
        )
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
