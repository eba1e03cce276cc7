"""What an error suggests to somebody who typed a name that does not exist."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

__all__ = ["nearest", "of_plugin"]

# Names that are less alike are no typing error.
_ALIKE = 0.6
# A shorter name is part of others by chance.
_SHORTEST_PART = 4


def nearest(name: str, names: Sequence[str]) -> str | None:
    """Find the name that was meant, if any is near.

    Parameters
    ----------
    name : str
        What was typed.
    names : sequence of str
        What there is; of those that are as near, the first one.

    Returns
    -------
    nearest : str or None
    """
    typed = name.lower()
    begun = [each for each in names if typed and each.lower().startswith(typed)]
    if begun:
        return begun[0]
    # Not difflib.get_close_matches, which gives the last of those that are as near.
    alike = {each: SequenceMatcher(None, each.lower(), typed).ratio() for each in names}
    best = max(alike, key=lambda each: alike[each], default=None)
    if best is not None and alike[best] >= _ALIKE:
        return best
    parts = (each for each in names if len(each) >= _SHORTEST_PART and each.lower() in typed)
    return next(parts, None)


def of_plugin(distribution: str) -> str:
    """Say that a plugin which is not installed has what was asked for.

    Parameters
    ----------
    distribution : str
        Name of the plugin's distribution.

    Returns
    -------
    sentence : str
    """
    return f"The plugin {distribution} has it, see Plugins in the README."
