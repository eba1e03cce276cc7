"""How pictures are brought to what the networks read."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from sktransfer_vision import VGG16, EfficientNetLite
from sktransfer_vision.pictures import squared


def noise(height, width, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("shape", [(256, 256), (300, 400), (401, 299), (7, 90), (1, 1), (2, 5000)])
def test_the_middle_is_cut_out_and_resized(shape):
    picture = noise(*shape)
    side = max(1, int(0.875 * min(shape)))
    top, left = (shape[0] - side + 1) // 2, (shape[1] - side + 1) // 2
    middle = Image.fromarray(picture).crop((left, top, left + side, top + side))
    for resample in ("bilinear", "bicubic"):
        wanted = np.asarray(middle.resize((224, 224), Image.Resampling[resample.upper()]))
        np.testing.assert_array_equal(squared(picture, 224, 0.875, resample), wanted)


def test_a_picture_of_the_right_size_within_its_margin_is_left_as_it_is():
    picture = noise(256, 300)
    np.testing.assert_array_equal(squared(picture, 224, 0.875, "bicubic"), picture[16:240, 38:262])


def test_views_of_arrays_are_read_as_what_they_show():
    picture = noise(60, 80)
    flipped = picture[::-1, ::2]
    np.testing.assert_array_equal(
        squared(flipped, 33, 0.875, "bicubic"), squared(flipped.copy(), 33, 0.875, "bicubic")
    )


@pytest.mark.parametrize(
    "picture",
    [
        noise(9, 9) / 255,
        noise(9, 9)[:, :, 0],
        noise(9, 9)[:, :, :1],
        noise(9, 9).transpose(2, 0, 1),
        noise(9, 9)[:0],
        noise(9, 9).astype(np.int64),
        "a text",
    ],
    ids=["floats", "flat", "grey", "channels first", "empty", "int64", "text"],
)
def test_what_is_no_picture_is_refused_with_what_makes_one(picture):
    with pytest.raises(ValueError, match=r"uint8 of shape \(height, width, 3\), got .*convert"):
        squared(picture, 33, 0.875, "bicubic")


@pytest.mark.parametrize(
    ("backbone", "size"),
    [
        (EfficientNetLite(0, weights=None), 224),
        (EfficientNetLite(1, weights=None), 240),
        (EfficientNetLite(2, weights=None), 260),
        (EfficientNetLite(2, weights=None, image_size=100), 100),
        (VGG16(weights=None), 224),
    ],
)
def test_each_network_reads_the_size_that_it_was_trained_on(backbone, size):
    encoder = backbone.load(device="cpu", random_state=0)
    (row,) = encoder.prepare([noise(30, 40)])
    assert np.asarray(row).shape == (size, size, 3)
    assert np.asarray(row).dtype == np.uint8


def test_a_row_says_how_many_pixels_it_needs():
    class Large:
        def decoded(self, at_least):
            asked.append(at_least)
            return noise(2 * at_least, 3 * at_least)

    asked = []
    encoder = EfficientNetLite(weights=None, width=0.1, crop=0.5).load(device="cpu", random_state=0)
    assert encoder.collate(encoder.prepare([Large()]))["pixels"].shape == (1, 224, 224, 3)
    assert asked == [448]


def test_colours_become_what_each_network_was_trained_on():
    pixels = np.array([[[[255, 127, 0]]]], dtype=np.uint8)
    import torch

    lite = EfficientNetLite(weights=None, width=0.1).load(device="cpu", random_state=0)
    given = lite.module.scaled(torch.from_numpy(pixels)).flatten()
    np.testing.assert_allclose(given, [1.0, 0.0, -127 / 128])
    vgg = VGG16(weights=None, width=0.1).load(device="cpu", random_state=0)
    given = vgg.module.scaled(torch.from_numpy(pixels)).flatten()
    np.testing.assert_allclose(given, [0 - 103.939, 127 - 116.779, 255 - 123.68], rtol=1e-6)
