"""The reader of the 4-bit file, on small files that are made here."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.weights._e5 import convert_e5

SIZES = (32, 2, 4, 64, 48, 16, 2)
HIDDEN, LAYERS, _, WIDE, N_WORDS, POSITIONS, _ = SIZES
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "\u2581", "\u2581the", "ab", "\u597d"]
PIECES += [*"abcdefghijklmnopqrstuvwxyz", "<mask>"]
REPLACED = {"\x01": "", "\u00a0": " ", "\uff21": "A", "\u1e9e": "SS"}


def q4(values):
    """Write blocks of 32: a scale and the sixteenths of it, as the file has them."""
    out = b""
    for block in values.reshape(-1, 32):
        scale = np.float16(np.abs(block).max() / 7 or 1.0)
        nibbles = np.clip(np.round(block / np.float32(scale)) + 8, 0, 15).astype(np.uint8)
        out += scale.tobytes() + (nibbles[:16] | nibbles[16:] << 4).tobytes()
    return out


def tensors():
    """Give (name, kind, values) of all tensors of a file, drawn."""
    rng = np.random.default_rng(0)

    def draw(name, kind, *shape):
        return name, kind, rng.normal(size=shape).astype(np.float32)

    yield draw("emb.word", 1, N_WORDS, HIDDEN)
    yield draw("emb.pos", 0, POSITIONS, HIDDEN)
    yield draw("emb.type", 0, 1, HIDDEN)
    yield draw("emb.ln.w", 0, HIDDEN)
    yield draw("emb.ln.b", 0, HIDDEN)
    for layer in range(LAYERS):
        for name, n_out, n_in in [
            ("q", HIDDEN, HIDDEN),
            ("k", HIDDEN, HIDDEN),
            ("v", HIDDEN, HIDDEN),
            ("ao", HIDDEN, HIDDEN),
            ("fi", WIDE, HIDDEN),
            ("fo", HIDDEN, WIDE),
        ]:
            yield draw(f"l{layer}.{name}.w", 1, n_out, n_in)
            yield draw(f"l{layer}.{name}.b", 0, n_out)
        for name in ("aln", "oln"):
            yield draw(f"l{layer}.{name}.w", 0, HIDDEN)
            yield draw(f"l{layer}.{name}.b", 0, HIDDEN)


def file_parts():
    """Give the parts of a file by name, in order."""
    pieces = [piece.encode() for piece in PIECES]
    ends = np.cumsum([0, *map(len, pieces)])
    replaced = b"".join(
        struct.pack(f"<IB{len(text)}I", ord(character), len(text), *map(ord, text))
        for character, text in REPLACED.items()
    )
    parts = {
        "magic": b"E5S1",
        "version": struct.pack("<I", 1),
        "sizes": struct.pack("<7i", *SIZES),
        "numerics": struct.pack("<fi", 1e-12, 32),
        "pieces": struct.pack("<5i", len(PIECES), 0, 2, 1, 3),
        "bytes of pieces": struct.pack("<Q", ends[-1]),
        "places": ends.astype("<u4").tobytes(),
        "scores": np.linspace(0, -8, len(PIECES)).astype("<f4").tobytes(),
        "text": b"".join(pieces),
        "replaced": struct.pack("<iI", len(REPLACED), len(replaced)) + replaced,
    }
    data = [(name, kind, v, q4(v) if kind else v.tobytes()) for name, kind, v in tensors()]
    parts["number of tensors"] = struct.pack("<i", len(data))
    lines = sum(struct.calcsize("<HBIQQ") + len(name) for name, *_ in data)
    start = sum(map(len, parts.values())) + lines
    for name, kind, values, content in data:
        line = struct.pack("<BIQQ", kind, values.size, start, len(content))
        parts[f"line {name}"] = struct.pack("<H", len(name)) + name.encode() + line
        start += len(content)
    return parts | {f"data {name}": content for name, _, _, content in data}


PARTS = file_parts()
FILE = b"".join(PARTS.values())


@pytest.fixture(scope="module")
def convert(tmp_path_factory):
    def convert(content):
        folder = tmp_path_factory.mktemp("file")
        (folder / "e5-small-q4.bin").write_bytes(content)
        (folder / "out").mkdir()
        convert_e5(folder, folder / "out")
        return folder / "out"

    return convert


@pytest.fixture(scope="module")
def converted(convert):
    return convert(FILE)


def test_all_weights_are_there_in_half_precision(converted):
    found = load_file(converted / "model.safetensors")
    given = {name: values for name, _, values in tensors()}
    assert len(found) == len(given)
    assert {value.dtype for value in found.values()} == {np.dtype(np.float16)}

    def assert_close(name, short, atol):
        np.testing.assert_allclose(found[name], given[short], rtol=1e-3, atol=atol)

    # Half a step of four bits, of values below 4 or so.
    assert_close("embeddings.word_embeddings.weight", "emb.word", 0.35)
    assert_close("embeddings.position_embeddings.weight", "emb.pos", 0)
    assert_close("encoder.layer.1.intermediate.dense.weight", "l1.fi.w", 0.35)
    assert_close("encoder.layer.1.output.dense.weight", "l1.fo.w", 0.35)
    assert_close("encoder.layer.0.attention.self.key.weight", "l0.k.w", 0.35)
    assert_close("encoder.layer.0.attention.output.LayerNorm.bias", "l0.aln.b", 0)
    assert_close("encoder.layer.1.output.LayerNorm.weight", "l1.oln.w", 0)
    types = found["embeddings.token_type_embeddings.weight"]
    np.testing.assert_allclose(types[0], given["emb.type"][0], rtol=1e-3)
    assert not types[1].any()


@given(
    nibbles=st.lists(st.integers(0, 15), min_size=32, max_size=32),
    scale=st.floats(-8, 8, width=16),
)
@settings(max_examples=25, deadline=None)
def test_a_block_is_sixteen_low_halves_then_sixteen_high_ones(convert, nibbles, scale):
    low, high = np.array(nibbles, np.uint8).reshape(2, 16)
    block = np.float16(scale).tobytes() + (low | high << 4).tobytes()
    start = FILE.index(PARTS["data emb.word"])
    found = load_file(convert(FILE[:start] + block + FILE[start + 18 :]) / "model.safetensors")
    first = found["embeddings.word_embeddings.weight"][0]
    expected = (np.array(nibbles, np.float32) - 8) * np.float32(scale)
    np.testing.assert_array_equal(first, expected.astype(np.float16))


def test_the_folder_is_a_model_that_loads_in_single_precision(converted):
    import torch

    encoder = TransformerBackbone(converted, prefix="ab ").load(device="cpu", random_state=0)
    assert {parameter.dtype for parameter in encoder.module.parameters()} == {torch.float32}
    assert list(encoder.blocks) == ["embeddings", "layer.0", "layer.1"]
    assert encoder.max_length == POSITIONS
    with torch.no_grad():
        features = encoder.forward(encoder.collate(encoder.prepare(["the ab", "\u597d"])))
    np.testing.assert_allclose(features.norm(dim=1), 1, rtol=1e-5)
    config = json.loads((converted / "config.json").read_text())
    assert config["layer_norm_eps"] == 1e-12


def test_text_is_normalised_and_cut_as_the_file_says(converted):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(converted / "tokenizer.json"))

    def pieces(text):
        return tokenizer.encode(text).tokens

    assert pieces("the  ab") == ["<s>", "\u2581the", "\u2581", "ab", "</s>"]
    assert pieces("t\x01he\u00a0\u597d") == ["<s>", "\u2581the", "\u2581", "\u597d", "</s>"]
    assert pieces("<mask>")[1:-1] == ["<mask>"]


@pytest.mark.parametrize(
    ("part", "content", "got"),
    [
        ("magic", b"GGUF", "GGUF"),
        ("version", struct.pack("<I", 2), "version 2"),
        ("numerics", struct.pack("<fi", 1e-12, 64), "64 weights a block"),
    ],
)
def test_a_file_of_another_format_or_version_is_refused(convert, part, content, got):
    with pytest.raises(ValueError, match=rf"e5-small-q4\.bin begins with .*{got}.*: expected"):
        convert(b"".join({**PARTS, part: content}.values()))
