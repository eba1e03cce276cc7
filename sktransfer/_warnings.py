"""Warnings that point at the user's line, however deep in the package they arise."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

_PACKAGE = str(Path(__file__).parent)
# scikit-learn wraps `fit` once or twice.
_WRAPPERS = {("_callback_support.py", "callback_managed_method"), ("base.py", "wrapper")}


class SlowComputationWarning(UserWarning):
    """A training or a prediction will take long; the message says how long, and what is faster.

    ``warnings.simplefilter("ignore", sktransfer.SlowComputationWarning)`` turns it off.
    """


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn, naming the line that called this package.

    Parameters
    ----------
    message : str
        What is wrong, and what to do.
    category : type of Warning, default=UserWarning
        As in `warnings.warn`.
    """
    # skorch's loop stands between our frames, so the last of ours is looked for, not the first
    # that is not.
    level, last = 1, 1
    frame = sys._getframe()
    while frame is not None:
        code = frame.f_code
        wraps = (Path(code.co_filename).name, code.co_name) in _WRAPPERS
        if wraps or code.co_filename.startswith(_PACKAGE):
            last = level
        frame = frame.f_back  # type: ignore[assignment]
        level += 1
    warnings.warn(message, category, stacklevel=last + 1)
