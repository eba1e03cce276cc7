"""Paths of images that were taken for texts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from sktransfer._warnings import warn_user
from sktransfer.images.formats import is_of_image

# So many texts are looked at, from all over the data.
_LOOKED_AT = 50
# Characters of a path at most; what is longer is a text, whatever it ends in.
_LONGEST = 1000


def warn_of_image_paths(texts: Sequence[Any]) -> None:
    """Warn where most texts are paths of images, whose names would be learned.

    Parameters
    ----------
    texts : sequence of n str, or of n pairs of str
        To be trained on.
    """
    rng = np.random.default_rng(0)
    which = np.sort(rng.choice(len(texts), min(len(texts), _LOOKED_AT), replace=False))
    looked_at = [texts[i] for i in which]
    paths = [path for path in map(_path_in, looked_at) if path is not None]
    if 2 * len(paths) <= len(looked_at):
        return
    warn_user(
        f"X looks like paths of images ({paths[0]!r}), and their names are trained on as texts. "
        "TransferImageClassifier, TransferImageRegressor and TransferImageEncoder read the "
        "images; on the command line, name the column of paths with --image COLUMN."
    )


def _path_in(text: Any) -> str | None:
    """Give the text, or the side of a pair, that is the path of an image."""
    for each in text if isinstance(text, tuple) else (text,):
        name = each.strip()
        if len(name) > _LONGEST or "\n" in name or "://" in name or not is_of_image(name):
            continue
        # "fix logo.png" is what somebody writes, unless there is such a file.
        if not any(map(str.isspace, name)) or os.path.exists(name):
            return each
    return None
