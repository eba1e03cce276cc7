"""Models of transformers: equal to what the library itself computes, whole and in parts."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sktransfer_vision import ImageTransformer
from transformers import AutoConfig, AutoImageProcessor, AutoModel
from transformers.image_processing_backends import PilBackend

from sktransfer import TransferImageClassifier
from sktransfer import load as load_model
from sktransfer.testing import contract_checks, parametrize_with_contracts

VIT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 8}
VIT |= {"intermediate_size": 32, "image_size": 32}
SQUARE = {"size": {"height": 32, "width": 32}}


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


def test_every_kind_fulfils_the_contract(folder_of, kind):
    hold_to_contract(ImageTransformer(folder_of(kind)))


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
    mine, other = small.fingerprint, large.fingerprint
    assert mine[0] == other[0]
    assert mine[1] != other[1]
    assert features(large, X).shape == (3, 16)


@pytest.mark.parametrize("kind", ["vit", "clip", "siglip", "swin", "resnet", "convnext"])
def test_every_kind_reads_other_sizes(folder_of, kind):
    encoder = load(folder_of(kind), image_size=48)
    assert features(encoder, pictures()).shape == (3, encoder.dim)
    hold_to_contract(ImageTransformer(folder_of(kind), image_size=48))


def test_pooling_is_part_of_the_preprocessing(folder_of):
    first, other = load(folder_of("vit")), load(folder_of("vit"), pooling="mean")
    assert first.fingerprint.weights == other.fingerprint.weights
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


def painted():
    """Give pictures in which one colour is strong, and the names of the colours."""
    names = ["red", "green", "blue"] * 6
    X = [picture // 2 for picture in pictures(len(names))]
    for i, (picture, name) in enumerate(zip(X, names, strict=True)):
        picture[:, :, ("red", "green", "blue").index(name)] += 100 + i
    return X, names


@pytest.mark.parametrize("kind", ["vit", "clip", "resnet", "convnext", "swin"])
def test_what_lies_below_is_computed_once(folder_of, kind):
    clf = TransferImageClassifier(
        ImageTransformer(folder_of(kind)),
        freeze="top_layers",
        max_epochs=1,
        random_state=0,
        device="cpu",
        augmentation=None,
    )
    clf.fit(*painted())
    assert clf.decision_["frozen_prefix"].startswith("below ")


@pytest.mark.parametrize("freeze", ["frozen", "full", "gradual"])
def test_colours_are_told_apart_and_the_model_is_saved(folder_of, freeze, tmp_path):
    X, y = painted()
    clf = TransferImageClassifier(
        ImageTransformer(folder_of("vit")),
        freeze=freeze,
        max_epochs=8,
        lr=0.003,
        batch_size=6,
        random_state=0,
        device="cpu",
        augmentation=None,
    )
    clf.fit(X, y)
    assert clf.score(X, y) > 0.9
    clf.save(tmp_path / "model", embed_backbone=True)
    again = load_model(tmp_path / "model")
    np.testing.assert_allclose(again.predict_proba(X), clf.predict_proba(X), atol=1e-6)
    assert again.backbone_.model.is_relative_to(tmp_path)
