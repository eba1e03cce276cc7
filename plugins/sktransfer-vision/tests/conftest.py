"""Small networks with random weights: ours, and models of transformers as folders."""

from __future__ import annotations

import json

import pytest
from sktransfer_vision import VGG16, EfficientNetLite

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


TINY = [
    EfficientNetLite(weights=None, width=0.1, depth=0.3, image_size=48),
    VGG16(weights=None, width=0.1, image_size=33),
]


@pytest.fixture(params=TINY, ids=lambda backbone: type(backbone).__name__)
def tiny(request):
    """Each of our networks, small and with random weights."""
    return request.param


@pytest.fixture(params=MODELS)
def kind(request):
    """Each kind of model."""
    return request.param


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    """Make the folder of a small model with random weights, once."""
    import torch
    from transformers import AutoConfig, AutoModel

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
