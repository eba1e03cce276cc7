from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sktransfer._artifacts import Artifact, ChecksumError, DownloadError, fetch, read_artifact


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def home(tmp_path) -> Path:
    return tmp_path / "not" / "there" / "yet"


@pytest.fixture
def no_pip(monkeypatch):
    """Fail as soon as pip is started."""

    def refuse(*args, **kwargs):
        raise AssertionError("pip was started")

    monkeypatch.setattr(subprocess, "run", refuse)


# What is downloaded, and how


def test_a_wheel_is_downloaded_and_kept(wheel, index, home):
    content = read_artifact(wheel, home)
    assert content == (index / wheel.filename).read_bytes()
    assert (home / wheel.filename).read_bytes() == content
    assert files(home) == [wheel.filename]


@pytest.mark.parametrize("platform", ["win_arm64", "manylinux_2_99_s390x.manylinux9999_s390x"])
def test_a_wheel_that_could_not_be_installed_here_is_data_all_the_same(
    wheel, index, home, platform
):
    other = wheel._replace(filename=wheel.filename.replace("-any", f"-{platform}"))
    (index / wheel.filename).rename(index / other.filename)
    assert hashlib.sha256(read_artifact(other, home)).hexdigest() == other.sha256
    assert files(home) == [other.filename]


def test_an_sdist_is_downloaded_and_kept(sdist, index, home):
    content = read_artifact(sdist, home)
    assert content == (index / sdist.filename).read_bytes()
    assert files(home) == [sdist.filename]


def test_no_code_of_an_sdist_runs(sdist, home, tmp_path):
    read_artifact(sdist, home)
    assert not (tmp_path / "setup-py-ran").exists()


def test_nor_does_it_where_older_pips_would_build_without_a_backend(
    sdist, home, tmp_path, monkeypatch
):
    # They do where "wheel" can be imported.
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "wheel.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    read_artifact(sdist, home)
    assert not (tmp_path / "setup-py-ran").exists()


def test_without_our_backend_pip_would_run_setup_py(sdist, home, tmp_path, monkeypatch):
    # Else the test above would show nothing.
    pytest.importorskip("setuptools")
    monkeypatch.setattr(fetch, "_prepend_backend", lambda environment, folder: None)
    with pytest.raises(DownloadError):  # this setup.py does not call setup()
        read_artifact(sdist, home)
    assert (tmp_path / "setup-py-ran").exists()


def test_the_wheel_is_left_alone_when_the_sdist_is_asked_for(wheel, sdist, home):
    read_artifact(sdist, home)
    assert files(home) == [sdist.filename]


def test_modules_in_the_working_directory_are_not_imported(wheel, home, tmp_path, monkeypatch):
    (tmp_path / "pip.py").write_text("raise SystemExit('the wrong pip')")
    monkeypatch.chdir(tmp_path)
    read_artifact(wheel, home)


def test_a_python_path_of_the_user_is_kept(sdist, home, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    environment = os.environ.copy()
    fetch._prepend_backend(environment, tmp_path / "backend")
    assert environment["PYTHONPATH"].split(os.pathsep) == [
        str(tmp_path / "backend"),
        str(tmp_path),
    ]
    assert os.environ["PYTHONPATH"] == str(tmp_path)


def test_a_users_preference_for_wheels_does_not_hide_the_sdist(sdist, home, monkeypatch):
    monkeypatch.setenv("PIP_ONLY_BINARY", ":all:")
    read_artifact(sdist, home)


# What is in the cache


def test_what_is_in_the_cache_is_not_downloaded_again(wheel, home, no_pip, index):
    home.mkdir(parents=True)
    (index / wheel.filename).rename(home / wheel.filename)
    read_artifact(wheel, home)
    read_artifact(wheel, home, download_if_missing=False)


@pytest.mark.parametrize("damage", [b"", b"something else", "cut"])
def test_a_damaged_file_is_replaced_with_a_warning(wheel, home, damage):
    content = read_artifact(wheel, home)
    path = home / wheel.filename
    path.write_bytes(content[:-1] if damage == "cut" else damage)
    with pytest.warns(RuntimeWarning, match="is damaged") as caught:
        assert read_artifact(wheel, home) == content
    assert caught[0].filename == __file__
    assert path.read_bytes() == content


def test_missing_is_an_error_when_downloads_are_not_allowed(wheel, home, no_pip):
    with pytest.raises(OSError, match="is missing, and download_if_missing is False"):
        read_artifact(wheel, home, download_if_missing=False)
    assert not home.exists()


def test_damaged_is_an_error_when_downloads_are_not_allowed(wheel, home, no_pip):
    home.mkdir(parents=True)
    (home / wheel.filename).write_bytes(b"something else")
    with pytest.raises(OSError, match="is damaged, and download_if_missing is False"):
        read_artifact(wheel, home, download_if_missing=False)


# Other files than asked for


def test_pip_refuses_a_file_with_another_hash(wheel, home, index):
    expected = wheel._replace(sha256="0" * 64)
    with pytest.raises(ChecksumError, match=f"should be {'0' * 64} and is {wheel.sha256}"):
        read_artifact(expected, home)
    assert files(home) == []


def test_pip_refuses_an_sdist_with_another_hash(sdist, home, tmp_path):
    with pytest.raises(ChecksumError, match=sdist.sha256):
        read_artifact(sdist._replace(sha256="0" * 64), home)
    assert files(home) == []
    assert not (tmp_path / "setup-py-ran").exists()


def test_so_do_we_should_pip_let_it_pass(wheel, home, monkeypatch):
    def download(artifact, temporary, folder):
        path = temporary / artifact.filename
        path.write_bytes(b"something else")
        return path

    monkeypatch.setattr(fetch, "_download", download)
    with pytest.raises(ChecksumError, match=f"should be {wheel.sha256} and is "):
        read_artifact(wheel, home)
    assert files(home) == []


# No network, and other trouble


def test_without_a_network_one_sentence_says_what_to_do(index, home):
    missing = Artifact("sktfake", "1.0", "sktfake-1.0.tar.gz", "0" * 64)
    with pytest.raises(OSError, match="could not be downloaded") as caught:
        read_artifact(missing, home)
    message = str(caught.value)
    assert "\n" not in message
    assert "No matching distribution found for sktfake==1.0" in message
    assert "get this file of sktfake 1.0 from PyPI" in message
    assert message.endswith(f"put it into {home}")
    assert files(home) == []


def test_an_index_that_never_answers_is_given_up_whatever_the_users_timeout(
    index, home, monkeypatch
):
    monkeypatch.setattr(fetch, "_PIP_PATIENCE", ("--retries", "1", "--timeout", "1"))
    monkeypatch.setattr(fetch, "_LONGEST_DOWNLOAD", 60.0)
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "600")
    monkeypatch.delenv("PIP_NO_INDEX")
    missing = Artifact("sktfake", "1.0", "sktfake-1.0.tar.gz", "0" * 64)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
        with pytest.raises(DownloadError, match="No matching distribution"):
            read_artifact(missing, home)


def test_a_download_without_end_is_given_up(wheel, home, monkeypatch):
    monkeypatch.setattr(fetch, "_LONGEST_DOWNLOAD", 0.01)
    with pytest.raises(DownloadError, match="no end after"):
        read_artifact(wheel, home)
    assert files(home) == []


def test_an_environment_without_pip_is_told_what_to_do(wheel, home, monkeypatch, tmp_path):
    # As in environments made by uv. A pip that cannot be imported stands in for none.
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "pip.py").write_text("raise ImportError('No module named pip')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    with pytest.raises(DownloadError, match=r"No module named pip.*put it into"):
        read_artifact(wheel, home)


# Atomic


def test_an_interrupted_download_leaves_the_old_file_and_nothing_else(wheel, home, monkeypatch):
    home.mkdir(parents=True)
    (home / wheel.filename).write_bytes(b"old")

    def interrupt(source, target):
        assert Path(source).stat().st_size > 0
        assert Path(source).is_relative_to(home)  # one file system, so that the move is atomic
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.warns(RuntimeWarning), pytest.raises(KeyboardInterrupt):
        read_artifact(wheel, home)
    assert files(home) == [wheel.filename]
    assert (home / wheel.filename).read_bytes() == b"old"


def test_processes_may_fetch_at_the_same_time(wheel, home):
    code = f"""
from pathlib import Path
from sktransfer._artifacts import Artifact, read_artifact
read_artifact(Artifact{tuple(wheel)!r}, Path({str(home)!r}))
"""
    running = [
        subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    errors = [process.communicate(timeout=120)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], errors
    assert files(home) == [wheel.filename]
    read_artifact(wheel, home, download_if_missing=False)
