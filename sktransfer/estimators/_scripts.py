"""Which script texts are written in, as far as a backbone has to know."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

__all__ = ["share_not_latin"]

# What is looked at: so many texts, spread over all of them, and so much of each one.
_N_TEXTS = 200
_N_CHARACTERS = 200


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
    >>> from sktransfer.estimators._scripts import share_not_latin
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
