"""Options about texts: parameters of the modality, and of its estimators."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

from sktransfer._compat.sklearn import Interval, StrOptions
from sktransfer.contracts import param, with_parameters

__all__ = ["TextOptions", "TextParameters"]

_COUNT = Interval(Integral, 1, None, closed="left")


@with_parameters
class TextParameters:
    """How texts are read."""

    _after: ClassVar[str] = "scoring"

    pairs: bool = param(
        default=False,
        type="bool",
        constraint=["boolean"],
        doc="Whether each input is a pair of texts, such as a question and an answer: a row of a "
        "frame or an array of two columns, or a tuple.",
    )
    missing: str = param(
        default="raise",
        type='{"raise", "empty"}',
        constraint=[StrOptions({"raise", "empty"})],
        doc="Whether a missing value, such as None or NaN, is an error or an empty text.",
    )
    max_length: int | None = param(
        default=None,
        type="int or None",
        constraint=[_COUNT, None],
        doc="Length of the longest text that is read whole, in tokens; see `long_text` for longer "
        "ones. None leaves it to the backbone.",
    )
    long_text: str = param(
        default="truncate",
        type='{"truncate", "head_tail", "window_mean", "window_max"}',
        constraint=[StrOptions({"truncate", "head_tail", "window_mean", "window_max"})],
        doc="What is read of a longer text: its beginning; its beginning and end; or all of it, in "
        "windows of `max_length` tokens whose features are averaged, or maximised.",
    )
    stride: int | None = param(
        default=None,
        type="int or None",
        constraint=[_COUNT, None],
        doc="Number of tokens from the beginning of a window to that of the next. With None, "
        "windows do not overlap.",
    )


@with_parameters
class TextOptions(TextParameters):
    """How estimators of texts read them, and which backbone they have by default."""

    modality: ClassVar[str] = "text"
    _doc_words: ClassVar[dict[str, str]] = {"inputs": "texts"}

    backbone: Any = param(default="minilm", kw_only=False)
