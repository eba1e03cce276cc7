"""A learning-rate range test, and its plot."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

__all__ = ["LearningRateDisplay", "find_lr"]

# Weight of a loss in the moving average: single batches say little.
_SMOOTHING = 0.1
# The test ends at a loss of this many times the lowest one.
_LOST = 4.0
_FEWEST = 10


def find_lr(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    lr_min: float = 1e-7,
    lr_max: float = 1e-1,
    n_steps: int = 100,
    **fit_params: Any,
) -> LearningRateDisplay:
    """Train a copy of an estimator at rising learning rates, and record the loss [1]_.

    Parameters
    ----------
    estimator : estimator of sktransfer, or Pipeline that ends with one
        Estimator, of which a clone is trained, with its own strategy and batches.
    X : list, array, Series or one-column frame of n inputs
        Inputs, as for ``fit``.
    y : array-like of shape (n,) or (n, n_outputs)
        Targets, as for ``fit``.
    lr_min, lr_max : float, default=1e-7 and 1e-1
        Learning rate of the encoder at the first step and at the last; the head's is its usual
        multiple.
    n_steps : int, default=100
        Number of steps. The test ends earlier if the loss explodes.
    **fit_params : dict
        Parameters that are passed to ``fit``.

    Returns
    -------
    display : LearningRateDisplay
        Display with the attribute ``suggestion`` and the method ``plot``.

    Raises
    ------
    ValueError
        If the estimator's strategy trains nothing by steps, or the limits are in the wrong order.
    TypeError
        If ``estimator`` is not one of sktransfer.

    References
    ----------
    .. [1] Smith, L. N. (2017). Cyclical learning rates for training neural networks. WACV.
       arXiv:1506.01186.

    Examples
    --------
    >>> from sktransfer import TransferTextClassifier
    >>> from sktransfer.inspection import find_lr
    >>> texts = ["a lovely film", "great fun", "a dull film", "boring"] * 10
    >>> labels = ["good", "good", "bad", "bad"] * 10
    >>> found = find_lr(TransferTextClassifier("hashing", random_state=0), texts, labels)
    >>> 1e-7 < found.suggestion < 1e-1
    True
    """
    from skorch.callbacks import Callback

    from sktransfer import TrainingDivergedError

    if not 0 < lr_min < lr_max:
        raise ValueError(f"lr_min={lr_min} and lr_max={lr_max}: expected 0 < lr_min < lr_max.")
    if n_steps < _FEWEST:
        raise ValueError(f"n_steps has to be at least {_FEWEST}, got {n_steps}.")
    if isinstance(estimator, Pipeline):
        if len(estimator) > 1:
            X = clone(estimator[:-1]).fit_transform(X, y)
        estimator = estimator[-1]
    if not {"lr", "max_epochs", "callbacks"} <= set(estimator.get_params(deep=False)):
        raise TypeError(
            f"estimator has to be one of sktransfer with an lr, got {type(estimator).__name__}."
        )
    rates = np.geomspace(lr_min, lr_max, n_steps)
    losses: list[float] = []

    class _Enough(Exception):
        pass

    class RaiseRate(Callback):
        def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
            if training:
                for group in net.optimizer_.param_groups:
                    group["lr"] = group["peak_lr"] * rates[len(losses)]

        def on_batch_end(
            self, net: Any, training: bool = False, loss: Any = None, **kwargs: Any
        ) -> None:
            if not training:
                return
            losses.append(float(loss.detach()))
            smooth = _smoothed(np.array(losses))
            if len(losses) == n_steps or smooth[-1] > _LOST * smooth.min():
                raise _Enough

    test = clone(estimator).set_params(
        # Rates are relative to 1, and every epoch has at least one step.
        lr=1.0,
        max_epochs=n_steps + 1,
        early_stopping=False,
        callbacks=[*(estimator.callbacks or ()), RaiseRate],
    )
    # Callbacks of scikit-learn would take this for a training of the user.
    test.set_callbacks()
    with contextlib.suppress(_Enough, TrainingDivergedError):
        test.fit(X, y, **fit_params)
    if len(losses) < 2:
        raise ValueError(
            f"freeze={estimator.freeze!r} trains nothing by steps: its head is fitted to "
            "convergence, without a learning rate."
        )
    return LearningRateDisplay(lrs=rates[: len(losses)], losses=np.array(losses))


class LearningRateDisplay:
    """The losses of a learning-rate range test; see `find_lr`.

    Parameters
    ----------
    lrs : ndarray of shape (n_steps,)
        Learning rate of each step.
    losses : ndarray of shape (n_steps,)
        Training loss of each step.

    Attributes
    ----------
    smoothed : ndarray of shape (n_steps,)
        Moving average of the losses.
    suggestion : float
        A tenth of the rate at which the smoothed loss is lowest, but at least the rate at which it
        falls most steeply.
    ax_ : matplotlib Axes
        Axes of `plot`.
    figure_ : matplotlib Figure
        Figure of `plot`.
    line_ : matplotlib Line2D
        Line of the smoothed losses.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer.inspection import LearningRateDisplay
    >>> lrs = np.geomspace(1e-6, 1, 100)
    >>> display = LearningRateDisplay(lrs=lrs, losses=1 + (np.log10(lrs) + 2) ** 2)
    >>> bool(1e-4 < display.suggestion < 1e-2)
    True
    """

    def __init__(self, *, lrs: np.ndarray, losses: np.ndarray) -> None:
        self.lrs = lrs
        self.losses = losses

    @property
    def smoothed(self) -> np.ndarray:
        """Moving average of the losses."""
        return _smoothed(self.losses)

    @property
    def suggestion(self) -> float:
        """A rate at which training is fast and safe."""
        smooth = self.smoothed
        # The rates of the first steps change nothing, and their averages are of few losses.
        skip = min(10, len(smooth) // 5)
        lowest = skip + int(smooth[skip:].argmin())
        slope = np.gradient(smooth, np.log(self.lrs)) if len(smooth) > 1 else np.zeros(1)
        steepest = skip + int(slope[skip : lowest + 1].argmin())
        return float(max(self.lrs[lowest] / 10.0, min(self.lrs[steepest], self.lrs[lowest] / 3.0)))

    def plot(self, ax: Any = None, *, name: str | None = None) -> LearningRateDisplay:
        """Draw the losses over the learning rate.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes a new figure.
        name : str or None, default=None
            Name of the losses in the legend; None is "training loss".

        Returns
        -------
        self : LearningRateDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        from sktransfer.inspection._matplotlib import new_axes

        ax = new_axes(ax)
        (points,) = ax.plot(self.lrs, self.losses, ".", alpha=0.35, markersize=4)
        (self.line_,) = ax.plot(
            self.lrs, self.smoothed, color=points.get_color(), label=name or "training loss"
        )
        ax.axvline(
            self.suggestion, linestyle="--", color="0.4", label=f"suggestion {self.suggestion:.1e}"
        )
        ax.set_xscale("log")
        ax.set_xlabel("learning rate of the encoder")
        ax.set_ylabel("loss of a batch")
        ax.set_ylim(0, min(ax.get_ylim()[1], 1.5 * float(self.losses[0])))
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _smoothed(losses: np.ndarray) -> np.ndarray:
    """Compute the exponential moving average, without a bias to the start."""
    import pandas as pd

    return pd.Series(losses).ewm(alpha=_SMOOTHING).mean().to_numpy()
