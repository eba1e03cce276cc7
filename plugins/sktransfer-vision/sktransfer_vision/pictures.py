"""Pictures of any size to squares of one size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sktransfer_vision.rows import check_picture

__all__ = ["least_side", "squared"]


def least_side(size: int, crop: float) -> int:
    """Say how many pixels the shorter side has to have so that none are invented.

    Parameters
    ----------
    size : int
        Pixels of a side of what `squared` gives.
    crop : float
        As `squared` is given it.

    Returns
    -------
    side : int
    """
    return math.ceil(size / crop)


def squared(picture: Any, size: int, crop: float, resample: str) -> np.ndarray:
    """Cut the middle out of a picture, and bring it to a size.

    Parameters
    ----------
    picture : ndarray of uint8 of shape (height, width, 3)
        Red, green and blue.
    size : int
        Pixels of a side of the result.
    crop : float
        Fraction of the shorter side that is cut out.
    resample : {"bilinear", "bicubic"}
        How colours between pixels are found.

    Returns
    -------
    square : ndarray of uint8 of shape (size, size, 3)

    Raises
    ------
    ValueError
        If the picture is no such array.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer_vision.pictures import squared
    >>> squared(np.zeros((300, 400, 3), dtype=np.uint8), 224, 0.875, "bicubic").shape
    (224, 224, 3)
    """
    from PIL import Image

    array = np.asarray(picture)
    check_picture(array)
    height, width, _ = array.shape
    side = max(1, int(crop * min(height, width)))
    top, left = (height - side + 1) // 2, (width - side + 1) // 2
    middle = Image.fromarray(array[top : top + side, left : left + side])
    return np.asarray(middle.resize((size, size), Image.Resampling[resample.upper()]))
