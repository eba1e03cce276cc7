from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest

# One thread each, so that workers of the suite do not fight and bits do not depend on the machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items):
    from sktransfer.weights import KNOWN_WEIGHTS

    for item in items:
        for marker in item.iter_markers("weights"):
            for name in marker.args or ("minilm",):
                requirement = KNOWN_WEIGHTS[name].requirement
                if not _is_installed(requirement):
                    item.add_marker(pytest.mark.skip(reason=f"{requirement} is not installed"))
        if "SKTRANSFER_DATA" not in os.environ and item.get_closest_marker("shared_data"):
            item.add_marker(pytest.mark.skip(reason="SKTRANSFER_DATA is not set"))


def _is_installed(requirement):
    name, _, wanted = requirement.partition("==")
    try:
        return version(name) == wanted
    except PackageNotFoundError:
        return False


@pytest.fixture
def multilingual(request, monkeypatch) -> Path:
    """The folder of the multilingual weights, converted in a cache that all runs share."""
    from sktransfer.weights import find_weights

    monkeypatch.setenv("SKTRANSFER_CACHE", str(request.config.cache.mkdir("weights")))
    return find_weights("multilingual")


@pytest.fixture(autouse=True)
def _few_threads():
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """An empty folder that is all pip can download from."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


@pytest.fixture(scope="session")
def movie():
    """Real movie reviews: (texts, labels), shuffled once."""
    return _reviews("movie")


@pytest.fixture(scope="session")
def amazon():
    """Real product reviews: (texts, labels), shuffled once."""
    return _reviews("amazon")


def _reviews(domain):
    from sktransfer.datasets import fetch_review_snippets

    X, y = fetch_review_snippets(domain, return_X_y=True)
    order = np.random.RandomState(0).permutation(len(X))
    return [X[i] for i in order], np.asarray(y)[order]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """A BERT of three layers with random weights, as a folder."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("tiny_model")
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)] + list("0123456789.,!?'-[]")
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    vocab += [
        "the",
        "a",
        "film",
        "movie",
        "good",
        "bad",
        "great",
        "dull",
        "is",
        "was",
        "not",
        "very",
        "it",
        "and",
        "of",
        "to",
    ]
    (folder / "vocab.txt").write_text("\n".join(vocab), encoding="utf-8")
    numbers = {token: number for number, token in enumerate(vocab)}
    tokenizer = BertTokenizer(vocab=numbers, model_max_length=64)
    tokenizer.save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=len(vocab),
            hidden_size=32,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=64,
            max_position_embeddings=64,
        )
        BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def heif(monkeypatch) -> bytes:
    """A file in HEIF, and an opener in Pillow as pillow_heif registers it: a PPM lies within."""
    import io

    from PIL import Image, PpmImagePlugin

    Image.init()
    start = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"

    class HeifImageFile(PpmImagePlugin.PpmImageFile):
        format = "HEIF"

        def __init__(self, fp, filename=None):
            super().__init__(io.BytesIO(fp.read().removeprefix(start)))

    monkeypatch.setattr(Image, "ID", [*Image.ID])
    monkeypatch.setattr(Image, "OPEN", {**Image.OPEN})
    Image.register_open("HEIF", HeifImageFile, lambda prefix: prefix[4:12] == b"ftypheic")
    return start + b"P6 2 1 255\n" + bytes([9, 8, 7, 200, 100, 50])
