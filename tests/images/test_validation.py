"""Pictures as users have them, and as an encoder is given them."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sktransfer import ImageAugmentation
from sktransfer.features.store import store_keys
from sktransfer.images.image import Picture, View
from sktransfer.images.validation import check_pictures, unreadable

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 20, 30, 3), dtype=np.uint8)


@pytest.fixture
def paths(tmp_path):
    found = []
    for i, pixels in enumerate(PIXELS):
        found.append(tmp_path / f"{i}.png")
        Image.fromarray(pixels).save(found[-1])
    return found


def containers(paths):
    import pandas as pd

    names = [str(path) for path in paths]
    images = [Image.fromarray(pixels) for pixels in PIXELS]
    yield "paths", paths
    yield "str", names
    yield "tuple", tuple(names)
    yield "array of str", np.array(names)
    yield "array of objects", np.array(names, dtype=object)
    yield "column of an array", np.array(names, dtype=object)[:, None]
    yield "Series", pd.Series(names, index=[7, 7, 1, 0])
    yield "frame", pd.DataFrame({"photo": names})
    yield "images", images
    yield "Series of images", pd.Series(images)
    yield "list of arrays", list(PIXELS)
    yield "one array", PIXELS
    yield "floats", PIXELS / 255
    yield "bytes", [path.read_bytes() for path in paths]
    yield "generator", (name for name in names)
    yield "a mixture", [paths[0], images[1], PIXELS[2], names[3]]
    try:
        import polars as pl
    except ImportError:
        return
    yield "polars", pl.Series("photo", names)
    yield "polars frame", pl.DataFrame({"photo": names})


def test_all_containers_hold_the_same_pictures(paths):
    for name, X in containers(paths):
        found = np.stack([np.asarray(picture) for picture in check_pictures(X)])
        np.testing.assert_array_equal(found, PIXELS, err_msg=name)


def test_an_array_of_three_dimensions_holds_grey_pictures():
    found = check_pictures(np.zeros((5, 28, 28), dtype=np.uint8))
    assert [np.asarray(picture).shape for picture in found] == [(28, 28, 3)] * 5


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ("photo.jpg", ValueError, r"one str, 'photo\.jpg'\. .*pass \[image\].*read_image_folder"),
        (Path("photo.jpg"), ValueError, r"one \w+Path, 'photo\.jpg'\. "),
        ("A" * 500, ValueError, r"one str, 'A{80}\.\.\.'\. "),
        (np.zeros((9, 3, 32, 40)), ValueError, r"\(9, 3, 32, 40\).*X\.transpose\(0, 2, 3, 1\)\.$"),
        (b"\xff\xd8", ValueError, "one bytes"),
        (Image.new("L", (2, 2)), ValueError, "one Image"),
        (PIXELS[0], ValueError, r"shape \(20, 30, 3\).*X\[None\]"),
        (np.zeros((10, 64)), ValueError, r"reshape\(n, height, width\)"),
        (np.zeros((2, 2, 2, 2, 2)), ValueError, "expected"),
        (np.array("a.jpg"), ValueError, "expected"),
        (np.array([["a.jpg", "b.jpg"]]), ValueError, r"\(1, 2\)"),
        (np.array([b"\xff\xd8\0"]), ValueError, "pass a list of the files' contents"),
        ([], ValueError, "X is empty"),
        (np.zeros((0, 4, 4)), ValueError, "X is empty"),
        (None, TypeError, "NoneType"),
        ({"a": 1}, TypeError, "dict"),
        (3, TypeError, "int"),
        (["a.jpg", None], ValueError, "missing value at index 1"),
        (["a.jpg", float("nan")], ValueError, "missing value at index 1"),
        (["a.jpg", 3], TypeError, "int at index 1"),
        (["a.jpg", "https://b.org/c.jpg"], ValueError, r"URL at index 1: 'https://b.org/c.jpg'"),
        ([Path("http://b.org/c.jpg")], ValueError, "URLs are not fetched: download the file first"),
        (["data:image/png;base64," + "A" * 500], ValueError, r"AAA\.\.\.'.*base64\.b64decode"),
        ([[[1, 2], [3, 4]]], TypeError, "numpy.asarray"),
    ],
)
def test_what_is_no_collection_of_pictures_is_refused(X, error, message):
    with pytest.raises(error, match=message):
        check_pictures(X)


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch, paths):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    home = [f"~/{os.path.relpath(path, tmp_path)}" for path in paths]
    for X in (home, [Path(path) for path in home]):
        found = check_pictures(X)
        assert [picture.path for picture in found] == [str(path) for path in paths]


def test_two_columns_are_refused_by_name():
    import pandas as pd

    with pytest.raises(ValueError, match=r"2 columns \(front, back\).*pass X\['...'\]"):
        check_pictures(pd.DataFrame({"front": ["a"], "back": ["b"]}))


def test_nothing_is_read_until_it_is_looked_at(tmp_path):
    (picture,) = check_pictures([tmp_path / "not there.jpg"])
    with pytest.raises(ValueError, match=r"X\[0\], .*not there.jpg, cannot be read.*No such file"):
        picture.decoded()


def test_an_error_names_position_and_file(paths):
    paths[2].write_bytes(paths[2].read_bytes()[:200])
    pictures = check_pictures(paths, start=4096)
    assert list(unreadable(pictures)) == [2]
    with pytest.raises(ValueError, match=rf"X\[4098\], {paths[2]}, cannot be read as an image"):
        np.asarray(pictures[2])
    with pytest.raises(ValueError, match=r"X\[1\] cannot be read as an image: it is an array"):
        check_pictures([PIXELS[0], np.zeros((2, 2, 7))])[1].decoded()


def test_channels_that_may_be_the_last_are(tmp_path):
    assert len(check_pictures(np.zeros((2, 3, 4, 3)))) == 2
    assert check_pictures(np.zeros((2, 3, 8, 1)))[0].decoded().shape == (3, 8, 3)


def test_advice_about_files_is_none_about_arrays():
    (picture,) = check_pictures([np.full((2, 2), -1.0)], advice="Remove it.")
    with pytest.raises(ValueError, match=r"part of the network$"):
        picture.decoded()


@pytest.mark.parametrize("advised", ["decoded", "digest"])
def test_advice_follows_the_reason(tmp_path, advised):
    (tmp_path / "a.jpg").mkdir()
    (picture,) = check_pictures([tmp_path / "a.jpg"], advice="Remove it.")
    with pytest.raises(ValueError, match=r"read as an image: .*directory.*\. Remove it\.$"):
        picture.decoded() if advised == "decoded" else picture.digest


def test_an_error_helps_to_find_what_is_no_path(tmp_path, paths):
    whole = paths[0].read_bytes()
    paths[1].write_bytes(whole[:-200])
    with Image.open(paths[1]) as opened:
        X = [PIXELS[0], opened, whole[:1200]]
        first, second = unreadable(check_pictures(X)).values()
    assert first.startswith(f"X[1], {paths[1]}, cannot be read as an image: ")
    assert second.startswith("X[2], 1,200 bytes, cannot be read as an image: ")


def test_the_file_of_many_arrays_is_the_path_of_none(tmp_path):
    np.save(tmp_path / "all.npy", PIXELS)
    (first, *_) = check_pictures(np.load(str(tmp_path / "all.npy"), mmap_mode="r"))
    assert (first.path, first.name) == (None, "X[0]")


def test_a_folder_is_no_picture(tmp_path):
    (reason,) = unreadable(check_pictures([tmp_path])).values()
    assert "Is a directory" in reason


def test_equal_pictures_are_one_and_others_are_not(paths):
    one, same, other = check_pictures([paths[0], str(paths[0]), paths[1]])
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    arrays = check_pictures([PIXELS[0], PIXELS[0].copy(), PIXELS[1], PIXELS[0] / 255])
    assert arrays[0] == arrays[1]
    assert len(set(arrays)) == 3
    assert one != arrays[0]  # to know that they show the same, both would have to be decoded


def test_a_file_that_is_written_anew_is_another_picture(paths):
    before = Picture(paths[0], 0)
    assert before == Picture(paths[0], 5)
    (key,) = store_keys("", [before])
    paths[0].write_bytes(paths[1].read_bytes())
    os.utime(paths[0], ns=(1, 1))
    assert before != Picture(paths[0], 0)
    assert store_keys("", [Picture(paths[0], 0)]) != [key]
    assert store_keys("", [Picture(paths[0], 0)]) == store_keys("", [Picture(paths[1], 0)])


@given(st.lists(st.integers(0, 5), min_size=2, max_size=2))
def test_keys_differ_if_and_only_if_arrays_do(values):
    one, other = (Picture(np.full((2, 3), v, dtype=np.uint8), 0) for v in values)
    assert (store_keys("a", [one]) == store_keys("a", [other])) == (values[0] == values[1])
    assert store_keys("a", [one]) != store_keys("b", [one])


def test_shape_and_type_are_a_part_of_the_key():
    zeros = [np.zeros(shape, dtype=np.uint8) for shape in ((2, 3), (3, 2), (6, 1))]
    zeros.append(np.zeros((2, 3), dtype=np.float32))
    assert len(set(store_keys("", check_pictures(zeros)))) == 4


def test_pictures_of_paths_travel_as_paths(paths):
    data = pickle.dumps(check_pictures(paths))
    assert len(data) < 1000
    assert list(pickle.loads(data)) == list(check_pictures(paths))


def test_a_view_is_the_same_for_the_same_seed_and_shows_each_picture_in_its_own_way(paths):
    augmentation = ImageAugmentation(rotation=20, color=0.3)
    one, other = check_pictures(paths[:2])
    view = augmentation.view(one, 3)
    np.testing.assert_array_equal(view, augmentation.view(Picture(paths[0], 9), 3))
    assert view == augmentation.view(one, 3)
    assert store_keys("", [view]) == store_keys("", [augmentation.view(one, 3)])
    others = [
        augmentation.view(one, 4),
        augmentation.view(other, 3),
        ImageAugmentation(rotation=21, color=0.3).view(one, 3),
        one,
    ]
    for each in others:
        assert view != each
        assert store_keys("", [view]) != store_keys("", [each])


def test_views_of_two_pictures_are_drawn_apart():
    augmentation = ImageAugmentation(crop=0.5)
    pictures = check_pictures(np.stack([np.zeros((90, 90, 3)), np.ones((90, 90, 3))]))
    pairs = [
        tuple(augmentation.view(p, seed).decoded().shape for p in pictures) for seed in range(9)
    ]
    assert any(one != other for one, other in pairs)


def test_what_is_not_about_one_picture_does_not_make_another_view():
    (picture,) = check_pictures(PIXELS[:1])
    view = ImageAugmentation(n_views=2).view(picture, 0)
    assert view == ImageAugmentation(n_views=9, mixup=0.4).view(picture, 0)


def test_a_subclass_shows_other_views():
    class Black(ImageAugmentation):
        def apply(self, picture, rng):
            return np.zeros_like(picture)

    (picture,) = check_pictures(PIXELS[:1])
    view = Black().view(picture, 0)
    assert isinstance(view, View)
    assert np.asarray(view).sum() == 0
    assert store_keys("", [view]) != store_keys("", [ImageAugmentation().view(picture, 0)])


def test_what_a_subclass_does_and_holds_is_a_part_of_its_identity():
    def made(value, **own):
        class Mine(ImageAugmentation):
            def apply(self, picture, rng):
                return np.full_like(picture, value)

        augmentation = Mine()
        vars(augmentation).update(own)
        return augmentation

    class Doubled(ImageAugmentation):
        def apply(self, picture, rng):
            return picture * 2

    first = Doubled().identity()

    class Doubled(ImageAugmentation):
        def apply(self, picture, rng):
            return picture * 3

    assert Doubled().identity() != first
    assert made(0).identity() == made(0).identity()
    assert made(0, own=1).identity() != made(0, own=2).identity()


def test_a_path_that_cannot_be_one_is_named():
    (reason,) = unreadable(check_pictures(["a\0b.jpg"])).values()
    assert reason.startswith("X[0], a\0b.jpg, cannot be read as an image")


def test_a_view_of_a_large_picture_is_made_of_a_smaller_one(tmp_path):
    large = Image.fromarray(PIXELS[0]).resize((1600, 1200))
    sizes = []

    class Watching(ImageAugmentation):
        def apply(self, picture, rng):
            sizes.append(picture.shape[:2])
            return picture

    for name in ("large.jpg", "large.png"):
        large.save(tmp_path / name)
        (picture,) = check_pictures([tmp_path / name])
        Watching().view(picture, 0).decoded(at_least=200)
    assert sizes == [(600, 800), (400, 533)] or sizes == [(600, 800), (400, 534)]
