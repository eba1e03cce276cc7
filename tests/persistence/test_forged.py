"""A folder that was changed after it was saved, with its checksum, decides nothing of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from sklearn.frozen import FrozenEstimator

from sktransfer import TransferTextClassifier, load
from sktransfer.persistence.folder import write_manifest

X, Y = ["good film", "bad film", "fine", "poor"] * 3, [1, 0, 1, 0] * 3


def quick(**params):
    return TransferTextClassifier("hashing", freeze="frozen", random_state=0, **params)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model"
    quick().fit(X, Y).save(path)
    return path


def manifest_of(path):
    return json.loads((path / "manifest.json").read_text())


def forge(path, change):
    """Change a manifest, as somebody would who also computes the checksum."""
    manifest = manifest_of(path)
    change(manifest)
    for key in ("format", "format_version", "members", "checksum"):
        manifest.pop(key)
    (path / "manifest.json").unlink()
    write_manifest(path, manifest)


@pytest.mark.parametrize("existed", [False, True])
@pytest.mark.parametrize("as_path", [False, True])
def test_a_folder_cannot_choose_where_predictions_are_cached(model, tmp_path, existed, as_path):
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
def test_live_parameters_have_the_types_that_save_writes(model, name, value):
    forge(model, lambda m: m["params"].update({name: value}))
    with pytest.raises(ValueError, match=rf"manifest\.json cannot be read.*'{name}'"):
        load(model)


@pytest.mark.parametrize("value", [[], {"$": "tuple", "items": []}], ids=repr)
def test_empty_callbacks_of_earlier_versions_load(model, value):
    forge(model, lambda m: m["params"].update(callbacks=value))
    assert not load(model).callbacks


@pytest.mark.parametrize("target", ["model", "elsewhere"])
@pytest.mark.parametrize("name", ["source", "backbone"])
def test_a_fitted_parameter_behind_a_link_is_refused(model, tmp_path, name, target):
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
