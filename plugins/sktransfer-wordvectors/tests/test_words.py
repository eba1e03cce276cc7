"""Texts to words, and words to a vocabulary."""

from __future__ import annotations

import sys
import unicodedata
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sktransfer_wordvectors.vocabulary import grown
from sktransfer_wordvectors.words import TOKENIZERS, characters, subwords, tokenizer, words

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
WORD = st.text("abcdef", min_size=1, max_size=2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop!", ["do", "n't", "stop", "!"]),
        ("They’ll say it’s ‘fine’", ["they", "'ll", "say", "it", "'s", "‘", "fine", "’"]),
        ("state-of-the-art", ["state-of-the-art"]),
        ("1,000.50 naïve Ünïcödé", ["1,000.50", "naïve", "ünïcödé"]),
        ("", []),
        (" \n\t", []),
        ("N'T", ["n't"]),
        ("dogs' o'clock", ["dogs", "'", "o'clock"]),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


def test_scripts_without_blanks_are_split_into_characters():
    assert characters("今天iPhone不错，3.5星") == [
        "今",
        "天",
        "iphone",
        "不",
        "错",
        "，",
        "3.5",
        "星",
    ]
    assert characters("It's ok") == words("It's ok")


def test_jieba_finds_chinese_words(tmp_path, monkeypatch, capfd):
    pytest.importorskip("jieba")
    from sktransfer_wordvectors import words as module

    module._jieba.cache_clear()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert "手机" in tokenizer("jieba")("这个手机很好, don't worry")
    assert tokenizer("jieba")("don't") == ["do", "n't"]
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr() == ("", "")


def test_a_missing_jieba_and_an_unknown_name_say_what_to_do(monkeypatch):
    from sktransfer_wordvectors import words as module

    module._jieba.cache_clear()
    monkeypatch.setitem(sys.modules, "jieba", None)
    with pytest.raises(ImportError, match=r"pip install 'sktransfer-wordvectors\[zh\]'"):
        tokenizer("jieba")
    with pytest.raises(ValueError, match=r"\['auto', 'characters', 'jieba', 'words'\], got 'word'"):
        tokenizer("word")


@settings(max_examples=200, deadline=None)
@given(TEXT)
@pytest.mark.parametrize("split", [words, characters])
def test_nothing_but_blanks_is_lost(split, text):
    plain = unicodedata.normalize("NFC", text).lower()
    kept = "".join("".join(part.split()) for part in split(text)).replace("’", "'")
    assert kept == "".join(c for c in plain if not c.isspace()).replace("’", "'")
    assert all(split(text))


def test_subwords_mark_the_edges():
    assert subwords("a", 3, 4) == ["<a>"]
    assert subwords("cat", 3, 4) == ["<cat>", "<ca", "cat", "at>", "<cat", "cat>"]


TEXTS = st.lists(st.lists(WORD, max_size=6), max_size=5)


def counted(texts):
    return Counter(word for text in texts for word in text)


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS, st.sets(WORD, max_size=4), st.integers(1, 3), st.none() | st.integers(0, 5))
def test_what_is_known_keeps_its_place(first, second, vectors, min_count, max_words):
    known = grown((), counted(first), vectors, min_count=min_count)
    found = grown(known, counted(second), vectors, min_count=min_count, max_words=max_words)
    assert found[: len(known)] == known
    assert len(set(found)) == len(found)
    new = found[len(known) :]
    assert max_words is None or len(new) <= max_words
    counts = {word: sum(text.count(word) for text in second) for word in new}
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    assert all(n >= min_count or word in vectors for word, n in counts.items())
    if max_words is None:
        left = {word for text in second for word in text} - set(found)
        assert not left & vectors
    # The order of texts must not matter, nor must sets.
    other = counted(second[::-1])
    again = grown(known, other, set(vectors), min_count=min_count, max_words=max_words)
    assert again == found


def test_every_tokenizer_has_a_name():
    assert set(TOKENIZERS) == {"words", "characters", "jieba"}
