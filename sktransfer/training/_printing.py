"""The line of an epoch that ``verbose`` prints."""

from __future__ import annotations

import re
import sys
from typing import Any

from skorch.callbacks import PrintLog

# What terminals read as a change of colour, and other readers as noise.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class PrintEpochs(PrintLog):
    """skorch's table of epochs, short, and without colours where it is not read on a terminal."""

    def format_row(self, row: Any, key: str, color: str) -> Any:
        """Say how many blocks train; their names are in the history."""
        if key == "event_blocks":
            return str(len(row[key]))
        return super().format_row(row, key, color)

    def table(self, row: Any) -> str:
        """Format an epoch."""
        table = super().table(row)
        # What stands in place of the standard output need not know what a terminal is.
        on_terminal = getattr(sys.stdout, "isatty", bool)()
        return table if on_terminal else _COLOUR.sub("", table)
