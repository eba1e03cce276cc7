"""A wrapper of somebody else's is trained, saved small, searched over and held to the kit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from lowrank import LowRank  # noqa: E402

from sktransfer import TransferSearchCV, TransferTextClassifier, load  # noqa: E402
from sktransfer.backbones.transformer import TransformerBackbone  # noqa: E402
from sktransfer.contracts import registry  # noqa: E402
from sktransfer.plugins import register  # noqa: E402
from sktransfer.testing import parametrize_with_contracts  # noqa: E402


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setattr(registry, "_RUNTIME", {})
    register("backbone", "lowrank", LowRank)


@pytest.fixture(scope="module")
def data(movie):
    return movie[0][:60], movie[1][:60]


def quick(backbone, **params):
    shared = {"freeze": "full", "max_epochs": 2, "lr": 1e-2, "random_state": 0}
    return TransferTextClassifier(backbone, **shared | params)


@parametrize_with_contracts([LowRank("hashing", rank=2)])
def test_contract(plugin, check):
    check(plugin)


def test_only_the_adapter_trains_and_only_it_is_saved(tiny_model, data, tmp_path):
    backbone = LowRank(TransformerBackbone(tiny_model), rank=2)
    clf = quick(backbone, precision="fp32").fit(*data)
    state = clf.net_.state
    assert state.body
    assert all(name.split(".")[-2] in ("down", "up") for name in state.body)
    fresh = backbone.load(device="cpu", random_state=0)
    now = clf.net_.module_.body.state_dict()
    for name in fresh.never_train:
        torch.testing.assert_close(now[name], fresh.module.state_dict()[name])
    assert clf.n_parameters_["trained"] == sum(value.numel() for value in state.body.values())
    assert clf.n_parameters_["frozen"] > 0
    whole = quick(TransformerBackbone(tiny_model)).fit(*data)
    for model, name in ((clf, "adapter"), (whole, "whole")):
        model.save(tmp_path / name)
    size = {n: (tmp_path / n / "weights.safetensors").stat().st_size for n in ("adapter", "whole")}
    assert size["adapter"] < 0.5 * size["whole"]


def test_before_training_features_are_those_of_the_inner_backbone(data):
    def features(backbone):
        encoder = backbone.load(device="cpu", random_state=0)
        encoder.module.eval()
        return encoder.forward(encoder.collate(encoder.prepare(data[0][:5]))).detach()

    from sktransfer.backbones.hashing import HashingBackbone

    torch.testing.assert_close(features(LowRank("hashing")), features(HashingBackbone()))


def test_options_of_the_estimator_reach_the_inner_backbone(tiny_model, data):
    clf = quick(LowRank(TransformerBackbone(tiny_model)), max_length=8, long_text="head_tail")
    clf.fit(*data)
    assert clf.backbone_.get_params()["backbone__max_length"] == 8
    assert clf.truncation_report_["tokens_cut"] > 0
    with pytest.raises(ValueError, match=r"max_length=8.*HashingBackbone"):
        quick(LowRank("hashing"), max_length=8).fit(*data)


def test_strategies_prefixes_and_stages_work(tiny_model, data):
    backbone = LowRank(TransformerBackbone(tiny_model))
    clf = quick(backbone, freeze="top_layers", precision="fp32").set_params(freeze__k=1).fit(*data)
    assert clf.decision_["frozen_prefix"].startswith("below layer.")
    before = {name: value.clone() for name, value in clf.net_.state.body.items()}
    clf.partial_fit(*data)
    assert before.keys() <= clf.net_.state.body.keys()
    assert any((clf.net_.state.body[n] - v).abs().max() > 0 for n, v in before.items())


def test_it_is_cloned_saved_and_loaded_in_a_new_process(data, tmp_path):
    clf = quick(LowRank("hashing")).fit(*data)
    assert clone(clf).backbone.rank == 4
    clf.save(tmp_path / "model", embed_backbone=True)
    code = (
        "import sys; from lowrank import LowRank; from sktransfer import load\n"
        "from sktransfer.plugins import register; register('backbone', 'lowrank', LowRank)\n"
        "print(load(sys.argv[1]).predict_proba(['a good film'])[0, 1])"
    )
    path = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    expected = clf.predict_proba(["a good film"])[0, 1]
    assert float(done.stdout) == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(
        load(tmp_path / "model").predict_proba(data[0]), clf.predict_proba(data[0]), atol=1e-6
    )


def test_own_parameters_and_those_of_the_inner_backbone_are_searched(data):
    clf = quick("lowrank", max_epochs=1).set_params(backbone__backbone="hashing")
    space = clf.search_space()
    assert {"backbone__rank", "backbone__backbone__dim"} <= set(space)
    search = TransferSearchCV(clf, n_trials=2, cv=2, random_state=0).fit(*data)
    assert all("backbone__backbone__dim" in params for params in search.cv_results_["params"])
