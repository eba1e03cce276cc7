"""Paths and classes of images that lie in one folder a class."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.utils import Bunch

from sktransfer._warnings import warn_user
from sktransfer.contracts.shell import FileFormats
from sktransfer.datasets._image_files import Found, files_below, folder_at, is_shown, not_read
from sktransfer.images.formats import IMAGES, is_read

__all__ = ["is_image", "list_images", "read_class_folders", "read_image_folder"]

# What folders are called that hold parts of a data set, each with folders of classes of its own.
_PARTS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}


def read_image_folder(
    path: str | os.PathLike[str], *, return_X_y: bool = False
) -> Bunch | tuple[list[str], np.ndarray]:
    """List images of which each class has a folder, in the manner of scikit-learn's load_files.

    The folders directly in ``path`` are the classes.

    .. code-block:: text

        animals/cats/1.jpg
        animals/cats/kittens/2.png
        animals/dogs/3.jpg

    Images are those files whose suffix says so: jpg, jpeg, png, gif, bmp, webp, tif, tiff, ppm,
    pgm, pbm, avif, jp2 and their variants, in capital letters or small ones; heic and heif as well
    where an opener of them is registered with Pillow, as ``pillow_heif.register_heif_opener()``
    does. They are not opened. Other files are passed over, and so are hidden files and folders.

    Parameters
    ----------
    path : str or path-like
        The folder of the folders. A ``~`` is the home folder.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    data : sklearn.utils.Bunch
        With these attributes:

        data : list of str
            Paths of the images, sorted, and so by class: shuffle. They begin with ``path``.
        target : ndarray of str
            The class of each: the name of the folder in ``path``, however deep below it an image
            lies.
        target_names : list of str
            The classes, sorted.
        DESCR : str
            How many images each class has.
    (data, target) : tuple
        If ``return_X_y`` is True.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If there is no such folder.
    ValueError
        If there are no images in folders, of one class only, or if the folders are parts of the
        data such as "train" and "test".

    Warns
    -----
    UserWarning
        If a folder has no images, images lie beside the folders, or files are images of a format
        that is not read, such as heic, svg or dng: they are left out. If no class has images of
        its own, and the folders in them have the same names, as where the classes are years.

    Notes
    -----
    Links to folders are followed, and no folder is read twice, so that links that lead in a circle
    do no harm.

    See Also
    --------
    sklearn.datasets.load_files : The same for texts, which it reads.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sktransfer.datasets import read_image_folder
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("cats/1.jpg", "cats/kittens/2.PNG", "dogs/3.jpg", "dogs/notes.txt"):
    ...         file = Path(folder, name)
    ...         file.parent.mkdir(parents=True, exist_ok=True)
    ...         file.touch()
    ...     animals = read_image_folder(folder)
    >>> [Path(each).name for each in animals.data]
    ['1.jpg', '2.PNG', '3.jpg']
    >>> animals.target.tolist(), animals.target_names
    (['cats', 'cats', 'dogs'], ['cats', 'dogs'])
    """
    data, target = read_class_folders(path, IMAGES)
    if return_X_y:
        return data, target
    counts = dict(sorted(Counter(target.tolist()).items()))
    lines = "\n".join(f"{name:20}{n:7,}" for name, n in counts.items())
    root = os.path.expanduser(os.fsdecode(path))
    description = f"{len(data):,} images of {len(counts)} classes in {root}.\n\n{lines}\n"
    return Bunch(data=data, target=target, target_names=list(counts), DESCR=description)


def read_class_folders(
    path: str | os.PathLike[str], formats: FileFormats
) -> tuple[list[str], np.ndarray]:
    """List files of which each class has a folder, as `read_image_folder` does for images.

    Parameters
    ----------
    path : str or path-like
        The folder of the folders.
    formats : FileFormats
        Which files hold inputs.

    Returns
    -------
    paths : list of n str
        Sorted.
    classes : ndarray of n str
        The class of each.

    Raises
    ------
    OSError, ValueError
        As by `read_image_folder`.
    """
    root = folder_at(path, "a folder with one folder a class")
    folders, beside = _entries(root, formats)
    if len(folders) > 1 and _are_parts(root, folders, formats):
        raise ValueError(
            f"The folders in {root!r} are {_listed(folders)}: parts of the data, not classes. "
            f"Give one of them, such as {os.path.join(root, _first_part(folders))!r}."
        )
    below = {name: files_below(os.path.join(root, name), formats) for name in folders}
    found = {name: below[name].read for name in folders}
    unread = [path for name in folders for path in below[name].unread]
    names = [name for name in folders if found[name]]
    if len(names) < 2:
        raise ValueError(_too_few_classes(root, names, beside, unread, formats))
    if unread:
        warn_user(f"In {root!r}, {not_read(unread, formats)}")
    empty = [name for name in folders if not found[name]]
    if empty:
        warn_user(
            f"{_listed(empty)} in {root!r} {'has' if len(empty) == 1 else 'have'} no "
            f"{formats.plural}, and are not classes."
        )
    lying = beside.read
    if lying:
        warn_user(
            f"{_counted(lying, formats)} directly in {root!r}, such as {lying[0]!r}, and "
            f"{'has' if len(lying) == 1 else 'have'} no class: left out. The folders directly in "
            f"{root!r} are the classes."
        )
    repeated = _repeated({name: found[name] for name in names}, root)
    if repeated:
        warn_user(
            f"The folders directly in {root!r} are the classes: {_listed(names)}. None has "
            f"{formats.plural} of its own, and {_listed(repeated)} lie in several of them. If "
            f"those are the classes, give one folder, such as {os.path.join(root, names[0])!r}, or "
            f"labels of your own: [pathlib.Path(path).relative_to({root!r}).parts[1] for path in "
            "X]; on the command line, a table of paths and labels with "
            f"--{formats.name} COLUMN."
        )
    rows = sorted((file, name) for name in names for file in found[name])
    return [file for file, _ in rows], np.array([name for _, name in rows])


def list_images(path: str | os.PathLike[str]) -> list[str]:
    """Give the paths of all images below a folder, sorted.

    Parameters
    ----------
    path : str or path-like
        The folder. Images are recognised, and links are followed, as by `read_image_folder`.

    Returns
    -------
    paths : list of str
        They begin with ``path``. Empty if there are none.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If there is no such folder.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sktransfer.datasets.image_folder import list_images
    >>> with TemporaryDirectory() as folder:
    ...     list_images(folder)
    []
    """
    return files_below(path, IMAGES).read


def is_image(name: str | os.PathLike[str]) -> bool:
    """Tell by its suffix whether a file is taken for an image; it is not opened.

    Parameters
    ----------
    name : str or path-like
        Of the file, which need not exist.

    Returns
    -------
    is_image : bool
        True for the files that `list_images` lists.

    Examples
    --------
    >>> from sktransfer.datasets.image_folder import is_image
    >>> is_image("holiday.JPG"), is_image("holiday.csv")
    (True, False)
    """
    name = os.path.basename(os.fspath(name))
    return is_shown(name) and is_read(name)


def _entries(root: str, formats: FileFormats) -> tuple[list[str], Found]:
    """Give the names of folders that may be classes, and of files that lie beside them."""
    with os.scandir(root) as entries:
        shown = [entry for entry in entries if is_shown(entry.name)]
        folders = sorted(entry.name for entry in shown if entry.is_dir())
        files = [entry.name for entry in shown if not entry.is_dir()]
    return folders, Found.among(files, formats)


def _are_parts(root: str, folders: Sequence[str], formats: FileFormats) -> bool:
    return {name.lower() for name in folders} <= _PARTS and all(
        _entries(os.path.join(root, name), formats)[0] for name in folders
    )


def _first_part(folders: Sequence[str]) -> str:
    return next((name for name in folders if name.lower().startswith("train")), folders[0])


def _too_few_classes(
    root: str, names: Sequence[str], beside: Found, unread: Sequence[str], formats: FileFormats
) -> str:
    """Say what is lacking where there is nothing to tell apart."""
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
    """Give names of folders within classes that may be the classes themselves."""
    counts: Counter[str] = Counter()
    for name, paths in found.items():
        start = os.path.join(root, name, "")
        below = [path.removeprefix(start).split(os.sep) for path in paths]
        if any(len(parts) == 1 for parts in below):
            return []
        counts.update({parts[0] for parts in below})
    repeated = sorted(name for name, n in counts.items() if n > 1)
    # One name says what is the same everywhere, such as "images"; and if few of many are repeated,
    # that is by chance.
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
