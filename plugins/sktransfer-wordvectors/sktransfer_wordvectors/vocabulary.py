"""Which words have a row of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence

__all__ = ["grown"]


def grown(
    known: Sequence[str],
    texts: Iterable[Sequence[str]],
    vectors: Container[str] = (),
    *,
    min_count: int = 1,
    max_words: int | None = None,
) -> tuple[str, ...]:
    """Add the words of texts to those that are known.

    Parameters
    ----------
    known : sequence of str
        Keep their places.
    texts : iterable of sequence of str
        Words of each text.
    vectors : container of str, default=()
        Words that have a pretrained vector: they are added however rare they are.
    min_count : int, default=1
        How often other words have to be there.
    max_words : int or None, default=None
        Most words that are added; the most frequent ones, and of equally frequent ones those
        that come first in alphabetical order. None adds all.

    Returns
    -------
    words : tuple of str
        Known ones, then new ones from the most to the least frequent.

    Examples
    --------
    >>> from sktransfer_wordvectors.vocabulary import grown
    >>> grown(["good"], [["a", "good", "film"], ["a", "film"], ["rare"]], {"rare"}, min_count=2)
    ('good', 'a', 'film', 'rare')
    """
    had = set(known)
    counts = Counter(word for text in texts for word in text if word not in had)
    new = [w for w, n in counts.items() if n >= min_count or w in vectors]
    new.sort(key=lambda word: (-counts[word], word))
    return (*known, *new[:max_words])
