"""The skorch callbacks of a stage."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from skorch.callbacks import Callback, LRScheduler

from sktransfer.contracts import FreezeStrategy
from sktransfer.features.pace import Pace
from sktransfer.training.errors import TrainingDivergedError
from sktransfer.training.losses import is_sane
from sktransfer.training.module import TransferModule
from sktransfer.training.schedule import TrainingSchedule

Score = Callable[[torch.Tensor, np.ndarray], float]


class EpochObserver(Protocol):
    """The protocol of observers, which are notified of each epoch of a stage and of the probe."""

    def begin(self) -> None:
        """Note that an epoch begins."""

    def end(self) -> bool:
        """Note that the epoch has ended; True ends the training."""


def parameters_to_open(
    module: TransferModule, strategy: FreezeStrategy, blocks: frozenset[str]
) -> list[str]:
    """Name the encoder's parameters that train when these blocks do."""
    return [
        name
        for block, names in module.encoder.blocks.items()
        if block in blocks
        for name in names
        if strategy.trains_parameter(name) and name not in module.encoder.never_train
    ]


class OpenBlocks(Callback):
    """Open the blocks of each epoch as it begins."""

    def __init__(self, schedule: TrainingSchedule, strategy: FreezeStrategy) -> None:
        self.schedule = schedule
        self.strategy = strategy

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        blocks = self.schedule.epochs[net.epoch_offset + len(net.history) - 1]
        net.module_.set_trainable(parameters_to_open(net.module_, self.strategy, blocks))
        # skorch's loggers do not print entries whose names begin with event_ as numbers.
        net.history.record("event_blocks", [b for b in net.module_.encoder.blocks if b in blocks])


class WarmupThenDecay(Callback):
    """Raise the learning rate linearly in the first steps, then lower it linearly to zero."""

    def __init__(self, n_steps: int, warmup: float) -> None:
        self.n_steps = n_steps
        self.n_warm = max(1, round(warmup * n_steps)) if warmup else 0

    def initialize(self) -> WarmupThenDecay:
        self.step_ = 0
        return self

    def on_batch_begin(
        self, net: Any, batch: Any = None, training: bool = False, **kw: Any
    ) -> None:
        if not training:
            return
        if self.step_ < self.n_warm:
            factor = (self.step_ + 1) / self.n_warm
        else:
            factor = (self.n_steps - self.step_) / max(1, self.n_steps - self.n_warm)
        for group in net.optimizer_.param_groups:
            group["lr"] = group["peak_lr"] * factor
        self.step_ += 1


class KeepBest(Callback):
    """Score the held-out rows after each epoch, stop in time, restore the best.

    A probe or an earlier training counts, too; a head at random does not.
    """

    def __init__(self, score: Score, patience: int, start_counts: bool) -> None:
        self.score = score
        self.patience = patience
        self.start_counts = start_counts

    def initialize(self) -> KeepBest:
        self.best_ = (-math.inf, -math.inf)
        self.improved_ = 0
        self.weights_: dict[str, torch.Tensor] = {}
        self._clear()
        return self

    def _clear(self) -> None:
        self.outputs_: list[torch.Tensor] = []
        self.targets_: list[torch.Tensor] = []

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, y_pred: Any = None, **kw: Any
    ) -> None:
        if not training:
            self.outputs_.append(y_pred.detach().float().cpu())
            self.targets_.append(batch[1].cpu())

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        if not self.start_counts:
            return
        losses = []
        for batch in net.get_iterator(net.valid):
            step = net.validation_step(batch)
            losses.append((float(step["loss"]), len(step["y_pred"])))
            self.on_batch_end(net, batch, training=False, y_pred=step["y_pred"])
        self.start_score_ = self._score()
        loss = sum(value * n for value, n in losses) / sum(n for _, n in losses)
        self.best_ = (self.start_score_, -loss)
        self.weights_ = net.module_.trained_weights()

    def _score(self) -> float:
        score = self.score(torch.cat(self.outputs_), torch.cat(self.targets_).numpy())
        self._clear()
        return score

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        score = self._score()
        net.history.record("valid_score", score)
        epoch = len(net.history)
        # Small held-out sets give many equal scores, so the lower loss decides between them.
        result = (score, -float(net.history[-1]["valid_loss"]))
        if result > self.best_:
            if score > self.best_[0]:
                self.improved_ = epoch
            self.best_ = result
            self.weights_ = net.module_.trained_weights()
        if epoch - self.improved_ >= self.patience:
            net.stop_requested = True

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        net.module_.put_trained(self.weights_)


class KeepEpochs(Callback):
    """Copy the weights after each epoch, so that Ctrl-C leaves those of the last one."""

    def initialize(self) -> KeepEpochs:
        self.weights_: dict[str, torch.Tensor] | None = None
        self.n_epochs_ = 0
        return self

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        if net.epoch_offset:  # the head is fitted, which is a result, too
            self.weights_ = net.module_.trained_weights()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.weights_, self.n_epochs_ = net.module_.trained_weights(), len(net.history)

    def restore(self, net: Any) -> str:
        """Go back to the last whole epoch, and say so; an empty str if there was none."""
        if self.weights_ is None:
            return ""
        net.module_.put_trained(self.weights_)
        done = self.n_epochs_ + net.epoch_offset
        planned = net.max_epochs + net.epoch_offset
        del net.history[self.n_epochs_ :]
        return f"Interrupted: the estimator is as it was after epoch {done} of {planned}."


class NotifyObserver(Callback):
    """Notify an observer of each epoch, and let it end the training."""

    def __init__(self, observer: EpochObserver) -> None:
        self.observer = observer

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.observer.begin()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if self.observer.end():
            net.stop_requested = True


class WatchPace(Callback):
    """Warn once if the training will take long, and show how far it is where that is asked for."""

    def __init__(
        self, task: str, n_steps: int, advice: Sequence[str], progress: bool = False
    ) -> None:
        self.task = task
        self.n_steps = n_steps
        self.advice = advice
        self.progress = progress

    def initialize(self) -> WatchPace:
        self.pace_ = Pace(self.task, self.n_steps, self.advice, self.progress)
        return self

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        if training:
            self.pace_.advance(1)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        record = net.history[-1]
        score = f", score {record['valid_score']:.4g}" if "valid_score" in record else ""
        self.pace_.note(f"epoch {len(net.history)}, loss {record['train_loss']:.4g}{score}")

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self.pace_.close()


class CheckFinite(Callback):
    """Raise if the last step left a loss or weights that are not finite.

    What earlier steps left shows in the loss of the step that follows.
    """

    def on_train_end(self, net: Any, X: Any = None, **kwargs: Any) -> None:
        batch = next(iter(net.get_iterator(X)))
        loss = float(net.validation_step(batch)["loss"])
        if not is_sane(loss):
            raise TrainingDivergedError(
                f"The loss became {loss:.3g} in the last step of stage {net.schedule.stage!r}. "
                "Lower lr."
            )
        for name, value in net.module_.trained_weights().items():
            if not torch.isfinite(value).all():
                raise TrainingDivergedError(
                    f"The weights {name!r} are not finite after stage {net.schedule.stage!r}. "
                    "Lower lr."
                )


def prefixed(callbacks: Sequence[tuple[str, Callback]]) -> list[tuple[str, Callback]]:
    """Prefix names so that a user's callbacks cannot collide with ours."""
    return [(f"sktransfer_{name}", callback) for name, callback in callbacks]


def copies_of(callbacks: Sequence[Any]) -> list[Any]:
    """Give a user's callbacks for one training: copies, or what a class or function makes.

    Some hold what cannot be copied, such as an open file; those are made anew each time.
    """
    found = []
    for entry in callbacks:
        name, callback = entry if isinstance(entry, tuple) else (None, entry)
        is_made = isinstance(callback, type) or not hasattr(callback, "on_train_begin")
        if is_made and not callable(callback):
            raise TypeError(
                f"callbacks holds {callback!r}: a skorch callback is expected, or a function that "
                "returns one."
            )
        made = callback() if is_made else copy.deepcopy(callback)
        found.append(made if name is None else (name, made))
    return found


def sets_rates(callbacks: Sequence[Any]) -> bool:
    """Tell whether a user's callbacks set the learning rate, in place of warm-up and decay."""
    return any(isinstance(callback_of(entry), LRScheduler) for entry in callbacks)


def check_monitored(callbacks: Sequence[Any], held_out: bool) -> None:
    """Check that the scores which a user's callbacks go by are there.

    Parameters
    ----------
    callbacks : sequence
        What `copies_of` gave.
    held_out : bool
        Whether rows are held out.

    Raises
    ------
    ValueError
        If a callback goes by a score of held-out rows, and there are none.
    """
    for callback in map(callback_of, callbacks):
        monitor = vars(callback).get("monitor")
        if isinstance(monitor, str) and monitor.startswith("valid") and not held_out:
            name, other = type(callback).__name__, monitor.replace("valid", "train", 1)
            raise ValueError(
                f"callbacks holds {name}(monitor={monitor!r}), but no rows are held out: pass "
                f"early_stopping=True to the estimator, or {name}(monitor={other!r})."
            )


def callback_of(entry: Any) -> Any:
    """Give the callback of a pair of name and callback, or of a callback alone."""
    return entry[1] if isinstance(entry, tuple) else entry
