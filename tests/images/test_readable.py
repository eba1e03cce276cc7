"""Which pictures can be read, and how often that is found out."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from sktransfer.images import validation
from sktransfer.images.image import Picture
from sktransfer.images.validation import check_pictures, unreadable

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.fixture
def decoded(monkeypatch):
    """The sources that were decoded; nothing is known before."""
    monkeypatch.setattr(validation, "_READ", set())
    found = []
    decode = Picture.decoded

    def counting(picture, at_least=None):
        found.append(picture.source)
        return decode(picture, at_least)

    monkeypatch.setattr(Picture, "decoded", counting)
    return found


@pytest.fixture
def files(tmp_path):
    for i in range(3):
        Image.fromarray(PIXELS + np.uint8(i)).save(tmp_path / f"{i}.png")
    return [str(tmp_path / f"{i}.png") for i in range(3)]


def is_read(X):
    return not unreadable(check_pictures(X))


@pytest.mark.parametrize("kind", ["paths", "bytes"])
def test_a_file_is_decoded_once_while_it_stays_as_it_is(files, decoded, kind):
    X = files
    if kind == "bytes":
        X = [open(path, "rb").read() for path in files]  # noqa: SIM115
    assert is_read(X)
    assert decoded == X
    # In another order, as in a fold.
    assert is_read(X[::-1])
    assert decoded == X


def test_a_file_that_was_replaced_is_decoded_again(files, decoded):
    assert is_read(files)
    before = os.stat(files[1])
    with open(files[1], "r+b") as file:
        file.write(b"no image")
    os.utime(files[1], ns=(before.st_atime_ns, before.st_mtime_ns + 10**10))
    assert list(unreadable(check_pictures(files))) == [1]
    assert decoded == [*files, files[1]]


def test_a_file_of_another_size_with_the_old_time_is_decoded_again(files, decoded):
    assert is_read(files)
    before = os.stat(files[1])
    with open(files[1], "wb") as file:
        file.write(b"no image")
    os.utime(files[1], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert list(unreadable(check_pictures(files))) == [1]


def test_a_format_whose_opener_is_gone_is_not_read_any_more(heif, tmp_path, decoded, monkeypatch):
    path = tmp_path / "photo.heic"
    path.write_bytes(heif)
    before = check_pictures([str(path)])[0].digest
    assert is_read([str(path)])
    monkeypatch.delitem(Image.OPEN, "HEIF")
    assert not is_read([str(path)])
    # Features are kept by what decoded the file, too.
    assert check_pictures([str(path)])[0].digest != before


def test_what_could_not_be_read_is_tried_again(tmp_path, files, decoded):
    damaged, gone = str(tmp_path / "3.png"), str(tmp_path / "4.png")
    (tmp_path / "3.png").write_bytes(b"no image")
    X = [*files, damaged, gone]
    assert list(unreadable(check_pictures(X))) == [3, 4]
    assert list(unreadable(check_pictures(X[2:]))) == [1, 2]
    for path in (damaged, gone):
        Image.fromarray(PIXELS).save(path)
    assert is_read(X)


def test_a_limit_of_pixels_that_is_set_later_counts(files, decoded, monkeypatch):
    assert is_read(files)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert list(unreadable(check_pictures(files))) == [0, 1, 2]


def test_arrays_and_images_of_pillow_are_not_remembered(decoded):
    assert is_read([PIXELS, Image.fromarray(PIXELS)])
    assert not validation._READ


def test_what_is_remembered_is_limited(files, decoded, monkeypatch):
    monkeypatch.setattr(validation, "_MOST", 2)
    for _ in range(2):
        assert is_read(files)
        assert len(validation._READ) <= 2
