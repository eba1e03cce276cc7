"""The fit story that all estimators share: resolve, check, assemble, train, keep.

An estimator says how inputs and targets are read; what happens in between is here. Fitted
attributes are set at the very end, so a fit that fails leaves the estimator as it was.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from sktransfer._parameters import check_decorated
from sktransfer._warnings import warn_user
from sktransfer.estimators._assembly import Assembly, assemble
from sktransfer.estimators._deciding import decided
from sktransfer.estimators._domains import check_both_domains
from sktransfer.estimators._labels import LabelChange
from sktransfer.estimators._modality import check_modality
from sktransfer.estimators._params import FineTuning, ModelOptions, Runtime
from sktransfer.estimators._parts import in_parts, joined
from sktransfer.estimators._reading import Reading
from sktransfer.estimators._scoring import output_scorer
from sktransfer.estimators._source import Start, start_of_encoder, start_of_source
from sktransfer.estimators._targets import Targets, check_trainable
from sktransfer.estimators._tuning import Tunable
from sktransfer.estimators._watching import Watch
from sktransfer.plugins import (
    Alignment,
    Backbone,
    FreezeStrategy,
    Head,
    Regulariser,
    resolve,
)


@dataclass(frozen=True)
class Parts:
    """The plugins that an estimator was told to use, as its own copies."""

    backbone: Backbone
    freeze: FreezeStrategy
    head: Head | None
    alignment: Alignment | None = None
    regulariser: Regulariser | None = None


@dataclass(frozen=True)
class Trained:
    """A training that succeeded, before anything of it is kept."""

    made: Assembly
    reading: Reading | None
    attributes: dict[str, Any]


class BaseTransfer(Runtime, FineTuning, ModelOptions, Tunable, CallbackSupportMixin, BaseEstimator):
    """Source-then-target training of an encoder and a head."""

    net_: Any
    history_: list[dict[str, Any]]
    stages_: list[dict[str, Any]]

    __metadata_request__fit = {"sample_domain": True}
    __metadata_request__partial_fit = {"sample_domain": True}

    def _resolve(self) -> Parts:
        """Check parameters and find plugins, before data is touched or torch is imported."""
        if isinstance(self.backbone, BaseTransfer):
            raise TypeError(
                f"backbone is a {type(self.backbone).__name__}, whose weights clone would drop: "
                "wrap it, backbone=sklearn.frozen.FrozenEstimator(fitted)."
            )
        self._validate_params()
        if isinstance(self.backbone, FrozenEstimator):
            backbone = start_of_encoder(self.backbone).state.backbone
        else:
            backbone = self.backbone
        backbone = self._plugin("backbone", backbone)
        check_modality(self, backbone)
        self._set_up_inputs(backbone)
        head = getattr(self, "head", None)
        return Parts(
            backbone,
            resolve("freeze", self.freeze),
            None if head is None else resolve("head", head),
            None if self.alignment is None else resolve("alignment", self.alignment),
            None if self.regulariser is None else resolve("regulariser", self.regulariser),
        )

    def _validate_params(self) -> None:
        check_decorated(type(self))
        super()._validate_params()

    def _set_up_inputs(self, backbone: Backbone) -> None:
        """Hand the parameters about inputs on to the backbone."""

    def _leave_out(self, inputs: Any, *columns: Any) -> tuple[Any, ...]:
        """Leave out rows whose inputs cannot be read, if that is wanted."""
        return inputs, *columns

    def _variation(self) -> Any:
        """Say how a training sees its inputs in different ways, if it does."""
        return None

    def _start(self) -> tuple[Start | None, str]:
        """Give the weights that `fit` starts from, if not the pretrained ones, and the stage."""
        if self.source is not None:
            return start_of_source(self), "target"
        tuned = isinstance(self.backbone, FrozenEstimator)
        return (start_of_encoder(self.backbone) if tuned else None), "source"

    def _train(
        self,
        parts: Parts,
        X: list[Any],
        targets: Targets,
        start: Start | None,
        stage: str,
        *,
        restart: bool,
    ) -> None:
        """Train one stage on checked data, and keep what came of it."""
        trained = self._trained(parts, X, targets, start, stage, restart)
        self._keep(trained, parts)

    def _trained(
        self,
        parts: Parts,
        X: list[Any],
        targets: Targets,
        start: Start | None,
        stage: str,
        restart: bool,
    ) -> Trained:
        from sktransfer.features.precision import resolve_precision
        from sktransfer.features.store import open_store
        from sktransfer.training.device import resolve_device
        from sktransfer.training.frozen_prefix import FrozenPrefix
        from sktransfer.training.losses import Supervised, auxiliary_terms
        from sktransfer.training.schedule import make_schedule
        from sktransfer.training.seeding import draw_seed, isolated_rng
        from sktransfer.training.stage import (
            HeadFit,
            Monitoring,
            Optimisation,
            Stage,
            load_term_weights,
        )

        assert parts.head is not None
        store = open_store(self.cache)
        X, targets = _rows_in_use(X, targets, parts.alignment)
        if restart:
            check_trainable(targets)
        device = resolve_device(self.device)
        precision = resolve_precision(self.precision, device)
        # A stage that goes on draws other batches than those before it.
        seed = draw_seed(self.random_state, 0 if restart else len(getattr(self, "stages_", ())))
        reading = targets.reading
        alike = start is not None and start.kind == reading.kind
        labels = LabelChange.between(start.names if start and alike else None, reading.names)
        decision = decided(self, parts.freeze, parts.backbone, targets, start, stage)
        with isolated_rng(seed, device):
            made = assemble(
                parts.backbone,
                X,
                parts.head,
                targets.n_outputs,
                start,
                labels,
                device=device,
                precision=precision,
                seed=seed,
            )
            made.module.compiled = bool(self.compile)
            terms = auxiliary_terms(
                (parts.alignment, parts.regulariser),
                made.module.encoder.dim,
                targets.n_outputs,
                device,
            )
            if start is not None:
                load_term_weights(terms, start.state.term_weights)
            schedule = make_schedule(
                decision.strategy,
                made.backbone,
                parts.head,
                list(made.module.encoder.blocks),
                stage=stage,
                n_rows=len(targets),
                max_epochs=self.max_epochs,
                lr=self.lr,
            )
            rows = made.module.encoder.prepare(X)
            report = self._report_on_inputs(made.backbone, X, rows)
            stops = self.early_stopping and schedule.n_probe < len(schedule.epochs)
            train, valid = self._rows(X, rows, targets, stops or self._wants_held_out(), seed)
            watch = Watch(
                self,
                lambda reading: self._as_if_ended(Trained(made, reading, report), parts),
                reading,
                len(schedule.epochs) - max(0, schedule.n_probe - 1),
                X,
                targets,
            )
            watch.begin_fit()
            result = Stage(
                prefix=FrozenPrefix(
                    made.module,
                    store,
                    self._variation(),
                    views_recur=isinstance(self.random_state, Integral),
                    seed=seed,
                ),
                terms=[Supervised(targets.objective), *terms],
                strategy=decision.strategy,
                schedule=schedule,
                train=train,
                valid=valid if stops else None,
                optimisation=Optimisation(
                    batch_size=int(self.batch_size),
                    weight_decay=float(self.weight_decay),
                    warmup=float(self.warmup),
                    average=self.average,
                ),
                head_fit=HeadFit(float(parts.head.C), made.anchor),
                monitoring=Monitoring(
                    score=output_scorer(self.scoring, reading),
                    patience=int(self.n_iter_no_change),
                    observer=watch,
                    callbacks=self.callbacks or (),
                    verbose=int(self.verbose),
                ),
                seed=seed,
            ).run()
            if valid is not None:
                reading = self._settle(reading, made.module, valid)
            watch.end_fit(reading)
        blocks = list(made.module.encoder.blocks)
        attributes = {
            "history_": [*([] if restart else getattr(self, "history_", [])), *result.history],
            "stages_": [
                *([] if restart else getattr(self, "stages_", [])),
                {
                    "stage": stage,
                    "rows": len(train.labelled()),
                    "rows_held_out": 0 if valid is None else len(valid),
                    "epochs": len(result.history),
                    "strategy": repr(decision.strategy),
                    "blocks": [block for block in blocks if block in schedule.blocks],
                    "labels_kept": labels.kept,
                    "labels_added": labels.added,
                    "labels_dropped": labels.dropped,
                    "head": "new" if made.anchor is None else "kept",
                },
            ],
            "decision_": {
                "freeze": repr(decision.strategy),
                "reason": decision.reason,
                f"rows_per_{targets.per}": round(targets.rows_each, 2),
                "max_epochs": 0
                if schedule.n_probe == len(schedule.epochs)
                else len(schedule.epochs),
                "lr": result.lr,
                "batch_size": int(self.batch_size),
                "precision": result.precision or precision,
                "device": device,
                "frozen_prefix": result.prefix,
            },
            "freeze_": decision.strategy,
            "n_iter_": result.n_iter,
            **report,
        }
        return Trained(made, reading, attributes)

    def _keep(self, trained: Trained, parts: Parts) -> None:
        """Set the fitted attributes."""
        self._replace_fitted(self._of_training(trained, parts))

    def _as_if_ended(self, trained: Trained, parts: Parts) -> dict[str, Any]:
        """Give fitted attributes in the middle of a training, which goes on without them."""
        found = self._of_training(trained, parts)
        return {**found, "net_": type(found["net_"])(found["net_"].state)}

    def _of_training(self, trained: Trained, parts: Parts) -> dict[str, Any]:
        """Give the fitted attributes that a training leads to."""
        from sktransfer.training.state import FittedNet

        made = trained.made
        counts = {n: p.numel() for n, p in made.module.named_body_parameters()}
        n_trained = sum(count for name, count in counts.items() if name in made.module.trained)
        return {
            **trained.attributes,
            **({} if trained.reading is None else trained.reading.attributes()),
            "backbone_": trained.made.backbone,
            "n_parameters_": {
                "trained": n_trained,
                "frozen": sum(counts.values()) - n_trained,
            },
            "net_": FittedNet(
                module=made.module,
                backbone=made.backbone,
                backbone_seed=made.backbone_seed,
                head=parts.head,
            ),
        }

    def _replace_fitted(self, attributes: dict[str, Any]) -> None:
        # What this fit does not set was of an earlier one.
        for name in [n for n in vars(self) if n.endswith("_") and not n.startswith("_")]:
            delattr(self, name)
        for name, value in attributes.items():
            setattr(self, name, value)

    def _rows(
        self, X: list[Any], rows: list[Any], targets: Targets, hold_some_out: bool, seed: int
    ) -> tuple[Any, Any]:
        """Put prepared inputs and targets together, and hold some out where that is wanted."""
        from sktransfer.training.batch import TrainingRows
        from sktransfer.training.holdout import hold_out

        index = np.arange(len(rows)) if targets.index is None else targets.index
        values = np.zeros((len(rows), *targets.values.shape[1:]), dtype=targets.values.dtype)
        weights = np.zeros(len(rows))
        values[index], weights[index] = targets.values, targets.weights

        def part(of: np.ndarray) -> Any:
            return TrainingRows.normalised(
                [rows[i] for i in of],
                [X[i] for i in of],
                values[of],
                weights[of],
                None if targets.domains is None else targets.domains[of],
            )

        if not hold_some_out:
            return part(np.arange(len(rows))), None
        _, held_out = hold_out(len(targets), targets.strata, float(self.validation_fraction), seed)
        valid = index[held_out]
        return part(np.setdiff1d(np.arange(len(rows)), valid)), part(valid)

    def _wants_held_out(self) -> bool:
        """Say whether something else than early stopping needs held-out rows."""
        return False

    def _settle(self, reading: Reading, module: Any, valid: Any) -> Reading:
        """Tune on held-out rows how outputs are read."""
        return reading

    def _report_on_inputs(self, backbone: Any, X: list[Any], rows: list[Any]) -> dict[str, Any]:
        """Give fitted attributes about inputs, and about what they were prepared as."""
        return {}

    def _reading(self) -> Reading | None:
        """Build the reading of the last fit again; None for an encoder alone."""
        raise NotImplementedError(f"{type(self).__name__}._reading")

    def _module(self) -> Any:
        """Get the fitted module on the device and in the precision that are asked for."""
        from sktransfer.features.precision import resolve_precision
        from sktransfer.training.device import resolve_device

        device = resolve_device(self.device)
        module = self.net_.on(device, resolve_precision(self.precision, device))
        module.compiled = bool(self.compile)
        return module

    def _mapped(self, X: Any, function: Callable[[Any], Any]) -> Any:
        """Apply a function to the head's outputs, in double precision, of inputs as they came."""
        from sktransfer.features.encode import number_distinct

        module, store = self._module(), self._store()
        found = []
        for inputs in in_parts(X, self._read):
            number = number_distinct(inputs)
            results = joined(module.map_outputs(list(number), function, store))
            if len(number) < len(inputs):
                results = results[[number[x] for x in inputs]]
            found.append(results)
        return joined(found)

    def _store(self) -> Any:
        """Give the store of features for predictions, which go on without it."""
        from sktransfer.features.store import open_store

        try:
            return open_store(self.cache)
        except (ImportError, OSError) as error:
            warn_user(f"cache={str(self.cache)!r} is not used: {error}")
            return None

    def save(self, path: str | os.PathLike[str], *, embed_backbone: bool = False) -> None:
        """Write the fitted estimator into a folder; `sktransfer.load` reads it.

        Parameters
        ----------
        path : str or path-like
            A folder that does not exist yet, or one that `save` wrote, which is replaced.
        embed_backbone : bool, default=False
            Whether to copy the pretrained weights, so that the folder needs nothing beside it.
            By default they are stored as a reference and a hash.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        OSError
            If the folder cannot be written; what was there before is still there.
        """
        from sktransfer.estimators.files import save

        check_is_fitted(self)
        save(self, path, embed_backbone=embed_backbone)

    def export_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write encoder and head as an ONNX file, with any number of inputs of any length.

        It takes what the tokenizer gives, or pixels, and computes in fp32;
        `sktransfer.serving.with_onnx` and ``sktransfer predict --onnx`` predict through it. Needs
        the extra ``onnx``.

        Parameters
        ----------
        path : str or path-like
            The file, which is replaced. Weights of more than 2 GB go into a second file beside it.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        ImportError
            If onnx, onnxscript or onnxruntime is missing.
        ValueError
            If the model cannot be exported, or the file gives other outputs and is not written.
        """
        from pathlib import Path

        from sktransfer.serving.onnx import export_onnx

        check_is_fitted(self)
        # A module of its own: others may predict with this one meanwhile, in another precision.
        module = self.net_.state.build("cpu", "fp32")
        export_onnx(module, self._examples(module.encoder), Path(path))

    def _examples(self, encoder: Any) -> list[Any]:
        """Give some inputs of different lengths, for what has to be tried out."""
        raise NotImplementedError(f"{type(self).__name__}._examples")

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")


def _rows_in_use(
    X: list[Any], targets: Targets, alignment: Alignment | None
) -> tuple[list[Any], Targets]:
    """Leave out rows that nothing is learned from: of weight zero, or without label and use."""
    if alignment is not None:
        check_both_domains(targets.domains, alignment)
    useless = np.flatnonzero(targets.weights == 0)
    n_unlabelled = len(X) - len(targets)
    if not len(useless) and (alignment is not None or not n_unlabelled):
        return X, targets
    if n_unlabelled and alignment is None:
        warn_user(
            f"{n_unlabelled} of {len(X)} rows have no label and are left out, since nothing uses "
            "them: pass alignment=... to learn from them."
        )
    index = np.arange(len(X)) if targets.index is None else targets.index
    kept = (
        np.setdiff1d(np.arange(len(X)), index[useless])
        if alignment is not None
        else (np.setdiff1d(index, index[useless]))
    )
    targets = targets.take(np.flatnonzero(targets.weights)).within(kept)
    # A copy keeps what the list knows of its columns.
    inputs = copy.copy(X)
    inputs[:] = [X[i] for i in kept]
    return inputs, targets
