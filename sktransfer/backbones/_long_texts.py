"""Tokenize texts, and cut those that have more tokens than an encoder reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LONG_TEXTS = ("truncate", "head_tail", "window_mean", "window_max")
# Largest number of windows of a text; one of a million words would have thousands.
_MAX_WINDOWS = 64
# Tokens of a text of words are shorter than this on average, so that characters beyond this many
# for each token can be cut before tokenizing.
_CHARS_PER_TOKEN = 64


# Settings of a tokenizer that returns the tokens of texts, without special ones.
_PLAIN = {
    "add_special_tokens": False,
    "split_special_tokens": True,
    "return_attention_mask": False,
    "return_token_type_ids": False,
    "verbose": False,
}


@dataclass(slots=True)
class TokenRow:
    """Token ids of a text, in windows of which all but the last are full.

    Attributes
    ----------
    ids : list of int
        Ids of the tokens, with special ones.
    tokens : int, default=0
        Number of tokens of the whole text, without special ones.
    cut : int, default=0
        Number of these tokens that are not in the row.
    types : list of int or None, default=None
        Of a pair, the number of the text of each token.
    """

    ids: list[int]
    tokens: int = 0
    cut: int = 0
    types: list[int] | None = None

    def __len__(self) -> int:
        return len(self.ids)


class Cutter:
    """Tokenize texts, and cut long ones.

    Parameters
    ----------
    tokenizer : transformers tokenizer
        Tokenizer of the model.
    max_length : int
        Number of tokens of a window, with special ones.
    long_text : {"truncate", "head_tail", "window_mean", "window_max"}
        Part of a longer text that is read, as in `TransformerBackbone`.
    stride : int or None
        Number of tokens from the beginning of a window to that of the next one; None makes windows
        that do not overlap.
    prefix : str
        Prefix of each text.

    Raises
    ------
    ValueError
        If ``long_text`` is another string, or ``stride`` would leave gaps.
    """

    def __init__(
        self, tokenizer: Any, max_length: int, long_text: str, stride: int | None, prefix: str
    ) -> None:
        if long_text not in LONG_TEXTS:
            raise ValueError(f"long_text has to be one of {LONG_TEXTS}, got {long_text!r}.")
        self._tokenizer = tokenizer
        self._max_length = max_length
        self.long_text = long_text
        self._prefix = prefix
        self._before, self._after = _special_tokens(tokenizer)
        self._room = max(1, max_length - len(self._before) - len(self._after))
        if stride is not None and not 1 <= stride <= self._room:
            raise ValueError(
                f"stride has to be from 1 to {self._room}, the tokens of a window without special "
                f"ones, got {stride}."
            )
        self.step = self._room if stride is None else stride

    def rows(self, X: Sequence[Any]) -> list[TokenRow]:
        """Return a row for each text or pair of texts."""
        if not len(X):
            return []
        return self._pairs(X) if isinstance(X[0], tuple) else self._texts(X)

    def spans(self, X: Sequence[str]) -> list[list[tuple[int, int]]]:
        """Return the first and last character of each token of the row of each text."""
        if self.long_text != "truncate" or (len(X) and isinstance(X[0], tuple)):
            raise NotImplementedError(
                f"tokens of pairs, and of texts that are read by long_text={self.long_text!r}, are "
                "not located in the text; long_text='truncate' is"
            )
        texts = [self._prefix + text for text in X]
        offsets = self._tokenizer(texts, return_offsets_mapping=True, **_PLAIN)["offset_mapping"]
        begin, special = len(self._prefix), (0, 0)
        return [
            [
                *[special] * len(self._before),
                *((max(0, a - begin), max(0, b - begin)) for a, b in spans[: self._room]),
                *[special] * len(self._after),
            ]
            for spans in offsets
        ]

    def _texts(self, X: Sequence[str]) -> list[TokenRow]:
        windows = self.long_text.startswith("window")
        room = self._room + self.step * (_MAX_WINDOWS - 1) if windows else self._room
        # The tokenizer reads a text to its end, which takes seconds for a million words. Texts are
        # cut before, far behind the last token that is read.
        longest = _CHARS_PER_TOKEN * self._max_length * (_MAX_WINDOWS if windows else 1)
        read = [
            self._prefix + (text if len(text) <= longest else _ends(text, longest, self.long_text))
            for text in X
        ]
        encoded = self._tokenizer(read, truncation=False, **_PLAIN)["input_ids"]
        rows = []
        for text, kept, ids in zip(X, read, encoded, strict=True):
            n_tokens = len(ids)
            unread = len(text) + len(self._prefix) - len(kept)
            if unread > 0:
                # The tokens that were not counted are taken to be as long as the others.
                n_tokens += round(unread * len(ids) / max(1, len(kept)))
            rows.append(self._row(ids, room, n_tokens))
        return rows

    def _row(self, ids: list[int], room: int, n_tokens: int) -> TokenRow:
        if self.long_text == "head_tail" and len(ids) > room:
            head = room // 4
            ids = [*ids[:head], *ids[len(ids) - (room - head) :]]
        ids = ids[:room]
        cut = max(0, n_tokens - len(ids))
        if len(ids) <= self._room:
            return TokenRow([*self._before, *ids, *self._after], n_tokens, cut)
        row: list[int] = []
        for start in range(0, len(ids) - self._room + self.step, self.step):
            row += [*self._before, *ids[start : start + self._room], *self._after]
        return TokenRow(row, n_tokens, cut)

    def _pairs(self, X: Sequence[tuple[str, str]]) -> list[TokenRow]:
        if self.long_text != "truncate":
            raise ValueError(
                f"long_text={self.long_text!r} is for single texts; pairs are read with 'truncate'."
            )
        longest = _CHARS_PER_TOKEN * self._max_length
        first = [self._prefix + a[:longest] for a, _ in X]
        second = [self._prefix + b[:longest] for _, b in X]
        encoded = self._tokenizer(
            first,
            second,
            truncation="longest_first",
            max_length=self._max_length,
            split_special_tokens=True,
            return_attention_mask=False,
            verbose=False,
        )
        whole = self._tokenizer([*first, *second], truncation=False, **_PLAIN)["input_ids"]
        types = encoded.get("token_type_ids") or [None] * len(X)
        specials = self._tokenizer.num_special_tokens_to_add(pair=True)
        rows = []
        for i, ids in enumerate(encoded["input_ids"]):
            n_tokens = len(whole[i]) + len(whole[i + len(X)])
            cut = max(0, n_tokens - (len(ids) - specials))
            rows.append(TokenRow(ids, n_tokens, cut, types[i]))
        return rows


def _ends(text: str, longest: int, long_text: str) -> str:
    """Cut a text by characters in the way in which its tokens will be cut."""
    text = text.strip()
    if long_text != "head_tail" or len(text) <= longest:
        return text[:longest]
    return text[: longest // 2] + " " + text[-(longest // 2) :]


def _special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Return the special tokens before and after a text."""
    bare = tokenizer("a", **_PLAIN)["input_ids"]
    full = tokenizer("a", **{**_PLAIN, "add_special_tokens": True})["input_ids"]
    for start in range(len(full) - len(bare) + 1):
        if full[start : start + len(bare)] == bare:
            return full[:start], full[start + len(bare) :]
    return [], []
