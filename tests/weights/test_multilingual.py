"""The weights behind "multilingual", converted from the genuine file."""

from __future__ import annotations

import numpy as np
import pytest

from sktransfer.plugins import resolve
from sktransfer.weights import file_sha256, find_weights

pytestmark = pytest.mark.weights("multilingual")

# What the genuine tokenizer gives.
IDS = {
    "query: The weather is lovely today.": [
        *(0, 41, 1294, 12, 581, 92949, 83, 113856, 18925, 5, 2),
    ],
    "query: 今天的天气真好。": [0, 41, 1294, 12, 6, 99706, 70871, 5364, 1322, 30, 2],
    "query: الطقس جميل اليوم": [0, 41, 1294, 12, 35717, 94129, 105937, 7089, 2],
    "query: 🎉🎉 so good 👍🏽": [
        *(0, 41, 1294, 12, 6, 243816, 243816, 221, 4127, 6, 118280, 245164, 2),
    ],
    "query: Ｆｕｌｌ ｗｉｄｔｈ ～ é ﬁ  two": [
        *(0, 41, 1294, 12, 9312, 6, 146984, 6, 6087, 393, 809, 6626, 2),
    ],
}


def test_the_weights_are_bit_for_bit_those_that_were_measured(multilingual):
    assert find_weights("multilingual") == multilingual
    assert file_sha256(multilingual / "model.safetensors") == (
        "0db63e48749a5013e4b105d9e1f97c7a5a6f5192c0b3e5fc3f53afb349315f42"
    )


def test_texts_of_any_language_are_cut_into_the_same_pieces_as_by_the_genuine_tokenizer(
    multilingual,
):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(multilingual / "tokenizer.json"))
    assert {text: tokenizer.encode(text).ids for text in IDS} == IDS


def test_a_translation_is_nearer_than_another_sentence_of_the_same_language(multilingual):
    import torch

    encoder = resolve("backbone", "multilingual").load(device="cpu", random_state=0)
    assert encoder.dim == 384
    assert {parameter.dtype for parameter in encoder.module.parameters()} == {torch.float32}
    texts = [
        "The hotel room was clean and quiet.",
        "酒店房间干净又安静。",
        "La habitación del hotel estaba limpia y tranquila.",
        "The central bank raised interest rates again.",
        "央行再次提高了利率。",
    ]
    rows = encoder.prepare(texts)
    assert rows[1].ids[:4] == [0, 41, 1294, 12]  # the prefix that the model was trained with
    with torch.no_grad():
        features = encoder.forward(encoder.collate(rows)).numpy()
    cosines = features @ features.T
    np.testing.assert_allclose(np.diag(cosines), 1, rtol=1e-5)
    hotel, bank = [0, 1, 2], [3, 4]
    unrelated = cosines[np.ix_(hotel, bank)].max()
    for a, b in [(0, 1), (0, 2), (3, 4)]:
        assert cosines[a, b] > unrelated + 0.02
