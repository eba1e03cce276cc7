"""A build backend that builds nothing: it hands pip the metadata that an sdist came with.

``pip download`` asks the build backend for the metadata of every sdist, also with ``--no-deps``
(pypa/pip#1884), and the usual backend answers by running the sdist's ``setup.py``. This file is
given to pip in that backend's place, so that nothing out of the download runs.

It runs in a child process of pip, outside this package: standard library only.
"""

from __future__ import annotations

import sys
from email.parser import HeaderParser
from pathlib import Path


def get_requires_for_build_wheel(config_settings: object = None) -> list[str]:
    """Ask for nothing to be installed (PEP 517).

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
        Where to make the ``.dist-info`` folder.
    config_settings : object
        Ignored.

    Returns
    -------
    name : str
        Name of the folder made.
    """
    metadata = Path("PKG-INFO").read_bytes()
    headers = HeaderParser().parsestr(metadata.decode("utf-8", "replace"))
    name = f"{headers['Name']}-{headers['Version']}.dist-info"
    folder = Path(metadata_directory, name)
    folder.mkdir()
    (folder / "METADATA").write_bytes(metadata)
    return name


# The name under which pip looks for the backend of an sdist without a pyproject.toml.
__legacy__ = sys.modules[__name__]
