"""VGG16 of timm: its features, where it comes from, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load as loads
from safetensors.torch import save_file
from sklearn.base import clone
from sktransfer_vision import VGG16, EfficientNetLite, ImageTransformer
from torch import nn

import sktransfer
from sktransfer import TransferImageClassifier

CONFIG = {
    "architecture": "vgg16",
    "num_classes": 1000,
    "pretrained_cfg": {
        "input_size": [3, 224, 224],
        "interpolation": "bilinear",
        "crop_pct": 0.875,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "first_conv": "features.0",
    },
}
WIDTH = 0.1
STAGES = [(2, 6), (2, 13), (3, 26), (3, 51), (3, 51)]


def timm_network():
    """Build it as timm and torchvision do, as one row of layers."""
    layers, n_in = [], 3
    for n, n_out in STAGES:
        for _ in range(n):
            layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU()]
            n_in = n_out
        layers.append(nn.MaxPool2d(2))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
                nn.init.normal_(layer.bias)
    return nn.Sequential(*layers)


@pytest.fixture
def folder(tmp_path):
    """A narrow VGG16 with random weights, as the hub has it."""
    made = tmp_path / "timm"
    made.mkdir()
    state = {f"features.{name}": value for name, value in timm_network().state_dict().items()}
    # The dense layers, which nobody needs.
    state |= {"pre_logits.fc1.weight": torch.zeros(8, 51, 7, 7), "head.fc.bias": torch.zeros(9)}
    save_file(state, made / "model.safetensors", metadata={"format": "pt"})
    (made / "config.json").write_text(json.dumps(CONFIG))
    return made


@pytest.fixture
def changed(folder):
    """Change what config.json says."""

    def change(**changes):
        (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))
        return folder

    return change


def load(weights, **params):
    return VGG16(weights, width=WIDTH, **params).load(device="cpu", random_state=0)


def pictures(n=4):
    rng = np.random.RandomState(0)
    return [rng.randint(0, 256, (64, 64, 3)).astype(np.uint8) for _ in range(n)]


def features(encoder, X):
    encoder.module.eval()
    with torch.no_grad():
        return encoder.forward(encoder.collate(encoder.prepare(X)))


def test_features_are_those_of_timms_network_on_colours_as_it_was_trained(folder):
    X = pictures()
    said = CONFIG["pretrained_cfg"]
    pixels = torch.from_numpy(np.stack(X)).permute(0, 3, 1, 2) / 255
    scaled = (pixels - torch.tensor(said["mean"]).view(3, 1, 1)) / torch.tensor(said["std"]).view(
        3, 1, 1
    )
    with torch.no_grad():
        expected = timm_network()(scaled).mean((2, 3))
    found = features(load(folder, image_size=64, crop=1.0), X)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert expected.std() > 0.1


def test_other_colours_are_other_features_of_the_same_weights(folder, changed):
    X, mine = pictures(), load(folder, image_size=64)
    grey = {**CONFIG["pretrained_cfg"], "mean": [0.5] * 3, "std": [0.5] * 3}
    other = load(changed(pretrained_cfg=grey), image_size=64)
    assert (features(mine, X) - features(other, X)).abs().max() > 1e-3
    mine, other = mine.fingerprint, other.fingerprint
    assert mine[0] == other[0]
    assert mine[1] != other[1]


def test_a_model_that_carries_the_weights_predicts_without_the_folder(folder, tmp_path):
    X, y = pictures(8), ["a", "b"] * 4
    backbone = VGG16(folder, width=WIDTH, image_size=33)
    clf = TransferImageClassifier(backbone, freeze="frozen", random_state=0).fit(X, y)
    expected = clf.predict_proba(X)
    clf.save(tmp_path / "by_reference")
    clf.save(tmp_path / "whole", embed_backbone=True)
    np.testing.assert_array_equal(
        sktransfer.load(tmp_path / "by_reference").predict_proba(X), expected
    )
    (folder / "model.safetensors").unlink()
    np.testing.assert_array_equal(sktransfer.load(tmp_path / "whole").predict_proba(X), expected)
    with pytest.raises(OSError, match=r"model\.safetensors"):
        sktransfer.load(tmp_path / "by_reference").predict(X)


def test_a_folder_is_found_from_wherever_it_is_loaded(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    learned = VGG16("./timm", width=WIDTH).learned_from([])
    monkeypatch.chdir("/")
    assert load(learned.weights).fingerprint == load(folder).fingerprint


CACHED = """
import sys
from sktransfer_vision import VGG16
encoder = VGG16("timm/vgg16.tv_in1k", width=0.1).load(device="cpu", random_state=0)
print(encoder.fingerprint)
"""


def test_a_hub_id_is_found_in_the_local_hub_cache_without_a_warning(folder, tmp_path):
    commit = "a" * 40
    repo = tmp_path / "hub" / "models--timm--vgg16.tv_in1k"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(commit)
    (repo / "snapshots").mkdir()
    os.symlink(folder, repo / "snapshots" / commit)
    env = {**os.environ, "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    env |= {"SKTRANSFER_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", CACHED],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == str(load(folder).fingerprint)
    # It says where the weights are, from wherever a model is loaded.
    backbone = VGG16("timm/vgg16.tv_in1k")
    assert backbone.learned_from([]) is backbone


def test_other_networks_say_what_reads_a_model_of_the_hub(folder):
    with pytest.raises(ValueError, match=r"model of the hub, of which EfficientNetLite reads none"):
        EfficientNetLite(weights="timm/efficientnet_lite0").load(device="cpu", random_state=0)
    with pytest.raises(ImportError, match=r"VGG16\(weights=\.\.\.\) of sktransfer_vision"):
        ImageTransformer(folder).load(device="cpu", random_state=0)


def test_a_folder_of_another_network_is_refused(changed):
    with pytest.raises(ValueError, match=r"architecture 'vgg16_bn'; VGG16 reads .*'vgg16'"):
        load(changed(architecture="vgg16_bn"))


@pytest.mark.parametrize(
    "said",
    [
        None,
        {},
        {"mean": [0.5] * 3},
        {"mean": [0.5] * 3, "std": [0.0] * 3},
        {"mean": 1, "std": 2},
        {"mean": [0.5] * 3, "std": [float("inf")] * 3},
        {"mean": [float("nan")] * 3, "std": [0.2] * 3},
        {"mean": [123.0] * 3, "std": [1.0] * 3},
        {"mean": [True] * 3, "std": [0.2] * 3},
        {"mean": [10**400] * 3, "std": [0.2] * 3},
    ],
)
def test_colours_that_are_not_said_are_not_guessed(changed, said):
    with pytest.raises(ValueError, match="three numbers each as mean and std"):
        load(changed(pretrained_cfg=said))


def test_another_interpolation_is_not_passed_over(changed):
    config = {**CONFIG["pretrained_cfg"], "interpolation": "bicubic"}
    with pytest.warns(UserWarning, match="'bicubic' interpolation; here it is 'bilinear'"):
        load(changed(pretrained_cfg=config))


def test_a_path_that_looks_like_a_model_of_the_hub_is_asked_about(folder, monkeypatch):
    monkeypatch.chdir(folder.parent.parent)
    name = f"{folder.parent.name}/{folder.name}"
    with pytest.raises(ValueError, match=rf"write '\./{name}' for the path"):
        load(name)
    assert load(f"./{name}").fingerprint == load(folder).fingerprint


def test_weights_that_are_whole_numbers_are_refused(folder):
    state = loads((folder / "model.safetensors").read_bytes())
    state["features.2.bias"] = state["features.2.bias"].to(torch.int8)
    save_file(state, folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"'block\.0\.2\.bias' as torch\.int8"):
        load(folder)


def test_files_that_are_missing_or_damaged_are_named(folder):
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    state = loads(whole)
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"model\.safetensors is no safetensors file"):
        load(folder)
    save_file({n: v for n, v in state.items() if n != "features.28.bias"}, weights)
    with pytest.raises(ValueError, match=r"holds no VGG16: it lacks 'features\.28\.bias'"):
        load(folder)
    save_file(state, weights)
    with pytest.raises(ValueError, match=r"'block\.0\.0\.weight' is of shape \(6, 3, 3, 3\)"):
        VGG16(folder).load(device="cpu", random_state=0)
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json is not JSON"):
        load(folder)
    for name in ("config.json", "model.safetensors"):
        (folder / name).unlink()
        with pytest.raises(FileNotFoundError, match=rf"no .*{name}\. VGG16 reads a folder"):
            load(folder)
        (folder / name).write_text(json.dumps(CONFIG))


def test_colours_of_a_file_of_weights_are_checked(folder, tmp_path):
    exported = VGG16(folder, width=WIDTH).export(load(folder), tmp_path)
    assert load(exported.weights).fingerprint == load(folder).fingerprint
    state = loads(exported.weights.read_bytes())
    wrong = ['{"mean": [1, 2]}', '{"std": [1, 2, 0]}', '{"gamma": [1, 2, 3]}']
    for said in ("not JSON", "[]", *wrong):
        save_file(state, exported.weights, metadata={"colours": said})
        with pytest.raises(ValueError, match="expected three numbers of each"):
            load(exported.weights)


def test_a_network_does_not_change_with_its_files(folder):
    encoder = load(folder)
    expected = {name: value.clone() for name, value in encoder.module.state_dict().items()}
    size = (folder / "model.safetensors").stat().st_size
    with open(folder / "model.safetensors", "r+b") as file:
        file.write(bytes(size))
    for name, value in encoder.module.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=0)


def test_weights_of_a_backbone_by_name_are_set_as_its_parameter(folder):
    clf = TransferImageClassifier("vgg16").set_params(backbone__weights=folder)
    clf = clone(clf.set_params(freeze="frozen", backbone__width=WIDTH, image_size=33))
    clf.fit(pictures(), ["a", "b"] * 2)
    assert clf.net_.module_.encoder.fingerprint == load(folder, image_size=33).fingerprint
