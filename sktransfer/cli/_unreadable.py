"""Images that cannot be read: found before anything is computed, and said what to do about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sktransfer.cli._inputs import Inputs
from sktransfer.cli.console import status

__all__ = ["find_unreadable", "only_readable", "warn_of"]


def find_unreadable(paths: Sequence[str]) -> dict[int, str]:
    """Decode all images once.

    Parameters
    ----------
    paths : sequence of n str
        The images.

    Returns
    -------
    reasons : dict of int to str
        Position of each one that cannot be read, and why, as the rest of a sentence about it.
    """
    from sktransfer.images.pictures import check_pictures
    from sktransfer.images.readable import unreadable

    pictures = check_pictures(paths)
    with status().status(f"reading {len(pictures):,} images"):
        bad = unreadable(pictures)
    return {i: said.removeprefix(f"{pictures[i].name} ") for i, said in bad.items()}


def only_readable(
    inputs: Inputs, on_bad_image: Literal["raise", "skip"]
) -> tuple[Inputs, list[Any], list[Any]]:
    """Leave out images that cannot be read, or refuse them.

    Parameters
    ----------
    inputs : Inputs
        Of any kind, with labels; texts stay as they are.
    on_bad_image : {"raise", "skip"}
        What to do.

    Returns
    -------
    inputs : Inputs
        All that can be read.
    values, labels : list
        Texts or paths of images, and their labels.

    Raises
    ------
    ValueError
        If there are such images and they are not to be left out, or nothing else is left.
    """
    # Before images are decoded, which takes long; and while rows have the numbers of the table.
    values, labels = inputs.values(), inputs.labels()
    bad = find_unreadable(values) if inputs.kind == "image" else {}
    if not bad:
        return inputs, values, labels
    first = min(bad)
    one = f"{inputs.name_of(first, values[first])} {bad[first].rstrip('.')}."
    if len(bad) == len(values):
        raise ValueError(f"None of {inputs.counted} in {inputs.table.origin} can be read. {one}")
    if on_bad_image == "raise":
        raise ValueError(
            f"{len(bad):,} of {inputs.counted} cannot be read. {one} Mend or remove what is "
            "damaged, or leave it out with --on-bad-image skip."
        )
    warn_of(bad, inputs, values, "left out")
    kept = [i for i in range(len(values)) if i not in bad]
    return inputs.rows(kept), [values[i] for i in kept], [labels[i] for i in kept]


def warn_of(bad: Mapping[int, str], inputs: Inputs, paths: Sequence[str], consequence: str) -> None:
    """Say which images cannot be read.

    Parameters
    ----------
    bad : dict of int to str
        What `find_unreadable` gave; nothing is said where it is empty.
    inputs : Inputs
        All images.
    paths : sequence of n str
        Their paths.
    consequence : str
        What becomes of them.
    """
    from sktransfer.estimators._image_input import warn_of_unreadable

    if bad:
        said = {i: f"{inputs.name_of(i, paths[i])} {reason}" for i, reason in bad.items()}
        warn_of_unreadable(said, len(paths), consequence)
