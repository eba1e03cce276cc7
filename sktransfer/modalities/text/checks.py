"""Texts that can hardly be meant as such, and their scripts."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from sktransfer._warnings import warn_user

# Suffixes of files that other modalities read, and that no text ends in by chance.
_SUFFIXES = (
    *(".avif", ".bmp", ".gif", ".heic", ".jpeg", ".jpg", ".png", ".svg", ".tif", ".tiff", ".webp"),
    *(".flac", ".mp3", ".ogg", ".wav"),
)
# Of whole data: so many texts, spread over all of them, and so much of each one.
_N_TEXTS = 200
_N_CHARACTERS = 200
# So many texts are looked at, from all over the data.
_LOOKED_AT = 50
# Characters of a path at most; what is longer is a text, whatever it ends in.
_LONGEST = 1000


def warn_of_paths(texts: Sequence[Any]) -> None:
    """Warn where most texts are paths of files, whose names would be learned.

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
        f"X looks like paths of files ({paths[0]!r}), and their names are trained on as texts. "
        "TransferImageClassifier, TransferImageRegressor and TransferImageEncoder read images "
        "themselves; on the command line, name the column of paths with --image COLUMN."
    )


def _path_in(text: Any) -> str | None:
    """Give the text, or the side of a pair, that is the path of a file."""
    for each in text if isinstance(text, tuple) else (text,):
        name = each.strip()
        if (
            len(name) > _LONGEST
            or "\n" in name
            or "://" in name
            or not name.lower().endswith(tuple(_SUFFIXES))
        ):
            continue
        # "fix logo.png" is what somebody writes, unless there is such a file.
        if not any(map(str.isspace, name)) or os.path.exists(name):
            return each
    return None


def share_not_latin(texts: Sequence[Any]) -> float:
    """Estimate which share of the letters is not Latin.

    Parameters
    ----------
    texts : sequence of n str, or of n tuples of str
        A sample of bounded size is read.

    Returns
    -------
    share : float
        From 0 to 1; 0 where there is no letter, as in digits and emoji.

    Examples
    --------
    >>> from sktransfer.modalities.text.checks import share_not_latin
    >>> share_not_latin(["déjà vu", "да"])
    0.25
    >>> share_not_latin(["12:30", "🎉"])
    0.0
    """
    # Rounded up, so that all texts are looked at evenly and never more than the number above.
    every = -(-len(texts) // _N_TEXTS)
    sample = []
    for text in texts[::every]:
        sides = text if isinstance(text, tuple) else (text,)
        sample += [side[:_N_CHARACTERS] for side in sides]
    # In their plain form: letters of mathematics and full-width ones are Latin, too.
    counts = Counter(unicodedata.normalize("NFKC", "".join(sample)))
    letters = {each: n for each, n in counts.items() if each.isalpha()}
    if not letters:
        return 0.0
    other = sum(n for each, n in letters.items() if not _is_latin(each))
    return other / sum(letters.values())


def _is_latin(letter: str) -> bool:
    return letter.isascii() or unicodedata.name(letter, "").startswith("LATIN ")
