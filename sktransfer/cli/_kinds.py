"""What commands are given, by what a path looks like, and which options go with that."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Literal

import typer

from sktransfer.cli.tables import KINDS_OF_TABLES, is_table

__all__ = ["Form", "check_options", "described", "form_of"]

Form = Literal["texts", "listed images", "images"]

# Options that are not for everything: for what they are, and that in words.
_LIMITED: tuple[tuple[Collection[str], Collection[Form], str], ...] = (
    (("text", "max_length"), ["texts"], "tables of texts"),
    (("label",), ["texts", "listed images"], "tables"),
    (("image", "image_folder"), ["listed images"], "tables of images"),
    (
        ("augment", "image_size", "on_bad_image", "sheet"),
        ["images", "listed images"],
        "images",
    ),
)


def form_of(data: Path, image: str | None = None) -> Form:
    """Tell images from a table by what the path looks like.

    Parameters
    ----------
    data : Path
        A folder is one of images, and a file is what its suffix says.
    image : str or None, default=None
        Name of a column of paths, which makes a table one of images.

    Returns
    -------
    form : {"texts", "listed images", "images"}
        A table of texts, a table with a column of paths of images, or images themselves.

    Raises
    ------
    FileNotFoundError
        If there is nothing, and the suffix says nothing either.
    ValueError
        If it is a file of another kind.
    """
    if data.is_dir():
        return "images"
    if is_table(data):
        return "texts" if image is None else "listed images"
    from sktransfer.datasets._image_files import unpack_hint
    from sktransfer.datasets.image_folder import is_image
    from sktransfer.images.formats import is_of_image, suffix_of

    if is_image(data):
        return "images"
    if not data.exists():
        raise FileNotFoundError(
            f"There is no {data}; expected a folder of images, or a table ({KINDS_OF_TABLES})."
        )
    if is_of_image(data):
        raise ValueError(
            f"{data} is of a format that is not read ({suffix_of(data)}): convert it to JPEG."
        )
    raise ValueError(
        f"{data} has no suffix of an image or a table; expected a folder of images, or a table "
        f"({KINDS_OF_TABLES}).{unpack_hint(data)}"
    )


def described(data: Path, image: str | None = None) -> str:
    """Say what data is, for messages.

    Parameters
    ----------
    data : Path
        What a command was given.
    image : str or None, default=None
        As of `form_of`.

    Returns
    -------
    description : str
    """
    form = form_of(data, image)
    if form == "texts":
        return "a table of texts"
    if form == "listed images":
        return "a table of images"
    return "a folder of images" if data.is_dir() else "an image"


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
    form = form_of(data, image)
    unfit = {name: words for names, forms, words in _LIMITED if form not in forms for name in names}
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if name not in unfit or source is None or source.name != "COMMANDLINE":
            continue
        said = f"this is for {unfit[name]}, and {data} is {described(data, image)}; leave it out"
        if form == "texts":
            said += ", or name a column of paths of images with --image COLUMN"
        elif name == "text" and form == "listed images":
            said = "this names a column of texts, and --image one of images; give one of them"
        raise typer.BadParameter(f"{said}.", param_hint=parameter.opts[0])
