"""Import matplotlib, which is an extra, only when something is drawn."""

from __future__ import annotations

from typing import Any

from sktransfer._suggestions import import_extra

__all__ = ["check_matplotlib", "new_axes"]


def check_matplotlib() -> None:
    """Raise an ImportError that says how to install matplotlib, if it is missing."""
    import_extra("matplotlib", "plot", "Drawing")


def new_axes(ax: Any = None, *, size: tuple[float, float] | None = None) -> Any:
    """Return axes to draw on.

    Parameters
    ----------
    ax : matplotlib Axes or None, default=None
        Axes to return; None makes a figure with pyplot, so that notebooks show it.
    size : tuple of float or None, default=None
        Width and height of the new figure, in inches; None is matplotlib's default.

    Returns
    -------
    ax : matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    check_matplotlib()
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(figsize=size, layout="constrained")[1]
