from __future__ import annotations

import json

import pytest

from sktransfer.persistence.folder import write_manifest


@pytest.fixture
def manifest_of():
    """Read the manifest of a folder."""
    return lambda path: json.loads((path / "manifest.json").read_text())


@pytest.fixture
def forge(manifest_of):
    """Change a manifest, as somebody would who also computes the checksum."""

    def forge(path, change):
        manifest = manifest_of(path)
        change(manifest)
        for key in ("format", "format_version", "members", "checksum"):
            manifest.pop(key)
        (path / "manifest.json").unlink()
        write_manifest(path, manifest)

    return forge
