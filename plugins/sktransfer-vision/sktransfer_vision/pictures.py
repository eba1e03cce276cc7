"""Pictures of any size to squares of one size."""

from __future__ import annotations

from typing import Any

import numpy as np

from sktransfer_vision.rows import check_picture

__all__ = ["squared"]

# Of the shorter side. Networks are trained on crops of many sizes, and tested on the middle, where
# what a picture shows is: 224 of 256 pixels since the first of them.
_CROP = 0.875


def squared(picture: Any, size: int, resample: str) -> np.ndarray:
    """Cut the middle out of a picture, and bring it to a size.

    Parameters
    ----------
    picture : ndarray of uint8 of shape (height, width, 3)
        Red, green and blue.
    size : int
        Pixels of a side of the result.
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
    >>> squared(np.zeros((300, 400, 3), dtype=np.uint8), 224, "bicubic").shape
    (224, 224, 3)
    """
    from PIL import Image

    array = np.asarray(picture)
    check_picture(array)
    height, width, _ = array.shape
    side = max(1, int(_CROP * min(height, width)))
    top, left = (height - side + 1) // 2, (width - side + 1) // 2
    middle = Image.fromarray(array[top : top + side, left : left + side])
    return np.asarray(middle.resize((size, size), Image.Resampling[resample.upper()]))
