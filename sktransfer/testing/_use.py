"""One use of a plugin, for the checks that ask what comes of it."""

import functools
from typing import Any


@functools.singledispatch
def use(plugin: Any) -> None:
    """Call the methods of a plugin's kind once, on small data.

    Beside the checks of each kind stands how it is used; a kind without any is left alone.
    """
