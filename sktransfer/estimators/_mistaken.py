"""Paths of images that were taken for texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
    step = -(-len(texts) // _LOOKED_AT)
    looked_at = texts[::step]
    paths = [path for path in map(_path_in, looked_at) if path is not None]
    if 2 * len(paths) <= len(looked_at):
        return
    warn_user(
        f"X looks like paths of images ({paths[0]!r}), and their names are trained on as texts. "
        "TransferImageClassifier and TransferImageEncoder read the images; on the command line, "
        "name the column of paths with --image COLUMN."
    )


def _path_in(text: Any) -> str | None:
    """Give the text, or the side of a pair, that is the path of an image."""
    for each in text if isinstance(text, tuple) else (text,):
        if len(each) <= _LONGEST and "\n" not in each.strip() and is_of_image(each.strip()):
            return each
    return None
