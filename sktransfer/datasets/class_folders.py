"""Read folders that hold the files of one class each."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sktransfer._warnings import warn_user
from sktransfer.contracts.shell import FileFormats
from sktransfer.datasets._input_files import Found, files_below, folder_at, is_shown, not_read

__all__ = ["read_class_folders"]

# Names of folders that hold parts of a data set, each of which has its own folders of classes.
_PARTS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}


def read_class_folders(
    path: str | os.PathLike[str], formats: FileFormats
) -> tuple[list[str], np.ndarray]:
    """List the files of inputs that have a folder for each class.

    `sktransfer.datasets.read_image_folder` describes which folders are classes, and what is warned
    of.

    Parameters
    ----------
    path : str or path-like
        Folder that holds the folders of the classes.
    formats : FileFormats
        Formats of the inputs.

    Returns
    -------
    paths : list of n str
        Paths of the files, sorted.
    classes : ndarray of n str
        Class of each file.

    Raises
    ------
    OSError, ValueError
        As `sktransfer.datasets.read_image_folder`.
    """
    root = folder_at(path, "a folder with one folder a class")
    folders, beside = _entries(root, formats)
    if len(folders) > 1 and _are_parts(root, folders, formats):
        training = next((name for name in folders if name.lower().startswith("train")), folders[0])
        raise ValueError(
            f"The folders in {root!r} are {_listed(folders)}: parts of the data, not classes. "
            f"Give one of them, such as {os.path.join(root, training)!r}."
        )
    real = {name: os.path.realpath(os.path.join(root, name)) for name in folders}
    if links := _links_back(root, real):
        warn_user(
            f"{_listed(links)} in {root!r} {'is a link' if len(links) == 1 else 'are links'} to "
            "folders that are read anyway: left out."
        )
        folders = [name for name in folders if name not in links]
    below = {
        name: files_below(
            os.path.join(root, name),
            formats,
            apart=[real[other] for other in folders if real[other] != real[name]],
        )
        for name in folders
    }
    unread = [path for found in below.values() for path in found.unread]
    files = {name: found.read for name, found in below.items() if found.read}
    names = list(files)
    if len(names) < 2:
        raise ValueError(_too_few_classes(root, names, beside, unread, formats))
    if unread:
        warn_user(f"In {root!r}, {not_read(unread, formats)}")
    if empty := [name for name in folders if name not in files]:
        warn_user(
            f"{_listed(empty)} in {root!r} {'has' if len(empty) == 1 else 'have'} no "
            f"{formats.plural}, and are not classes."
        )
    if beside.read:
        warn_user(
            f"{_counted(beside.read, formats)} directly in {root!r}, such as {beside.read[0]!r}, "
            f"and {'has' if len(beside.read) == 1 else 'have'} no class: left out. The folders "
            f"directly in {root!r} are the classes."
        )
    if repeated := _repeated(files, root):
        warn_user(
            f"The folders directly in {root!r} are the classes: {_listed(names)}. None has "
            f"{formats.plural} of its own, and {_listed(repeated)} lie in several of them. If "
            f"those are the classes, give one folder, such as {os.path.join(root, names[0])!r}, or "
            f"labels of your own: [pathlib.Path(path).relative_to({root!r}).parts[1] for path in "
            "X]; on the command line, a table of paths and labels with "
            f"--{formats.name} COLUMN."
        )
    rows = sorted((file, name) for name in names for file in files[name])
    return [file for file, _ in rows], np.array([name for _, name in rows])


def _entries(root: str, formats: FileFormats) -> tuple[list[str], Found]:
    """Return the names of the folders in a folder, and its files of inputs."""
    with os.scandir(root) as entries:
        shown = [entry for entry in entries if is_shown(entry.name)]
        folders = sorted(entry.name for entry in shown if entry.is_dir())
        files = [entry.name for entry in shown if not entry.is_dir()]
    return folders, Found.among(files, formats)


def _links_back(root: str, real: Mapping[str, str]) -> list[str]:
    """Return the folders that are links to the root, to a folder above it, or into a class."""
    links = [name for name in real if os.path.islink(os.path.join(root, name))]
    read = [Path(real[name]) for name in real if name not in links]
    top = Path(root).resolve()
    return [
        name
        for name in links
        if top.is_relative_to(real[name])
        or any(Path(real[name]).is_relative_to(folder) for folder in read)
    ]


def _are_parts(root: str, folders: Sequence[str], formats: FileFormats) -> bool:
    return {name.lower() for name in folders} <= _PARTS and all(
        _entries(os.path.join(root, name), formats)[0] for name in folders
    )


def _too_few_classes(
    root: str, names: Sequence[str], beside: Found, unread: Sequence[str], formats: FileFormats
) -> str:
    """Describe a folder with less than two classes, for an error."""
    left_out = [*unread, *beside.unread]
    others = f" {not_read(left_out, formats)}" if left_out else ""
    if not names:
        got = f"There are no {formats.plural} in folders of {root!r}"
        if beside.read:
            lying = _counted(beside.read, formats)
            got = f"{lying} directly in {root!r}, and there are none in folders of it"
        return (
            f"{got}.{others} The folders directly in {root!r} are the classes, as in "
            f"{_layout(root)}."
        )
    only = os.path.join(root, names[0])
    deeper = _entries(only, formats)[0]
    hint = ""
    if len(deeper) > 1:
        hint = f" It has folders of its own: for those as classes, give {only!r}."
    return (
        f"All {formats.plural} in folders of {root!r} are of one class, {names[0]!r}; expected "
        f"two folders with {formats.plural} at least, as in {_layout(root)}.{hint}{others}"
    )


def _repeated(found: Mapping[str, Sequence[str]], root: str) -> list[str]:
    """Return the names of folders inside the classes that may be the classes themselves."""
    counts: Counter[str] = Counter()
    for name, paths in found.items():
        start = os.path.join(root, name, "")
        below = [path.removeprefix(start).split(os.sep) for path in paths]
        if any(len(parts) == 1 for parts in below):
            return []
        counts.update({parts[0] for parts in below})
    repeated = sorted(name for name, n in counts.items() if n > 1)
    # A single name may be the same in all classes, such as "images"; and few of many names may be
    # repeated by chance.
    if len(repeated) < 2 or 2 * len(repeated) < len(counts):
        return []
    return [] if {name.lower() for name in repeated} <= _PARTS else repeated


def _layout(root: str) -> str:
    return f"{os.path.join(root, 'cats', '1.jpg')}, {os.path.join(root, 'dogs', '2.jpg')}"


def _counted(files: Sequence[str], formats: FileFormats) -> str:
    n = len(files)
    return f"1 {formats.name} lies" if n == 1 else f"{n:,} {formats.plural} lie"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:5]))
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5:,} more"
