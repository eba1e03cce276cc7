"""The steps that `train` and `tune` share: examples, classifier, options and output."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from sktransfer.cli._parts import check_parts
from sktransfer.cli.inputs import Inputs
from sktransfer.cli.reading import Reading, read_labelled

if TYPE_CHECKING:
    from sktransfer.contracts import Modality

__all__ = ["check_folder", "new_estimator", "number", "read_examples"]


def read_examples(
    data: Path, reading: Reading, source: Path | None, split: str | None = None
) -> tuple[Inputs, list[Any], list[Any]]:
    """Read training inputs and their labels.

    Parameters
    ----------
    data : Path
        A table, or a folder with one folder of files a class.
    reading : Reading
        What is said of it.
    source : Path or None
        The model to start from.
    split : str or None, default=None
        The column that names the part of each row, which is checked.

    Returns
    -------
    inputs : Inputs
        All of it that can be read.
    values, labels : list
        Inputs or the paths of their files, and their labels.

    Raises
    ------
    ValueError
        If the source reads something else, or the column of parts is none.
    TypeError
        If a label is a list or an object.
    """
    read = read_labelled(data, reading)
    if source is not None:
        from sktransfer.persistence.about import about

        # Checked here, since fit would check it only after all files are read.
        read.check_model(about(source).estimator, source)
    read.check_columns()
    if split is not None:
        check_parts(read, split)
    inputs, values, labels = read.readable(reading.typed)
    if any(isinstance(each, list | dict) for each in labels):
        raise TypeError(
            f"the column {inputs.label!r} holds lists or objects; one label a row is expected"
        )
    return inputs, values, labels


def new_estimator(
    modality: type[Modality],
    task: str,
    typed: Mapping[str, Any],
    *,
    backbone: str | None,
    source: Path | None,
    balanced: bool,
    **parameters: Any,
) -> Any:
    """Make the classifier, or the regressor, of a modality.

    Parameters
    ----------
    modality : type
        What it reads.
    task : {"classification", "multilabel", "regression"}
        What it predicts.
    typed : mapping of str to object
        Values of the options of all modalities. What cannot be read is left out already.
    backbone : str or None
        None is its default.
    source : Path or None
        The model to start from.
    balanced : bool
        Whether labels count alike.
    **parameters
        What all of them have.

    Returns
    -------
    estimator : classifier or regressor
        Not fitted.

    Raises
    ------
    typer.BadParameter
        If labels should count alike where numbers are predicted.
    """
    for option in modality.options:
        if option.parameter not in modality.lenient:
            value = typed[option.parameter]
            if option.make is not None:
                value = option.make() if value else option.default
            parameters[option.parameter] = value
    if backbone is not None:
        parameters["backbone"] = backbone
    parameters["source"] = None if source is None else os.fspath(source)
    if task == "regression" and balanced:
        raise typer.BadParameter("numbers are predicted, not labels.", param_hint="--balanced")
    if task != "regression":
        parameters["class_weight"] = "balanced" if balanced else None
    return _class_of(modality.name, task)(**parameters)


def _class_of(modality: str, task: str) -> type:
    """Find the estimator of a modality, that of the modality's own distribution first."""
    from sklearn.base import ClassifierMixin, RegressorMixin

    from sktransfer.contracts import available
    from sktransfer.contracts.registry import find

    info = find("modality", modality)
    owner = "" if info is None else info.distribution
    mixin = RegressorMixin if task == "regression" else ClassifierMixin
    # Other distributions are imported only if this one has no such estimator: some may be broken.
    for each in sorted(available("estimator"), key=lambda each: each.distribution != owner):
        cls = each.factory()
        if issubclass(cls, mixin) and cls.modality == modality:
            return cls
    raise ValueError(f"No estimator of the modality {modality!r} for {task} is installed.")


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
                f"{model} exists, and sktransfer did not save it; choose another path."
            )
        if not force:
            raise FileExistsError(f"{model} exists; pass --force to replace it.")
    elif not model.absolute().parent.is_dir():
        raise FileNotFoundError(f"There is no folder {model.parent} to save {model.name!r} in.")
