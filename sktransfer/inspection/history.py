"""A plot of the training, epoch by epoch through all stages.

The axes show the loss, a second y-axis the score of held-out rows, and a strip above them the
number of blocks of the encoder that train. Stages differ in task and labels, so that no line
connects them.
"""

from __future__ import annotations

import math
from typing import Any

from sktransfer.inspection._matplotlib import check_matplotlib, new_axes

__all__ = ["TrainingHistoryDisplay"]

_LOSSES = {"train_loss": "training loss", "valid_loss": "validation loss"}
_SCORE = "valid_score"
_COLORS = {"train_loss": "C0", "valid_loss": "C1", _SCORE: "C2"}
# Bottom and height of the strip, in heights of the axes.
_STRIP_BOTTOM, _STRIP_HEIGHT = 1.03, 0.13


class TrainingHistoryDisplay:
    """Losses, scores and training blocks of all epochs of all stages.

    Use `from_estimator` to create it. A dashed line and a name mark the beginning of a stage. In an
    epoch in which no block trains, the head was fitted to convergence.

    Parameters
    ----------
    history : list of dict
        Attribute ``history_`` of a fitted estimator: one record for each epoch.
    name : str or None, default=None
        Title of the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the losses.
    score_ax_ : matplotlib Axes or None
        Axes of the scores; None if no rows were held out.
    blocks_ax_ : matplotlib Axes
        Strip above the axes: the number of blocks that train.
    figure_ : matplotlib Figure
        Figure of all axes.
    lines_ : dict of str to matplotlib Line2D
        ``"train_loss"`` and, if rows were held out, ``"valid_loss"`` and ``"valid_score"``. Stages
        are separated by NaN.
    stage_lines_ : list of matplotlib Line2D
        Lines at the beginning of all stages but the first.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores against the number of rows.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sktransfer import TransferTextClassifier
    >>> from sktransfer.inspection import TrainingHistoryDisplay
    >>> texts, labels = ["great fun", "a lovely film", "dull", "boring"] * 4, [1, 1, 0, 0] * 4
    >>> clf = TransferTextClassifier("hashing", max_epochs=3, random_state=0).fit(texts, labels)
    >>> clf = clf.partial_fit(["where is it?", "here"] * 4, ["q", "a"] * 4, classes=["a", "q"])

    Without ``ax``, `from_estimator` draws with pyplot:

    >>> ax = Figure(layout="constrained").subplots()
    >>> display = TrainingHistoryDisplay.from_estimator(clf, ax=ax)
    >>> [float(line.get_xdata()[0]) for line in display.stage_lines_]
    [3.5]
    """

    def __init__(self, *, history: list[dict[str, Any]], name: str | None = None) -> None:
        self.history = history
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        ax: Any = None,
        name: str | None = None,
        line_kw: dict[str, Any] | None = None,
    ) -> TrainingHistoryDisplay:
        """Draw the training of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted estimator of sktransfer, a `sklearn.pipeline.Pipeline` that ends in one, or
            one in `sklearn.frozen.FrozenEstimator`.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes a new figure. The strip and the legend are outside of the
            axes: ``layout="constrained"`` makes room for them.
        name : str or None, default=None
            Title of the legend; None is the name of the estimator's class.
        line_kw : dict or None, default=None
            Keywords of ``matplotlib.axes.Axes.plot`` for the curves.

        Returns
        -------
        display : TrainingHistoryDisplay

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        TypeError
            If it is not an estimator of sktransfer.
        ValueError
            If the estimator was fitted without a training.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib()
        trained = _trained(estimator)
        display = cls(
            history=trained.history_, name=type(trained).__name__ if name is None else name
        )
        return display.plot(ax, line_kw=line_kw)

    def plot(
        self,
        ax: Any = None,
        *,
        name: str | None = None,
        line_kw: dict[str, Any] | None = None,
    ) -> TrainingHistoryDisplay:
        """Draw the training.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes a new figure.
        name : str or None, default=None
            Title of the legend; None is that of the display.
        line_kw : dict or None, default=None
            Keywords of ``matplotlib.axes.Axes.plot`` for the curves.

        Returns
        -------
        display : TrainingHistoryDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = new_axes(ax)
        from matplotlib.cbook import normalize_kwargs
        from matplotlib.lines import Line2D
        from matplotlib.ticker import MaxNLocator

        n_epochs = len(self.history)
        stages = _stages(self.history)
        # A curve of one point has no line, so that points are marked; many points are small.
        style = {"marker": "o", "markersize": 4 if n_epochs <= 60 else 2}
        style |= normalize_kwargs(line_kw or {}, Line2D)
        self.ax_, self.figure_ = ax, ax.figure
        self.lines_ = {
            key: self._curve(ax, key, words, stages, style)
            for key, words in _LOSSES.items()
            if self._has(key)
        }
        ax.set(xlabel="epoch", ylabel="loss", xlim=(0.5, n_epochs + 0.5))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        self.score_ax_ = None
        if self._has(_SCORE):
            self.score_ax_ = ax.twinx()
            self.score_ax_.set_ylabel("validation score", color=_COLORS[_SCORE])
            self.lines_[_SCORE] = self._curve(
                self.score_ax_, _SCORE, "validation score", stages, style
            )
        self.blocks_ax_ = _draw_strip(ax, [len(record["blocks"]) for record in self.history])
        self.stage_lines_ = [
            ax.axvline(start + 0.5, color="0.5", linestyle="--", linewidth=1)
            for _, start, _ in stages[1:]
        ]
        for _, start, _ in stages[1:]:
            self.blocks_ax_.axvline(start + 0.5, color="0.5", linestyle="--", linewidth=1)
        _name_stages(ax, stages, n_epochs)
        _draw_legend(ax, list(self.lines_.values()), self.name if name is None else name)
        return self

    def _has(self, key: str) -> bool:
        return any(key in record for record in self.history)

    def _curve(
        self, ax: Any, key: str, words: str, stages: list[_Stage], style: dict[str, Any]
    ) -> Any:
        x: list[float] = []
        y: list[float] = []
        for _, start, stop in stages:
            if x:
                x.append(start + 0.5)
                y.append(math.nan)
            x.extend(range(start + 1, stop + 1))
            y.extend(record.get(key, math.nan) for record in self.history[start:stop])
        (line,) = ax.plot(x, y, **{"label": words, "color": _COLORS[key], **style})
        return line


# Name, index of the first record, and index behind the last.
_Stage = tuple[str, int, int]


def _trained(estimator: Any) -> Any:
    """Return the trained estimator inside of pipelines and frozen estimators."""
    from sklearn.frozen import FrozenEstimator
    from sklearn.pipeline import Pipeline
    from sklearn.utils.validation import check_is_fitted

    from sktransfer.estimators._base import TransferEstimator

    inner = estimator
    while isinstance(inner, Pipeline | FrozenEstimator):
        inner = inner.steps[-1][1] if isinstance(inner, Pipeline) else inner.estimator
    if not isinstance(inner, TransferEstimator):
        of_search = hasattr(inner, "best_estimator_")
        raise TypeError(
            "estimator has to be one of sktransfer, or a Pipeline or FrozenEstimator that holds "
            f"one, got {type(inner).__name__}{': pass its best_estimator_' if of_search else ''}."
        )
    check_is_fitted(inner)
    if not inner.history_:
        raise ValueError(
            f"This {type(inner).__name__} was not trained, so that it has no history to draw: its "
            "encoder is as it was loaded."
        )
    return inner


def _stages(history: list[dict[str, Any]]) -> list[_Stage]:
    """Find the stages, each of which counts its epochs from 1."""
    starts = [
        i
        for i, record in enumerate(history)
        if i == 0 or record["epoch"] <= history[i - 1]["epoch"]
    ]
    found: list[_Stage] = []
    seen: dict[str, int] = {}
    for start, stop in zip(starts, [*starts[1:], len(history)], strict=True):
        stage = history[start]["stage"]
        seen[stage] = seen.get(stage, 0) + 1
        found.append((stage if seen[stage] == 1 else f"{stage} {seen[stage]}", start, stop))
    return found


def _draw_strip(ax: Any, n_blocks: list[int]) -> Any:
    """Draw, above the axes, the number of blocks that train in each epoch."""
    strip = ax.inset_axes((0, _STRIP_BOTTOM, 1, _STRIP_HEIGHT))
    edges = [i + 0.5 for i in range(len(n_blocks) + 1)]
    most = max(n_blocks)
    strip.stairs(n_blocks, edges, fill=True, color="0.8")
    strip.stairs(n_blocks, edges, baseline=None, color="0.4")
    strip.set(xlim=ax.get_xlim(), ylim=(0, max(most, 1) * 1.15), xticks=[])
    strip.set_yticks(sorted({0, most}))
    strip.set_ylabel("blocks\ntraining", rotation=0, ha="right", va="center")
    for text in (strip.yaxis.label, *strip.get_yticklabels()):
        text.set_fontsize("small")
    strip.spines[["top", "right"]].set_visible(False)
    return strip


def _name_stages(ax: Any, stages: list[_Stage], n_epochs: int) -> None:
    """Write the name of each stage at its beginning, except for names that would overlap."""
    from matplotlib import rcParams

    size = rcParams["font.size"]
    epoch = ax.bbox.width / ax.figure.dpi * 72 / n_epochs  # width of an epoch, in points
    slanted = any(0.7 * len(name) * size > (stop - start) * epoch for name, start, stop in stages)
    named: list[_Stage] = []
    for stage in stages:
        if not named or (stage[1] - named[-1][1]) * epoch > 1.5 * size:
            named.append(stage)
    # Layouts and titles make room for ticks, and not for texts.
    axis = ax.secondary_xaxis(_STRIP_BOTTOM + _STRIP_HEIGHT)
    axis.set_xticks([start + 0.5 for _, start, _ in named], [name for name, _, _ in named])
    axis.tick_params(length=0, pad=2)
    axis.spines[:].set_visible(False)
    for text in axis.get_xticklabels():
        text.set(ha="left", rotation=45 if slanted else 0, rotation_mode="anchor")


def _draw_legend(ax: Any, lines: list[Any], name: str | None) -> None:
    """Draw the legend of both y-axes below them, where it covers no curve."""
    from matplotlib import rcParams
    from matplotlib.transforms import ScaledTranslation

    # Below the ticks and the label of the x-axis, whatever the size of the axes.
    size = rcParams["font.size"]
    width = 1.25 * ax.bbox.width / ax.figure.dpi * 72  # with the labels beside the axes
    below = ScaledTranslation(0, -3.4 * size / 72, ax.figure.dpi_scale_trans)
    legend = ax.legend(
        handles=lines,
        title=name,
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=ax.transAxes + below,
        borderaxespad=0,
        ncols=max(1, min(len(lines), int(width / (13.5 * size)))),
        frameon=False,
    )
    legend.get_title().set_parse_math(False)
