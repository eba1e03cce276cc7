"""Suggestions of errors: names that exist, plugins and extras to install."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from importlib import import_module
from typing import Any

__all__ = ["import_extra", "nearest", "of_plugin"]

# Similarity below which a name is no typing error.
_ALIKE = 0.6
# A shorter name may be part of others by chance.
_SHORTEST_PART = 4


def nearest(name: str, names: Sequence[str]) -> str | None:
    """Find the name that was probably meant; None if no name is similar.

    Parameters
    ----------
    name : str
        Name that a user typed.
    names : sequence of str
        Names that exist. Of equally similar ones the first is returned.

    Returns
    -------
    nearest : str or None
    """
    typed = name.lower()
    begun = [each for each in names if typed and each.lower().startswith(typed)]
    if begun:
        return begun[0]
    # difflib.get_close_matches would return the last of equally similar names.
    alike = {each: SequenceMatcher(None, each.lower(), typed).ratio() for each in names}
    best = max(alike, key=lambda each: alike[each], default=None)
    if best is not None and alike[best] >= _ALIKE:
        return best
    parts = (each for each in names if len(each) >= _SHORTEST_PART and each.lower() in typed)
    return next(parts, None)


def of_plugin(distribution: str) -> str:
    """Return the advice to install the plugin that has a name.

    Parameters
    ----------
    distribution : str
        Name of the plugin's distribution.

    Returns
    -------
    sentence : str
    """
    return f"The plugin {distribution} has it, see Plugins in the README."


def import_extra(module: str, extra: str, user: str) -> Any:
    """Import a module of an optional dependency.

    Parameters
    ----------
    module : str
        Name of the module.
    extra : str
        Extra of this distribution that installs the module.
    user : str
        Subject of the error: the feature, or the parameter, that needs the module.

    Returns
    -------
    module : module

    Raises
    ------
    ImportError
        If the module is not installed; the message says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{user} needs {module}, which is not installed: pip install 'sktransfer[{extra}]'."
        ) from error
