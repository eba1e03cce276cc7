"""The skorch net that trains a `TransferModule`.

skorch gives the loop, history, callbacks and printing. What differs: batches are made of rows of
similar length, the loss is weighted row by row, parameters are grouped by block, Ctrl-C reaches
the caller, and a loss that diverges is an error. The net ends with its stage; what is kept is a
`sktransfer.training.state.FittedNet`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from skorch.callbacks import EarlyStopping
from torch import nn
from torch.utils.data import Dataset

from sktransfer._compat.skorch import Net
from sktransfer.features.ahead import made_ahead
from sktransfer.features.batches import shuffled_batches, sorted_batches, training_budget
from sktransfer.heads.objectives import Objective
from sktransfer.training._printing import PrintEpochs
from sktransfer.training.averaging import WeightAverage, averaging
from sktransfer.training.errors import TrainingDivergedError, is_sane
from sktransfer.training.varied import Mixed, mixed


@dataclass
class Rows(Dataset):
    """Prepared rows with targets and weights.

    Attributes
    ----------
    rows : list
        What ``encoder.prepare`` returned.
    targets : ndarray of shape (n,) or (n, n_outputs)
        What the objective compares outputs with: codes of labels as int64, or float32.
    weights : ndarray of float64 of shape (n,)
        With mean 1.
    total_weight : float
        Sum of the weights before they were normalised.
    inputs : sequence of n inputs
        What the rows were prepared from.
    draw : callable or None
        Gives the rows of a training batch, ``draw(positions, rng)``, where they are not the same
        each time.
    mixup : float
        How the rows of a training batch are mixed; see `sktransfer.training.varied.mixed`.
    """

    rows: Sequence[Any]
    targets: np.ndarray
    weights: np.ndarray
    total_weight: float
    inputs: Sequence[Any] = ()
    draw: Callable[[np.ndarray, np.random.Generator], list[Any]] | None = None
    mixup: float = 0.0

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> tuple[Any, tuple[Any, float]]:
        return self.rows[i], (self.targets[i], float(self.weights[i]))


class _Batches:
    """Iterates over collated batches; shuffled anew each time when it is for training."""

    def __init__(self, data: Rows, net: TransferNet, training: bool) -> None:
        self._data = data
        self._net = net
        self._training = training

    def __iter__(self) -> Iterator[tuple[dict[str, Any], torch.Tensor]]:
        data, module = self._data, self._net.module_
        if self._training:
            batches = shuffled_batches(data.rows, self._net.batch_size, self._net.rng)
        else:
            batches = sorted_batches(data.rows, max(self._net.batch_size, 64))
        for _, made in made_ahead(self._made, batches, module.encoder):
            yield made

    def _made(self, batch: np.ndarray) -> tuple[dict[str, Any], torch.Tensor]:
        data, net, module = self._data, self._net, self._net.module_
        if self._training and data.draw is not None:
            rows = data.draw(batch, net.rng)
        else:
            rows = [data.rows[i] for i in batch]
        budget = training_budget(module.encoder)
        cut = sorted_batches(rows, len(rows), budget) if self._training else []
        if len(cut) > 1:
            batch = np.concatenate([batch[part] for part in cut])
            parts = [module.collate([rows[i] for i in part]) for part in cut]
        else:
            parts = [module.collate(rows)]
        inputs: Any = Parts(parts) if len(parts) > 1 else parts[0]
        if self._training and data.mixup > 0:
            inputs = Parts(*mixed(parts, data.mixup, net.rng))
        targets = torch.as_tensor(data.targets[batch], device=module.device)
        weights = torch.as_tensor(data.weights[batch], dtype=torch.float32, device=module.device)
        # Targets stand alone, since skorch's callbacks score by them.
        return {"inputs": inputs, "weights": weights}, targets


class Parts:
    """A batch whose gradients are computed part by part, since its rows are long or mixed.

    Parameters
    ----------
    parts : list of dict of str to torch.Tensor
        Batches, in the order of the targets.
    mixes : list of Mixed or None, default=None
        How the rows of each part were mixed, if they were.
    """

    def __init__(
        self, parts: list[dict[str, torch.Tensor]], mixes: list[Mixed] | None = None
    ) -> None:
        self.parts = parts
        self.mixes: Sequence[Mixed | None] = [None] * len(parts) if mixes is None else mixes

    def __len__(self) -> int:
        return sum(len(next(iter(part.values()))) for part in self.parts)

    def keys(self) -> list[str]:
        """Name what the batch holds, as a dict does."""
        return list(self.parts[0])

    def __getitem__(self, name: str) -> torch.Tensor:
        """Give the tensor of the whole batch, padded with zeros."""
        rows = [row for part in self.parts for row in part[name]]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True)


class _RowLoss(nn.Module):
    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self._objective = objective

    def forward(
        self,
        output: torch.Tensor,
        target: torch.Tensor,
        weights: torch.Tensor,
        mix: Mixed | None = None,
    ) -> torch.Tensor:
        if mix is not None:
            return mix.loss(self._objective.loss, output, target, weights)
        return (weights * self._objective.loss(output, target)).mean()


class TransferNet(Net):
    """Train encoder and head for one stage.

    Parameters
    ----------
    module : TransferModule
        Trained in place.
    objective : Objective
        The loss.
    groups : list of dict
        Parameter groups of the optimizer.
    rng : numpy.random.Generator or None
        Shuffles.
    valid : Rows or None
        Held-out rows.
    stage : str
        For messages.
    epoch_offset : int
        Epochs of the stage before the first of this net.
    average : WeightAverage or None
        Scored, and kept in the end, in place of the last weights.
    **kwargs : dict
        Parameters of `skorch.NeuralNet`.
    """

    def __init__(
        self,
        module: Any,
        *,
        objective: Any = None,
        groups: Any = None,
        rng: Any = None,
        valid: Any = None,
        stage: str = "source",
        epoch_offset: int = 0,
        average: WeightAverage | None = None,
        criterion: Any = _RowLoss,
        optimizer: Any = torch.optim.AdamW,
        train_split: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            module,
            criterion=criterion,
            optimizer=optimizer,
            train_split=train_split,
            **kwargs,
        )
        self.objective = objective
        self.groups = groups
        self.rng = rng
        self.valid = valid
        self.stage = stage
        self.epoch_offset = epoch_offset
        self.average = average

    stop_requested = False
    default_callbacks: ClassVar[dict[str, type]] = {"print_log": PrintEpochs}

    def initialize_criterion(self) -> TransferNet:
        """Weigh the loss row by row."""
        self.criterion_ = _RowLoss(self.objective)
        return self

    def initialize_optimizer(self, triggered_directly: Any = None) -> TransferNet:
        """Give each block its own learning rate."""
        # One pass over parameters and moments, not several: a step of few rows is mostly this.
        fused = torch.device(self.module_.device).type in ("cpu", "cuda")
        self.optimizer_ = self.optimizer(self.groups, fused=fused)
        return self

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Make batches of rows of similar length."""
        return _Batches(dataset, self, training)

    def infer(self, x: Any, **fit_params: Any) -> torch.Tensor:
        """Run the module on a batch."""
        return torch.cat([self.module_(part) for part in _parts(x["inputs"]).parts])

    def get_loss(
        self, y_pred: torch.Tensor, y_true: torch.Tensor, X: Any = None, training: bool = False
    ) -> torch.Tensor:
        """Weigh the loss of a batch."""
        return self.criterion_(y_pred, y_true, X["weights"], X.get("mix"))

    def predict(self, X: Any) -> np.ndarray:
        """Give what the targets are compared with by skorch's scoring callbacks."""
        return self.objective.decide(torch.as_tensor(self.predict_proba(X))).numpy()

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Compute loss and gradients; stop at the batch where the loss diverges."""
        step = self._step(batch)
        loss = float(step["loss"].detach())
        if not is_sane(loss):
            epoch = self.epoch_offset + len(self.history)
            number = len(self.history[-1]["batches"])
            group = self.optimizer_.param_groups[0]
            raise TrainingDivergedError(
                f"The loss became {loss:.3g} in stage {self.stage!r}, epoch {epoch}, batch "
                f"{number}. Lower lr, which was {group['lr']:.3g} there, on its way to or from "
                f"{group['peak_lr']:.3g}."
            )
        return step

    def _step(self, batch: Any) -> dict[str, Any]:
        """Add up loss and gradients of the parts of a batch."""
        # skorch would set the mode of a hundred layers in each step.
        if not self.module_.training:
            self._set_training(True)
        (inputs, weights), targets = (batch[0]["inputs"], batch[0]["weights"]), batch[1]
        total, outputs, start = torch.tensor(0.0), [], 0
        whole = _parts(inputs)
        for part, mix in zip(whole.parts, whole.mixes, strict=True):
            output = self.module_(part)
            own = slice(start, start + len(output))
            start = own.stop
            share = len(output) / len(targets)
            loss = share * self.get_loss(
                output, targets[own], X={"weights": weights[own], "mix": mix}, training=True
            )
            loss.backward()
            if self.module_.half_copy is not None:
                self.module_.half_copy.pass_gradients()
            total += loss.detach().cpu()
            outputs.append(output.detach())
        return {"loss": total, "y_pred": torch.cat(outputs)}

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
        valid = None if self.valid is None else self.get_iterator(self.valid)
        for _ in range(self.max_epochs if epochs is None else epochs):
            self.notify("on_epoch_begin", **data)
            self.run_single_epoch(train, training=True, prefix="train", step_fn=self.train_step)
            if self.average is not None:
                self.average.after_epoch(self.module_)
            with averaging(self.average, self.module_):
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
        """Train; unlike skorch's own method this lets Ctrl-C reach the caller."""
        if not self.initialized_:
            self.initialize()
        self.notify("on_train_begin", X=X, y=y)
        self.fit_loop(X, y)
        if self.average is not None:
            self.average.apply(self.module_)
        self.notify("on_train_end", X=X, y=y)
        return self


def _parts(inputs: Any) -> Parts:
    return inputs if isinstance(inputs, Parts) else Parts([inputs])


def _raised_by_skorch(interrupt: KeyboardInterrupt) -> bool:
    """Tell skorch's way to end a training early from somebody pressing Ctrl-C."""
    trace = interrupt.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code is EarlyStopping.on_epoch_end.__code__
