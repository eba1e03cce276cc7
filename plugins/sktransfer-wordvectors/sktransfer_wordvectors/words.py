"""Texts to words."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["TOKENIZERS", "chosen_tokenizer", "tokenizer"]

# Letters, marks and digits of any script, joined by apostrophes or hyphens between them, as in
# "don't"; numbers with their points and commas; any other sign by itself.
_NUMBER = r"\d+(?:[.,]\d+)*"
_WORD = r"[^\W\d_]\w*(?:['’\-][^\W_]\w*)*"
_PATTERN = re.compile(rf"{_NUMBER}|{_WORD}|\w+|[^\w\s]")
# GloVe and others were trained on text whose short forms were taken apart: "do n't", "it 's".
_SHORT = re.compile(r"(?i)^(.+?)(n['’]t|['’](?:s|re|ve|ll|d|m))$")
# Scripts that are written without blanks between words.
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")


def words(text: str) -> list[str]:
    """Split by Unicode's classes of characters, short forms apart.

    Parameters
    ----------
    text : str
        Of any length.

    Returns
    -------
    words : list of str
        In lower case.

    Examples
    --------
    >>> from sktransfer_wordvectors.words import words
    >>> words("It's 3.5 stars — don't miss it!")
    ['it', "'s", '3.5', 'stars', '—', 'do', "n't", 'miss', 'it', '!']
    """
    found: list[str] = []
    plain = text.lower() if text.isascii() else unicodedata.normalize("NFC", text).lower()
    split = _PATTERN.findall(plain)
    if "'" not in plain and "’" not in plain:
        return split
    for word in split:
        short = _SHORT.match(word) if len(word) > 2 and not word[0].isdigit() else None
        found += [part.replace("’", "'") for part in short.groups()] if short else [word]
    return found


def characters(text: str) -> list[str]:
    """Split into characters what is written without blanks, and the rest into words.

    Parameters
    ----------
    text : str
        Of any length.

    Returns
    -------
    words : list of str
        In lower case.

    Examples
    --------
    >>> from sktransfer_wordvectors.words import characters
    >>> characters("这家hotel很好!")
    ['这', '家', 'hotel', '很', '好', '!']
    """
    found: list[str] = []
    for run in _runs(text):
        found += list(run) if _is_unspaced(run[0]) else words(run)
    return found


def jieba(text: str) -> list[str]:
    """Split Chinese into words by jieba, and the rest as `words` does; the extra ``zh`` brings it.

    Parameters
    ----------
    text : str
        Of any length.

    Returns
    -------
    words : list of str
        In lower case.
    """
    cut = _jieba()
    return [
        word for run in _runs(text) for word in (cut(run) if _is_unspaced(run[0]) else words(run))
    ]


TOKENIZERS: dict[str, Callable[[str], list[str]]] = {
    "words": words,
    "characters": characters,
    "jieba": jieba,
}


def tokenizer(name: str) -> Callable[[str], list[str]]:
    """Give a tokenizer by its name.

    Parameters
    ----------
    name : {"auto", "words", "characters", "jieba"}
        Which; ``"auto"`` that has seen no training texts is ``"words"``.

    Returns
    -------
    tokenizer : callable
        Turns a text into a list of words.

    Raises
    ------
    ImportError
        If jieba is not installed.
    ValueError
        If there is none of that name.
    """
    if name == "auto":
        return words
    if name not in TOKENIZERS:
        raise ValueError(
            f"tokenizer has to be one of {sorted(['auto', *TOKENIZERS])}, got {name!r}."
        )
    if name == "jieba":
        _jieba()
    return TOKENIZERS[name]


def chosen_tokenizer(texts: Iterable[str]) -> str:
    """Choose how texts are split by the script that most of their letters are of.

    Parameters
    ----------
    texts : iterable of str
        To be trained on.

    Returns
    -------
    name : {"words", "characters"}
        ``"characters"`` where most letters are of scripts that are written without blanks.

    Examples
    --------
    >>> from sktransfer_wordvectors.words import chosen_tokenizer
    >>> chosen_tokenizer(["这家hotel很好!"]), chosen_tokenizer(["这家酒店很好!"])
    ('words', 'characters')
    """
    letters = [char for text in texts for char in text if char.isalpha()]
    return "characters" if 2 * sum(map(_is_unspaced, letters)) > len(letters) else "words"


def subwords(word: str, shortest: int = 3, longest: int = 5) -> Iterable[str]:
    """Give the character n-grams of a word, with its edges marked, and the word itself.

    Parameters
    ----------
    word : str
        Not empty.
    shortest, longest : int, default=3, 5
        Of the n-grams, in characters.

    Returns
    -------
    ngrams : list of str
        As in Bojanowski et al. (2017), arXiv:1607.04606.

    Examples
    --------
    >>> from sktransfer_wordvectors.words import subwords
    >>> subwords("cat", 3, 4)
    ['<cat>', '<ca', 'cat', 'at>', '<cat', 'cat>']
    """
    marked = f"<{word}>"
    found = [marked]
    for n in range(shortest, longest + 1):
        found += [marked[i : i + n] for i in range(len(marked) - n + 1) if n < len(marked)]
    return found


def _runs(text: str) -> list[str]:
    """Part a text where it changes between scripts with and without blanks."""
    found: list[str] = []
    before: bool | None = None
    for char in unicodedata.normalize("NFC", text).lower():
        now = _is_unspaced(char)
        if now == before:
            found[-1] += char
        else:
            found.append(char)
        before = now
    return found


@functools.lru_cache(maxsize=2**14)
def _is_unspaced(char: str) -> bool:
    return unicodedata.name(char, "").startswith(_UNSPACED)


@functools.cache
def _jieba() -> Any:
    try:
        from jieba import Tokenizer
    except ImportError as error:
        raise ImportError(
            "tokenizer='jieba' needs jieba: pip install 'sktransfer-wordvectors[zh]'."
        ) from error
    cutter = Tokenizer()
    # As its `initialize` does, without the cache that it would write where all users may, and read.
    cutter.FREQ, cutter.total = cutter.gen_pfdict(cutter.get_dict_file())
    cutter.initialized = True
    return cutter.lcut
