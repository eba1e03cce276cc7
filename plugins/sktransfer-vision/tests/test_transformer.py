"""Models of transformers: equal to what the library itself computes, whole and in parts."""

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
from transformers import AutoConfig, AutoImageProcessor, AutoModel
from transformers.image_processing_backends import PilBackend

from sktransfer import TransferTextClassifier
from sktransfer.plugins import resolve
from sktransfer.testing import contract_checks, parametrize_with_contracts

VIT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 8}
VIT |= {"intermediate_size": 32, "image_size": 32}
STAGES = {"hidden_sizes": [8, 8, 16], "depths": [1, 2, 1]}
TEXT = {**VIT, "vocab_size": 99}
SQUARE = {"size": {"height": 32, "width": 32}}
CROPPED = {
    "size": {"shortest_edge": 36},
    "crop_size": {"height": 32, "width": 32},
    "image_mean": [0.48, 0.45, 0.4],
    "image_std": [0.26, 0.25, 0.3],
}
# Kind of model to its configuration, its image processor, and that one's settings.
MODELS = {
    "vit": (VIT, "ViT", SQUARE),
    "deit": (VIT, "DeiT", CROPPED),
    "beit": ({**VIT, "use_relative_position_bias": True}, "Beit", SQUARE),
    "dinov2": (VIT, "Bit", CROPPED),
    "dinov2_with_registers": ({**VIT, "num_register_tokens": 3}, "Bit", CROPPED),
    "convnext": (
        {**STAGES, "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 2, 1]},
        "ConvNext",
        {"size": {"shortest_edge": 32}},
    ),
    "resnet": (
        {**STAGES, "embedding_size": 8, "layer_type": "basic"},
        "ConvNext",
        {"size": {"shortest_edge": 32}, "crop_pct": 0.8},
    ),
    "regnet": (
        {**STAGES, "embedding_size": 8, "groups_width": 8},
        "ConvNext",
        {"size": {"shortest_edge": 32}},
    ),
    "swin": (
        {"embed_dim": 8, "depths": [1, 2], "num_heads": [2, 2], "window_size": 4, "image_size": 32},
        "ViT",
        SQUARE,
    ),
    "efficientnet": (
        {"width_coefficient": 0.2, "depth_coefficient": 0.2, "hidden_dim": 256, "image_size": 32},
        "EfficientNet",
        {**SQUARE, "rescale_offset": True},
    ),
    "mobilenet_v2": ({"depth_multiplier": 0.35, "image_size": 32}, "MobileNetV2", CROPPED),
    "clip": ({"text_config": TEXT, "vision_config": VIT}, "CLIP", CROPPED),
    "siglip": ({"text_config": TEXT, "vision_config": VIT}, "Siglip", SQUARE),
}
ALL = pytest.mark.parametrize("kind", MODELS)


def pictures(n=3, seed=0):
    rng = np.random.RandomState(seed)
    sizes = [(50, 60), (70, 40), (33, 35), (20, 90)]
    return [rng.randint(0, 256, (*sizes[i % 4], 3)).astype(np.uint8) for i in range(n)]


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    """Make the folder of a small model with random weights, once."""
    made = {}

    def make(kind):
        if kind not in made:
            settings, processor, said = MODELS[kind]
            folder = made[kind] = tmp_path_factory.mktemp(kind)
            with torch.random.fork_rng():
                torch.manual_seed(0)
                model = AutoModel.from_config(AutoConfig.for_model(kind, **settings))
                for name, value in model.state_dict().items():
                    # Initial values hide what is left out: zero biases, equal statistics.
                    if value.is_floating_point():
                        noise = torch.randn_like(value)
                        value.add_(noise.abs() if "var" in name else 0.2 * noise)
                model.save_pretrained(folder)
            said = {"image_processor_type": f"{processor}ImageProcessor", **said}
            (folder / "preprocessor_config.json").write_text(json.dumps(said))
        return made[kind]

    return make


@pytest.fixture
def copy_of(folder_of, tmp_path):
    """Copy a model's folder, without some files, and with others."""

    def copy(kind, without=(), **files):
        for path in folder_of(kind).iterdir():
            if path.name not in without:
                (tmp_path / path.name).write_bytes(path.read_bytes())
        for name, content in files.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(content))
        return tmp_path

    return copy


def load(model, **params):
    return ImageTransformer(model, **params).load(device="cpu", random_state=0)


def features(encoder, X):
    encoder.module.eval()
    with torch.no_grad():
        return encoder.forward(encoder.collate(encoder.prepare(X)))


# Imports of torch in new processes take their time; the contract's own test has them.
NEW_PROCESS = {"check_new_process_agrees", "check_import_needs_no_torch"}


def hold_to_contract(plugin):
    for check in contract_checks(plugin):
        if check.__name__ not in NEW_PROCESS:
            check(plugin)


@parametrize_with_contracts([ImageTransformer])
def test_contract(plugin, check):
    check(plugin)


def by_transformers(folder, X):
    """Give pixels and output of the library's own model and image processor."""
    config = AutoConfig.from_pretrained(folder)
    config = getattr(config, "vision_config", config)
    cls = type(AutoModel.from_config(config))
    model = cls.from_pretrained(folder, config=config).eval()
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    pixels = processor(X, return_tensors="pt", input_data_format="channels_last")["pixel_values"]
    with torch.no_grad():
        return pixels, model(pixel_values=pixels)


# --- what is computed ---------------------------------------------------------------------------


@ALL
def test_features_are_those_of_the_library(folder_of, kind):
    X = pictures()
    encoder = load(folder_of(kind))
    pixels, output = by_transformers(folder_of(kind), X)
    network = encoder.module
    batch = encoder.collate(encoder.prepare(X))
    read = batch["pixels"].permute(0, 3, 1, 2) * network.scale + network.offset
    torch.testing.assert_close(read, pixels, atol=1e-5, rtol=1e-5)
    if kind in ("vit", "deit"):
        expected = output.last_hidden_state[:, 0]
    else:
        expected = output.pooler_output.flatten(1)
    torch.testing.assert_close(features(encoder, X), expected, atol=1e-4, rtol=1e-4)
    assert encoder.dim == expected.shape[1]
    assert batch["pixels"].dtype == torch.uint8


@ALL
def test_mean_is_that_of_patches_or_maps(folder_of, kind):
    X = pictures()
    states = by_transformers(folder_of(kind), X)[1].last_hidden_state
    if states.ndim == 4:
        expected = states.mean(dim=(2, 3))
    else:
        # Swin and SigLIP have no class token, DeiT a second one, and DINOv2 may have registers.
        before = {"swin": 0, "siglip": 0, "deit": 2, "dinov2_with_registers": 4}.get(kind, 1)
        expected = states[:, before:].mean(dim=1)
    found = features(load(folder_of(kind), pooling="mean"), X)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@ALL
def test_every_kind_fulfils_the_contract(folder_of, kind):
    hold_to_contract(ImageTransformer(folder_of(kind)))


@ALL
def test_blocks_go_from_input_to_output(folder_of, kind):
    encoder = load(folder_of(kind))
    names = list(encoder.blocks)
    assert names[0] == "embeddings"
    kinds = {name.partition(".")[0] for name in names[1:]}
    stages = kind in ("convnext", "resnet", "regnet", "swin")
    assert kinds == ({"stage"} if stages else {"layer"})
    assert [int(name.partition(".")[2]) for name in names[1:]] == list(range(len(names) - 1))
    depth = {"clip": 2, "siglip": 2, "swin": 2, "convnext": 4, "resnet": 3, "regnet": 3}
    if kind not in ("efficientnet", "mobilenet_v2"):
        assert len(names) - 1 == depth.get(kind, 2)
    last = {"vit": "layernorm", "clip": "post_layernorm", "siglip": "head", "convnext": "layernorm"}
    if kind in last:
        assert any(last[kind] in name for name in encoder.blocks[names[-1]])


def test_another_size_keeps_the_share_that_is_read(folder_of):
    X = pictures()
    small, large = load(folder_of("dinov2")), load(folder_of("dinov2"), image_size=64)
    assert large.collate(large.prepare(X))["pixels"].shape == (3, 64, 64, 3)
    assert large._reader.settings["size"] == {"shortest_edge": 72}
    mine, other = small.fingerprint.partition("+"), large.fingerprint.partition("+")
    assert mine[0] == other[0]
    assert mine[2] != other[2]
    assert features(large, X).shape == (3, 16)


@pytest.mark.parametrize("kind", ["vit", "clip", "siglip", "swin", "resnet", "convnext"])
def test_every_kind_reads_other_sizes(folder_of, kind):
    encoder = load(folder_of(kind), image_size=48)
    assert features(encoder, pictures()).shape == (3, encoder.dim)
    hold_to_contract(ImageTransformer(folder_of(kind), image_size=48))


def test_pooling_is_part_of_the_preprocessing(folder_of):
    first, other = load(folder_of("vit")), load(folder_of("vit"), pooling="mean")
    assert first.fingerprint.partition("+")[0] == other.fingerprint.partition("+")[0]
    assert first.fingerprint != other.fingerprint


def test_a_class_token_is_refused_where_there_is_none(folder_of):
    with pytest.raises(ValueError, match="ResNetModel has no class token"):
        load(folder_of("resnet"), pooling="cls")


def test_a_masked_autoencoder_masks_nothing():
    vit = {"model_type": "vit_mae", **VIT}
    encoder = load(vit)
    X = pictures()
    torch.testing.assert_close(features(encoder, X), features(encoder, X), atol=0, rtol=0)
    hold_to_contract(ImageTransformer(vit))


def test_dinov3_is_read_without_torchvision(tmp_path):
    config = AutoConfig.for_model("dinov3_vit", **VIT, num_register_tokens=2)
    AutoModel.from_config(config).save_pretrained(tmp_path)
    said = {"image_processor_type": "DINOv3ViTImageProcessorFast", **SQUARE, "resample": 2}
    said |= {"image_mean": [0.4, 0.4, 0.4], "image_std": [0.2, 0.2, 0.2]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(said))
    X = pictures()
    encoder = load(tmp_path)
    read = encoder.collate(encoder.prepare(X))["pixels"].permute(0, 3, 1, 2).float() / 255
    for row, picture in zip(read, X, strict=True):
        exact = torch.nn.functional.interpolate(
            torch.from_numpy(picture).permute(2, 0, 1)[None] / 255,
            size=(32, 32),
            mode="bilinear",
            antialias=True,
        )[0]
        torch.testing.assert_close(row, exact, atol=1.01 / 255, rtol=0)
    assert encoder._reader.scale == pytest.approx(1 / 255 / 0.2)
    hold_to_contract(ImageTransformer(tmp_path))


class Uneven(PilBackend):
    """What does to colours what no factor and summand say."""

    size = SQUARE["size"]
    resample = 2
    do_resize = do_rescale = do_normalize = True
    image_mean = image_std = (0.5, 0.5, 0.5)

    def normalize(self, image, mean, std, **kwargs):
        return super().normalize(image, mean, std) ** 2


def test_rows_are_numbers_where_bytes_would_not_be_exact():
    from sktransfer_vision.reading import PictureReader

    picture = pictures(1)[0]
    reader = PictureReader(Uneven(), None)
    assert reader.scale is None
    expected = Uneven()([picture], return_tensors="np")["pixel_values"][0]
    np.testing.assert_allclose(reader(picture), np.moveaxis(expected, 0, 2))
    assert reader(picture).dtype == np.float32


# --- training -----------------------------------------------------------------------------------


def test_statistics_that_were_loaded_are_kept_and_drawn_ones_learned(folder_of):
    def changed(encoder):
        before = {n: v.clone() for n, v in encoder.module.state_dict().items() if "running" in n}
        encoder.module.train()
        encoder.forward(encoder.collate(encoder.prepare(pictures())))
        after = encoder.module.state_dict()
        return sum(not torch.equal(value, after[name]) for name, value in before.items())

    assert changed(load(folder_of("resnet"))) == 0
    assert changed(load(ImageTransformer.test_params()[1]["model"], image_size=32)) > 0


class _Painted:
    """An encoder that is given words, and reads pictures of those colours."""

    def __init__(self, encoder):
        self._encoder = encoder

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._encoder, name)

    def prepare(self, X):
        painted = []
        for i, text in enumerate(X):
            (picture,) = pictures(1, seed=len(text))
            picture //= 2
            picture[:, :, ("red", "green", "blue").index(text.split()[0])] += 120 + i % 3
            painted.append(picture)
        return self._encoder.prepare(painted)


class PaintedTransformer(ImageTransformer):
    """Reads names of colours, so that estimators of texts train it."""

    modality = "text"

    def load(self, *, device, random_state):
        return _Painted(super().load(device=device, random_state=random_state))


WORDS = [f"{colour} {'o' * i}" for i in range(5) for colour in ("red", "green", "blue")]
COLOURS = [text.split()[0] for text in WORDS]


@pytest.mark.parametrize("kind", ["vit", "clip", "resnet", "convnext", "swin"])
def test_what_lies_below_is_computed_once(folder_of, kind):
    clf = TransferTextClassifier(
        PaintedTransformer(folder_of(kind)),
        freeze="top_layers",
        max_epochs=1,
        random_state=0,
        device="cpu",
    )
    clf.fit(WORDS, COLOURS)
    assert clf.decision_["frozen_prefix"].startswith("below ")


# --- what is loaded, and what is not ------------------------------------------------------------


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
    bert = {k: v for k, v in VIT.items() if k not in ("image_size", "patch_size")}
    config = AutoConfig.for_model("bert", **bert, vocab_size=9)
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
    with pytest.raises(ValueError, match=r"preprocessor_config\.json has an auto_map"):
        load(copy_of("vit", preprocessor_config=said))


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
    near = ImageTransformer(folder.relative_to(folder.parent)).learned_from([])
    monkeypatch.chdir("/")
    assert load(near.model).fingerprint == load(folder).fingerprint


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
