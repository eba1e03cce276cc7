"""Configurations that name code or kernels are refused before anything is imported or fetched."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sys

import pytest

from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.weights.model_files import ModelFiles

BERT = {"model_type": "bert"}
HOSTILE = [
    # (file, what it holds, the key that the message names)
    ("config.json", {"auto_map": {"AutoModel": "evil.Model"}}, "auto_map"),
    ("config.json", {"auto_map": {"AutoConfig": "owner/code--evil.Config"}}, "auto_map"),
    ("config.json", {"text_config": {"auto_map": {"AutoModel": "evil.M"}}}, "text_config.auto_map"),
    ("config.json", {"custom_pipelines": {"x": {"impl": "evil.Pipe"}}}, "custom_pipelines"),
    ("config.json", {"attn_implementation": "owner/kernel"}, "attn_implementation"),
    ("config.json", {"_attn_implementation": "owner/kernel@main:f"}, "_attn_implementation"),
    ("config.json", {"_attn_implementation": "paged|owner/kernel"}, "_attn_implementation"),
    (
        "config.json",
        {"_attn_implementation_internal": "kernels-community/flash-attn"},
        "_attn_implementation_internal",
    ),
    (
        "config.json",
        {"attn_implementation": {"": "sdpa", "text_config": "owner/kernel"}},
        "attn_implementation.text_config",
    ),
    (
        "config.json",
        {"encoder": {"attn_implementation": "owner/kernel"}},
        "encoder.attn_implementation",
    ),
    (
        "config.json",
        {"decoder": {"_attn_implementation": "owner/kernel"}},
        "decoder._attn_implementation",
    ),
    (
        "config.json",
        {"vision_config": {"backbone_config": {"_attn_implementation": "owner/kernel"}}},
        "vision_config.backbone_config._attn_implementation",
    ),
    (
        "config.json",
        {"per_layer_config": [{"attn_implementation": "owner/kernel"}]},
        "per_layer_config.0.attn_implementation",
    ),
    ("config.json", {"experts_implementation": "owner/kernel"}, "experts_implementation"),
    (
        "config.json",
        {"_experts_implementation_internal": "o/k"},
        "_experts_implementation_internal",
    ),
    # A second name for a key, which transformers 5.23 hands on to the guarded one.
    (
        "config.json",
        {"attribute_map": {"x": "_attn_implementation_internal"}, "x": "owner/kernel"},
        "attribute_map",
    ),
    ("config.json", {"configuration_files": ["config.4.0.0.json"]}, "configuration_files"),
    ("config.json", {"quantization_config": {"quant_method": "mxfp4"}}, "quantization_config"),
    ("config.json", {"compression_config": {"quant_method": "x"}}, "compression_config"),
    ("config.json", {"kernel_config": {"RMSNorm": "owner/kernel:Norm"}}, "kernel_config"),
    ("config.json", {"use_kernels": True}, "use_kernels"),
    (
        "config.json",
        {"model_type": "lightglue", "keypoint_detector_config": {"trust_remote_code": True}},
        "keypoint_detector_config.trust_remote_code",
    ),
    ("config.json", {"backbone": "owner/name"}, "backbone"),
    ("config.json", {"architecture": "hf-hub:owner/name"}, "architecture"),
    ("config.json", {"model_args": {"checkpoint_path": "evil.pth"}}, "model_args.checkpoint_path"),
    ("config.json", {"tokenizer_class": "evil.Tokenizer"}, "tokenizer_class"),
    ("tokenizer_config.json", {"auto_map": ["evil.Tokenizer", None]}, "auto_map"),
    ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.T", None]}}, "auto_map"),
    ("tokenizer_config.json", {"tokenizer_class": "owner/code--evil.T"}, "tokenizer_class"),
    ("adapter_config.json", {"peft_type": "LORA", "megatron_core": "evil"}, "peft_type"),
]
PROCESSORS = [
    ("preprocessor_config.json", {"auto_map": {"AutoImageProcessor": "evil.P"}}, "auto_map"),
    ("preprocessor_config.json", {"image_processor_type": "evil.P"}, "image_processor_type"),
    ("preprocessor_config.json", {"feature_extractor_type": "o/p"}, "feature_extractor_type"),
    ("processor_config.json", {"auto_map": {"AutoProcessor": "evil.P"}}, "auto_map"),
    ("processor_config.json", {"processor_class": "evil.P"}, "processor_class"),
    (
        "processor_config.json",
        {"image_processor": {"auto_map": {"AutoImageProcessor": "evil.P"}}},
        "image_processor.auto_map",
    ),
]


@pytest.fixture
def folder(tmp_path):
    """A folder that passes for a model, with code that must not run."""
    (tmp_path / "config.json").write_text(json.dumps(BERT))
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    return tmp_path


@pytest.fixture
def sealed(monkeypatch):
    """Neither transformers nor the network can be reached."""
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: pytest.fail("network"))
    monkeypatch.setattr(socket.socket, "connect", lambda *a, **k: pytest.fail("network"))
    monkeypatch.setattr("builtins.input", lambda *a: pytest.fail("asked on stdin"))


def write(folder, file, held):
    held = {**BERT, **held} if file == "config.json" else held
    (folder / file).write_text(json.dumps(held))


def named(folder, file, key):
    return re.escape(f"{folder / file} has {key}=") + r".*trust_remote_code=True"


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize(("file", "held", "key"), HOSTILE)
def test_a_hostile_model_of_texts_is_refused_by_file_and_key(folder, file, held, key):
    write(folder, file, held)
    with pytest.raises(ValueError, match=named(folder, file, key)):
        TransformerBackbone(folder).load(device="cpu", random_state=0)
    assert not (folder / "ran").exists()


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize(("file", "held", "key"), PROCESSORS)
def test_a_hostile_processor_is_refused_by_file_and_key(folder, file, held, key):
    write(folder, file, held)
    with pytest.raises(ValueError, match=named(folder, file, key)):
        ModelFiles(folder).check(
            trust_remote_code=False,
            caller="ImageTransformer",
            settings=["preprocessor_config.json", "processor_config.json"],
        )


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize(("file", "held", "key"), HOSTILE)
def test_only_trust_in_its_code_lets_a_hostile_model_pass(folder, file, held, key):
    write(folder, file, held)
    with pytest.raises(ImportError, match="transformers"):
        TransformerBackbone(folder, trust_remote_code=True).load(device="cpu", random_state=0)


@pytest.mark.parametrize(
    "held",
    [
        {"attn_implementation": "eager"},
        {"_attn_implementation": "sdpa"},
        {"_attn_implementation_autoset": True},
        {"auto_map": {}, "use_kernels": False},
        {"id2label": {"0": "owner/name"}, "label2id": {"owner/name": 0}},
        {"_name_or_path": "owner/name"},
    ],
)
def test_plain_settings_load(tiny_model, tmp_path, held):
    copy = shutil.copytree(tiny_model, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, **held}))
    assert TransformerBackbone(copy).load(device="cpu", random_state=0).dim == 32


@pytest.mark.parametrize(
    "held",
    [
        {"attn_implementation": {"text_config": "flash_attention_2"}},
        {"_attn_implementation": "flex_attention"},
        {"quantization_config": None},
    ],
)
def test_what_transformers_brings_is_not_refused(folder, held):
    write(folder, "config.json", held)
    ModelFiles(folder).check(trust_remote_code=False, caller="X", settings=[])


def test_settings_that_are_nested_too_deeply_are_refused_by_file(folder):
    (folder / "config.json").write_text('{"a":' * 100_000 + "1" + "}" * 100_000)
    with pytest.raises(ValueError, match=r"config\.json is not valid JSON"):
        ModelFiles(folder).check(trust_remote_code=False, caller="X", settings=[])
