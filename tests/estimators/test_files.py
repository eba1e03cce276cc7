"""Saved models: the same bits in another process, whole or not at all, and never code."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import pickletools
import resource
import shutil
import subprocess
import sys
import warnings
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import EarlyStopping

from sktransfer import TransferTextClassifier, load
from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.contracts import registry as _registry
from sktransfer.persistence.folder import write_manifest
from sktransfer.plugins import FreezeStrategy

NEW_PROCESS = """
import sys
events = []
watched = {"pickle.find_class", "os.system", "os.exec", "subprocess.Popen", "socket.connect"}
sys.addaudithook(lambda event, args: event in watched and events.append((event, repr(args)[:200])))
import json, numpy, torch
torch.set_num_threads(1)
from sktransfer import load
texts, folders = json.loads(sys.stdin.read())
models = {name: load(folder) for name, folder in folders.items()}
proba = {name: model.predict_proba(texts) for name, model in models.items()}
labels = {f"{name}_labels": model.predict(texts) for name, model in models.items()}
assert not events, events
numpy.savez(sys.argv[1], **proba, **labels)
"""


@pytest.fixture(scope="module")
def data(movie):
    return movie[0][:60], np.where(movie[1][:60] == movie[1][0], "first", "other")


@pytest.fixture(scope="module")
def texts(movie):
    return [*movie[0][60:90], "", "ünïcode ☃ 😀", "a" * 3000]


@pytest.fixture(scope="module")
def fitted(data, tiny_model, tmp_path_factory):
    """Models of all kinds, by name."""
    doomed = tmp_path_factory.mktemp("doomed") / "tiny"
    shutil.copytree(tiny_model, doomed)
    settings = {"random_state": 0, "max_epochs": 1}
    models = {
        "hashing_frozen": TransferTextClassifier("hashing", freeze="frozen", **settings),
        "hashing_full": TransferTextClassifier("hashing", freeze="full", **settings),
        "tiny_frozen": TransferTextClassifier(tiny_model, freeze="frozen", **settings),
        "tiny_full": TransferTextClassifier(
            TransformerBackbone(tiny_model, pooling="cls"), freeze="full", head="mlp", **settings
        ),
        "tiny_embedded": TransferTextClassifier(doomed, freeze="top_layers", **settings),
    }
    fitted = {name: model.fit(*data) for name, model in models.items()}
    source = FrozenEstimator(fitted["tiny_embedded"])
    target = TransferTextClassifier(doomed, freeze="frozen", source=source, **settings)
    fitted["target_embedded"] = target.fit(data[0][:20], np.arange(20) % 3)
    return fitted


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory, texts):
    """Folder and predictions of each; what was embedded lost its original, and was moved."""
    base = tmp_path_factory.mktemp("saved")
    proba = {name: model.predict_proba(texts) for name, model in fitted.items()}
    folders = {}
    for name, model in fitted.items():
        folders[name] = base / name
        embedded = name.endswith("_embedded")
        model.save(folders[name], embed_backbone=embedded)
        if embedded:
            folders[name] = folders[name].rename(base / f"moved {name}")
    shutil.rmtree(fitted["tiny_embedded"].backbone)
    return folders, proba


@pytest.fixture
def small(data):
    return TransferTextClassifier("hashing", freeze="frozen", random_state=0).fit(*data)


def test_models_predict_the_same_bits_in_a_new_process_that_runs_nothing_of_theirs(
    saved, fitted, texts, tmp_path
):
    folders, proba = saved
    done = subprocess.run(
        [sys.executable, "-c", NEW_PROCESS, str(tmp_path / "proba.npz")],
        input=json.dumps([texts, {name: str(folder) for name, folder in folders.items()}]),
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = np.load(tmp_path / "proba.npz", allow_pickle=False)
    for name, expected in proba.items():
        np.testing.assert_array_equal(found[name], expected, err_msg=name)
        labels = fitted[name].classes_[expected.argmax(axis=1)]
        np.testing.assert_array_equal(found[f"{name}_labels"], labels, err_msg=name)


def test_everything_that_was_fitted_comes_back(saved, fitted):
    for name in ("hashing_frozen", "hashing_full", "tiny_full"):
        before, after = fitted[name], load(str(saved[0][name]))
        assert repr(after) == repr(before)
        names = {key for key in vars(before) if key.endswith("_") and key != "net_"}
        assert names == {key for key in vars(after) if key.endswith("_") and key != "net_"}
        for key in names - {"classes_"}:
            assert repr(getattr(after, key)) == repr(getattr(before, key)), key
        assert after.classes_.dtype == before.classes_.dtype
        assert after.classes_.tolist() == before.classes_.tolist()


def test_a_folder_holds_what_was_trained_and_nothing_that_could_be_run(saved):
    folders, _ = saved
    assert list(load_file(folders["tiny_frozen"] / "weights.safetensors")) == [
        "head.bias",
        "head.weight",
    ]
    layers = {
        name.split(".")[3]
        for name in load_file(folders["tiny_embedded"] / "weights.safetensors")
        if name.startswith("body.encoder.layer.")
    }
    assert layers == {"1", "2"}
    for folder in folders.values():
        for file in filter(Path.is_file, folder.rglob("*")):
            assert file.suffix in (".json", ".txt", ".safetensors")
            with pytest.raises(ValueError):  # noqa: PT011, whatever a pickle must not be
                list(pickletools.genops(file.read_bytes()))


def test_the_backbone_is_found_when_it_is_needed_and_not_before(data, tiny_model, tmp_path):
    model = tmp_path / "tiny"
    shutil.copytree(tiny_model, model)
    clf = TransferTextClassifier(model, freeze="frozen", random_state=0).fit(*data)
    clf.save(tmp_path / "saved")
    shutil.rmtree(model)
    loaded = load(tmp_path / "saved")
    assert loaded.classes_.tolist() == ["first", "other"]
    with pytest.raises(ValueError, match=str(model)):
        loaded.predict(data[0])


def test_training_goes_on_after_loading_as_it_would_have_without(data, fitted, saved, texts):
    more = data[0][:20], np.arange(20) % 4
    for name in ("hashing_frozen", "hashing_full", "tiny_full"):
        stayed = copy.deepcopy(fitted[name]).partial_fit(*more, classes=range(4))
        loaded = load(saved[0][name]).partial_fit(*more, classes=range(4))
        np.testing.assert_array_equal(loaded.predict_proba(texts), stayed.predict_proba(texts))
        assert [stage["stage"] for stage in loaded.stages_] == ["source", "target"]


def test_an_embedded_model_is_trained_further_and_anew_where_the_original_is_gone(saved, data):
    clf = load(saved[0]["tiny_embedded"])
    assert clf.partial_fit(*data).stages_[-1]["stage"] == "target"
    assert [stage["stage"] for stage in clf.fit(*data).stages_] == ["source"]


def test_an_embedded_model_that_is_loaded_trained_and_saved_in_place_still_loads(
    saved, data, tmp_path
):
    path = tmp_path / "model"
    shutil.copytree(saved[0]["tiny_embedded"], path)
    clf = load(path).partial_fit(*data)
    expected = clf.predict_proba(data[0])
    clf.save(path)
    np.testing.assert_array_equal(load(path).predict_proba(data[0]), expected)


# --- source -------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [lambda clf: clf, lambda clf: make_pipeline(strip(), clf)])
def test_a_source_comes_back_and_is_where_the_next_fit_starts(small, data, texts, tmp_path, wrap):
    X, y = data[0][:20], np.arange(20) % 2
    clf = TransferTextClassifier(
        "hashing", source=FrozenEstimator(wrap(small)), freeze="full", max_epochs=1, random_state=0
    ).fit(X, y)
    clf.save(tmp_path / "target")
    loaded = load(tmp_path / "target")
    assert isinstance(loaded.source, FrozenEstimator)
    inner = loaded.source.estimator
    np.testing.assert_array_equal(inner.predict_proba(texts), small.predict_proba(texts))
    np.testing.assert_array_equal(loaded.predict_proba(texts), clf.predict_proba(texts))
    again = loaded.fit(X, y).predict_proba(texts)
    np.testing.assert_array_equal(again, clf.fit(X, y).predict_proba(texts))


def strip():
    return FunctionTransformer(lambda X: [x.strip() for x in X])


def test_a_saved_folder_is_a_source(small, data, tmp_path):
    small.save(tmp_path / "source")
    by_path = TransferTextClassifier(
        "hashing", source=tmp_path / "source", freeze="frozen", random_state=0
    ).fit(*data)
    by_path.save(tmp_path / "target")
    assert load(tmp_path / "target").source == tmp_path / "source"
    assert by_path.stages_[0]["head"] == "kept"


# --- what cannot be saved -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("callbacks", [EarlyStopping(monitor="train_loss")]),
        ("random_state", np.random.RandomState(0)),
        ("scoring", lambda estimator, X, y: 0.5),
    ],
)
def test_live_objects_are_not_saved_and_a_warning_names_them(data, tmp_path, name, value):
    clf = TransferTextClassifier("hashing", freeze="frozen", **{name: value}).fit(*data)
    with pytest.warns(UserWarning, match=rf"parameter {name}=.* is not saved"):
        clf.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert getattr(loaded, name) is None
    np.testing.assert_array_equal(loaded.predict(data[0]), clf.predict(data[0]))


def test_saving_and_loading_is_silent(small, tmp_path, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small.set_params(scoring="f1_macro").save(tmp_path / "model")
        load(tmp_path / "model").predict(["fine"])
    assert capfd.readouterr() == ("", "")


class Own(FreezeStrategy):
    def trainable(self, blocks, epoch, n_epochs, stage):
        return frozenset()


def test_a_strategy_that_is_not_registered_is_named_and_nothing_is_written(data, tmp_path):
    clf = TransferTextClassifier("hashing", freeze=Own(), random_state=0).fit(*data)
    with pytest.raises(TypeError, match=r"'freeze' cannot be saved.*register"):
        clf.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_an_estimator_that_is_not_fitted_is_not_saved(tmp_path):
    with pytest.raises(NotFittedError):
        TransferTextClassifier("hashing").save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("freeze", "limit"), [("full", 10_000), ("frozen", 1500)])
def test_a_full_disk_is_an_os_error_that_names_the_path_and_the_old_model_stays(
    data, texts, tmp_path, freeze, limit
):
    """With ``"full"`` the weights do not fit on the disk, with ``"frozen"`` the manifest."""
    path = tmp_path / "model"
    clf = TransferTextClassifier("hashing", freeze=freeze, max_epochs=1, random_state=0)
    expected = clf.fit(*data).predict_proba(texts)
    clf.save(path)
    clf.partial_fit(*data)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(OSError, match=str(path)):
            clf.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    np.testing.assert_array_equal(load(path).predict_proba(texts), expected)
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


# --- what is not loaded -------------------------------------------------------------------------


def forge(folder, change):
    """Change a manifest, as somebody would who also computes hashes and checksum."""
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").unlink()
    change(manifest)
    kept = {k: v for k, v in manifest.items() if k not in ("checksum", "members")}
    write_manifest(folder, kept)


@pytest.mark.parametrize("name", ["weights.safetensors", "manifest.json"])
def test_a_damaged_file_is_named(small, tmp_path, name):
    small.save(tmp_path / "model")
    file = tmp_path / "model" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name} is damaged"):
        load(tmp_path / "model")


ELSEWHERE = {"$": "path", "value": "../elsewhere", "inside": True}
FORGERIES = {
    "a function as estimator": lambda m: m.update(estimator="os.system"),
    "another estimator": lambda m: m.update(estimator="Pipeline"),
    "no model": lambda m: m.pop("model"),
    "an unknown parameter": lambda m: m["params"].update(no_such=1),
    "an unknown plugin": lambda m: m["params"].update(
        backbone={"$": "plugin", "kind": "os", "name": "system"}
    ),
    "a source outside": lambda m: m["params"].update(source={"$": "frozen", "folder": "../x"}),
    "a backbone outside": lambda m: m["model"].update(backbone=ELSEWHERE),
    "an attribute that is not fitted": lambda m: m["fitted"].update(predict="text"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_manifest_that_asks_for_something_else_is_refused_by_name(small, tmp_path, forgery):
    small.save(tmp_path / "model")
    forge(tmp_path / "model", FORGERIES[forgery])
    with pytest.raises(ValueError, match=r"manifest\.json cannot be read"):
        load(tmp_path / "model")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("efficientnet-lite0", "here. The plugin sktransfer-vision has it"),
        ("nobody-has-it", "here. Install the plugin that has it."),
    ],
)
def test_a_model_whose_plugin_is_not_installed_says_what_installs_it(
    small, tmp_path, monkeypatch, name, words
):
    small.save(tmp_path / "model")
    plugin = {"$": "plugin", "kind": "backbone", "name": name, "params": {}}
    forge(tmp_path / "model", lambda m: m["model"].update(backbone=plugin))
    monkeypatch.setattr(
        _registry,
        "distributions",
        lambda: [d for d in distributions() if d.name == "sktransfer"],
    )
    with pytest.raises(ValueError, match=f"the backbone '{name}'.*{words}") as caught:
        load(tmp_path / "model")
    # Nothing is wrong with the file.
    assert "manifest" not in str(caught.value)


def test_a_weights_file_that_is_none_is_refused_by_name(small, tmp_path):
    small.save(tmp_path / "model")
    (tmp_path / "model" / "weights.safetensors").write_bytes(b"\x80\x04K\x01.")
    forge(tmp_path / "model", lambda m: None)
    with pytest.raises(ValueError, match=str(tmp_path / "model")):
        load(tmp_path / "model")


def test_a_forged_folder_cannot_bring_code(saved, tmp_path, monkeypatch):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "hf"))
    monkeypatch.syspath_prepend(tmp_path / "hf")
    folder, canary = tmp_path / "model", tmp_path / "canary"
    shutil.copytree(saved[0]["tiny_embedded"], folder)
    config = json.loads((folder / "pretrained" / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "evil.EvilModel"}
    (folder / "pretrained" / "config.json").write_text(json.dumps(config))
    code = f"open({str(canary)!r}, 'w')\nfrom transformers import BertModel as EvilModel\n"
    (folder / "pretrained" / "evil.py").write_text(code)
    forge(folder, lambda m: m["model"]["backbone"]["params"].update(trust_remote_code=True))
    with contextlib.suppress(Exception):
        load(folder).predict(["a good film"])
    assert not canary.exists()


def test_paths_that_hold_no_model_are_told_apart(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        load(tmp_path / "nothing")
    with pytest.raises(ValueError, match="no model that sktransfer saved"):
        load(tmp_path)


def test_a_folder_that_is_replaced_while_it_is_read_still_loads(small, tmp_path):
    import threading

    path, stop, errors = tmp_path / "model", threading.Event(), []
    small.save(path)

    def read():
        while not stop.is_set():
            try:
                load(path)
            except Exception as error:
                errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(100):
        small.save(path)
    stop.set()
    reader.join()
    assert not errors


def test_a_folder_that_is_between_its_two_renames_is_waited_for(small, tmp_path, monkeypatch):
    import threading
    import time

    path, moved, rename = tmp_path / "model", threading.Event(), os.rename
    small.save(path)

    def slow(source, target):
        rename(source, target)
        if Path(source).name == "model":
            moved.set()
            time.sleep(0.3)

    monkeypatch.setattr(os, "rename", slow)
    writer = threading.Thread(target=small.save, args=(path,))
    writer.start()
    assert moved.wait(10)
    try:
        assert load(path).predict(["fine"]).shape == (1,)
    finally:
        writer.join()


def test_a_forged_source_cannot_name_another_folder(small, tmp_path):
    small.save(tmp_path / "model")
    for inner in ("..", "", "/etc", "params"):
        source = {"$": "frozen", "folder": inner}
        forge(tmp_path / "model", lambda m, s=source: m["params"].update(source=s))
        with pytest.raises(ValueError, match=r"manifest\.json cannot be read.*outside the folder"):
            load(tmp_path / "model")
