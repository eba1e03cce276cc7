"""Small tables and images, models that are trained once, and a way to run the program."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from sktransfer.cli.main import app

TEXTS = ["a lovely film", "great fun, all of it", "a dull film", "boring from start to end"] * 4
LABELS = ["good", "good", "bad", "bad"] * 4


def write_rows(path, names, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])
    return path


@pytest.fixture(scope="session")
def sktransfer():
    """Run a command in this process; give exit code, stdout and stderr."""

    def run(*arguments):
        return CliRunner().invoke(app, [str(each) for each in arguments], prog_name="sktransfer")

    return run


@pytest.fixture(scope="session")
def train_quickly(sktransfer):
    def run(data, model, *more):
        fast = ("--backbone", "hashing", "--freeze", "frozen", "--device", "cpu")
        return sktransfer("train", data, "--model", model, *fast, *more)

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory, train_quickly):
    """A model of two labels; not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    data = write_rows(folder / "data.csv", ["text", "label"], zip(TEXTS, LABELS, strict=True))
    done = train_quickly(data, folder / "model")
    assert done.exit_code == 0, done.output
    return folder / "model"


@pytest.fixture
def data(tmp_path):
    rows = zip(range(len(TEXTS)), TEXTS, LABELS, strict=True)
    return write_rows(tmp_path / "data.csv", ["id", "text", "label"], rows)


@pytest.fixture
def error_of():
    """Give the one sentence of a command that failed."""

    def read(done):
        assert done.exit_code == 1, done.output
        assert done.stdout == ""
        *others, last = done.stderr.splitlines()
        assert not [line for line in others if not line.startswith("warning: ")], done.stderr
        assert last.startswith("error: ")
        return last.removeprefix("error: ")

    return read


# --- images ---------------------------------------------------------------------------------------


def draw_image(path, name, seed):
    """Draw stripes of some colours, lying or upright, with some noise."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    height, width = rng.integers(36, 60, 2)
    y, x = np.mgrid[:height, :width] // 6 % 2
    colours = rng.integers(0, 100, 3), rng.integers(130, 220, 3)
    stripes = np.where((x if name == "upright" else y)[..., None], *colours)
    pixels = stripes + rng.integers(0, 30, stripes.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def draw_classes(folder, n=6, seed=0):
    """Draw n images of each of two classes."""
    for i in range(n):
        for j, name in enumerate(("lying", "upright")):
            suffix = "jpg" if i % 2 else "png"
            draw_image(folder / name / f"{i}.{suffix}", name, 100 * seed + 2 * i + j)
    return folder


@pytest.fixture(scope="session")
def draw():
    """Draw one image: path, class and seed."""
    return draw_image


@pytest.fixture(scope="session")
def draw_folder():
    """Draw a folder with one folder a class."""
    return draw_classes


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    """The folder of a small model of images with random weights, as the hub has them."""
    import torch
    from transformers import ViTConfig, ViTModel

    folder = tmp_path_factory.mktemp("network")
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=8,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ViTModel(config).save_pretrained(folder)
    processor = {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


@pytest.fixture(scope="session")
def train_on_images(sktransfer, network):
    def run(photos, model, *more):
        fast = ("--backbone", network, "--freeze", "frozen", "--device", "cpu")
        return sktransfer("train", photos, "--model", model, *fast, *more)

    return run


@pytest.fixture(scope="session")
def of_images(tmp_path_factory, train_on_images):
    """A model of two labels; not to be changed."""
    folder = tmp_path_factory.mktemp("of_images")
    done = train_on_images(draw_classes(folder / "photos"), folder / "model")
    assert done.exit_code == 0, done.output
    return folder / "model"


@pytest.fixture
def photos(tmp_path):
    return draw_classes(tmp_path / "photos", seed=1)


@pytest.fixture
def damaged(photos):
    """Twelve images and a thirteenth that is none."""
    (photos / "lying" / "3x.jpg").write_bytes(b"no image")
    return photos
