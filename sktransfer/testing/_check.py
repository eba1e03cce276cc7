"""The one way in which a check fails."""

from __future__ import annotations


def expect(condition: object, *, got: str, expected: str, change: str) -> None:
    """Fail unless the condition holds, and tell the author the three things that help.

    Parameters
    ----------
    condition : object
        What has to be true.
    got : str
        What was found.
    expected : str
        What the contract asks for.
    change : str
        What the author of the plugin should change, as a sentence.
    """
    # Not an assert statement: those vanish under `python -O`.
    if not condition:
        raise AssertionError(f"got {got}; expected {expected}. {change}")
