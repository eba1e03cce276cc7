"""The tokenizer inside the 4-bit file: SentencePiece's, as the tokenizers library runs it.

The part of the file, little-endian: how many pieces, and the numbers of those that begin a text,
end it, pad it, and stand for what is unknown, i32 each; the bytes of all pieces together, u64;
where each piece begins among those bytes, and where the last one ends, u32; a score for each, f32;
the pieces themselves, in UTF-8; how many characters are replaced, i32, the bytes which that takes,
u32, and for each the character, u32, how many stand in its place, u8, and those, u32.
"""

from __future__ import annotations

import unicodedata
from typing import Any, NamedTuple

import numpy as np

from sktransfer.weights._byte_reader import ByteReader

__all__ = ["Pieces", "build_tokenizer", "read_pieces"]

_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
_MASK = "<mask>"
# NFKC changes it, and SentencePiece's rules do not.
_KEPT = "\uff5e"
_PRIVATE = 0xE000
_LAST_CHARACTER = 0x10FFFF


class Pieces(NamedTuple):
    """What a tokenizer is made of.

    Attributes
    ----------
    vocabulary : list of (str, float)
        Pieces and their scores.
    bos, eos, pad, unk : int
        Numbers of the pieces that begin a text, end it, pad it, and stand for what is unknown.
    replaced : dict of str to str
        Character to what SentencePiece's normalisation puts in its place.
    """

    vocabulary: list[tuple[str, float]]
    bos: int
    eos: int
    pad: int
    unk: int
    replaced: dict[str, str]


def read_pieces(reader: ByteReader, n_rows: int) -> Pieces:
    """Read the tokenizer's part of the file.

    Parameters
    ----------
    reader : ByteReader
        At the beginning of that part; afterwards at its end.
    n_rows : int
        Rows of the word table: there are no more pieces.

    Returns
    -------
    pieces : Pieces

    Raises
    ------
    ValueError
        If the file is cut short or another one.
    """
    n = reader.number("i", 1, n_rows, "the number of pieces")
    special = [
        reader.number("i", 0, n - 1, f"the number of the piece {name!r}")
        for name in ("<s>", "</s>", "<pad>", "<unk>")
    ]
    at = reader.at
    (n_bytes,) = reader.unpack("Q", "the bytes of all pieces")
    offsets_at = reader.at
    offsets = reader.array("<u4", n + 1, None, "where pieces begin").astype(np.int64)
    if offsets[0] != 0 or (np.diff(offsets) < 0).any():
        raise reader.error(offsets_at, "rising places of pieces, from 0", "others")
    if offsets[-1] != n_bytes:
        raise reader.error(at, f"{offsets[-1]} bytes of pieces", str(n_bytes))
    scores = reader.array("<f4", n, None, "the scores of pieces")
    start = reader.at
    blob = reader.bytes(n_bytes, "the pieces")
    vocabulary = []
    for i in range(n):
        try:
            piece = blob[offsets[i] : offsets[i + 1]].decode("utf-8")
        except UnicodeDecodeError as error:
            at = start + int(offsets[i]) + error.start
            raise reader.error(at, f"the piece {i} in UTF-8", error.reason) from None
        vocabulary.append((piece, float(scores[i])))
    for name, number in zip(("<s>", "</s>", "<pad>", "<unk>"), special, strict=True):
        if vocabulary[number][0] != name:
            where = start + int(offsets[number])
            raise reader.error(where, f"the piece {name!r}", repr(vocabulary[number][0]))
    bos, eos, pad, unk = special
    return Pieces(vocabulary, bos, eos, pad, unk, _read_replaced(reader))


def _read_replaced(reader: ByteReader) -> dict[str, str]:
    n = reader.number("i", 0, _LAST_CHARACTER + 1, "the number of characters that are replaced")
    at = reader.at
    (n_bytes,) = reader.unpack("I", "the bytes of what is replaced")
    end = reader.at + n_bytes
    found = {}
    for _ in range(n):
        character = _character(reader)
        (length,) = reader.unpack("B", "the length of a replacement")
        found[character] = "".join(_character(reader) for _ in range(length))
    if reader.at != end:
        raise reader.error(at, f"{reader.at - at - 4} bytes of what is replaced", str(n_bytes))
    return found


def _character(reader: ByteReader) -> str:
    at = reader.at
    value = reader.number("I", 0, _LAST_CHARACTER, "a character")
    if 0xD800 <= value < 0xE000:
        raise reader.error(at, "a character", f"half of one, {value:#x}")
    return chr(value)


def build_tokenizer(pieces: Pieces) -> Any:
    """Make a tokenizer of them.

    Parameters
    ----------
    pieces : Pieces
        What `read_pieces` gave.

    Returns
    -------
    tokenizer : tokenizers.Tokenizer
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.Unigram(pieces.vocabulary, unk_id=pieces.unk))
    tokenizer.normalizer = _normalizer(pieces.replaced)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
        replacement="\u2581", prepend_scheme="always"
    )
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", pieces.bos), ("</s>", pieces.eos)],
    )
    tokenizer.add_special_tokens(
        [AddedToken(name, special=True) for name in _SPECIAL]
        + [AddedToken(_MASK, lstrip=True, special=True)]
    )
    return tokenizer


def _normalizer(replaced: dict[str, str]) -> Any:
    """Put what SentencePiece's rules have beyond NFKC around NFKC itself.

    Those rules are the tables of an old NFKC and a few of its own. Each as a rule of its own would
    be thousands, tried one after the other on every text.
    """
    from tokenizers import Regex, normalizers

    own = {
        character: text
        for character, text in replaced.items()
        if unicodedata.normalize("NFKC", character) != text
    }
    rules: list[Any] = []
    if dropped := "".join(f"\\x{{{ord(each):x}}}" for each, text in own.items() if not text):
        rules.append(normalizers.Replace(Regex(f"[{dropped}]"), ""))
    rules += [normalizers.Replace(character, text) for character, text in own.items() if text]
    # Hidden from NFKC behind characters of the private area.
    kept = [character for character in _KEPT if character not in replaced]
    hidden = [chr(_PRIVATE + i) for i in range(len(kept))]
    rules += [normalizers.Replace(a, b) for a, b in zip(kept, hidden, strict=True)]
    rules.append(normalizers.NFKC())
    rules += [normalizers.Replace(b, a) for a, b in zip(kept, hidden, strict=True)]
    rules.append(normalizers.Replace(Regex(" {2,}"), " "))
    return normalizers.Sequence(rules)
