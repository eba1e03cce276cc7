"""What makes a function a check of a contract, and what it says when it fails."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from sktransfer.plugins import Plugin

Check = Callable[[Any], None]

# Filled as the modules with checks are imported, in the order in which they define them.
CHECKS_OF_KIND: dict[type[Plugin], list[Check]] = {}


class Broken(AssertionError):
    """What was got where a contract is broken; the check adds what its docstring says."""


def check_of(*kinds: type[Plugin]) -> Callable[[Check], Check]:
    """Make a function a check of all plugins of these kinds.

    The first paragraph of its docstring is the rule, and the others say what to change where a
    plugin breaks it: both are part of the message.
    """

    def register(function: Check) -> Check:
        paragraphs = (inspect.getdoc(function) or "").split("\n\n")
        rule, *changes = (" ".join(paragraph.split()) for paragraph in paragraphs)

        @functools.wraps(function)
        def check(plugin: Any) -> None:
            try:
                function(plugin)
            except Broken as broken:
                message = f"got {broken}\nexpected: {rule}\nto change: {' '.join(changes)}"
                whole = AssertionError(message).with_traceback(broken.__traceback__)
                raise whole from broken.__cause__

        for kind in kinds:
            CHECKS_OF_KIND.setdefault(kind, []).append(check)
        return check

    return register


def expect(condition: object, got: str) -> None:
    """Fail with what was got, unless the condition holds."""
    # Not an assert statement: those vanish under `python -O`.
    if not condition:
        raise Broken(got)


@contextlib.contextmanager
def expect_no_error(where: str) -> Iterator[None]:
    """Fail if anything is raised inside; for what has to work with whatever it is given."""
    try:
        yield
    except Exception as error:
        raise Broken(f"{type(error).__name__}: {error} {where}") from error
