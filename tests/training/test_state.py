"""What is kept of a fitted model: a reference to the backbone, and what was trained."""

from __future__ import annotations

import copy
import json
import pickle
import shutil

import joblib
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.base import clone

from sktransfer import TransferTextClassifier
from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.freezing.strategies import BottomLayers
from sktransfer.heads.linear import LinearHead
from sktransfer.training.module import TransferModule
from sktransfer.training.state import FittedNet, ModelState


@pytest.fixture(scope="module")
def data(movie):
    return movie[0][:40], movie[1][:40]


@pytest.fixture
def model(tiny_model, tmp_path):
    """A copy of the model's folder that may be changed."""
    return shutil.copytree(tiny_model, tmp_path / "tiny")


def fit(model, data, freeze="frozen", **params):
    params = {"max_epochs": 1, "random_state": 0} | params
    return TransferTextClassifier(model, freeze=freeze, **params).fit(*data)


def count_loads(monkeypatch):
    loads = []
    real = TransformerBackbone.load

    def load(self, **kwargs):
        loads.append(self.model)
        return real(self, **kwargs)

    monkeypatch.setattr(TransformerBackbone, "load", load)
    return loads


def test_a_frozen_classifier_holds_its_head_alone(model, data):
    state = fit(model, data).net_.state
    assert state.body == {}
    assert sorted(state.head_weights) == ["bias", "weight"]
    assert state.n_outputs == 2


@pytest.mark.weights
def test_the_pickle_of_a_frozen_classifier_has_less_than_100_kb(data):
    clf = fit("minilm", data)
    assert len(pickle.dumps(clf)) < 100_000


@pytest.mark.parametrize("freeze", ["frozen", "full"])
def test_pickles_of_a_model_are_alike_so_that_hashes_find_it_again(model, data, freeze):
    clf = fit(model, data, freeze)
    first = joblib.hash(clf.net_)
    pickles = []
    for _ in range(3):
        pickles.append(pickle.dumps(clf))
        pickle.loads(pickles[-1])  # moves the memory about
    assert len(set(pickles)) == 1
    clf.predict(data[0])
    assert joblib.hash(clf.net_) == first
    assert joblib.hash(fit(model, data, freeze, random_state=1).net_) != first


def test_weights_that_are_shared_by_processes_are_not_written_to(model, data):
    clf = fit(model, data, "full")
    expected = clf.predict_proba(data[0])
    buffers = []
    pickled = pickle.dumps(clf, protocol=5, buffer_callback=buffers.append)
    # What was trained travels beside the pickle, without a copy.
    assert len(pickled) < 20_000
    before = [bytes(buffer.raw()) for buffer in buffers]
    again = pickle.loads(pickled, buffers=list(before))
    np.testing.assert_array_equal(again.predict_proba(data[0]), expected)
    again.partial_fit(*data)
    assert [bytes(buffer.raw()) for buffer in buffers] == before
    np.testing.assert_array_equal(clf.predict_proba(data[0]), expected)


@pytest.mark.parametrize(
    "weight",
    [
        torch.arange(12.0).reshape(3, 4) / 7,
        (torch.arange(6.0).reshape(2, 3) / 7).to(torch.bfloat16),
        torch.tensor(7),
        torch.tensor([True, False]),
        torch.empty(0, 3),
        (torch.arange(12.0).reshape(4, 3) / 7).T,
        torch.arange(3, dtype=torch.float64) / 7,
    ],
    ids=["matrix", "bfloat16", "scalar", "bool", "empty", "transposed", "float64"],
)
def test_every_kind_of_weight_survives_a_pickle(weight):
    state = ModelState(None, 0, "", None, 0, {"weight": weight}, {})
    again = pickle.loads(pickle.dumps(state)).body["weight"]
    assert again.dtype == weight.dtype
    assert again.shape == weight.shape
    assert torch.equal(again, weight)


def test_a_pickle_is_as_large_as_what_was_trained(model, data):
    frozen = len(pickle.dumps(fit(model, data)))
    partly = len(pickle.dumps(fit(model, data, BottomLayers(k=1))))
    whole = len(pickle.dumps(fit(model, data, "full")))
    assert frozen < 20_000
    assert frozen < partly < whole
    n_bytes = sum(4 * p.numel() for p in fit(model, data).net_.module_.body.parameters())
    assert n_bytes < whole < n_bytes + 40_000


@pytest.mark.parametrize(
    ("freeze", "blocks"),
    [("top_layers", ["layer.1", "layer.2"]), (BottomLayers(k=1), ["embeddings"]), ("full", None)],
)
def test_the_state_has_the_parameters_of_the_blocks_that_trained_and_no_others(
    model, data, freeze, blocks
):
    net = fit(model, data, freeze).net_
    all_blocks = net.module_.encoder.blocks
    expected = [name for block in blocks or all_blocks for name in all_blocks[block]]
    assert sorted(net.state.body) == sorted(expected)


def test_bias_only_keeps_biases_alone(model, data):
    body = fit(model, data, "bias_only").net_.state.body
    assert body
    assert all(name.endswith("bias") for name in body)


def test_the_state_is_a_copy_that_no_later_training_changes(model, data):
    clf = fit(model, data, "full")
    state = clf.net_.state
    before = {name: value.clone() for name, value in state.body.items()}
    with torch.no_grad():
        for parameter in clf.net_.module_.parameters():
            parameter.add_(1.0)
    assert all(torch.equal(state.body[name], before[name]) for name in before)
    clf.partial_fit(*data)
    assert all(torch.equal(state.body[name], before[name]) for name in before)


# --- copies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("freeze", ["frozen", "full"])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda clf: pickle.loads(pickle.dumps(clf))])
def test_a_copy_predicts_the_same_bits_and_shares_nothing(model, data, freeze, copied):
    clf = fit(model, data, freeze)
    expected = clf.predict_proba(data[0])
    twin = copied(clf)
    np.testing.assert_array_equal(twin.predict_proba(data[0]), expected)
    with torch.no_grad():
        for parameter in twin.net_.module_.parameters():
            parameter.zero_()
    for value in twin.net_.state.head_weights.values():
        value.zero_()
    np.testing.assert_array_equal(clf.predict_proba(data[0]), expected)
    np.testing.assert_array_equal(copied(clf).predict_proba(data[0]), expected)


def test_a_copy_of_a_copy_that_was_never_used_predicts_the_same_bits(model, data):
    clf = fit(model, data, "full")
    twin = copy.deepcopy(pickle.loads(pickle.dumps(copy.deepcopy(clf))))
    np.testing.assert_array_equal(twin.predict_proba(data[0]), clf.predict_proba(data[0]))


def test_a_clone_has_forgotten_everything(model, data):
    assert not hasattr(clone(fit(model, data)), "net_")


def test_a_copy_loads_the_backbone_when_it_is_first_needed_and_once(model, data, monkeypatch):
    pickled = pickle.dumps(fit(model, data))
    loads = count_loads(monkeypatch)
    twin = pickle.loads(pickled)
    assert twin.classes_.tolist() == sorted(set(data[1].tolist()))
    assert twin.net_.state.n_outputs == 2
    pickle.dumps(copy.deepcopy(twin))
    assert loads == []
    twin.predict(data[0][:2])
    twin.predict(data[0][:2])
    assert twin.net_.module_.encoder.dim == 32
    assert loads == [model]


def test_a_fit_uses_the_module_that_it_trained(model, data, monkeypatch):
    clf = fit(model, data)
    loads = count_loads(monkeypatch)
    clf.predict(data[0])
    assert loads == []


# --- a backbone that is not what it was ---------------------------------------------------------


def change_weights(model):
    tensors = load_file(model / "model.safetensors")
    tensors["embeddings.word_embeddings.weight"][7, 3] += 0.5
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})


def change_tokenizer(model):
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    tokenizer["normalizer"]["lowercase"] = not tokenizer["normalizer"]["lowercase"]
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))


def change_config(model):
    config = json.loads((model / "config.json").read_text())
    config["layer_norm_eps"] = 1e-3
    (model / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("change", [change_weights, change_tokenizer, change_config])
def test_files_that_were_changed_are_refused_with_the_fingerprint_that_is_expected(
    model, data, change
):
    clf = fit(model, data)
    twin = pickle.loads(pickle.dumps(clf))
    change(model)
    with pytest.raises(ValueError, match="not those that this model was fitted with") as caught:
        twin.predict(data[0])
    assert f"expected {twin.net_.state.fingerprint}" in str(caught.value)
    clf.predict(data[0])  # what is loaded already goes on


def test_files_that_were_restored_are_accepted_again(model, data, tiny_model):
    clf = fit(model, data)
    twin = copy.deepcopy(clf)
    shutil.rmtree(model)
    with pytest.raises(ValueError, match="no such folder"):
        twin.predict(data[0])
    shutil.copytree(tiny_model, model)
    np.testing.assert_array_equal(twin.predict_proba(data[0]), clf.predict_proba(data[0]))


# --- the parts ----------------------------------------------------------------------------------


def test_a_state_builds_the_module_that_it_was_made_of(model):
    backbone, head = TransformerBackbone(model), LinearHead()
    encoder = backbone.load(device="cpu", random_state=0)
    module = TransferModule(encoder, head.build(encoder.dim, 3), "fp32")
    module.set_trainable(encoder.blocks["layer.1"])
    with torch.no_grad():
        for name in encoder.blocks["layer.1"]:
            module.body.get_parameter(name).add_(0.1)
    state = ModelState.of(module, backbone, 0, head)
    before = torch.get_rng_state()
    again = state.build("cpu", "fp32")
    assert torch.equal(torch.get_rng_state(), before)
    assert not again.training
    assert again.trained == module.trained
    found, expected = (dict(m.named_parameters()) for m in (again, module))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    # What trains on does not write into the state.
    with torch.no_grad():
        again.head.weight.zero_()
    assert not torch.equal(state.head_weights["weight"], again.head.weight)


def test_a_net_is_evaluated_in_the_precision_that_is_asked_for(model, data):
    net = fit(model, data).net_
    assert net.on("cpu", "bf16").precision == "bf16"
    assert net.on("cpu", "fp32").precision == "fp32"
    net.module_.train()
    assert not net.on("cpu", "fp32").training


def test_a_net_keeps_its_state_and_not_its_module_in_a_pickle(model, data):
    net = fit(model, data).net_
    function, arguments = net.__reduce__()
    assert function is FittedNet
    assert [type(argument) for argument in arguments] == [ModelState]


def _normed_backbone():
    """Make a backbone whose encoder has running statistics, and is a module itself."""
    from torch import nn

    from sktransfer.backbones.hashing import HashingBackbone
    from sktransfer.plugins import Fingerprint, VectorEncoder

    class Normed(VectorEncoder, nn.Module):
        def __init__(self, inner):
            nn.Module.__init__(self)
            self.module = nn.ModuleDict(
                {**dict(inner.module.items()), "norm": nn.BatchNorm1d(inner.dim)}
            )
            self.inner, self.dim = [inner], inner.dim
            self.blocks = {**inner.blocks, "norm": ["norm.weight", "norm.bias"]}
            self.fingerprint = Fingerprint("normed", str(inner.fingerprint))

        def prepare(self, X):
            return self.inner[0].prepare(X)

        def collate(self, rows):
            return self.inner[0].collate(rows)

        def forward(self, batch):
            return self.module["norm"](self.inner[0].forward(batch))

    class NormedBackbone(HashingBackbone):
        def load(self, *, device, random_state):
            with torch.random.fork_rng():
                torch.manual_seed(random_state)
                return Normed(super().load(device=device, random_state=random_state))

    return NormedBackbone


Normed = _normed_backbone()


@pytest.mark.parametrize("early_stopping", [False, True])
def test_running_statistics_are_kept_with_the_weights(data, early_stopping):
    clf = TransferTextClassifier(
        Normed(dim=8, n_buckets=256),
        freeze="full",
        max_epochs=4,
        early_stopping=early_stopping,
        validation_fraction=0.25,
        random_state=0,
    ).fit(*data)
    state = clf.net_.state
    assert "norm.running_mean" in state.body
    assert not torch.equal(state.body["norm.running_mean"], torch.zeros(8))
    again = FittedNet(state).on("cpu", "fp32")
    features = again.encoder.collate(again.encoder.prepare(data[0]))
    with torch.inference_mode():
        torch.testing.assert_close(again(features), clf.net_.module_.eval()(features))


def test_an_encoder_that_is_a_module_is_restored_to_its_best_epoch(data):
    clf = TransferTextClassifier(
        Normed(dim=8, n_buckets=256),
        freeze="full",
        max_epochs=6,
        lr=0.05,
        early_stopping=True,
        n_iter_no_change=6,
        validation_fraction=0.4,
        scoring="neg_log_loss",
        random_state=0,
    ).fit(*data)
    names = clf.net_.module_.trained_weights()
    assert {"body.norm.running_var", "body.projection.weight", "head.weight"} <= set(names)
    assert not any(name.startswith("encoder.") for name in names)
