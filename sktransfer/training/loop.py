"""The skorch net that trains a `TransferModule`.

skorch gives the loop, history, callbacks and printing. What differs: batches are made of rows of
similar length, the loss is a sum of terms, parameters are grouped by block, Ctrl-C reaches the
caller, and a loss that diverges is an error. The net ends with its stage; what is kept is a
`sktransfer.training.state.FittedNet`.
"""

from __future__ import annotations

import re
import sys
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from skorch.callbacks import EarlyStopping, PassthroughScoring, PrintLog

from sktransfer._compat.skorch import Net
from sktransfer.contracts import Forward, WeightChange
from sktransfer.training._callbacks import KeepEpochs
from sktransfer.training.averaging import WeightAverage
from sktransfer.training.batch import Batch, Batches, TrainingRows
from sktransfer.training.errors import TrainingDivergedError
from sktransfer.training.losses import LossTerms, Step, is_sane
from sktransfer.training.schedule import TrainingSchedule

# Escape sequences that terminals show as colours.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class TransferNet(Net):
    """Train encoder and head for one stage.

    Parameters
    ----------
    module : TransferModule
        Trained in place.
    terms : LossTerms
        What is minimised.
    groups : list of dict
        Parameter groups of the optimizer.
    schedule : TrainingSchedule
        Says which stage this is, and how many epochs were replaced by a probe.
    rng : numpy.random.Generator or None, default=None
        Shuffles.
    average : WeightAverage or None, default=None
        Scored, and kept in the end, in place of the last weights.
    kept : KeepEpochs or None, default=None
        One of the callbacks. If it is given, Ctrl-C ends the training after the last whole epoch.
    **kwargs : dict
        Parameters of `skorch.NeuralNet`.

    Attributes
    ----------
    valid : TrainingRows or None
        Held-out rows; set before `fit`.
    change : WeightChange or None
        Set before `fit` where a term of the loss asks for it.
    stop_requested : bool
        Set by a callback that ends the training.
    interrupted : str
        After Ctrl-C, which epochs were kept.
    """

    valid: TrainingRows | None = None
    change: WeightChange | None = None
    stop_requested = False
    interrupted = ""

    def __init__(
        self,
        module: Any,
        *,
        terms: LossTerms,
        groups: Any = None,
        schedule: TrainingSchedule | None = None,
        rng: Any = None,
        average: WeightAverage | None = None,
        kept: KeepEpochs | None = None,
        **kwargs: Any,
    ) -> None:
        own: dict[str, Any] = {"criterion": torch.nn.Identity, "optimizer": torch.optim.AdamW}
        super().__init__(module, train_split=None, **own, **kwargs)
        self.terms = terms
        self.groups = groups
        self.schedule = schedule
        self.rng = rng
        self.average = average
        self.kept = kept

    def adapt_callbacks(self, callbacks: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        """Print short lines, and note the loss of each term."""
        names = [f"train_{term.name}_loss" for term in self.terms.auxiliary]
        return [
            *((name, PassthroughScoring(name=name, on_train=True)) for name in names),
            *((name, PrintEpochs() if name == "print_log" else c) for name, c in callbacks),
        ]

    @property
    def epoch_offset(self) -> int:
        """Epochs of the stage before the first of this net."""
        assert self.schedule is not None
        return self.schedule.n_probe

    def initialize_optimizer(self, triggered_directly: Any = None) -> TransferNet:
        """Give each block its own learning rate."""
        # The fused optimizer passes over parameters and moments once; in a step of few rows this
        # takes most of the time.
        fused = torch.device(self.module_.device).type in ("cpu", "cuda")
        self.optimizer_ = self.optimizer(self.groups, fused=fused)
        return self

    def get_iterator(self, dataset: Any, training: bool = False) -> Batches:
        """Make batches of rows of similar length."""
        if not training:
            return Batches(dataset, self.module_, self.batch_size)
        return training_batches(dataset, self.module_, self.batch_size, self.terms, self.rng)

    def infer(self, x: Batch, **fit_params: Any) -> torch.Tensor:
        """Run the module on a batch."""
        return torch.cat([self.module_(part) for part in x.inputs])

    def get_loss(
        self,
        y_pred: torch.Tensor,
        y_true: torch.Tensor,
        X: Any = None,
        training: bool = False,
    ) -> torch.Tensor:
        """Compute the supervised loss of a batch, which held-out rows are compared by."""
        return self.terms.supervised.loss(X.forward(y_pred, y_pred), Step(X.n_labelled, X.mix))

    def predict(self, X: Any) -> np.ndarray:
        """Predict codes of labels, or numbers: what skorch's scoring callbacks compare."""
        outputs = torch.as_tensor(self.predict_proba(X))
        return self.terms.supervised.task.decide(outputs).numpy()

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Compute loss and gradients; stop at the batch where the loss diverges."""
        # Unlike skorch, this does not set the mode of a hundred layers in each step.
        if not self.module_.training:
            self._set_training(True)
        parts = self.terms.per_row
        step = self._by_parts(batch[0]) if parts else self._together(batch[0])
        loss = float(step["loss"].detach())
        if not is_sane(loss):
            assert self.schedule is not None
            epoch = self.epoch_offset + len(self.history)
            number = len(self.history[-1]["batches"])
            group = self.optimizer_.param_groups[0]
            raise TrainingDivergedError(
                f"The loss became {loss:.3g} in stage {self.schedule.stage!r}, epoch {epoch}, "
                f"batch {number}. Lower lr, which was {group['lr']:.3g} there, on its way to or "
                f"from {group['peak_lr']:.3g}."
            )
        return step

    def _by_parts(self, batch: Batch) -> dict[str, Any]:
        """Add up loss and gradients of the micro-batches; their activations are freed in turn."""
        total, outputs, start = torch.tensor(0.0), [], 0
        for inputs in batch.inputs:
            features, output = self.module_.features_and_outputs(inputs)
            rows = slice(start, start + len(output))
            start = rows.stop
            part = batch if len(batch.inputs) == 1 else _part(batch, rows)
            step = Step(batch.n_labelled, None if batch.mix is None else batch.mix.part(rows))
            forward = part.forward(features, output)
            terms = [term.loss(forward, step) for term in self.terms]
            loss = terms[0] if len(terms) == 1 else torch.stack(terms).sum()
            self._backward(loss)
            total += loss.detach().cpu()
            outputs.append(output.detach())
        return {"loss": total, "y_pred": torch.cat(outputs)}

    def _together(self, batch: Batch) -> dict[str, Any]:
        """Compute the whole batch in one graph, for terms that look at all its rows."""
        forward = self._forward(batch)
        second = self._forward(batch) if self.terms.second_view else None
        step = Step(batch.n_labelled, batch.mix, self._progress(), self.change, second)
        losses = [term.loss(forward, step) for term in self.terms]
        for term, loss in zip(self.terms.auxiliary, losses[1:], strict=True):
            self.history.record_batch(f"train_{term.name}_loss", float(loss.detach()))
        total = torch.stack(losses).sum()
        self._backward(total)
        return {"loss": total.detach().cpu(), "y_pred": forward.outputs.detach()}

    def _forward(self, batch: Batch) -> Forward:
        pairs = [self.module_.features_and_outputs(inputs) for inputs in batch.inputs]
        features, outputs = (torch.cat(side) for side in zip(*pairs, strict=True))
        return batch.forward(features, outputs)

    def _backward(self, loss: torch.Tensor) -> None:
        loss.backward()
        if self.module_.half_copy is not None:
            self.module_.half_copy.pass_gradients()

    def _progress(self) -> float:
        """Give the fraction of all steps that are done."""
        epochs, batches = len(self.history) - 1, len(self.history[-1]["batches"]) - 1
        return (epochs + batches / max(1, self.n_batches)) / self.max_epochs

    def train_step(self, batch: Any, **fit_params: Any) -> Any:
        """Train on a batch."""
        step = super().train_step(batch, **fit_params)
        if self.module_.half_copy is not None:
            self.module_.half_copy.follow()
        if self.average is not None:
            self.average.after_step(self.module_)
        return step

    def fit_loop(
        self, X: Any, y: Any = None, epochs: int | None = None, **fit_params: Any
    ) -> TransferNet:
        """Train until the epochs are over or a callback asks to stop."""
        data = {"dataset_train": X, "dataset_valid": self.valid}
        train = self.get_iterator(X, training=True)
        self.n_batches = len(train)
        valid = None if self.valid is None else self.get_iterator(self.valid)
        for _ in range(self.max_epochs if epochs is None else epochs):
            self.notify("on_epoch_begin", **data)
            self.run_single_epoch(train, training=True, prefix="train", step_fn=self.train_step)
            if self.average is not None:
                self.average.after_epoch(self.module_)
            averaged = nullcontext() if self.average is None else self.average.applied(self.module_)
            with averaged:
                self.run_single_epoch(
                    valid, training=False, prefix="valid", step_fn=self.validation_step
                )
                try:
                    self.notify("on_epoch_end", **data)
                except KeyboardInterrupt as interrupt:
                    if not _raised_by_skorch(interrupt):
                        raise
                    self.stop_requested = True
            if self.stop_requested:
                break
        return self

    def partial_fit(
        self, X: Any, y: Any = None, classes: Any = None, **fit_params: Any
    ) -> TransferNet:
        """Train; unlike skorch's own method this tells the caller of Ctrl-C, or lets it through."""
        if not self.initialized_:
            self.initialize()
        self.notify("on_train_begin", X=X, y=y)
        try:
            self.fit_loop(X, y)
        except KeyboardInterrupt:
            if self.kept is None or not (kept := self.kept.restore(self)):
                raise
            self.interrupted = kept
        if self.average is not None and not self.interrupted:
            self.average.apply(self.module_)
        self.notify("on_train_end", X=X, y=y)
        return self


def training_batches(
    data: TrainingRows, module: Any, batch_size: int, terms: LossTerms, rng: Any
) -> Batches:
    """Make the batches of an epoch, balanced between domains where a term compares them."""
    return Batches(data, module, batch_size, rng, balanced=terms.compares_domains)


class PrintEpochs(PrintLog):
    """skorch's table of epochs with short lines, and without colours outside terminals."""

    def format_row(self, row: Any, key: str, color: str) -> Any:
        """Give the number of blocks that train; their names are in the history."""
        if key == "event_blocks":
            return str(len(row[key]))
        return super().format_row(row, key, color)

    def table(self, row: Any) -> str:
        """Format an epoch."""
        table = super().table(row)
        # An object that replaces the standard output may lack isatty.
        on_terminal = getattr(sys.stdout, "isatty", bool)()
        return table if on_terminal else _COLOUR.sub("", table)


def _part(batch: Batch, rows: slice) -> Batch:
    domains = None if batch.domains is None else batch.domains[rows]
    return Batch([], batch.values[rows], batch.weights[rows], batch.n_labelled, domains)


def _raised_by_skorch(interrupt: KeyboardInterrupt) -> bool:
    """Tell a KeyboardInterrupt by which skorch stops early from one by Ctrl-C."""
    trace = interrupt.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code is EarlyStopping.on_epoch_end.__code__
