"""From the 4-bit file of multilingual-e5-small to the folder of a HuggingFace model.

All numbers of the file are little-endian. Its parts, in this order:

=========  ======================================================================================
part       content
=========  ======================================================================================
magic      ``E5S1``, and the version, 1, as u32
sizes      i32 each: hidden, layers, heads, intermediate, vocabulary, positions, token types
numerics   epsilon of the layer norms, f32; weights that share a scale, i32, always 32
tokenizer  see `sktransfer.weights._e5_tokenizer`
directory  i32, how many tensors; for each the length of its name, u16, the name, its kind, u8, how
           many numbers, u32, the byte at which they begin, u64, and how many bytes they take, u64
tensors    kind 0 is f32; kind 1 is blocks of 32 weights: a scale, f16, and 16 bytes, whose low
           halves are the first 16 weights and whose high ones are the others, less 8, times scale
=========  ======================================================================================
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sktransfer.weights._byte_reader import ByteReader
from sktransfer.weights._e5_tokenizer import Pieces, build_tokenizer, read_pieces

__all__ = ["convert_e5"]

_FILE = "e5-small-q4.bin"
_F32, _Q4 = 0, 1
_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
_PER_BLOCK = 32
_BYTES = {_F32: 4.0, _Q4: _BLOCK.itemsize / _PER_BLOCK}
# Blocks that are unpacked together: what they take in single precision stays below 100 MB.
_CHUNK = 1 << 19
# Longer than any model of this kind: what is not, is no such file, or damaged.
_LARGEST = {"hidden": 1 << 14, "layers": 1 << 10, "token types": 1 << 10}
_LARGEST_OTHER = 1 << 24

# What the file calls the parts of a layer, and what BertModel does.
_MATRICES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


class _Sizes(NamedTuple):
    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int
    types: int


class _Entry(NamedTuple):
    """A line of the directory, and the byte at which it stands."""

    kind: int
    size: int
    offset: int
    n_bytes: int
    at: int


def convert_e5(folder: Path, into: Path) -> None:
    """Write weights in half precision, tokenizer and settings.

    Parameters
    ----------
    folder : pathlib.Path
        Holds ``e5-small-q4.bin``.
    into : pathlib.Path
        An existing empty folder.

    Raises
    ------
    ValueError
        If the file is cut short or another one; says at which byte what was expected.
    """
    from safetensors.numpy import save_file

    path = folder / _FILE
    reader = ByteReader(path.read_bytes(), str(path))
    sizes, epsilon = _read_sizes(reader)
    pieces = read_pieces(reader, sizes.vocabulary)
    directory = _read_directory(reader)
    tensors = dict(_tensors(reader, directory, sizes))
    # Four bits and a scale of half precision: what rounding to half precision adds is far below.
    weights = into / "model.safetensors"
    save_file(tensors, weights, metadata={"format": "pt"})
    weights.chmod(0o644)  # is written for its owner alone, and several may share a cache
    build_tokenizer(pieces).save(str(into / "tokenizer.json"))
    for name, content in _settings(sizes, epsilon, pieces).items():
        target = into / name
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _read_sizes(reader: ByteReader) -> tuple[_Sizes, float]:
    at = reader.at
    (magic,) = reader.unpack("4s", "the letters E5S1")
    if magic != b"E5S1":
        raise reader.error(at, "the letters E5S1", repr(magic))
    at = reader.at
    (version,) = reader.unpack("I", "the version")
    if version != 1:
        raise reader.error(at, "version 1", str(version))
    found = []
    for name in ("hidden", "layers", "heads", "intermediate", "vocabulary", "positions"):
        found.append(reader.number("i", 1, _LARGEST.get(name, _LARGEST_OTHER), f"size: {name}"))
    found.append(reader.number("i", 1, _LARGEST["token types"], "size: token types"))
    sizes = _Sizes(*found)
    at = reader.at
    epsilon, per_block = reader.unpack("fi", "epsilon and the weights of a block")
    if per_block != _PER_BLOCK:
        raise reader.error(at + 4, f"{_PER_BLOCK} weights a block", str(per_block))
    if not 0 < epsilon < 1:
        raise reader.error(at, "an epsilon between 0 and 1", str(epsilon))
    if sizes.hidden % sizes.heads:
        raise reader.error(16, f"a number of heads that divides {sizes.hidden}", str(sizes.heads))
    # As single precision prints it: 1e-12, not 9.99...e-13.
    return sizes, float(str(np.float32(epsilon)))


def _read_directory(reader: ByteReader) -> dict[str, _Entry]:
    directory = {}
    for _ in range(reader.number("i", 1, 1 << 20, "the number of tensors")):
        at = reader.at
        name = reader.text(reader.number("H", 1, 1 << 10, "the length of a name"), "a name")
        kind, size, offset, n_bytes = reader.unpack("BIQQ", f"the directory's line of {name!r}")
        directory[name] = _Entry(kind, size, offset, n_bytes, at)
    return directory


def _tensors(
    reader: ByteReader, directory: dict[str, _Entry], sizes: _Sizes
) -> Iterator[tuple[str, np.ndarray]]:
    hidden = sizes.hidden

    def tensor(name: str, kind: int, *shape: int) -> np.ndarray:
        return _tensor(reader, directory, name, kind, shape)

    yield "embeddings.LayerNorm.weight", tensor("emb.ln.w", _F32, hidden)
    yield "embeddings.LayerNorm.bias", tensor("emb.ln.b", _F32, hidden)
    words = tensor("emb.word", _Q4, sizes.vocabulary, hidden)
    yield "embeddings.word_embeddings.weight", words
    positions = tensor("emb.pos", _F32, sizes.positions, hidden)
    yield "embeddings.position_embeddings.weight", positions
    # The file may leave out token types that no text of this model has.
    kept = directory["emb.type"].size // hidden if "emb.type" in directory else 1
    types = np.zeros((sizes.types, hidden), np.float16)
    kept = max(1, min(kept, sizes.types))
    types[:kept] = tensor("emb.type", _F32, kept, hidden)
    yield "embeddings.token_type_embeddings.weight", types
    shapes = dict.fromkeys(_MATRICES, (hidden, hidden))
    shapes |= {"fi": (sizes.intermediate, hidden), "fo": (hidden, sizes.intermediate)}
    for layer in range(sizes.layers):
        for short, long in _MATRICES.items():
            prefix = f"encoder.layer.{layer}.{long}"
            yield f"{prefix}.weight", tensor(f"l{layer}.{short}.w", _Q4, *shapes[short])
            yield f"{prefix}.bias", tensor(f"l{layer}.{short}.b", _F32, shapes[short][0])
        for short, long in _NORMS.items():
            prefix = f"encoder.layer.{layer}.{long}"
            yield f"{prefix}.weight", tensor(f"l{layer}.{short}.w", _F32, hidden)
            yield f"{prefix}.bias", tensor(f"l{layer}.{short}.b", _F32, hidden)


def _tensor(
    reader: ByteReader,
    directory: dict[str, _Entry],
    name: str,
    kind: int,
    shape: tuple[int, ...],
) -> np.ndarray:
    """Read a tensor in half precision."""
    if name not in directory:
        raise reader.error(reader.at, f"a tensor {name!r} in the directory before", "none")
    entry = directory[name]
    count = math.prod(shape)
    n_bytes = int(count * _BYTES[kind])
    expected = (kind, count, n_bytes)
    if (count % _PER_BLOCK and kind == _Q4) or (entry.kind, entry.size, entry.n_bytes) != expected:
        raise reader.error(
            entry.at,
            f"{name!r} of kind {kind} with {count} numbers in {n_bytes} bytes",
            f"kind {entry.kind} with {entry.size} numbers in {entry.n_bytes} bytes",
        )
    what = f"the tensor {name!r}"
    values = np.empty(count, np.float16)
    with np.errstate(over="ignore", invalid="ignore"):  # found below
        if kind == _F32:
            values[:] = reader.array("<f4", count, entry.offset, what)
        else:
            _unpack(reader.array(_BLOCK, count // _PER_BLOCK, entry.offset, what), values)
    if not np.isfinite(values).all():
        raise reader.error(entry.offset, f"finite numbers of {name!r}", "others")
    return values.reshape(shape)


def _unpack(blocks: np.ndarray, values: np.ndarray) -> None:
    """Write what blocks stand for."""
    rows = values.reshape(-1, _PER_BLOCK)
    for start in range(0, len(blocks), _CHUNK):
        part = blocks[start : start + _CHUNK]
        nibbles = np.concatenate([part["nibbles"] & 15, part["nibbles"] >> 4], axis=1)
        scale = part["scale"].astype(np.float32)[:, None]
        rows[start : start + _CHUNK] = (nibbles.astype(np.float32) - 8) * scale


def _settings(sizes: _Sizes, epsilon: float, pieces: Pieces) -> dict[str, Any]:
    """Give the files that say how the model is run and its states are pooled."""
    module = "sentence_transformers.models"
    return {
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "hidden_size": sizes.hidden,
            "num_hidden_layers": sizes.layers,
            "num_attention_heads": sizes.heads,
            "intermediate_size": sizes.intermediate,
            "vocab_size": sizes.vocabulary,
            "max_position_embeddings": sizes.positions,
            "type_vocab_size": sizes.types,
            "layer_norm_eps": epsilon,
            "hidden_act": "gelu",
            "hidden_dropout_prob": 0.1,
            "attention_probs_dropout_prob": 0.1,
            "initializer_range": 0.02,
            "pad_token_id": pieces.pad,
            "torch_dtype": "float16",
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": sizes.positions,
            "bos_token": "<s>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "pad_token": "<pad>",
            "cls_token": "<s>",
            "sep_token": "</s>",
            "mask_token": "<mask>",
        },
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": f"{module}.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{module}.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": f"{module}.Normalize"},
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": sizes.hidden,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
        "sentence_bert_config.json": {
            "max_seq_length": sizes.positions,
            "do_lower_case": False,
        },
    }
