"""A wheel and an sdist that hold next to nothing."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from sktransfer._artifacts import Artifact

METADATA = "Metadata-Version: 2.1\nName: sktfake\nVersion: 1.0\n"


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
