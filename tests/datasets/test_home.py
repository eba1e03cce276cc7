"""The folder of the data sets, and what naming it costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sktransfer.datasets._home import dataset_dir
from sktransfer.weights.cache_dir import cache_dir


def test_the_cache_folder_is_the_users_own_then_xdg_then_the_default(monkeypatch, tmp_path):
    monkeypatch.setenv("SKTRANSFER_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "own"
    monkeypatch.delenv("SKTRANSFER_CACHE")
    assert cache_dir() == tmp_path / "xdg" / "sktransfer"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_dir() == Path.home() / ".cache" / "sktransfer"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache" / "sktransfer"
    assert dataset_dir(None) == cache_dir() / "datasets"


def test_data_home_overrides_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("SKTRANSFER_CACHE", str(tmp_path / "own"))
    assert dataset_dir(tmp_path / "mine") == tmp_path / "mine"
    assert dataset_dir("~/mine") == Path.home() / "mine"


def test_importing_the_room_imports_nothing_heavy():
    code = """
import sys
import sktransfer.datasets
names = ["fetch_bbc_news", "fetch_review_snippets", "read_image_folder"]
assert dir(sktransfer.datasets) == names
heavy = {"numpy", "sklearn", "torch", "pip"} & set(sys.modules)
assert not heavy, heavy
assert not hasattr(sktransfer.datasets, "fetch_nothing")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
