"""Which words have a row of their own."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

__all__ = ["grown"]


def grown(
    known: Sequence[str],
    counts: Mapping[str, int],
    vectors: Container[str] = (),
    *,
    min_count: int = 1,
    max_words: int | None = None,
) -> tuple[str, ...]:
    """Add words to those that are known.

    Parameters
    ----------
    known : sequence of str
        Keep their places.
    counts : mapping of str to int
        How often each word is there.
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
    >>> grown(["good"], {"a": 2, "good": 1, "film": 2, "rare": 1}, {"rare"}, min_count=2)
    ('good', 'a', 'film', 'rare')
    """
    had = set(known)
    new = [w for w, n in counts.items() if w not in had and (n >= min_count or w in vectors)]
    new.sort(key=lambda word: (-counts[word], word))
    return (*known, *new[:max_words])
