"""Folders of images: what is found, and what is said of those that are laid out otherwise."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from sktransfer.datasets import read_image_folder
from sktransfer.datasets._input_files import files_below
from sktransfer.images.formats import IMAGES


@pytest.fixture
def make(tmp_path):
    def made(*names, root="pictures"):
        folder = tmp_path / root
        folder.mkdir(exist_ok=True)
        for name in names:
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.mkdir() if name.endswith("/") else file.touch()
        return folder

    return made


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def link(place, target):
    try:
        place.symlink_to(target, target_is_directory=True)
    except (OSError, NotImplementedError) as error:
        pytest.skip(f"no links here: {error}")


def names_below(folder, paths):
    return [Path(path).relative_to(folder).as_posix() for path in paths]


def test_the_folder_is_the_class_however_deep_an_image_lies(make):
    folder = make("dogs/3.jpg", "cats/kittens/small/2.png", "cats/1.jpg")
    animals = read_image_folder(folder)
    assert names_below(folder, animals.data) == [
        "cats/1.jpg",
        "cats/kittens/small/2.png",
        "dogs/3.jpg",
    ]
    assert all(type(path) is str and os.path.isfile(path) for path in animals.data)
    assert animals.target.tolist() == ["cats", "cats", "dogs"]
    assert animals.target.dtype.kind == "U"
    assert animals.target_names == ["cats", "dogs"]
    assert "3 images of 2 classes" in animals.DESCR
    assert [line.split() for line in animals.DESCR.splitlines()[2:]] == [
        ["cats", "2"],
        ["dogs", "1"],
    ]


def test_paths_are_sorted_and_keep_their_class(make):
    folder = make("a b/1.jpg", "a/2.jpg", "a-b/3.jpg", "a/10.jpg", "B/4.jpg")
    animals = read_image_folder(folder)
    assert animals.data == sorted(animals.data)
    assert animals.target_names == ["B", "a", "a b", "a-b"]
    for path, name in zip(animals.data, animals.target, strict=True):
        assert Path(path).parent.name == name


def test_images_and_classes_can_be_had_alone(make):
    folder = make("cats/1.jpg", "dogs/2.jpg")
    X, y = read_image_folder(folder, return_X_y=True)
    assert read_image_folder(folder).data == X
    assert isinstance(y, np.ndarray)
    assert y.tolist() == ["cats", "dogs"]


SUFFIXES = "jpg jpeg jpe png gif bmp webp tif tiff ppm pgm pbm avif jp2 mpo JPG Jpeg PNG"


@pytest.mark.parametrize("suffix", SUFFIXES.split())
def test_an_image_is_what_its_suffix_says(make, suffix):
    assert len(read_image_folder(make(f"a/1.{suffix}", f"b/1.x.{suffix}")).data) == 2


def test_other_files_and_what_is_hidden_are_passed_over(make):
    folder = make(
        "cats/1.jpg",
        "dogs/2.jpg",
        "cats/Thumbs.db",
        "cats/notes.txt",
        "cats/jpg",
        "cats/3.jpg.json",
        "cats/.4.jpg",
        "cats/._1.jpg",
        "cats/.cache/5.jpg",
        "cats/@eaDir/1.jpg",
        ".git/6.jpg",
        "__MACOSX/cats/7.jpg",
        "README.md",
        ".8.jpg",
    )
    assert names_below(folder, read_image_folder(folder).data) == ["cats/1.jpg", "dogs/2.jpg"]


def test_a_folder_that_is_named_like_an_image_is_a_folder(make):
    folder = make("cats/a.jpg/1.jpg", "dogs/2.jpg")
    assert names_below(folder, read_image_folder(folder).data) == ["cats/a.jpg/1.jpg", "dogs/2.jpg"]


def test_paths_begin_with_what_was_given(make, monkeypatch):
    folder = make("cats/1.jpg", "dogs/2.jpg")
    monkeypatch.chdir(folder.parent)
    assert read_image_folder("pictures").data[0] == os.path.join("pictures", "cats", "1.jpg")
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.setenv("USERPROFILE", str(folder.parent))
    assert read_image_folder("~/pictures").data == read_image_folder(folder).data


def test_images_are_not_opened(make):
    # Empty files are no images; whoever decodes them says so.
    assert len(read_image_folder(make("cats/1.jpg", "dogs/2.jpg")).data) == 2


# --- links ---------------------------------------------------------------------------------------


def test_links_to_folders_are_followed_once(make):
    folder = make("cats/1.jpg", "dogs/2.jpg")
    elsewhere = make("3.jpg", root="elsewhere")
    link(folder / "cats" / "more", elsewhere)
    link(folder / "cats" / "again", elsewhere)
    found = read_image_folder(folder)
    assert names_below(folder, found.data) == ["cats/1.jpg", "cats/again/3.jpg", "dogs/2.jpg"]
    link(folder / "birds", elsewhere)  # now its images have a class of their own
    found = read_image_folder(folder)
    assert names_below(folder, found.data) == ["birds/3.jpg", "cats/1.jpg", "dogs/2.jpg"]


def test_links_in_a_circle_bring_nothing_in(make):
    folder = make("cats/1.jpg", "cats/small/2.jpg", "dogs/3.jpg")
    link(folder / "cats" / "here", folder / "cats")
    link(folder / "cats" / "small" / "above", folder / "cats")
    link(folder / "dogs" / "all", folder)
    link(folder / "dogs" / "beyond", folder.parent)
    found = read_image_folder(folder)
    assert names_below(folder, found.data) == ["cats/1.jpg", "cats/small/2.jpg", "dogs/3.jpg"]


def test_a_class_that_is_a_link_does_not_lead_back(make):
    folder = make("dogs/3.jpg")
    elsewhere = make("1.jpg", root="elsewhere")
    link(folder / "cats", elsewhere)
    link(elsewhere / "back", folder)
    assert names_below(folder, read_image_folder(folder).data) == ["cats/1.jpg", "dogs/3.jpg"]


@pytest.mark.parametrize("target", [".", "..", "cats", "cats/small"])
def test_a_link_among_the_classes_that_leads_back_is_left_out_with_a_warning(make, target):
    folder = make("cats/1.jpg", "cats/small/2.jpg", "dogs/3.jpg")
    link(folder / "latest", (folder / target).resolve())
    with pytest.warns(UserWarning, match=r"'latest' in .* is a link"):
        animals = read_image_folder(folder)
    assert animals.target.tolist() == ["cats", "cats", "dogs"]


def test_a_class_that_is_a_link_to_hidden_files_is_read(make):
    folder = make(".store/abc/1.jpg", "dogs/2.jpg")
    link(folder / "cats", folder / ".store" / "abc")
    assert read_image_folder(folder).target.tolist() == ["cats", "dogs"]


def test_a_link_from_one_class_into_another_brings_nothing_in(make):
    folder = make("cats/1.jpg", "dogs/small/2.jpg")
    link(folder / "cats" / "more", folder / "dogs" / "small")
    found = read_image_folder(folder)
    assert names_below(folder, found.data) == ["cats/1.jpg", "dogs/small/2.jpg"]


def test_an_image_whose_link_is_broken_is_named_and_not_lost(make):
    folder = make("cats/1.jpg", "dogs/2.jpg")
    link(folder / "cats" / "3.jpg", folder / "gone.jpg")
    assert "cats/3.jpg" in names_below(folder, read_image_folder(folder).data)


# --- other layouts -------------------------------------------------------------------------------


def test_a_folder_without_images_is_no_class_and_a_warning_names_it(make):
    folder = make("cats/1.jpg", "dogs/2.jpg", "birds/notes.txt")
    with pytest.warns(UserWarning, match=r"'birds' in '.*pictures' has no images") as caught:
        found = read_image_folder(folder)
    assert found.target_names == ["cats", "dogs"]
    assert caught[0].filename == __file__


def test_images_beside_the_folders_are_left_out_with_a_warning(make):
    folder = make("cats/1.jpg", "dogs/2.jpg", "b.png", "a.png")
    with pytest.warns(
        UserWarning,
        match=r"2 images lie directly in .*, such as 'a\.png'.*folders directly in .* the classes",
    ):
        found = read_image_folder(folder)
    assert names_below(folder, found.data) == ["cats/1.jpg", "dogs/2.jpg"]


def test_no_such_folder(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"There is no '.*nowhere'; expected a folder with"):
        read_image_folder(tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=f"'nowhere' in .*{tmp_path.name}"):
        read_image_folder("nowhere")


def test_a_file_is_no_folder(make):
    folder = make("cats.csv", "cats.tar.gz")
    with pytest.raises(NotADirectoryError, match=r"is a file; expected a folder.*a class\.$"):
        read_image_folder(folder / "cats.csv")
    with pytest.raises(NotADirectoryError, match="Unpack it first"):
        read_image_folder(folder / "cats.tar.gz")


def test_images_without_folders_are_told_the_layout(make):
    folder = make("1.jpg", "2.jpg", "notes.txt")
    with pytest.raises(
        ValueError, match=r"2 images lie directly in .*cats.*1\.jpg, .*dogs.*2\.jpg"
    ):
        read_image_folder(folder)


@pytest.mark.parametrize("names", [(), ("cats/notes.txt", "dogs/"), ("notes.txt",)])
def test_no_images_at_all(make, names):
    with pytest.raises(ValueError, match=r"There are no images in folders of '.*pictures'"):
        read_image_folder(make(*names))


def test_one_class_leaves_nothing_to_tell_apart(make):
    folder = make("cats/1.jpg", "cats/2.jpg", "dogs/notes.txt")
    with pytest.raises(ValueError, match="are of one class, 'cats'; expected two") as caught:
        read_image_folder(folder)
    assert "folders of its own" not in str(caught.value)


def test_classes_that_lie_a_folder_deeper_are_pointed_at(make):
    folder = make("animals/cats/1.jpg", "animals/dogs/2.jpg")
    with pytest.raises(ValueError, match=r"one class, 'animals'.*, give '.*animals'\."):
        read_image_folder(folder)


def test_parts_of_the_data_are_no_classes(make):
    folder = make("train/cats/1.jpg", "train/dogs/2.jpg", "test/cats/3.jpg", "test/dogs/4.jpg")
    with pytest.raises(ValueError, match=r"'test', 'train'.*parts of the data.* as '.*train'\."):
        read_image_folder(folder)
    assert read_image_folder(folder / "train").target_names == ["cats", "dogs"]


def test_what_only_sounds_like_parts_may_be_classes(make):
    folder = make("training/1.jpg", "testing/2.jpg")
    assert read_image_folder(folder).target_names == ["testing", "training"]


NESTED = ["2023/ants/1.jpg", "2023/bees/2.jpg", "2024/ants/3.jpg", "2024/bees/deep/4.jpg"]


def test_folders_whose_folders_may_be_the_classes_are_warned_of_once(make):
    folder = make(*NESTED, "2024/wasps/5.jpg")
    with pytest.warns(UserWarning, match="are the classes") as caught:
        X, y = read_image_folder(folder, return_X_y=True)
    assert y.tolist() == ["2023", "2023", "2024", "2024", "2024"]
    assert len(caught) == 1
    assert caught[0].filename == __file__
    said = str(caught[0].message)
    assert said.startswith(f"The folders directly in {str(folder)!r} are the classes: '2023', '20")
    assert "'ants', 'bees' lie in several of them" in said
    assert f"give one folder, such as {str(folder / '2023')!r}" in said
    assert f"[pathlib.Path(path).relative_to({str(folder)!r}).parts[1] for path in X]" in said
    labels = [Path(path).relative_to(folder).parts[1] for path in X]
    assert labels == ["ants", "bees", "ants", "bees", "wasps"]


@pytest.mark.parametrize(
    "names",
    [
        [*NESTED, "2023/6.jpg"],
        ["cats/images/1.jpg", "dogs/images/2.jpg"],
        ["cats/train/1.jpg", "cats/test/2.jpg", "dogs/train/3.jpg", "dogs/test/4.jpg"],
        ["cats/tom/1.jpg", "cats/tim/2.jpg", "dogs/rex/3.jpg", "dogs/tim/4.jpg"],
        ["a/1/1.jpg", "a/2/1.jpg", "b/1/1.jpg", "b/2/1.jpg", *(f"b/x{i}/1.jpg" for i in range(3))],
    ],
    ids=["images of its own", "one name", "parts", "one by chance", "few by chance"],
)
def test_folders_in_classes_are_not_warned_of_otherwise(make, names):
    assert len(read_image_folder(make(*names)).data) == len(names)


# --- formats that are not read -------------------------------------------------------------------


def test_files_of_formats_that_are_not_read_are_counted_and_named_once(make):
    folder = make("cats/1.jpg", "cats/2.HEIC", "dogs/3.jpg", "dogs/4.svg", "dogs/deep/5.heic")
    make("dogs/._6.heic", "dogs/notes.txt", "@eaDir/7.heic")
    with pytest.warns(UserWarning, match="not read") as caught:
        found = read_image_folder(folder)
    assert names_below(folder, found.data) == ["cats/1.jpg", "dogs/3.jpg"]
    (warning,) = caught
    assert warning.filename == __file__
    assert str(warning.message) == (
        f"In {str(folder)!r}, 3 files of formats that are not read (.heic, .svg) are left out: "
        "convert them to JPEG."
    )


@pytest.mark.parametrize(
    "suffix", ["heic", "heif", "svg", "dng", "cr2", "cr3", "nef", "arw", "raf", "orf", "rw2", "psd"]
)
def test_a_file_of_a_format_that_is_not_read_is_named(make, suffix):
    with pytest.warns(UserWarning, match=rf"1 file of a format .*\(\.{suffix}\) is left out"):
        read_image_folder(make("a/1.jpg", f"a/2.{suffix}", "b/1.jpg"))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a/1.heic", "b/2.heic"], r"no images in folders of .*: convert them.*are the classes"),
        (["1.heic", "2.heic"], r"no images in folders of .*2 files of formats .*\(\.heic\)"),
        (["a/1.jpg", "b/2.heic"], r"one class, 'a'.* 1 file of a format .*\(\.heic\)"),
    ],
)
def test_where_nothing_else_is_left_the_error_says_so(make, names, message):
    with pytest.raises(ValueError, match=message):
        read_image_folder(make(*names))


def test_heif_is_read_where_an_opener_is_registered(make, heif):
    folder = make("cats/1.HEIC", "dogs/2.heif", "dogs/3.hif")
    assert len(read_image_folder(folder).data) == 3
    with pytest.warns(UserWarning, match=r"\(\.svg\)"):
        read_image_folder(make("dogs/4.svg"))


# --- without classes -----------------------------------------------------------------------------


def test_images_of_a_folder_without_classes_are_listed(make):
    folder = make("b.jpg", "a.JPG", "deeper/c.png", "notes.txt", "d.jpg.zip", "jpg", ".hidden.jpg")
    found = files_below(folder, IMAGES).read
    assert names_below(folder, found) == ["a.JPG", "b.jpg", "deeper/c.png"]
    assert files_below(make(root="empty"), IMAGES).read == []
    with pytest.raises(NotADirectoryError, match="expected a folder of images"):
        files_below(folder / "b.jpg", IMAGES)
