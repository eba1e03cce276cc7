"""Models of transformers as files: what is loaded of them, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sktransfer_vision import ImageTransformer
from transformers import AutoConfig, AutoModel

from sktransfer.plugins import resolve


def pictures(n=3, seed=0):
    rng = np.random.RandomState(seed)
    sizes = [(50, 60), (70, 40), (33, 35), (20, 90)]
    return [rng.randint(0, 256, (*sizes[i % 4], 3)).astype(np.uint8) for i in range(n)]


def load(model, **params):
    return ImageTransformer(model, **params).load(device="cpu", random_state=0)


def features(encoder, X):
    encoder.module.eval()
    with torch.no_grad():
        return encoder.forward(encoder.collate(encoder.prepare(X)))


def test_the_text_tower_is_left_in_the_file(folder_of):
    encoder = load(folder_of("clip"))
    assert type(encoder.module.model).__name__ == "CLIPVisionModel"
    assert not [name for name, _ in encoder.module.named_parameters() if "text" in name]


def test_a_pooler_that_no_file_has_is_not_used(folder_of, copy_of, recwarn):
    folder = copy_of("siglip")
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if ".head." not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    X = pictures()
    found = features(load(folder), X)
    torch.testing.assert_close(found, features(load(folder_of("siglip"), pooling="mean"), X))
    assert not [w for w in recwarn if "start at random" in str(w.message)]


def test_other_weights_that_no_file_has_are_counted_in_a_warning(copy_of):
    folder = copy_of("vit")
    weights = load_file(folder / "model.safetensors")
    del weights["layernorm.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.warns(UserWarning, match="1 weights of the encoder are not in the files"):
        encoder = load(folder)
    with pytest.warns(UserWarning, match="1 weights"):
        other = ImageTransformer(folder).load(device="cpu", random_state=1)
    assert encoder.fingerprint != other.fingerprint


def test_files_of_another_model_are_refused(folder_of, copy_of):
    folder = copy_of("vit")
    weights = (folder_of("resnet") / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(ValueError, match=r"lacks \d+ of \d+ weights of a ViTModel"):
        load(folder)


def test_without_settings_pictures_are_read_as_is_usual_with_a_warning(copy_of):
    folder = copy_of("vit", without=["preprocessor_config.json"])
    with pytest.warns(UserWarning, match=r"no preprocessor_config\.json.* mean \(0\.485"):
        encoder = load(folder)
    assert encoder._reader.settings["size"] == {"shortest_edge": 36}
    assert encoder.module.offset.flatten().tolist() == pytest.approx(
        [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225]
    )


def test_settings_may_stand_in_the_file_of_a_processor(folder_of, copy_of):
    said = json.loads((folder_of("clip") / "preprocessor_config.json").read_text())
    folder = copy_of(
        "clip", without=["preprocessor_config.json"], processor_config={"image_processor": said}
    )
    assert load(folder)._reader.settings == load(folder_of("clip"))._reader.settings


def test_pictures_that_would_differ_in_size_ask_for_one(copy_of):
    said = {"image_processor_type": "BitImageProcessor", "do_center_crop": False}
    folder = copy_of("dinov2", preprocessor_config={**said, "size": {"shortest_edge": 32}})
    with pytest.raises(ValueError, match=r"32 x 42 and of 45 x 32 .* pass image_size=224"):
        load(folder)
    encoder = load(folder, image_size=40)
    assert encoder.collate(encoder.prepare(pictures()))["pixels"].shape == (3, 40, 40, 3)


def test_what_torchvision_alone_reads_is_refused(copy_of):
    folder = copy_of("vit", preprocessor_config={"image_processor_type": "Sam2ImageProcessor"})
    with pytest.raises(ValueError, match="read by Sam2ImageProcessor, which needs torchvision"):
        load(folder)


def test_a_model_of_texts_is_refused_by_its_kind(tmp_path):
    tiny = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 9}
    config = AutoConfig.for_model("bert", **tiny)
    AutoModel.from_config(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="kind 'bert', which reads input_ids"):
        load(tmp_path)


@pytest.mark.parametrize("said", [{"architecture": "resnet18"}, {"model_type": "timm_wrapper"}])
def test_a_model_of_timm_says_what_it_needs(copy_of, said, monkeypatch):
    monkeypatch.setattr("sktransfer_vision.towers.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install timm`. That installs torchvision"):
        load(copy_of("vit", config=said))


def test_folders_that_are_no_models_are_refused(copy_of, tmp_path):
    with pytest.raises(ValueError, match="there is no such folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"it has no config\.json"):
        load(tmp_path)
    folder = copy_of("vit", without=["model.safetensors"])
    with pytest.raises(ValueError, match=r"no \*\.safetensors file. Pickled weights"):
        load(folder)


def test_code_of_a_model_does_not_run_unasked(copy_of):
    said = {"auto_map": {"AutoImageProcessor": "code.Mine"}}
    with pytest.raises(ValueError, match=r"preprocessor_config\.json has auto_map="):
        load(copy_of("vit", preprocessor_config=said))


def test_a_configuration_as_a_dict_names_no_kernel_of_the_hub(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    model = {"model_type": "vit", "attn_implementation": "owner/kernel"}
    with pytest.raises(ValueError, match="model has attn_implementation='owner/kernel'"):
        ImageTransformer(model).load(device="cpu", random_state=0)


@pytest.mark.parametrize("name", ["config", "preprocessor_config"])
def test_settings_that_are_damaged_are_named(copy_of, name):
    folder = copy_of("vit")
    (folder / f"{name}.json").write_text("{")
    with pytest.raises(ValueError, match=f"{name}.json is not valid JSON"):
        load(folder)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"hidden_size": 16}, "says what it is by model_type"),
        ({"model_type": "nosuch"}, "is no configuration of a model"),
        ({"model_type": "bert"}, "'bert' does not read pictures alone"),
        ("name", "a model of the hub is written 'owner/name'"),
        (3, "The 'model' parameter of ImageTransformer"),
    ],
)
def test_models_that_cannot_be_are_refused(model, message):
    with pytest.raises(ValueError, match=message):
        load(model)


def test_a_size_that_a_model_cannot_read_is_named(folder_of):
    with pytest.raises(ValueError, match="gives no features of pictures of 4 x 4 pixels"):
        load(folder_of("vit"), image_size=4)


def test_a_folder_is_found_from_wherever_it_is_loaded(folder_of, monkeypatch):
    folder = folder_of("vit")
    monkeypatch.chdir(folder.parent)
    near = [folder.relative_to(folder.parent), f"./{folder.name}"]
    learned = [ImageTransformer(model).learned_from([]) for model in near]
    monkeypatch.chdir("/")
    for backbone in learned:
        assert load(backbone.model).fingerprint == load(folder).fingerprint
    for model in ("owner/name", folder, {"model_type": "vit"}):
        assert ImageTransformer(model).learned_from([]).model == model


def test_a_hub_id_and_a_folder_are_resolved_for_images(tmp_path):
    for spec, model in (("owner/name", "owner/name"), (tmp_path, tmp_path)):
        found = resolve("backbone", spec, modality="image")
        assert (type(found), found.model) == (ImageTransformer, model)
    assert resolve("backbone", "image-transformer").pretrained


HUB = """
from sktransfer_vision import ImageTransformer
for revision in (None, "v9"):
    backbone = ImageTransformer("owner/tiny", revision=revision)
    try:
        encoder = backbone.load(device="cpu", random_state=0)
        print(type(encoder.module.model).__name__)
    except OSError as error:
        print(error)
"""


def test_a_model_of_the_hub_is_found_in_its_cache(folder_of, tmp_path):
    repo = tmp_path / "models--owner--tiny"
    snapshot = repo / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("a" * 40)
    for path in folder_of("dinov2").iterdir():
        (snapshot / path.name).write_bytes(path.read_bytes())
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", HUB],
        env={**os.environ, "HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = done.stdout.splitlines()
    assert first == "Dinov2Model"
    assert "HF_HUB_OFFLINE is set" in second
    assert "`hf download owner/tiny`" in second
