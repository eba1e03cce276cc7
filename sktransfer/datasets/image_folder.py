"""Read the paths and classes of images that have a folder for each class."""

from __future__ import annotations

import os
from collections import Counter

import numpy as np
from sklearn.utils import Bunch

from sktransfer.datasets.class_folders import read_class_folders
from sktransfer.images.formats import IMAGES

__all__ = ["read_image_folder"]


def read_image_folder(
    path: str | os.PathLike[str], *, return_X_y: bool = False
) -> Bunch | tuple[list[str], np.ndarray]:
    """List images that have a folder for each class, as scikit-learn's load_files does for texts.

    The folders directly in ``path`` are the classes.

    .. code-block:: text

        animals/cats/1.jpg
        animals/cats/kittens/2.png
        animals/dogs/3.jpg

    Images are files with the suffix jpg, jpeg, png, gif, bmp, webp, tif, tiff, ppm, pgm, pbm, avif,
    jp2 or a variant of these, in capital or small letters; also heic and heif if an opener for them
    is registered with Pillow, as by ``pillow_heif.register_heif_opener()``. The files are not
    opened. Other files are ignored, as are hidden files and folders.

    Parameters
    ----------
    path : str or path-like
        Folder that holds the folders of the classes; ``~`` is the home folder.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    data : sklearn.utils.Bunch
        Dictionary-like object with these attributes:

        data : list of str
            Paths of the images, which begin with ``path``. They are sorted, and so by class:
            shuffle them.
        target : ndarray of str
            Class of each image: the name of the folder in ``path`` that holds it, directly or in
            other folders.
        target_names : list of str
            The classes, sorted.
        DESCR : str
            Number of images of each class.
    (data, target) : tuple
        If ``return_X_y`` is True.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If there is no such folder.
    ValueError
        If no folder has images, only one has, or the folders are parts of the data such as "train"
        and "test".

    Warns
    -----
    UserWarning
        If a folder has no images, images lie beside the folders, or images have a format that is
        not read, such as heic, svg or dng: they are left out. Also if all images lie in folders
        inside the folders of the classes, and these have the same names in several classes, as if
        the folders of the classes were years.

    Notes
    -----
    Links to folders are followed, and no folder is read twice, so that circles of links end.

    See Also
    --------
    sklearn.datasets.load_files : Reads texts that have a folder for each class.

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
