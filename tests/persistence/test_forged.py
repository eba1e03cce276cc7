"""A folder that was changed after it was saved, with its checksum, decides nothing of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sklearn.frozen import FrozenEstimator

from sktransfer import TransferTextClassifier, load

X, Y = ["good film", "bad film", "fine", "poor"] * 3, [1, 0, 1, 0] * 3


def quick(**params):
    return TransferTextClassifier("hashing", freeze="frozen", random_state=0, **params)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model"
    quick().fit(X, Y).save(path)
    return path


@pytest.mark.parametrize("existed", [False, True])
@pytest.mark.parametrize("as_path", [False, True])
def test_a_folder_cannot_choose_where_predictions_are_cached(
    forge, model, tmp_path, existed, as_path
):
    victim = tmp_path / "victim"
    if existed:
        victim.mkdir()
        (victim / "data.mdb").write_bytes(b"of another program" * 1000)
    before = sorted(map(str, tmp_path.rglob("*")))
    value = {"$": "path", "value": str(victim)} if as_path else str(victim)
    forge(model, lambda m: m["params"].update(cache=value))
    with pytest.raises(ValueError, match=r"manifest\.json cannot be read.*'cache'.*null"):
        load(model).predict(X[:2])
    assert sorted(map(str, tmp_path.rglob("*"))) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cache", "memory"),
        ("callbacks", ["a"]),
        ("callbacks", {"$": "tuple", "items": [{"$": "path", "value": "/x"}]}),
        ("random_state", {"$": "path", "value": "/x"}),
        ("scoring", {"$": "plugin", "kind": "head", "name": "linear", "params": {}}),
    ],
)
def test_live_parameters_have_the_types_that_save_writes(forge, model, name, value):
    forge(model, lambda m: m["params"].update({name: value}))
    with pytest.raises(ValueError, match=rf"manifest\.json cannot be read.*'{name}'"):
        load(model)


@pytest.mark.parametrize("value", [[], {"$": "tuple", "items": []}], ids=repr)
def test_empty_callbacks_of_earlier_versions_load(forge, model, value):
    forge(model, lambda m: m["params"].update(callbacks=value))
    assert not load(model).callbacks


@pytest.mark.parametrize("target", ["model", "elsewhere"])
@pytest.mark.parametrize("name", ["source", "backbone"])
def test_a_fitted_parameter_behind_a_link_is_refused(forge, model, tmp_path, name, target):
    quick().fit(X, Y).save(tmp_path / "elsewhere")
    forge(model, lambda m: m["params"].update({name: {"$": "frozen", "folder": name}}))
    os.symlink(tmp_path / target, model / name)
    with pytest.raises(ValueError, match=rf"manifest\.json cannot be read.*'{name}' is outside"):
        load(model)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_source_that_the_user_gave_as_a_path_comes_back(model, tmp_path, kind):
    quick(source=kind(model)).fit(X, Y).save(tmp_path / "target")
    assert load(tmp_path / "target").source == kind(model)


def test_a_fitted_source_loads_through_a_link_to_the_model(tmp_path):
    source = FrozenEstimator(quick().fit(X, Y))
    quick(source=source).fit(X, Y).save(tmp_path / "model")
    (tmp_path / "latest").symlink_to(tmp_path / "model")
    assert load(tmp_path / "latest").source.estimator.classes_.tolist() == [0, 1]


MLP = {"$": "plugin", "kind": "head", "name": "mlp", "params": {}}
HASHING = {"$": "plugin", "kind": "backbone", "name": "hashing", "params": {}}


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("backbone", MLP, "MLPHead where a Backbone"),
        ("backbone", "hashing", "str where a Backbone"),
        ("backbone", None, "NoneType where a Backbone"),
        ("head", HASHING, "HashingBackbone where a Head"),
        ("head", 3, "int where a Head"),
        ("head", None, "has a head"),
    ],
)
def test_a_part_of_another_kind_is_refused_by_name(forge, model, part, value, words):
    forge(model, lambda m: m["model"].update({part: value}))
    with pytest.raises(ValueError, match=rf"{model}/manifest\.json cannot be read.*{words}"):
        load(model)
