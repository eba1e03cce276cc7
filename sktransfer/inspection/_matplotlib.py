"""Import matplotlib, which is an extra, only when something is drawn."""

from __future__ import annotations

from typing import Any

__all__ = ["check_matplotlib", "new_axes"]


def check_matplotlib() -> None:
    """Raise an ImportError that says how to install matplotlib, if it is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError('Pictures need matplotlib: pip install "sktransfer[plot]"') from error


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
