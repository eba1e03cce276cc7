"""Sheets of small images with captions, such as of those that were predicted wrongly."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sktransfer.images._fonts import fitting, font_for
from sktransfer.images.decode import check_pixels, import_pillow
from sktransfer.images.image import Picture
from sktransfer.images.validation import check_pictures

__all__ = ["contact_sheet", "draw_mistakes", "mistakes_sheet"]

_PAPER, _MOUNT, _RULE = "#fcfcfb", "#efefec", "#dcdcd8"
_INK, _FAINT_INK = "#1f2328", "#6a7078"
# In pixels.
_MARGIN, _GAP, _ABOVE_CAPTION, _BELOW_TITLE = 28, 18, 7, 16
_CAPTION_SIZE, _CAPTION_LINE, _TITLE_SIZE, _TITLE_LINE = 13, 18, 20, 28
_NARROWEST = 32
# Width of a letter of a caption, in pixels, on average and at most.
_LETTER = 7.5


def contact_sheet(
    pictures: Sequence[Any],
    captions: Sequence[str],
    *,
    n_columns: int = 6,
    thumbnail: int = 160,
    title: str | None = None,
) -> Any:
    """Draw small images with captions below them on one sheet, row by row.

    Parameters
    ----------
    pictures : sequence of n array-likes of shape (height, width, 3)
        Red, green and blue, uint8; numpy.asarray is called on one after the other. Each image is
        scaled as a whole, whatever its shape.
    captions : sequence of n str
        Captions. They may have several lines, of which the first is the darkest; lines that are too
        long are shortened.
    n_columns : int, default=6
        Largest number of images side by side.
    thumbnail : int, default=160
        Width and height of the place of an image, in pixels.
    title : str or None, default=None
        Line above all images. A sheet of few images becomes wider for it, up to ``n_columns``.

    Returns
    -------
    sheet : PIL.Image.Image
        Image whose method ``save`` writes a file, and which notebooks show.

    Raises
    ------
    ValueError
        If there are not as many captions as images, or an image is invalid.
    ImportError
        If Pillow is not installed.

    Warns
    -----
    UserWarning
        If the font lacks characters of the captions.

    See Also
    --------
    mistakes_sheet : The images that an estimator predicts wrongly.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer.inspection import contact_sheet
    >>> pictures = [np.full((60, 80, 3), grey, dtype=np.uint8) for grey in (0, 100, 200)]
    >>> sheet = contact_sheet(pictures, ["black", "dark", "light"], thumbnail=100, n_columns=2)
    >>> sheet.size
    (274, 324)
    """
    Image = import_pillow()
    from PIL import ImageDraw

    captions = [str(caption) for caption in captions]
    if len(pictures) != len(captions):
        raise ValueError(
            f"Got {len(captions)} captions for {len(pictures)} pictures; expected one for each."
        )
    for name, value, least in (("n_columns", n_columns, 1), ("thumbnail", thumbnail, _NARROWEST)):
        if value < least:
            raise ValueError(f"{name}={value}; expected {least} at least.")
    title = None if title is None else " ".join(title.split())
    font_of_size = font_for(" ".join([title or "", *captions]))
    n_lines = max((len(caption.splitlines()) for caption in captions), default=0)
    below = _ABOVE_CAPTION + n_lines * _CAPTION_LINE if n_lines else 0
    across, down = thumbnail + _GAP, thumbnail + below + _GAP
    n_rows = math.ceil(len(captions) / n_columns)
    top, font = _MARGIN, font_of_size(_TITLE_SIZE)
    # A sheet without images has all columns, for the title.
    width = (min(n_columns, len(captions)) or n_columns) * across - _GAP
    if title is not None:
        top += _TITLE_LINE + (_BELOW_TITLE if n_rows else _GAP)
        width = max(width, min(math.ceil(font.getlength(title)), n_columns * across - _GAP))
    size = (width + 2 * _MARGIN, top + n_rows * down - _GAP + _MARGIN)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    if title is not None:
        line = fitting(title, font, width)
        draw.text((_MARGIN, _MARGIN + _TITLE_LINE // 2), line, _INK, font, anchor="lm")
    font = font_of_size(_CAPTION_SIZE)
    for i, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        x, y = _MARGIN + i % n_columns * across, top + i // n_columns * down
        # The frame shows where white images end.
        draw.rectangle((x - 1, y - 1, x + thumbnail, y + thumbnail), fill=_MOUNT, outline=_RULE)
        small = _thumbnail(picture, thumbnail, i)
        inside = ((thumbnail - small.width) // 2, (thumbnail - small.height) // 2)
        sheet.paste(small, (x + inside[0], y + inside[1]))
        y += thumbnail + _ABOVE_CAPTION + _CAPTION_LINE // 2
        for row, line in enumerate(caption.splitlines()):
            ink = _FAINT_INK if row else _INK
            middle = (x, y + row * _CAPTION_LINE)
            draw.text(middle, fitting(line, font, thumbnail), ink, font, anchor="lm")
    return sheet


def mistakes_sheet(
    estimator: Any,
    X: Sequence[Any],
    y: Sequence[Any],
    *,
    n: int = 24,
    n_columns: int = 6,
    thumbnail: int = 160,
) -> Any:
    """Draw the images that an estimator predicts wrongly, the most confident mistakes first.

    Many of these have wrong labels. The captions are the label, the prediction and its probability,
    as the title says, and the name of the file if there is one.

    Parameters
    ----------
    estimator : classifier
        Fitted estimator with ``predict_proba`` and ``classes_``.
    X : sequence of n_samples pictures
        Images as for the estimators of images: paths, images of Pillow, arrays.
    y : array-like of shape (n_samples,)
        Labels. They are compared as strings; a label that the estimator does not know is predicted
        wrongly.
    n : int, default=24
        Largest number of images.
    n_columns : int, default=6
        Largest number of images side by side.
    thumbnail : int, default=160
        Width and height of the place of an image, in pixels.

    Returns
    -------
    sheet : PIL.Image.Image
        Image whose method ``save`` writes a file, and which notebooks show. Without mistakes, it
        has only a title that says so.

    Raises
    ------
    ValueError
        If X and y differ in length, or y has several labels for an image.
    ImportError
        If Pillow is not installed.

    See Also
    --------
    contact_sheet : Draws a sheet of any images and captions.
    plot_confusion : Draws how often each label is predicted as each other one.

    Examples
    --------
    >>> from sktransfer.inspection import mistakes_sheet
    >>> sheet = mistakes_sheet(classifier, X_test, y_test)  # doctest: +SKIP
    >>> sheet.save("mistakes.png")  # doctest: +SKIP
    """
    import_pillow()
    if n < 1:
        raise ValueError(f"n={n}; expected 1 at least.")
    X = list(X) if isinstance(X, Iterator) else X  # it is read twice
    pictures, true = check_pictures(X), np.asarray(y)
    if true.ndim != 1:
        raise ValueError(f"y has the shape {true.shape}; expected one label a picture.")
    if len(pictures) != len(true):
        raise ValueError(
            f"Got {len(true)} labels for {len(pictures)} pictures; expected one for each."
        )
    return draw_mistakes(
        pictures,
        true,
        estimator.predict_proba(X),
        estimator.classes_,
        n=n,
        n_columns=n_columns,
        thumbnail=thumbnail,
    )


def draw_mistakes(
    pictures: Sequence[Picture],
    true: Any,
    probabilities: Any,
    classes: Any,
    *,
    n: int = 24,
    thumbnail: int = 160,
    **layout: Any,
) -> Any:
    """Draw the sheet of `mistakes_sheet` from probabilities.

    Parameters
    ----------
    pictures : sequence of n_samples Picture
        Images, of which only those that are drawn are decoded.
    true : array-like of n_samples labels
        Labels, which are compared as strings.
    probabilities : array-like of shape (n_samples, n_classes)
        Predicted probabilities.
    classes : array-like of n_classes labels
        Labels of the columns of ``probabilities``.
    n, thumbnail : int
        Parameters of `mistakes_sheet`.
    **layout : dict
        Other parameters of `contact_sheet`.

    Returns
    -------
    sheet : PIL.Image.Image
    """
    probabilities = np.asarray(probabilities)
    predicted = np.asarray(classes)[probabilities.argmax(axis=1)]
    confidence = probabilities.max(axis=1)
    wrong = [i for i in range(len(true)) if str(true[i]) != str(predicted[i])]
    first = sorted(wrong, key=lambda i: -confidence[i])[:n]
    verdicts = [(str(true[i]), str(predicted[i]), f"{confidence[i]:.2f}") for i in first]
    paths = [pictures[i].path for i in first]
    captions = [
        line if path is None else f"{line}\n{os.path.basename(path)}"
        for line, path in zip(_lines(verdicts, thumbnail), paths, strict=True)
    ]
    return contact_sheet(
        [pictures[i] for i in first],
        captions,
        thumbnail=thumbnail,
        title=_title(len(wrong), len(true), len(first)),
        **layout,
    )


def _thumbnail(picture: Any, side: int, i: int) -> Any:
    """Scale an image to the largest size that fits into a square."""
    Image = import_pillow()
    # A large file is decoded at a fraction of its size.
    pixels = picture.decoded(side) if isinstance(picture, Picture) else picture
    image = Image.fromarray(check_pixels(pixels, f"pictures[{i}]"))
    factor = side / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    # An image of few pixels is shown as the network sees it, with its pixels as squares.
    smooth = Image.Resampling.LANCZOS if factor < 2 else Image.Resampling.NEAREST
    return image.resize(size, smooth)


def _lines(verdicts: Sequence[tuple[str, str, str]], width: int) -> list[str]:
    """Write label, prediction and probability on one line, or on two if labels are long."""
    n_letters = int(width / _LETTER)
    lines = [f"{true} -> {predicted} {share}" for true, predicted, share in verdicts]
    if all(len(line) <= n_letters for line in lines):
        return lines
    # Names are shortened here, since a longer line would lose the probability at its end.
    longest = max(n_letters - len("->  0.00"), 4)
    return [f"{true}\n-> {_short(name, longest)} {share}" for true, name, share in verdicts]


def _short(name: str, longest: int) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1].rstrip()}…"


def _title(n_wrong: int, n_rows: int, n_shown: int) -> str:
    pictures = "1 picture" if n_rows == 1 else f"{n_rows:,} pictures"
    if not n_wrong:
        return f"No mistakes in {pictures}"
    mistakes = "1 mistake" if n_wrong == 1 else f"{n_wrong:,} mistakes"
    shown = f", the {n_shown:,} most confident" if n_shown < n_wrong else ""
    return f"{mistakes} in {pictures}{shown}: truth -> prediction, its probability"
