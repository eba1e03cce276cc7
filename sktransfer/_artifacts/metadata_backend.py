"""A build backend that gives pip the metadata of an sdist, and builds nothing.

``pip download`` asks the build backend for the metadata of every sdist, also with ``--no-deps``
(pypa/pip#1884), and the usual backend runs the sdist's ``setup.py`` for it. pip gets this file
instead, so that no code of the download runs.

It runs in a child process of pip, outside this package: standard library only.
"""

from __future__ import annotations

import sys
from email.parser import HeaderParser
from pathlib import Path


def get_requires_for_build_wheel(config_settings: object = None) -> list[str]:
    """Return the requirements of a build (PEP 517), of which there are none.

    Parameters
    ----------
    config_settings : object
        Ignored.

    Returns
    -------
    requires : list of str
        Empty.
    """
    return []


def prepare_metadata_for_build_wheel(
    metadata_directory: str, config_settings: object = None
) -> str:
    """Copy the sdist's ``PKG-INFO`` (PEP 517); the sdist is the working directory.

    Parameters
    ----------
    metadata_directory : str
        Folder in which the ``.dist-info`` folder is made.
    config_settings : object
        Ignored.

    Returns
    -------
    name : str
        Name of the ``.dist-info`` folder.
    """
    metadata = Path("PKG-INFO").read_bytes()
    headers = HeaderParser().parsestr(metadata.decode("utf-8", "replace"))
    name = f"{headers['Name']}-{headers['Version']}.dist-info"
    folder = Path(metadata_directory, name)
    folder.mkdir()
    (folder / "METADATA").write_bytes(metadata)
    return name


# The object that pip takes as the backend of an sdist without a pyproject.toml.
__legacy__ = sys.modules[__name__]
