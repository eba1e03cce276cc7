"""What the commands that train have in common: examples, classifier, options and output."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import typer

from sktransfer.cli.inputs import Columns, Inputs, Kind, read_labelled

__all__ = ["check_folder", "new_classifier", "number", "read_examples"]


def read_examples(
    data: Path,
    columns: Columns,
    on_bad_image: Literal["raise", "skip"],
    source: Path | None,
) -> tuple[Inputs, list[Any], list[Any]]:
    """Read what is to be trained on.

    Parameters
    ----------
    data : Path
        A table, or a folder of images.
    columns : Columns
        Of a table.
    on_bad_image : {"raise", "skip"}
        What to do with images that cannot be read.
    source : Path or None
        The model to start from.

    Returns
    -------
    inputs : Inputs
        All of it that can be read.
    values, labels : list
        Texts or paths of images, and their labels.

    Raises
    ------
    ValueError
        If the source reads something else.
    TypeError
        If a label is a list or an object.
    """
    read = read_labelled(data, columns)
    if source is not None:
        from sktransfer import load

        # Fitting finds it out, too, but not before all images are decoded; and it knows no --image.
        read.check_model(load(source), source)
    inputs, values, labels = read.readable(on_bad_image)
    if any(isinstance(each, list | dict) for each in labels):
        raise TypeError(
            f"the column {inputs.label!r} holds lists or objects; one label a row is expected"
        )
    return inputs, values, labels


def new_classifier(
    kind: Kind,
    *,
    backbone: str | None,
    source: Path | None,
    balanced: bool,
    max_length: int | None,
    image_size: int | None,
    augment: bool,
    **parameters: Any,
) -> Any:
    """Make the classifier of texts or of images.

    Parameters
    ----------
    kind : {"text", "image"}
        What it reads.
    backbone : str or None
        None is its default.
    source : Path or None
        The model to start from.
    balanced : bool
        Whether labels count alike.
    max_length : int or None
        Tokens of a text.
    image_size : int or None
        Pixels of a side of an image.
    augment : bool
        Whether training images are changed at random.
    **parameters
        What both have.

    Returns
    -------
    classifier : TransferTextClassifier or TransferImageClassifier
        Not fitted.
    """
    import sktransfer

    if backbone is not None:
        parameters["backbone"] = backbone
    parameters["source"] = None if source is None else os.fspath(source)
    parameters["class_weight"] = "balanced" if balanced else None
    if kind == "text":
        return sktransfer.TransferTextClassifier(max_length=max_length, **parameters)
    return sktransfer.TransferImageClassifier(
        image_size=image_size,
        augmentation=sktransfer.ImageAugmentation() if augment else None,
        **parameters,
    )


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
