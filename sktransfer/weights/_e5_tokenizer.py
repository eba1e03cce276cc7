"""Read the tokenizer of the 4-bit file: SentencePiece's, as the tokenizers library runs it.

The part of the file, little-endian: the number of pieces, and the ids of those that begin a text,
end it, pad it, and stand for an unknown one, i32 each; the bytes of all pieces together, u64; the
place of each piece among those bytes, and the end of the last one, u32; a score for each, f32; the
pieces themselves, in UTF-8; the number of characters that are replaced, i32, the bytes of their
replacements, u32, and for each the character, u32, the length of its replacement, u8, and the
characters of the replacement, u32.
"""

from __future__ import annotations

import struct
import unicodedata
from itertools import pairwise
from typing import Any, BinaryIO

import numpy as np

__all__ = ["read_tokenizer", "unpack"]

# NFKC replaces this full-width tilde, and SentencePiece's rules do not: it is kept from NFKC as a
# character of the private area.
_KEPT, _PRIVATE = "\uff5e", "\ue000"


def unpack(file: BinaryIO, formats: str) -> tuple[Any, ...]:
    """Read values as `struct` names them, little-endian and without padding between them."""
    layout = struct.Struct(f"<{formats}")
    return layout.unpack(file.read(layout.size))


def read_tokenizer(file: BinaryIO) -> tuple[Any, int]:
    """Read the tokenizer's part of the file.

    Parameters
    ----------
    file : binary file
        Open at the beginning of that part; afterwards it is at the end of the part.

    Returns
    -------
    tokenizer : tokenizers.Tokenizer
    pad : int
        Id of the piece that pads a text.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    n, bos, eos, pad, unk, n_bytes = unpack(file, "5iQ")
    places = np.fromfile(file, "<u4", n + 1).tolist()
    scores = np.fromfile(file, "<f4", n).tolist()
    text = file.read(n_bytes)
    pieces = [text[start:end].decode("utf-8") for start, end in pairwise(places)]
    replaced = {}
    n_replaced, _ = unpack(file, "iI")
    for _ in range(n_replaced):
        character, length = unpack(file, "IB")
        replaced[chr(character)] = "".join(map(chr, unpack(file, f"{length}I")))
    tokenizer = Tokenizer(models.Unigram(list(zip(pieces, scores, strict=True)), unk_id=unk))
    tokenizer.normalizer = _normalizer(replaced)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
        replacement="\u2581", prepend_scheme="always"
    )
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", bos), ("</s>", eos)],
    )
    special = ("<s>", "<pad>", "</s>", "<unk>")
    tokenizer.add_special_tokens(
        [AddedToken(name, special=True) for name in special]
        + [AddedToken("<mask>", lstrip=True, special=True)]
    )
    return tokenizer, pad


def _normalizer(replaced: dict[str, str]) -> Any:
    """Combine NFKC with the rules of SentencePiece that go beyond it.

    SentencePiece's rules are the tables of an old NFKC and a few of its own. As single rules they
    would be thousands, which are tried one after the other on every text.
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
    if _KEPT in replaced:
        rules.append(normalizers.NFKC())
    else:
        hide, show = (_KEPT, _PRIVATE), (_PRIVATE, _KEPT)
        rules += [normalizers.Replace(*hide), normalizers.NFKC(), normalizers.Replace(*show)]
    rules.append(normalizers.Replace(Regex(" {2,}"), " "))
    return normalizers.Sequence(rules)
