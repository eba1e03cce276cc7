"""What the pages of this folder show is installed as a distribution while they are tested."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

PAGES = sorted(Path(__file__).parent.glob("*.md"))
BLOCK = re.compile(r"^```(python|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks():
    """Yield language and text of each block of code."""
    for page in PAGES:
        yield from BLOCK.findall(page.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def distribution(tmp_path_factory):
    """Write blocks that begin with the name of a file, and the entry points of TOML blocks."""
    folder = tmp_path_factory.mktemp("pages")
    points = []
    for language, text in blocks():
        name = re.match(r"# (\w+\.py)\n", text)
        if language == "python" and name:
            (folder / name[1]).write_text(text, encoding="utf-8")
        elif language == "toml":
            groups = tomllib.loads(text)["project"]["entry-points"]
            for group, names in groups.items():
                points += [f"[{group}]", *(f"{name} = {value}" for name, value in names.items())]
    info = folder / "sktransfer_pages-1.0.dist-info"
    info.mkdir()
    metadata = "Metadata-Version: 2.1\nName: sktransfer-pages\nVersion: 1.0\n"
    (info / "METADATA").write_text(metadata)
    (info / "entry_points.txt").write_text("\n".join(points) + "\n")
    return folder


@pytest.fixture(autouse=True)
def _installed(distribution, monkeypatch):
    monkeypatch.syspath_prepend(distribution)
