"""Choose a font that has the characters of a text: Pillow's own, or that of matplotlib."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from sktransfer._warnings import warn_user

__all__ = ["fitting", "font_for"]

# A character that no font has: its glyph is the one that is drawn for all missing characters.
_MISSING = "\uffff"


def font_for(text: str) -> Callable[[int], Any]:
    """Return a function from sizes to fonts.

    Pillow's own font has the characters of English only. For other European languages, the font of
    matplotlib is used if it is installed.

    Parameters
    ----------
    text : str
        All texts that will be written.

    Returns
    -------
    font : callable
        Takes a size in pixels, and returns a font of Pillow.

    Warns
    -----
    UserWarning
        If both fonts lack characters of the text.
    """
    from PIL import ImageFont

    lacking = _lacking(ImageFont.load_default, text)
    if not lacking:
        return ImageFont.load_default
    file = _file_of_matplotlib()
    larger = ImageFont.load_default if file is None else partial(ImageFont.truetype, file)
    lacking = _lacking(larger, text)
    if lacking:
        more = ' That of matplotlib has more: pip install "sktransfer[plot]"' if not file else ""
        warn_user(
            f"The font lacks characters of the captions, such as {lacking[0]!r}: they are boxes in "
            f"the picture.{more}"
        )
    return larger


def fitting(text: str, font: Any, width: int) -> str:
    """Shorten a text with an ellipsis to a width.

    Parameters
    ----------
    text : str
        Text of one line.
    font : PIL.ImageFont.FreeTypeFont
        Font of the text.
    width : int
        Largest width, in pixels.

    Returns
    -------
    text : str
    """
    if font.getlength(text) <= width:
        return text
    text = text[:width]  # a letter is a pixel wide at least
    while text and font.getlength(f"{text.rstrip()}…") > width:
        text = text[:-1]
    return f"{text.rstrip()}…"


def _lacking(font_of_size: Callable[[int], Any], text: str) -> list[str]:
    font = font_of_size(16)

    def drawn(character: str) -> tuple[Any, bytes]:
        mask = font.getmask(character)
        return mask.size, bytes(mask)

    box = drawn(_MISSING)
    return [each for each in sorted(set(text)) if not each.isspace() and drawn(each) == box]


def _file_of_matplotlib() -> str | None:
    try:
        from matplotlib import get_data_path
    except ImportError:
        return None
    file = os.path.join(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return file if os.path.isfile(file) else None
