"""Which rows of the data are trained on, and which ones are scored."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sktransfer.cli._targets import Targets
from sktransfer.cli.columns import column
from sktransfer.cli.inputs import Inputs

__all__ = ["Parts", "check_parts", "parts_by_column", "parts_by_share"]

# How people name the parts of their data.
_NAMES = {
    "training": ("train", "training", "trn"),
    "test": ("test", "testing", "tst", "held-out", "held_out", "holdout"),
    "validation": ("dev", "devel", "development", "val", "valid", "validation"),
}
_PART_OF = {name: part for part, names in _NAMES.items() for name in names}
_SHOWN = 5


@dataclass(frozen=True)
class Parts:
    """Positions of rows.

    Attributes
    ----------
    option : str
        The option that parts them.
    train, test : list of int
        What is trained on, and what is scored afterwards.
    unused : list of int
        What is neither, such as rows for validation.
    """

    option: str
    train: list[int]
    test: list[int]
    unused: list[int]


def check_parts(inputs: Inputs, split: str) -> None:
    """Refuse a column that does not say of each row which part it belongs to.

    Parameters
    ----------
    inputs : Inputs
        The data.
    split : str
        Name of the column.

    Raises
    ------
    ValueError
        If there is no such column, a cell of it is missing, a name in it is unknown, or no row is
        trained on or none is scored.
    """
    names = [str(cell).strip() for cell in _cells(inputs, split)]
    counts = Counter(name for name in names if name.casefold() not in _PART_OF)
    if counts:
        found = ", ".join(f"{name!r} ({n:,})" for name, n in counts.most_common(_SHOWN))
        more = f" and {len(counts) - _SHOWN} more" if len(counts) > _SHOWN else ""
        known = "; ".join(f"{', '.join(names)} for {part}" for part, names in _NAMES.items())
        raise ValueError(
            f"{inputs.origin} has names in {split!r} that are no parts of data: {found}{more}. "
            f"Known are {known}."
        )
    there = {_PART_OF[name.casefold()] for name in names}
    for part in ("training", "test"):
        if part not in there:
            raise ValueError(
                f"{inputs.origin} has no rows for {part} in {split!r}: it has "
                f"{', '.join(map(repr, dict.fromkeys(names)))}. Expected one of "
                f"{', '.join(_NAMES[part])}."
            )


def parts_by_column(inputs: Inputs, split: str) -> Parts:
    """Sort rows by a column that `check_parts` has checked."""
    cells = _cells(inputs, split)
    parts = [_PART_OF[str(cell).strip().casefold()] for cell in cells]
    train, test, unused = (
        [i for i, part in enumerate(parts) if part == wanted]
        for wanted in ("training", "test", "validation")
    )
    if not train or not test:
        raise ValueError(f"No rows for {'test' if train else 'training'} are left in {split!r}.")
    return Parts("--split", train, test, unused)


def parts_by_share(
    inputs: Inputs, values: Sequence[Any], targets: Targets, share: float, seed: int
) -> Parts:
    """Hold a share of the rows out, with labels in equal shares and equal inputs together.

    Parameters
    ----------
    inputs : Inputs
        The data.
    values : sequence of n inputs
        As `Inputs.readable` gave them.
    targets : Targets
        Of the same rows.
    share : float
        Of the rows that are held out.
    seed : int
        The same seed gives the same rows.

    Returns
    -------
    parts : Parts

    Raises
    ------
    ValueError
        If nothing is left to train on.

    Warns
    -----
    UserWarning
        If a label has too few rows to be in both parts.
    """
    import numpy as np

    from sktransfer.training.holdout import hold_out

    if math.ceil(share * len(values)) >= len(values):
        raise ValueError(
            f"--hold-out {share:g} leaves none of {len(values):,} rows to train on; hold fewer out."
        )
    strata = None
    if targets.task == "classification":
        strata = np.unique([str(label) for label in targets.values], return_inverse=True)[1]
    equal = inputs.modality().validate(values)
    train, test = hold_out(len(values), strata, share, seed, equal)
    return Parts("--hold-out", train.tolist(), test.tolist(), [])


def _cells(inputs: Inputs, split: str) -> list[Any]:
    return column(inputs.table, split, inputs.origin, blank_is_missing=True)
