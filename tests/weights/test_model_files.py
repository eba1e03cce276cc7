"""What names a model: hub ids and folders, and what is neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from sktransfer.weights.model_files import ModelFiles, parse_model


@pytest.mark.parametrize("name", ["../../etc", "~/m", "http://x/y", "C:\\m", "a/b/c", "a/b\n", " "])
def test_names_that_look_like_paths_or_addresses_are_refused(name):
    with pytest.raises(ValueError, match=r"not a backbone.*owner/name"):
        parse_model(name)


def test_explicit_paths_are_folders_and_never_hub_ids(tmp_path):
    assert parse_model(tmp_path) == tmp_path
    assert parse_model("./bert") == Path("bert").absolute()
    assert parse_model(str(tmp_path)) == tmp_path
    assert parse_model("owner/name") == "owner/name"
    assert parse_model("name") is None


def test_a_hub_id_is_looked_up_and_a_folder_is_not(tmp_path, monkeypatch):
    asked = []

    def find(*args, **settings):
        asked.append((*args, settings))
        return tmp_path

    monkeypatch.setattr("sktransfer.weights.model_files.find_on_hub", find)
    assert ModelFiles.find("owner/name", "v1", preprocessor=True) == ModelFiles(tmp_path, kept=True)
    assert asked == [("owner/name", "v1", {"preprocessor": True})]
    assert ModelFiles.find(Path("owner/name")) == ModelFiles(Path("owner/name"), kept=False)
    assert ModelFiles.find("./name") == ModelFiles(Path("name"), kept=False)
    assert len(asked) == 1
    with pytest.raises(ValueError, match="written 'owner/name'"):
        ModelFiles.find("name")
