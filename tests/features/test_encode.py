"""Features in the order of the inputs, each computed once and not by its neighbours."""

from __future__ import annotations

import sys
import types
from importlib.metadata import version

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.contracts.encoder import Encoder
from sktransfer.contracts.versions import version_of
from sktransfer.features import encode as module
from sktransfer.features.encode import encode, encode_rows
from sktransfer.features.store import MemoryStore

# What is slow once, or on a busy machine, is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


class Counting(Encoder):
    """An encoder whose features are a text's length and first character, and that keeps count."""

    dim = 2

    def __init__(self):
        self.module = nn.ModuleDict({"scale": nn.Linear(1, 1), "dropout": nn.Dropout(0.5)})
        self.prepared, self.batches, self.modes = [], [], []

    def prepare(self, X):
        self.prepared += X
        return [[len(x), ord(x[0]) if x else 0, *[0] * len(x)] for x in X]

    def collate(self, rows):
        return {"values": torch.tensor([row[:2] for row in rows], dtype=torch.float32)}

    def states(self, batch):
        raise NotImplementedError("features are computed at once")

    def forward(self, batch):
        self.batches.append(len(batch["values"]))
        self.modes.append((self.module.training, torch.is_grad_enabled()))
        return self.module["dropout"](batch["values"])


def expected(X):
    return torch.tensor([[len(x), ord(x[0]) if x else 0] for x in X], dtype=torch.float32)


@given(st.lists(st.text("abé", max_size=6), min_size=1, max_size=200))
def test_features_are_in_the_order_of_the_inputs_and_duplicates_are_prepared_once(X):
    encoder = Counting()
    features = encode(encoder, X, "fp32")
    assert torch.equal(features, expected(X))
    assert encoder.prepared == list(dict.fromkeys(X))
    assert sum(encoder.batches) == len(set(X))


@given(st.lists(st.text("ab", max_size=4), max_size=150))
def test_rows_are_encoded_each_time_they_occur_and_in_bounded_batches(X):
    encoder = Counting()
    features = encode_rows(encoder, encoder.prepare(X), "fp32")
    assert torch.equal(features, expected(X).reshape(-1, 2))
    assert sum(encoder.batches) == len(X)
    assert all(size <= module._BATCH_SIZE for size in encoder.batches)


def test_encoding_runs_without_dropout_and_gradients_and_leaves_evaluation_mode():
    encoder = Counting()
    encoder.module.train()
    features = encode(encoder, ["a", "b"], "fp32")
    assert encoder.modes == [(False, False)]
    assert not encoder.module.training
    assert not features.requires_grad
    # Features that inference made can still be trained on.
    head = nn.Linear(2, 1)
    head(features).sum().backward()


@pytest.fixture(scope="module")
def encoders(tiny_model):
    return {
        "hashing": HashingBackbone(dim=16).load(device="cpu", random_state=0),
        "tiny": TransformerBackbone(tiny_model).load(device="cpu", random_state=0),
    }


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("name", ["hashing", "tiny"])
def test_batch_mates_do_not_matter(encoders, movie, name, data):
    indices = data.draw(st.lists(st.integers(0, 300), min_size=1, max_size=80))
    X = [movie[0][i] for i in indices]
    together = encode(encoders[name], X, "fp32")
    alone = torch.cat([encode(encoders[name], [x], "fp32") for x in X[:4]])
    torch.testing.assert_close(together[:4], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["hashing", "tiny"])
def test_real_text_in_another_order_gives_the_same_features(encoders, movie, name):
    X = movie[0][:100]
    forward = encode(encoders[name], X, "fp32")
    backward = encode(encoders[name], X[::-1], "fp32")
    torch.testing.assert_close(forward, backward.flip(0), rtol=1e-5, atol=1e-6)
    assert forward.dtype == torch.float32
    assert forward.device.type == "cpu"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_texts_without_a_token_have_finite_features(encoders, precision):
    for encoder in encoders.values():
        features = encode(encoder, ["", " ", "\n", "\0"], precision)
        assert torch.isfinite(features).all()


def test_half_precision_is_another_computation_with_nearly_the_same_result(encoders, movie):
    X = movie[0][:50]
    exact, half = (encode(encoders["tiny"], X, precision) for precision in ("fp32", "bf16"))
    assert half.dtype == torch.float32
    assert not torch.equal(exact, half)
    assert torch.cosine_similarity(exact, half).min() > 0.999


@pytest.mark.weights
def test_half_precision_of_minilm_keeps_the_direction_of_features(movie):
    encoder = TransformerBackbone("minilm").load(device="cpu", random_state=0)
    X = sorted(movie[0][:400], key=len)[::20]
    exact, half = (encode(encoder, X, precision) for precision in ("fp32", "bf16"))
    assert torch.cosine_similarity(exact, half).min() >= 0.999


def test_features_that_an_older_plugin_computed_are_not_found(monkeypatch):
    store, encoder = MemoryStore(), type("Other", (Counting,), {"__module__": "some_plugin.code"})()
    monkeypatch.setitem(sys.modules, "some_plugin", types.ModuleType("some_plugin"))

    def computed(version):
        monkeypatch.setattr(sys.modules["some_plugin"], "__version__", version, raising=False)
        version_of.cache_clear()  # a process has one version
        encoder.prepared.clear()
        encode(encoder, ["a", "b"], "fp32", store=store, identity="weights")
        return list(encoder.prepared)

    assert [computed(version) for version in ("1", "1", "2", "1")] == [
        ["a", "b"],
        [],
        ["a", "b"],
        [],
    ]
    version_of.cache_clear()


def test_the_version_of_a_plugin_is_that_of_its_distribution_where_it_does_not_say():
    assert version_of("skorch") == f"skorch={version('skorch')}"
    assert version_of("pytest") == f"pytest={version('pytest')}"
