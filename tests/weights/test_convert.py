"""Weights that have to be converted: once, whole, and anew when the copy is not what it was."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
import warnings

import pytest

from sktransfer.weights import find_weights, where_weights_are

CONVERTER = """
import os, pathlib, time
calls = pathlib.Path({calls!r})
def convert(folder, into):
    with open(calls, "a") as file:
        file.write("called\\n")
    time.sleep(float(os.environ.get("CONVERTER_SLEEPS", "0")))
    (into / "deep").mkdir()
    (into / "deep" / "weights").write_bytes((folder / "model.safetensors").read_bytes() * 2)
    (into / "settings").write_text("settings")
    if "CONVERTER_FAILS" in os.environ:
        raise RuntimeError("half-way")
def make_nothing(folder, into):
    pass
"""


@pytest.fixture
def calls(tmp_path, monkeypatch, package, some, enter):
    """Give the installed weights a converter; tells how often it was called."""
    trace = tmp_path / "calls"
    path = tmp_path / "path"
    path.mkdir()
    (path / "sktx_converter.py").write_text(CONVERTER.format(calls=str(trace)))
    monkeypatch.syspath_prepend(path)
    monkeypatch.delitem(sys.modules, "sktx_converter", raising=False)
    enter(dataclasses.replace(some, convert="sktx_converter:convert", settings=("not-in-wheel",)))
    return lambda: len(trace.read_text().splitlines()) if trace.exists() else 0


def test_the_first_look_converts_and_later_ones_do_not(calls, cache):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folder = find_weights("some")
        assert find_weights("some") == folder
    assert calls() == 1
    assert folder.is_relative_to(cache)
    assert (folder / "deep" / "weights").read_bytes() == b"weightsweights"


def test_the_copy_serves_without_the_package(calls, package):
    folder = find_weights("some")
    shutil.rmtree(package.parents[1])
    assert find_weights("some") == folder
    assert where_weights_are("some") == "converted"
    assert calls() == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "deep" / "weights").write_bytes(b"other bytes"),
        lambda folder: (folder / "settings").unlink(),
        lambda folder: (folder / "converted.json").unlink(),
        lambda folder: (folder / "converted.json").write_text('{"files": '),
        lambda folder: (folder / "converted.json").write_text("[]"),
    ],
    ids=["changed", "missing", "no manifest", "half a manifest", "another manifest"],
)
def test_a_damaged_copy_is_made_anew_with_a_warning(calls, damage):
    folder = find_weights("some")
    damage(folder)
    with pytest.warns(RuntimeWarning, match="is damaged .*; it is made again"):
        assert find_weights("some") == folder
    assert calls() == 2
    assert (folder / "deep" / "weights").read_bytes() == b"weightsweights"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        find_weights("some")


@pytest.mark.parametrize("change", ["version", "input"])
def test_a_copy_by_an_older_converter_or_of_other_files_is_made_anew_silently(
    calls, package, some, enter, change
):
    folder = find_weights("some")
    known = dataclasses.replace(some, convert="sktx_converter:convert")
    if change == "version":
        enter(dataclasses.replace(known, convert_version=2))
    else:
        (package / "config.json").write_bytes(b"{ }")
        other = "257c1be96ae69f4b01c2c69bdb6d78605f59175819fb007d0bf245bf48444c4a"
        enter(dataclasses.replace(known, sha256={**some.sha256, "config.json": other}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_weights("some") == folder
    assert calls() == 2


def test_a_conversion_that_fails_leaves_nothing(calls, cache, monkeypatch):
    monkeypatch.setenv("CONVERTER_FAILS", "1")
    with pytest.raises(RuntimeError, match="half-way"):
        find_weights("some")
    left = [path for path in cache.rglob("*") if path.is_file() and path.name != ".lock"]
    assert left == []
    monkeypatch.delenv("CONVERTER_FAILS")
    assert find_weights("some").is_dir()


def test_what_a_killed_process_left_is_cleared_away(calls, cache):
    half = cache / "weights" / "some" / ".new-killed" / "new"
    half.mkdir(parents=True)
    (half / "half").write_bytes(b"half")
    find_weights("some")
    assert not half.exists()


def test_a_converter_that_makes_nothing_is_an_error(calls, some, enter):
    enter(dataclasses.replace(some, convert="sktx_converter:make_nothing"))
    with pytest.raises(ValueError, match="sktx_converter:make_nothing made no file of 'some'"):
        find_weights("some")


def test_damaged_inputs_are_not_converted(calls, package):
    (package / "config.json").write_bytes(b"damaged")
    with pytest.raises(OSError, match=r"config\.json is damaged"):
        find_weights("some")
    assert calls() == 0


def test_a_cache_that_cannot_be_written_says_what_to_set(calls, cache):
    cache.write_text("a file where the folder should be")
    with pytest.raises(OSError, match=r"cannot be written .*set SKTRANSFER_CACHE"):
        find_weights("some")


PROCESS = """
import json, sys
from sktransfer.weights import KNOWN_WEIGHTS, Artifact, KnownWeights, find_weights
sys.path[:0] = json.loads(sys.argv[2])
entry = json.loads(sys.argv[1])
entry["artifact"] = Artifact(*entry["artifact"])
KNOWN_WEIGHTS["some"] = KnownWeights(**entry)
print(find_weights("some"))
"""


def test_processes_that_come_at_the_same_time_convert_once(calls, some, monkeypatch):
    monkeypatch.setenv("CONVERTER_SLEEPS", "1")
    entry = dataclasses.asdict(dataclasses.replace(some, convert="sktx_converter:convert"))
    arguments = [json.dumps(entry), json.dumps(sys.path[:2])]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    done = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], done
    assert len({stdout for stdout, _ in done}) == 1
    assert calls() == 1
