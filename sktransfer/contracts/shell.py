"""The command line of a modality: its options, and the files that hold its inputs."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["FileFormats", "ShellOption"]


@dataclass(frozen=True)
class ShellOption:
    """An option of the command line that stands for a parameter of a modality.

    Attributes
    ----------
    parameter : str
        Name of the parameter, which the modality and its estimators share.
    help : str
        What it does, in one sentence.
    type : type or tuple of str, default=str
        Of the value; a tuple lists the values that there are.
    default : object, default=None
        The value where the option is not given; the default of the parameter.
    flag : str, default=""
        How it is typed; empty for the name of the parameter, as in ``--max-length``.
    minimum : int or None, default=None
        The least number.
    make : callable or None, default=None
        Where it is given, the option takes no value and stands for what this returns.
    shown_default : str, default=""
        What the help says of the default, where it is None.
    """

    parameter: str
    help: str
    type: type | tuple[str, ...] = str
    default: Any = None
    flag: str = ""
    minimum: int | None = None
    make: Callable[[], Any] | None = None
    shown_default: str = ""

    @property
    def typed(self) -> str:
        """How the option is typed."""
        return self.flag or f"--{self.parameter.replace('_', '-')}"


@dataclass(frozen=True)
class FileFormats:
    """Files that hold one input each, by their suffixes.

    Attributes
    ----------
    name, plural : str
        What one input and several ones are called.
    is_read : callable
        Takes a path, and tells whether such files are read.
    is_known : callable
        Takes a path, and tells whether such files hold inputs, be their format read or not.
    convert_to : str, default=""
        The format that those should be converted to which are not read.
    """

    name: str
    plural: str
    is_read: Callable[[str | os.PathLike[str]], bool]
    is_known: Callable[[str | os.PathLike[str]], bool]
    convert_to: str = ""

    @property
    def one(self) -> str:
        """The name with its article.

        Examples
        --------
        >>> from sktransfer.contracts.shell import FileFormats
        >>> FileFormats("sound", "sounds", bool, bool).one
        'a sound'
        """
        return f"{'an' if self.name[0] in 'aeiou' else 'a'} {self.name}"
