"""The inputs that a command was given, of one modality, with all that is known of each."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sktransfer.cli.columns import column, listed, no_column, place
from sktransfer.cli.console import status
from sktransfer.cli.modalities import folder_of, form_of, table_of
from sktransfer.cli.table import KINDS_OF_TABLES

if TYPE_CHECKING:
    from pandas import DataFrame

    from sktransfer.contracts import Modality

__all__ = ["Inputs"]


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
        """The number of inputs with their name, such as ``12 images``."""
        return f"{len(self.table):,} {self.modality.plural if self.modality.suffixes else 'rows'}"

    def values(self, *, may_be_missing: bool = False) -> list[Any]:
        """Give the inputs, or the paths of their files.

        Parameters
        ----------
        may_be_missing : bool, default=False
            Whether cells may be missing, which are then None.

        Raises
        ------
        ValueError
            If there is no such column, or a cell is missing that may not be, blank or a URL.
        TypeError
            If a path is not a str.
        FileNotFoundError
            If none of the files exists. One that is missing among others is left to the modality.
        """
        files = bool(self.modality.suffixes)
        if not files and self.column not in self.table:
            from sktransfer.contracts.registry import modality_classes

            others = [m for m in modality_classes() if m.suffixes]
            raise ValueError(
                f"{no_column(self.table, self.column, self.origin)} Name the column of "
                f"{self.modality.plural} with --{self.modality.name} COLUMN"
                + "".join(f", or one of paths of {m.plural} with --{m.name} COLUMN" for m in others)
                + "."
            )
        cells = column(
            self.table,
            self.column,
            self.origin,
            blank_is_missing=files,
            may_be_missing=may_be_missing,
        )
        return cells if self.folder is None else self._paths(cells, self.folder)

    def _paths(self, cells: list[Any], folder: Path) -> list[str | None]:
        from sktransfer.images.formats import is_url

        name, plural, one = self.modality.name, self.modality.plural, self.modality.formats().one
        for i, cell in enumerate(cells):
            if cell is None:
                continue
            where = f"{self.origin} has in {place(self.table, i)} of {self.column!r} "
            if not isinstance(cell, str):
                raise TypeError(f"{where}{type(cell).__name__}; expected the path of {one}.")
            if not cell.strip():
                raise ValueError(f"{where}a blank; expected the path of {one}.")
            if is_url(cell):
                raise ValueError(
                    f"{where}a URL: {cell!r}. URLs are not fetched: download the {plural} first, "
                    "and name their paths."
                )
        # No other folder is searched, so that a path always means the same file.
        paths = [None if c is None else str(folder / os.path.expanduser(c)) for c in cells]
        named = [(cell, path) for cell, path in zip(cells, paths, strict=True) if path is not None]
        if named and not any(os.path.exists(path) for _, path in named):
            cell, path = named[0]
            message = (
                f"None of the {len(named):,} {plural} that {self.origin} names as {self.column!r} "
                f"exists; the first is {os.path.abspath(path)}."
            )
            if not os.path.isabs(os.path.expanduser(cell)):
                known = "." if os.path.exists(cell) else "FOLDER"
                message += f" Name the folder that paths are relative to: --{name}-folder {known}"
            raise FileNotFoundError(message)
        return paths

    def labels(self) -> list[Any]:
        """Give the labels; raise a ValueError if a cell, or the column, is missing."""
        return column(self.table, self.label, self.origin, blank_is_missing=True)

    def name_of(self, i: int, path: str | None) -> str:
        """Name the i-th file, and the row that it comes from."""
        if path is None or not self.modality.suffixes:
            return f"Row {i + 1} of {self.origin}"
        return path if self.folder is None else f"{path} (row {i + 1} of {self.origin})"

    @property
    def columns(self) -> dict[str, str] | None:
        """The names of the columns of inputs and labels; None of files that came in folders."""
        if self.modality.suffixes and self.folder is None:
            return None
        return {"input": self.column, "label": self.label}

    def check_columns(self) -> None:
        """Raise what `values` and `labels` raise, and a ValueError if both are the same column."""
        self.values()
        self.labels()
        if self.columns is not None and self.column == self.label:
            raise ValueError(
                f"{self.origin} would be read with {self.column!r} as {self.modality.plural} and "
                f"as labels; name two columns, with --{self.modality.name} and --label. It has: "
                f"{listed(self.table)}."
            )

    def check_model(self, estimator: Any, model: Path) -> None:
        """Raise a ValueError if a model of a class, saved at a path, is for another modality."""
        if estimator.modality == self.modality.name:
            return
        from sktransfer.contracts import modality_class

        wanted = modality_class(estimator.modality)
        got = form_of(Path(self.origin), self.modality)
        expected = (
            folder_of(wanted) if wanted.suffixes else f"{table_of(wanted)} ({KINDS_OF_TABLES})"
        )
        if got == table_of(self.modality):
            columns = listed(self.table)
            expected += f", or the name of a column, --{wanted.name} COLUMN: {columns}"
        raise ValueError(
            f"{model} holds a {estimator.__name__}, which expects {expected}. Got "
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
        # Labels are checked before files are read, which takes long, and before rows are left out,
        # so that messages have the row numbers of the table.
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
        inputs = replace(self, table=self.table.iloc[kept]) if bad else self
        return inputs, [values[i] for i in kept], [labels[i] for i in kept]

    def unreadable(self, values: Sequence[Any]) -> dict[int, str]:
        """Find inputs that are missing, and those that cannot be read, where these may be skipped.

        Parameters
        ----------
        values : sequence of n inputs, or paths of their files, or None
            What `values` gave.

        Returns
        -------
        reasons : dict of int to str
            Position of each one, and why, as the rest of a sentence about it.

        Raises
        ------
        ValueError
            If it is all of them.
        """
        reasons = {i: "is missing" for i, value in enumerate(values) if value is None}
        if self.modality.lenient and len(reasons) < len(values):
            given = [i for i in range(len(values)) if i not in reasons]
            modality = self.modality(**self.modality.lenient)
            inputs = modality.validate([values[i] for i in given])
            with status().status(f"reading {len(inputs):,} {modality.plural}"):
                bad = modality.unreadable(inputs)
            for i, said in bad.items():
                # The message names an element of X; here the path is named with its row instead.
                _, named, rest = said.partition(f"{values[given[i]]}, ")
                reasons[given[i]] = rest if named else said
        if len(reasons) == len(values):
            one = f"{self.name_of(0, values[0])} {reasons[0].rstrip('.')}."
            raise ValueError(f"None of {self.counted} can be read. {one}")
        return dict(sorted(reasons.items()))

    def warn_of(self, bad: Mapping[int, str], paths: Sequence[str], consequence: str) -> None:
        """Warn of inputs that cannot be read, and say what happens to them."""
        if bad:
            named = {i: f"{self.name_of(i, paths[i])} {reason}" for i, reason in bad.items()}
            self.modality().warn_of_skipped(named, len(paths), consequence)
