"""A third modality comes in a distribution of its own, without a line in the core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sktransfer import TransferSearchCV, TransferTextClassifier, load
from sktransfer.plugins import available, resolve
from sktransfer.testing import parametrize_with_contracts

HERE = Path(__file__).parent
POINTS = """[sktransfer.modalities]
sound = sound:SoundModality

[sktransfer.backbones.sound]
spectrum = sound:SpectrumBackbone

[sktransfer.estimators]
TransferSoundClassifier = sound:TransferSoundClassifier
TransferSoundEncoder = sound:TransferSoundEncoder
"""


@pytest.fixture(scope="module")
def distribution(tmp_path_factory):
    """Install the module beside this file as a distribution."""
    folder = tmp_path_factory.mktemp("sound")
    info = folder / "sktransfer_sound-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sktransfer-sound\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    return folder


@pytest.fixture(autouse=True)
def _installed(distribution, monkeypatch):
    monkeypatch.syspath_prepend(distribution)


def tones(n, rng, noise=0.3):
    """Make low and high tones of different lengths."""
    X, y = [], []
    for i in range(n):
        label = ("low", "high")[i % 2]
        t = np.arange(int(rng.integers(40, 160)))
        wave = np.sin(2 * np.pi * t * (0.07 if label == "low" else 0.3) + rng.uniform(0, 6))
        X.append((wave + noise * rng.normal(size=len(t))).astype(np.float32))
        y.append(label)
    return X, np.array(y)


@pytest.fixture(scope="module")
def data():
    return tones(80, np.random.default_rng(0))


def quick(**params):
    from sound import TransferSoundClassifier

    shared = {"freeze": "full", "max_epochs": 8, "precision": "fp32", "random_state": 0}
    return TransferSoundClassifier(**shared | params)


def test_the_registry_lists_it_with_its_modality():
    (info,) = [info for info in available("backbone") if info.name == "spectrum"]
    assert (info.modality, info.distribution) == ("sound", "sktransfer-sound")
    with pytest.raises(ValueError, match="Did you mean 'spectrum'"):
        resolve("backbone", "spectrom", modality="sound")


def test_it_is_trained_and_beats_chance_by_far(data):
    X, y = tones(60, np.random.default_rng(1))
    assert quick().fit(*data).score(X, y) > 0.9
    assert quick(freeze="frozen").fit(*data).score(X, y) > 0.8


def test_strategies_options_and_sources_work_as_for_other_modalities(data):
    for freeze in ("top_layers", "lp_ft", "gradual", "auto"):
        assert quick(freeze=freeze).fit(*data).score(*data) > 0.8
    assert (
        quick(freeze="top_layers").set_params(freeze__k=1).fit(*data).decision_["frozen_prefix"]
        == "below hidden"
    )
    short = quick(max_samples=16).fit(*data)
    long, cut = data[0][0], data[0][0][:16]
    np.testing.assert_allclose(short.predict_proba([long]), short.predict_proba([cut]))
    target = quick(source=FrozenEstimator(quick().fit(*data)), freeze="frozen").fit(*data)
    assert target.stages_[0]["stage"] == "target"
    clf = quick().fit(*data).partial_fit(data[0], np.where(data[1] == "low", 0, 1), classes=[0, 1])
    assert clf.classes_.tolist() == [0, 1]


def test_scikit_learns_tools_take_it(data):
    assert clone(quick()).backbone == "spectrum"
    assert cross_val_score(quick(max_epochs=2), *data, cv=2).shape == (2,)
    pipe = make_pipeline(FunctionTransformer(), quick(max_epochs=2))
    grid = GridSearchCV(pipe, {"transfersoundclassifier__freeze": ["frozen", "full"]}, cv=2)
    assert grid.fit(*data).best_score_ > 0.5
    features = quick().fit(*data).encoder_.transform(data[0])
    assert features.shape == (80, 16)


def test_features_are_stored_and_found_again(data, tmp_path):
    expected = quick(freeze="frozen").fit(*data).predict_proba(data[0])
    for cache in ("memory", tmp_path / "store"):
        clf = quick(freeze="frozen", cache=cache)
        for _ in range(2):
            np.testing.assert_allclose(clf.fit(*data).predict_proba(data[0]), expected, atol=1e-5)


def test_it_is_searched_over_with_what_its_backbone_declares(data):
    search = TransferSearchCV(quick(max_epochs=2), n_trials=2, cv=2, random_state=0).fit(*data)
    assert all("backbone__dim" in params for params in search.cv_results_["params"])


def test_what_is_saved_is_loaded_in_a_new_process(data, tmp_path, distribution):
    clf = quick(max_epochs=2).fit(*data)
    clf.save(tmp_path / "model")
    np.testing.assert_array_equal(
        load(tmp_path / "model").predict_proba(data[0]), clf.predict_proba(data[0])
    )
    code = (
        "import sys, json, numpy as np; from sktransfer import load\n"
        "print(json.dumps(load(sys.argv[1]).predict_proba([np.ones(50)]).tolist()))"
    )
    paths = [str(distribution), str(HERE), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
    np.testing.assert_allclose(json.loads(done.stdout), clf.predict_proba([np.ones(50)]), atol=1e-6)


def test_a_backbone_or_source_of_another_modality_is_refused(data):
    with pytest.raises(ValueError, match=r"sounds.*'hashing' reads texts"):
        quick(backbone="hashing").fit(*data)
    texts = TransferTextClassifier("hashing", freeze="frozen").fit(["a", "b"], [0, 1])
    with pytest.raises(ValueError, match="reads texts"):
        quick(source=FrozenEstimator(texts)).fit(*data)
    with pytest.raises(ValueError, match=r"X\[1\]"):
        quick().fit([np.ones(3), np.array([np.nan])], ["a", "b"])


def _contract_plugins():
    from sound import SpectrumBackbone

    return [SpectrumBackbone(dim=4)]


sys.path.insert(0, str(HERE))


@parametrize_with_contracts(_contract_plugins())
def test_contract(plugin, check):
    check(plugin)
