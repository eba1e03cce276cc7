"""Convert the 4-bit file of multilingual-e5-small to the folder of a HuggingFace model.

The file is verified by its hash before, so that only its header is checked here. All numbers are
little-endian. The parts of the file, in this order:

=========  ======================================================================================
part       content
=========  ======================================================================================
magic      ``E5S1``, and the version, 1, as u32
sizes      i32 each: hidden, layers, heads, intermediate, vocabulary, positions, token types
numerics   epsilon of the layer norms, f32; weights that share a scale, i32, always 32
tokenizer  see `sktransfer.weights._e5_tokenizer`
directory  i32, number of tensors; for each the length of its name, u16, the name, its kind, u8, the
           number of its values, u32, the byte at which they begin, u64, and their bytes, u64
tensors    kind 0 is f32; kind 1 is blocks of 32 weights: a scale, f16, and 16 bytes, whose low
           halves are the first 16 weights and whose high ones are the others, less 8, times scale
=========  ======================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sktransfer.weights._e5_tokenizer import read_tokenizer, unpack

__all__ = ["convert_e5"]

_FILE = "e5-small-q4.bin"
_F32 = 0
_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
_PER_BLOCK = 32
# Blocks that are unpacked together: in single precision they take less than 100 MB.
_CHUNK = 1 << 19

# The parts of a layer: their names in the file, and in BertModel.
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


def convert_e5(folder: Path, into: Path) -> None:
    """Write the weights in half precision, the tokenizer and the settings.

    Parameters
    ----------
    folder : pathlib.Path
        Folder that holds ``e5-small-q4.bin``.
    into : pathlib.Path
        An existing empty folder.

    Raises
    ------
    ValueError
        If the file is not of this format, or of another version of it.
    """
    from safetensors.numpy import save_file

    path = folder / _FILE
    with path.open("rb") as file:
        magic, version, *numbers, epsilon, per_block = unpack(file, "4sI7ifi")
        if (magic, version, per_block) != (b"E5S1", 1, _PER_BLOCK):
            raise ValueError(
                f"{path} begins with {magic!r}, version {version}, {per_block} weights a block: "
                f"expected b'E5S1', version 1, {_PER_BLOCK} weights a block."
            )
        sizes = _Sizes(*numbers)
        tokenizer, pad = read_tokenizer(file)
        directory = {}
        (n_tensors,) = unpack(file, "i")
        for _ in range(n_tensors):
            (length,) = unpack(file, "H")
            name = file.read(length).decode("utf-8")
            directory[name] = unpack(file, "BIQQ")
    # Half precision is enough: four bits and a scale of half precision are far coarser.
    weights = into / "model.safetensors"
    save_file(dict(_tensors(path, directory, sizes)), weights, metadata={"format": "pt"})
    weights.chmod(0o644)  # other users may share the cache
    tokenizer.save(str(into / "tokenizer.json"))
    # Epsilon is written as single precision prints it: 1e-12, not 9.99...e-13.
    for name, content in _settings(sizes, float(str(np.float32(epsilon))), pad).items():
        target = into / name
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _tensors(
    path: Path, directory: dict[str, tuple[int, ...]], sizes: _Sizes
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name in BertModel and the values, in half precision, of each tensor."""
    hidden = sizes.hidden

    def tensor(name: str, *shape: int) -> np.ndarray:
        kind, size, offset, _ = directory[name]
        if kind == _F32:
            values = np.fromfile(path, "<f4", size, offset=offset).astype(np.float16)
        else:
            values = _unpacked(np.fromfile(path, _BLOCK, size // _PER_BLOCK, offset=offset))
        return values.reshape(shape)

    yield "embeddings.LayerNorm.weight", tensor("emb.ln.w", hidden)
    yield "embeddings.LayerNorm.bias", tensor("emb.ln.b", hidden)
    yield "embeddings.word_embeddings.weight", tensor("emb.word", sizes.vocabulary, hidden)
    yield "embeddings.position_embeddings.weight", tensor("emb.pos", sizes.positions, hidden)
    # The file leaves out token types that no text of this model has.
    types = np.zeros((sizes.types, hidden), np.float16)
    stored = tensor("emb.type", -1, hidden)
    types[: len(stored)] = stored
    yield "embeddings.token_type_embeddings.weight", types
    shapes = dict.fromkeys(_MATRICES, (hidden, hidden))
    shapes |= {"fi": (sizes.intermediate, hidden), "fo": (hidden, sizes.intermediate)}
    for layer in range(sizes.layers):
        for short, long in (_MATRICES | _NORMS).items():
            prefix = f"encoder.layer.{layer}.{long}"
            shape = shapes.get(short, (hidden,))
            yield f"{prefix}.weight", tensor(f"l{layer}.{short}.w", *shape)
            yield f"{prefix}.bias", tensor(f"l{layer}.{short}.b", shape[0])


def _unpacked(blocks: np.ndarray) -> np.ndarray:
    """Compute the weights of blocks, in half precision, of shape (n_blocks, 32)."""
    rows = np.empty((len(blocks), _PER_BLOCK), np.float16)
    for start in range(0, len(blocks), _CHUNK):
        part = blocks[start : start + _CHUNK]
        nibbles = np.concatenate([part["nibbles"] & 15, part["nibbles"] >> 4], axis=1)
        scale = part["scale"].astype(np.float32)[:, None]
        rows[start : start + _CHUNK] = (nibbles.astype(np.float32) - 8) * scale
    return rows


def _settings(sizes: _Sizes, epsilon: float, pad: int) -> dict[str, Any]:
    """Return the content of each file of settings: of the model, its tokenizer and its pooling."""
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
            "pad_token_id": pad,
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
