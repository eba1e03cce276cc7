"""Warnings that point at the user's line, however deep in the package they arise.

Some are said once: in a search that fits the same estimator again and again, and of a model in a
process. Python's own memory of what was said is lost whenever anybody enters
`warnings.catch_warnings`, and knows messages with other numbers as others.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType

_PACKAGE = str(Path(__file__).parent)
# scikit-learn wraps `fit` once or twice.
_WRAPPERS = {("_callback_support.py", "callback_managed_method"), ("base.py", "wrapper")}

# What was said, by the name of the search in which it was; None is this process. A test that wants
# to hear something again clears it.
SAID: dict[str | None, set[tuple[str, ...]]] = {}
_search: ContextVar[str | None] = ContextVar("search", default=None)


class SlowComputationWarning(UserWarning):
    """A training or a prediction will take long; the message says how long, and what is faster.

    ``warnings.simplefilter("ignore", sktransfer.SlowComputationWarning)`` turns it off.
    """


@contextmanager
def said_once(search: str) -> Iterator[None]:
    """Say what a search has to say of its fits once, in each process that fits for it.

    Parameters
    ----------
    search : str
        Name of the search, which no other has. Where searches are nested, the outer one counts.
    """
    token = _search.set(_search.get() or search)
    try:
        yield
    finally:
        _search.reset(token)


def warn_user(
    message: str,
    category: type[Warning] = UserWarning,
    *,
    about: str | None = None,
    model: str | None = None,
) -> None:
    """Warn, naming the line that called this package.

    Filters of the user come first: an error is raised each time, and what was ignored was not said.

    Parameters
    ----------
    message : str
        What is wrong, and what to do.
    category : type of Warning, default=UserWarning
        As in `warnings.warn`.
    about : str or None, default=None
        Subject of the message. If it is given, a search hears of it once.
    model : str or None, default=None
        Of which model it is said. If it is given, a process hears of it once, unless a filter asks
        for all warnings.
    """
    # skorch's loop stands between our frames, so the last of ours is looked for, not the first
    # that is not.
    level, last = 1, 1
    frame: FrameType | None = sys._getframe()
    user = frame
    while frame is not None:
        code = frame.f_code
        wraps = (Path(code.co_filename).name, code.co_name) in _WRAPPERS
        if wraps or code.co_filename.startswith(_PACKAGE):
            last, user = level, frame.f_back
        frame = frame.f_back
        level += 1
    if about is None or _is_news(message, category, about, model, user):
        warnings.warn(message, category, stacklevel=last + 1)


def _is_news(
    message: str, category: type[Warning], about: str, model: str | None, user: FrameType | None
) -> bool:
    """Return whether something is to be said, and note that it is."""
    action = _action_on(message, category, user)
    if action in ("error", "ignore"):
        return True  # as Python does
    search, key = _search.get(), (category.__name__, about)
    of_model = (*key, model or "")
    of_process = SAID.setdefault(None, set())
    was_said = model is not None and action not in ("always", "all") and of_model in of_process
    if model is not None:
        of_process.add(of_model)
    if search is not None:
        of_search = SAID.setdefault(search, set())
        was_said = key in of_search
        of_search.add(key)
    return not was_said


def _action_on(message: str, category: type[Warning], user: FrameType | None) -> str:
    """Return the action of the first filter that matches, as Python finds it."""
    module = "sys" if user is None else user.f_globals.get("__name__") or "<unknown>"
    line = 0 if user is None else user.f_lineno
    for action, text, kind, where, number in warnings.filters:
        if (
            (text is None or text.match(message))
            and issubclass(category, kind)
            and (where is None or where.match(module))
            and number in (0, line)
        ):
            return action
    return "default"
