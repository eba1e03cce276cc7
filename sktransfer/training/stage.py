"""One uninterrupted training of a module: a probe of the head, then epochs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from skorch.callbacks import GradientNormClipping
from torch import nn

from sktransfer._warnings import warn_user
from sktransfer.contracts import FreezeStrategy, WeightChange
from sktransfer.features.pace import advice_on_inputs
from sktransfer.features.precision import copy_in_bf16
from sktransfer.training._callbacks import (
    CheckFinite,
    EpochObserver,
    KeepBest,
    KeepEpochs,
    NotifyObserver,
    OpenBlocks,
    Score,
    WarmupThenDecay,
    WatchPace,
    callback_of,
    check_monitored,
    copies_of,
    parameters_to_open,
    prefixed,
    sets_rates,
)
from sktransfer.training.averaging import WeightAverage
from sktransfer.training.batch import TrainingRows
from sktransfer.training.cheaper_steps import only_entries, through_half
from sktransfer.training.execution import malloc_trim
from sktransfer.training.frozen_prefix import FrozenPrefix
from sktransfer.training.loop import TransferNet, training_batches
from sktransfer.training.losses import LossTerms
from sktransfer.training.probe import HeadFit, fit_head
from sktransfer.training.schedule import TrainingSchedule

__all__ = ["Monitoring", "Optimisation", "Stage", "StageResult"]

_CLIP = 1.0


@dataclass(frozen=True)
class Optimisation:
    """The settings of the optimizer.

    Attributes
    ----------
    batch_size : int
        Rows of a training batch.
    weight_decay : float
        Decay of AdamW, on weights; biases and norms have none.
    warmup : float
        Fraction of the steps in which the learning rate rises.
    average : {"ema", "soup"} or None
        Which mean of the weights is kept; None keeps the last ones.
    """

    batch_size: int = 16
    weight_decay: float = 0.01
    warmup: float = 0.1
    average: str | None = None


@dataclass(frozen=True, eq=False)
class Monitoring:
    """The scores, observers and callbacks of a stage, which may end it.

    Attributes
    ----------
    score : callable or None
        ``score(outputs, values)`` of held-out rows, higher is better.
    patience : int
        Epochs without a better score before the training stops.
    observer : EpochObserver or None
        Is notified of each epoch.
    callbacks : sequence
        The user's skorch callbacks, which are copied, or functions that make one.
    verbose : int
        1 shows a line for the whole stage, 2 prints one for each epoch; both keep whole epochs
        when Ctrl-C ends the training.
    """

    score: Score | None = None
    patience: int = 3
    observer: EpochObserver | None = None
    callbacks: Sequence[Any] = ()
    verbose: int = 0


@dataclass
class StageResult:
    """The result of a stage.

    Attributes
    ----------
    history : list of dict
        One for each epoch; the probe counts as one.
    n_iter : int
        Epochs trained; iterations of the solver where the head alone was fitted.
    C : float or None
        Inverse strength of the penalty of a head that was fitted to convergence.
    out_of_fold : torch.Tensor of float64 of shape (n, n_outputs) or None
        Outputs of labelled rows by heads that did not see them, where ``head_fit`` asks for them.
    lr : dict of str to float
        Peak learning rate of each group of parameters.
    seconds : dict of str to float
        How long the head's fit to convergence and the epochs took, as far as there were any.
    prefix : str
        Which block's inputs were computed once, or why not.
    precision : str
        In which precision blocks trained, where it was another than that of features.
    interrupted : str
        Which epochs were kept, if Ctrl-C ended the training.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    n_iter: int = 0
    C: float | None = None
    out_of_fold: torch.Tensor | None = None
    lr: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    prefix: str = "nothing was trained by epochs"
    precision: str = ""
    interrupted: str = ""


@dataclass
class Stage:
    """One uninterrupted training.

    Attributes
    ----------
    prefix : FrozenPrefix
        The module, which is trained in place, and what of it is computed once.
    terms : LossTerms
        What is minimised.
    strategy : FreezeStrategy
        Says which parameters of an open block train.
    schedule : TrainingSchedule
        Which blocks train when.
    train : TrainingRows
        What is trained on. The penalty of a head that is fitted to convergence is relative to the
        total weight.
    valid : TrainingRows or None
        Held-out rows for early stopping.
    optimisation : Optimisation
    head_fit : HeadFit
    monitoring : Monitoring
    seed : int
        Seeds the order of rows. Dropout draws from torch's global generator, which the caller
        seeds.
    result : StageResult
        What was done so far.
    """

    prefix: FrozenPrefix
    terms: LossTerms
    strategy: FreezeStrategy
    schedule: TrainingSchedule
    train: TrainingRows
    valid: TrainingRows | None = None
    optimisation: Optimisation = field(default_factory=Optimisation)
    head_fit: HeadFit = field(default_factory=HeadFit)
    monitoring: Monitoring = field(default_factory=Monitoring)
    seed: int = 0
    result: StageResult = field(default_factory=StageResult)

    def run(self) -> StageResult:
        """Fit the head to convergence where the schedule says so, then train by epochs."""
        module, schedule = self.prefix.module, self.schedule
        module.set_trainable(())  # an encoder that does not train can be told from one that does
        by_epochs = schedule.n_probe < len(schedule.epochs)
        if module.of_states and self._mixup() > 0:
            raise ValueError(
                f"mixup={self._mixup()} mixes inputs as wholes, but this task has a target for "
                "each state of an input: leave mixup at 0."
            )
        if not by_epochs:
            self._warn_of_what_needs_epochs()
        stopped = bool(schedule.n_probe) and self._timed("head", self.probe)
        if by_epochs and not stopped:
            self._timed("epochs", self.train_epochs)
        # Gradients would take as much memory as the weights for as long as the model exists.
        for parameter in module.parameters():
            parameter.grad = None
        module.term_weights = self.terms.weights()
        module.eval()
        malloc_trim()
        return self.result

    def _timed(self, part: str, function: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = function()
        self.result.seconds[part] = time.perf_counter() - start
        return result

    def probe(self) -> bool:
        """Fit the head alone, to convergence; True if the observer ends the training there."""
        observer = self.monitoring.observer
        if observer is not None:
            observer.begin()
        fitted = fit_head(self.prefix, self.terms.supervised, self.train.labelled(), self.head_fit)
        self._mean_norm = fitted.mean_norm
        self.result.n_iter, self.result.C = fitted.n_iter, fitted.C
        self.result.out_of_fold = fitted.out_of_fold
        self.result.history.append(
            {
                "stage": self.schedule.stage,
                "epoch": 1,
                "blocks": [],
                "train_loss": fitted.loss,
                "solver_iterations": fitted.n_iter,
            }
        )
        if self.monitoring.verbose:
            print(
                f"head fitted to convergence with C={fitted.C:g} in {fitted.n_iter} steps, "
                f"loss {fitted.loss:.4f}"
            )
        return observer is not None and observer.end()

    def train_epochs(self) -> None:
        """Train the epochs that remain, in the precision and through the copies that suit it."""
        module = self.prefix.module
        if self._mean_norm is None:
            self._mean_norm = self.prefix.mean_norm(self.train, self.schedule)
        names = parameters_to_open(module, self.strategy, self.schedule.blocks)
        rows = [*self.train.rows, *([] if self.valid is None else self.valid.rows)]
        precise = bool(names) and module.encoder.trains_in_fp32
        usable = bool(names) and module.precision == "bf16" and not precise
        if precise and module.precision == "bf16":
            self.result.precision = "bf16 for features, fp32 for training"
        usable = usable and copy_in_bf16(module.encoder, rows) is not None
        # Augmented rows may look up other entries of the table than the rows as they are.
        varied = self.prefix.variation is not None
        with (
            _in_fp32(module, precise),
            contextlib.nullcontext() if varied else only_entries(module, names, rows),
            through_half(module, usable),
        ):
            self._optimise(names)

    _mean_norm: float | None = field(default=None, init=False)

    def _optimise(self, names: Sequence[str]) -> None:
        """Run the loop over epochs."""
        module, schedule, monitoring = self.prefix.module, self.schedule, self.monitoring
        module.set_trainable(names)
        groups = self._parameter_groups()
        n_epochs = len(schedule.epochs) - schedule.n_probe
        size = self.optimisation.batch_size
        n_steps = n_epochs * len(training_batches(self.train, module, size, self.terms, None))
        best = None
        if self.valid is not None and monitoring.score is not None:
            start_counts = schedule.n_probe > 0 or self.head_fit.anchor is not None
            best = KeepBest(monitoring.score, monitoring.patience, start_counts)
        observer = monitoring.observer
        kept = KeepEpochs() if monitoring.verbose else None
        theirs = copies_of(monitoring.callbacks)
        check_monitored(theirs, self.valid is not None)
        decay = [("lr", WarmupThenDecay(n_steps, self.optimisation.warmup))]
        task = f"Training for {n_epochs} epochs"
        ours = [
            ("open_blocks", OpenBlocks(schedule, self.strategy)),
            *([] if sets_rates(theirs) else decay),
            ("clip", GradientNormClipping(_CLIP)),
            ("pace", WatchPace(task, n_steps, self._advice(), monitoring.verbose == 1)),
            *([] if best is None else [("best", best)]),
            *([] if observer is None else [("observer", NotifyObserver(observer))]),
            *([] if kept is None else [("kept", kept)]),
            ("finite", CheckFinite()),
        ]
        average = self.optimisation.average
        net = TransferNet(
            module,
            terms=self.terms,
            groups=groups,
            schedule=schedule,
            rng=np.random.default_rng(self.seed),
            average=None if average is None else WeightAverage(average, n_epochs),
            kept=kept,
            max_epochs=n_epochs,
            batch_size=size,
            device=module.device,
            verbose=max(0, monitoring.verbose - 1),
            callbacks=[*prefixed(ours), *theirs],
        )
        if self.terms.auxiliary:
            net.change = _weights_that_train(module, names)
        with self.prefix.split(schedule, self.train, self.valid) as data:
            self.result.prefix, net.valid = data.prefix, data.valid
            net.fit(data.train)
        self._note(net, best)

    def _note(self, net: TransferNet, best: KeepBest | None) -> None:
        """Copy the history of the loop into the result."""
        result, stage = self.result, self.schedule.stage
        result.n_iter, result.interrupted = len(net.history), net.interrupted
        if best is not None and result.history and best.start_counts:
            result.history[-1]["valid_score"] = best.start_score_
        for epoch, record in enumerate(net.history, start=self.schedule.n_probe + 1):
            values = {k.removeprefix("event_"): _plain(v) for k, v in record.items() if _is_kept(k)}
            result.history.append({"stage": stage, **values, "epoch": epoch})

    def _parameter_groups(self) -> list[dict[str, Any]]:
        """Group parameters by block, and by whether they decay."""
        module, schedule = self.prefix.module, self.schedule
        assert self._mean_norm is not None
        # The larger the features are, the smaller the steps of the weights that multiply them.
        head_lr = schedule.head_lr / max(1.0, self._mean_norm)
        body = dict(module.body.named_parameters())
        owners: dict[str, tuple[float, list[nn.Parameter]]] = {}
        for block in module.encoder.blocks:
            names = parameters_to_open(module, self.strategy, schedule.blocks & {block})
            if names:
                rate = schedule.lr * schedule.lr_scale[block]
                owners[block] = (rate, [body[name] for name in names])
        owners["head"] = (head_lr, list(module.head.parameters()))
        for term in self.terms:
            if term.module is not None:
                owners[term.name] = (head_lr, list(term.module.parameters()))
        groups = []
        for rate, parameters in owners.values():
            for decays in (True, False):
                members = [p for p in parameters if (p.ndim > 1) == decays]
                decay = self.optimisation.weight_decay if decays else 0.0
                if members:
                    groups.append(
                        {"params": members, "lr": rate, "peak_lr": rate, "weight_decay": decay}
                    )
        self.result.lr = {owner: rate for owner, (rate, _) in owners.items()}
        return groups

    def _advice(self) -> list[str]:
        """Say what would train faster."""
        body = "freeze='frozen' trains the head alone, on features that are computed once"
        inputs = advice_on_inputs(self.prefix.module.encoder, self.train.rows)
        return [body if self.schedule.blocks else "", inputs]

    def _mixup(self) -> float:
        """Give the parameter of the mixup of an augmentation; 0 where there is none."""
        variation = self.prefix.variation
        return 0.0 if variation is None else float(variation.mixup)

    def _warn_of_what_needs_epochs(self) -> None:
        """Warn of what has no effect where the head is fitted to convergence."""
        useless = [f"{term.name}={term.plugin!r}" for term in self.terms.auxiliary]
        if self._mixup() > 0:
            useless.append(f"mixup={self._mixup()}")
        theirs = map(callback_of, copies_of(self.monitoring.callbacks))
        useless += [f"callbacks=[{type(callback).__name__}(...)]" for callback in theirs]
        if useless:
            warn_user(
                f"{' and '.join(useless)} {'has' if len(useless) == 1 else 'have'} no effect, "
                "since the head is fitted to convergence: freeze='head_by_epochs' trains it by "
                "steps, freeze='full' the encoder as well."
            )


def _weights_that_train(module: Any, names: Sequence[str]) -> WeightChange:
    """Note the weights at the start of a stage."""
    parameters = dict(module.body.named_parameters())
    current = {name: parameters[name] for name in names}
    return WeightChange(current, {n: p.detach().clone() for n, p in current.items()})


@contextlib.contextmanager
def _in_fp32(module: Any, precise: bool) -> Iterator[None]:
    """Compute in single precision inside a with block, if a training has to."""
    before = module.precision
    module.precision = "fp32" if precise else before
    try:
        yield
    finally:
        module.precision = before


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _is_kept(name: str) -> bool:
    """Tell whether an entry of skorch's history is kept in ``history_``."""
    return name not in ("batches", "dur") and not name.endswith(("_best", "_batch_count"))
