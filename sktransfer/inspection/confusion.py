"""A plot of the confusion matrix for many labels."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import IO, Any

from sktransfer._warnings import warn_user
from sktransfer.inspection._matplotlib import check_matplotlib, new_axes

__all__ = ["plot_confusion", "write_confusion"]

_MOST_WITH_COUNTS = 50
_LONGEST_NAME = 40
# In inches.
_SMALLEST_CELL, _LARGEST_CELL = 0.36, 0.9
_LARGEST_SIDE = 24.0
_LETTER = 0.085


def plot_confusion(y_true: Any, y_pred: Any, *, labels: Any = None, ax: Any = None) -> Any:
    """Draw a confusion matrix: counts as numbers, shares of the row as colours.

    Shares of the row, unlike counts, have the same colours for rare labels as for frequent ones.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels, which are the rows of the matrix.
    y_pred : array-like of shape (n,)
        Predictions, which are its columns.
    labels : array-like of shape (n_labels,) or None, default=None
        Labels to draw, in this order; None is all labels that occur, sorted.
    ax : matplotlib Axes or None, default=None
        Axes to draw on; None makes a figure whose size suits the labels.

    Returns
    -------
    display : sklearn.metrics.ConfusionMatrixDisplay
        With ``ax_``, ``figure_``, ``im_``, ``text_``, and the counts as ``confusion_matrix``.

    Raises
    ------
    ValueError
        If y_true and y_pred differ in length, or none of the labels occurs.
    ImportError
        If matplotlib is not installed.

    See Also
    --------
    sklearn.metrics.ConfusionMatrixDisplay : The display that is returned.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sktransfer.inspection import plot_confusion
    >>> true, predicted = ["bad", "bad", "bad", "good"], ["bad", "bad", "good", "good"]
    >>> display = plot_confusion(true, predicted, ax=Figure().subplots())
    >>> display.confusion_matrix
    array([[2, 1],
           [0, 1]])
    >>> display.im_.get_array().data.round(2)
    array([[0.67, 0.33],
           [0.  , 1.  ]])
    """
    counts, names = _count(y_true, y_pred, labels)
    if ax is None:
        cell, size = _sizes(names)
        ax = new_axes(size=size)
    else:
        cell = min(ax.bbox.width, ax.bbox.height) / ax.figure.dpi / len(names)
    return _draw(counts, names, ax, cell)


def write_confusion(y_true: Any, y_pred: Any, file: IO[bytes], *, labels: Any = None) -> None:
    """Write the figure of `plot_confusion` as PNG, without a screen.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n,)
        Labels and predictions.
    file : binary file
        File to write to.
    labels : array-like of shape (n_labels,) or None, default=None
        Labels to draw, in this order; None is all labels that occur, sorted.

    Raises
    ------
    ValueError
        If y_true and y_pred differ in length, or none of the labels occurs.
    ImportError
        If matplotlib is not installed.

    Warns
    -----
    UserWarning
        If matplotlib's font lacks characters of the labels.
    """
    counts, names = _count(y_true, y_pred, labels)
    from matplotlib.figure import Figure

    cell, size = _sizes(names)
    figure = Figure(figsize=size, layout="constrained")
    _draw(counts, names, figure.subplots(), cell)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.savefig(file, format="png", dpi=120, bbox_inches="tight", pad_inches=0.15)
    missing = [each for each in caught if str(each.message).startswith("Glyph ")]
    for each in caught:
        if each not in missing:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    if missing:  # one warning, not one for each character
        warn_user(
            "matplotlib's font lacks characters of the labels: they are boxes in the picture."
        )


def _count(y_true: Any, y_pred: Any, labels: Any) -> tuple[Any, list[str]]:
    """Return the matrix of counts, and the texts of the labels."""
    check_matplotlib()
    from sklearn.metrics import confusion_matrix
    from sklearn.utils.multiclass import unique_labels

    if labels is None:
        labels = unique_labels(y_true, y_pred)
    counts = confusion_matrix(y_true, y_pred, labels=labels)
    return counts, [_short(str(label)) for label in labels]


def _short(name: str) -> str:
    """Shorten a name to one line that leaves room for the matrix."""
    name = " ".join(name.split())
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _sizes(names: Sequence[str]) -> tuple[float, tuple[float, float]]:
    """Return the side of a cell, and the size of a readable figure, in inches."""
    cell = min(max(4 / len(names), _SMALLEST_CELL), _LARGEST_CELL, _LARGEST_SIDE / len(names))
    side = max(cell * len(names), 2.0)
    longest = max(map(len, names)) * _LETTER
    below = longest if _slanted(names, cell) else 0.0
    return cell, (side + longest + 1.9, side + below + 0.8)


def _slanted(names: Sequence[str], cell: float) -> bool:
    return max(map(len, names)) * _LETTER > cell


def _draw(counts: Any, names: list[str], ax: Any, cell: float) -> Any:
    import numpy as np
    from matplotlib import rcParams
    from matplotlib.ticker import PercentFormatter
    from sklearn.metrics import ConfusionMatrixDisplay

    size = float(rcParams["font.size"])
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    display = ConfusionMatrixDisplay(shares, display_labels=names)
    display.plot(
        ax=ax,
        cmap="Blues",
        colorbar=False,
        include_values=len(names) <= _MOST_WITH_COUNTS,
        im_kw={"vmin": 0, "vmax": 1},
    )
    # The colours show shares; the display has the counts.
    display.confusion_matrix = counts
    if display.text_ is not None:
        widest = len(f"{counts.max():,}")
        fits = min(size, 72 * cell / (0.65 * widest + 0.5))
        for index, text in np.ndenumerate(display.text_):
            text.set_text(f"{counts[index]:,}")
            text.set_fontsize(fits)
            text.set_color("white" if shares[index] > 0.55 else "black" if counts[index] else "0.7")
    for text in (*ax.get_xticklabels(), *ax.get_yticklabels()):
        text.set_parse_math(False)
        text.set_fontsize(min(size, 72 * cell * 0.8))
    if _slanted(names, cell):
        for text in ax.get_xticklabels():
            text.set(rotation=45, ha="right", rotation_mode="anchor")
    bar = ax.figure.colorbar(
        display.im_, ax=ax, format=PercentFormatter(1), fraction=0.04, pad=0.02
    )
    bar.set_label("share of the row")
    return display
