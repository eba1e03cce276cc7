"""Any transformers encoder by folder: what is loaded, what is refused, what is computed."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from sktransfer.backbones._layers import blocks_of
from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.testing import parametrize_with_contracts

TEXTS = ["a good film", "it was not very good, and the movie is dull", ""]


def features(backbone, texts=TEXTS):
    encoder = backbone.load(device="cpu", random_state=0)
    encoder.module.eval()
    with torch.no_grad():
        return encoder.forward(encoder.collate(encoder.prepare(texts))).numpy()


def copy_of(folder, tmp_path, **files):
    target = tmp_path / "copy"
    shutil.copytree(folder, target)
    for name, content in files.items():
        path = target / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    return target


def test_tiny_model_fulfils_every_contract(tiny_model):
    from sktransfer.testing import check_plugin

    check_plugin(TransformerBackbone(tiny_model))


@pytest.mark.weights
@pytest.mark.slow
@parametrize_with_contracts([TransformerBackbone("minilm", max_length=32)])
def test_minilm_fulfils_contract(plugin, check):
    check(plugin)


def test_blocks_are_embeddings_then_layers(tiny_model):
    encoder = TransformerBackbone(tiny_model).load(device="cpu", random_state=0)
    assert list(encoder.blocks) == ["embeddings", "layer.0", "layer.1", "layer.2"]


@pytest.mark.parametrize(
    "kind",
    ["bert", "roberta", "distilbert", "electra", "mpnet", "deberta-v2", "modernbert", "albert"],
)
def test_blocks_of_every_architecture_are_ordered_and_cover_all_parameters(kind):
    from transformers import AutoConfig, AutoModel

    small = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    small |= {"intermediate_size": 32, "max_position_embeddings": 32, "pad_token_id": 0}
    small |= (
        {"dim": 32, "hidden_dim": 32, "n_heads": 4, "n_layers": 2} if kind == "distilbert" else {}
    )
    small |= {"embedding_size": 32, "relative_attention": True, "position_buckets": 8}
    config = AutoConfig.for_model(kind, **small)
    with torch.random.fork_rng():
        module = AutoModel.from_config(config)
    blocks = blocks_of(module)
    n_layers = 1 if kind == "albert" else 2  # ALBERT's layers share their weights
    assert list(blocks) == ["embeddings", *(f"layer.{i}" for i in range(n_layers))]
    names = [name for members in blocks.values() for name in members]
    assert sorted(names) == sorted(name for name, _ in module.named_parameters())
    assert not any("word_embeddings" in name for name in blocks["layer.0"])


def test_mean_pooling_is_the_mean_over_real_tokens(tiny_model):
    encoder = TransformerBackbone(tiny_model).load(device="cpu", random_state=0)
    encoder.module.eval()
    row = encoder.prepare([TEXTS[0]])[0]
    with torch.no_grad():
        states = encoder.module(input_ids=torch.tensor([row.ids])).last_hidden_state[0]
    np.testing.assert_allclose(
        features(TransformerBackbone(tiny_model))[0], states.mean(0), atol=1e-5
    )


def test_poolings_differ_and_each_is_what_its_name_says(tiny_model):
    encoder = TransformerBackbone(tiny_model).load(device="cpu", random_state=0)
    encoder.module.eval()
    with torch.no_grad():
        states = encoder.module(**encoder.collate(encoder.prepare(TEXTS[:1]))).last_hidden_state[0]
    for pooling, expected in [("cls", states[0]), ("max", states.max(0).values)]:
        found = features(TransformerBackbone(tiny_model, pooling=pooling))[0]
        np.testing.assert_allclose(found, expected, atol=1e-5)
    pooled = features(TransformerBackbone(tiny_model, pooling="pooler"))[0]
    assert np.abs(pooled).max() <= 1.0  # it ends in a tanh


def test_pooling_and_length_are_read_from_sentence_transformers_files(tiny_model, tmp_path):
    folder = copy_of(
        tiny_model,
        tmp_path,
        **{
            "modules.json": [
                {"path": "", "type": "sentence_transformers.models.Transformer"},
                {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
                {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
            ],
            "1_Pooling__config.json": {"pooling_mode_cls_token": True},
            "sentence_bert_config.json": {"max_seq_length": 5},
        },
    )
    read = features(TransformerBackbone(folder))
    told = features(TransformerBackbone(tiny_model, pooling="cls", normalize=True, max_length=5))
    np.testing.assert_allclose(read, told, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(read, axis=1), 1.0, atol=1e-5)


def test_max_length_cuts_and_is_part_of_the_fingerprint(tiny_model):
    long, short = TransformerBackbone(tiny_model), TransformerBackbone(tiny_model, max_length=4)
    a, b = (backbone.load(device="cpu", random_state=0) for backbone in (long, short))
    assert len(b.prepare(["a good film and a dull movie"])[0]) == 4
    assert a.fingerprint != b.fingerprint
    assert a.fingerprint.weights == b.fingerprint.weights
    with pytest.raises(ValueError, match=r"max_length has to be from 3 to 64 .* got 65"):
        TransformerBackbone(tiny_model, max_length=65).load(device="cpu", random_state=0)


def test_special_tokens_in_a_text_are_ordinary_text(tiny_model):
    encoder = TransformerBackbone(tiny_model).load(device="cpu", random_state=0)
    row = encoder.prepare(["a [SEP] b"])[0]
    assert row.ids.count(encoder._tokenizer.sep_token_id) == 1


def test_half_precision_checkpoint_is_loaded_in_single_precision(tiny_model, tmp_path):
    from transformers import AutoModel

    folder = copy_of(tiny_model, tmp_path)
    AutoModel.from_pretrained(tiny_model).to(torch.bfloat16).save_pretrained(folder)
    encoder = TransformerBackbone(folder).load(device="cpu", random_state=0)
    assert {p.dtype for p in encoder.module.parameters()} == {torch.float32}


def test_loading_prints_nothing_and_restores_transformers_settings(tiny_model, capfd):
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    TransformerBackbone(tiny_model).load(device="cpu", random_state=0)
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    assert capfd.readouterr() == ("", "")


def test_folder_without_config_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"it has no config\.json"):
        TransformerBackbone(tmp_path).load(device="cpu", random_state=0)


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="there is no such folder"):
        TransformerBackbone(tmp_path / "nothing").load(device="cpu", random_state=0)


def test_pickled_weights_are_refused(tiny_model, tmp_path):
    folder = copy_of(tiny_model, tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"no \*.safetensors file. Pickled weights"):
        TransformerBackbone(folder).load(device="cpu", random_state=0)


def test_truncated_weights_are_refused_with_the_folder_named(tiny_model, tmp_path):
    folder = copy_of(tiny_model, tmp_path)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ValueError, match="damaged or cut short") as error:
        TransformerBackbone(folder).load(device="cpu", random_state=0)
    assert str(folder) in str(error.value)


def test_auto_map_is_refused_without_running_or_asking(tiny_model, tmp_path, monkeypatch):
    folder = copy_of(tiny_model, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "evil.EvilModel"}
    (folder / "config.json").write_text(json.dumps(config))
    marker = tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(marker)!r}, 'w')")
    monkeypatch.setattr("builtins.input", lambda *a: pytest.fail("asked on stdin"))
    with pytest.raises(ValueError, match="auto_map"):
        TransformerBackbone(folder).load(device="cpu", random_state=0)
    assert not marker.exists()


def test_weights_that_the_file_lacks_are_counted_in_a_warning(tiny_model, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = copy_of(tiny_model, tmp_path)
    tensors = load_file(folder / "model.safetensors")
    tensors = {k: v for k, v in tensors.items() if "layer.2" not in k}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.warns(UserWarning, match="16 weights of the encoder are not in the files"):
        TransformerBackbone(folder).load(device="cpu", random_state=0)


@pytest.mark.parametrize("kind", ["vit", "clip"])
def test_a_model_of_images_is_refused_by_its_kind(kind, tmp_path):
    from transformers import AutoConfig, AutoModel

    tiny = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32}
    towers = {"vision_config": tiny, "text_config": {**tiny, "vocab_size": 9}}
    config = AutoConfig.for_model(kind, **(tiny if kind == "vit" else towers))
    AutoModel.from_config(config).save_pretrained(tmp_path)
    with pytest.raises(
        ValueError, match=rf"kind '{kind}', which reads .*images: .*sktransfer-vision"
    ):
        TransformerBackbone(tmp_path).load(device="cpu", random_state=0)


@pytest.mark.weights
def test_minilm_gives_the_known_similarities():
    vectors = features(
        TransformerBackbone("minilm"),
        ["How old are you?", "What is your age?", "The stock market fell."],
    )
    similar, different = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert similar > 0.7
    assert different < 0.2
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def fingerprint_with(folder, name):
    (folder / name).write_text("{}")
    return TransformerBackbone(folder).load(device="cpu", random_state=0).fingerprint


def test_what_a_tokenizer_reads_is_part_of_the_fingerprint_and_notes_are_not(tiny_model, tmp_path):
    folder = copy_of(tiny_model, tmp_path)
    before = TransformerBackbone(folder).load(device="cpu", random_state=0).fingerprint
    assert fingerprint_with(folder, "my_notes.txt") == before
    assert fingerprint_with(folder, "data_config.json") == before
    assert fingerprint_with(folder, "special_tokens_map.json") != before
