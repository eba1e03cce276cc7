"""The fit story that all estimators share: resolve, check, assemble, train, keep.

An estimator says how inputs and targets are read; what happens in between is here. Fitted
attributes are set at the very end, so a fit that fails leaves the estimator as it was.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from sktransfer._compat.sklearn import HasMethods, Interval, StrOptions
from sktransfer._warnings import warn_user
from sktransfer.estimators._assembly import Assembly, assemble
from sktransfer.estimators._deciding import decided
from sktransfer.estimators._labels import LabelChange
from sktransfer.estimators._modality import check_modality
from sktransfer.estimators._parts import in_parts, joined
from sktransfer.estimators._reading import Reading
from sktransfer.estimators._scoring import ScorerNames, output_scorer
from sktransfer.estimators._source import Start, start_of_encoder, start_of_source
from sktransfer.estimators._targets import Targets, check_trainable
from sktransfer.estimators._tuning import Tunable
from sktransfer.estimators._watching import Watch
from sktransfer.plugins import Backbone, FreezeStrategy, Head, resolve


@dataclass(frozen=True)
class Parts:
    """The plugins that an estimator was told to use, as its own copies."""

    backbone: Backbone
    freeze: FreezeStrategy
    head: Head | None


@dataclass(frozen=True)
class Trained:
    """A training that succeeded, before anything of it is kept."""

    made: Assembly
    reading: Reading | None
    attributes: dict[str, Any]


class BaseTransfer(Tunable, CallbackSupportMixin, BaseEstimator):
    """Source-then-target training of an encoder and a head."""

    net_: Any
    history_: list[dict[str, Any]]
    stages_: list[dict[str, Any]]

    _parameter_constraints: dict[str, Any] = {
        "backbone": [str, os.PathLike, Backbone, FrozenEstimator],
        "freeze": [str, FreezeStrategy],
        "head": [str, Head],
        "source": "no_validation",  # its own error says how to wrap an estimator
        "max_epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "warmup": [Interval(Real, 0, 1, closed="left")],
        "average": [StrOptions({"ema", "soup"}), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "scoring": [ScorerNames(), callable, None],
        "precision": [StrOptions({"auto", "bf16", "fp32"})],
        "compile": ["boolean"],
        "device": [str],
        "cache": [str, os.PathLike, HasMethods(["get", "put"]), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "callbacks": [list, tuple, None],
    }

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
        )

    def _set_up_inputs(self, backbone: Backbone) -> None:
        """Hand the parameters about inputs on to the backbone."""

    def _leave_out(self, inputs: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
        """Leave out rows whose inputs cannot be read, if that is wanted."""
        return inputs, y, sample_weight

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
        from sktransfer.training.plan import make_plan
        from sktransfer.training.seeding import draw_seed, isolated_rng
        from sktransfer.training.stage import StageSettings, run_stage

        assert parts.head is not None
        store = open_store(self.cache)
        if not targets.weights.all():
            used = np.flatnonzero(targets.weights)
            # A copy keeps what the list knows of its columns.
            kept = copy.copy(X)
            kept[:] = [X[i] for i in used]
            X, targets = kept, targets.take(used)
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
            plan = make_plan(
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
            stops = self.early_stopping and plan.n_probe < len(plan.epochs)
            train, valid = self._rows(X, rows, targets, stops or self._wants_held_out(), seed)
            watch = Watch(
                self,
                lambda reading: self._as_if_ended(Trained(made, reading, report), parts),
                reading,
                len(plan.epochs) - max(0, plan.n_probe - 1),
                X,
                targets,
            )
            watch.begin_fit()
            result = run_stage(
                made.module,
                targets.objective,
                decision.strategy,
                plan,
                StageSettings(
                    batch_size=int(self.batch_size),
                    weight_decay=float(self.weight_decay),
                    warmup=float(self.warmup),
                    patience=int(self.n_iter_no_change),
                    callbacks=self.callbacks or (),
                    verbose=int(self.verbose),
                    average=self.average,
                    store=store,
                    variation=self._variation(),
                    views_recur=isinstance(self.random_state, Integral),
                ),
                train,
                C=float(parts.head.C),
                anchor=made.anchor,
                seed=seed,
                valid=valid if stops else None,
                score=output_scorer(self.scoring, reading),
                watcher=watch,
            )
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
                    "rows": len(train),
                    "rows_held_out": 0 if valid is None else len(valid),
                    "epochs": len(result.history),
                    "strategy": repr(decision.strategy),
                    "blocks": [block for block in blocks if block in plan.blocks],
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
                "max_epochs": 0 if plan.n_probe == len(plan.epochs) else len(plan.epochs),
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
        from sktransfer.training.holdout import hold_out
        from sktransfer.training.net import Rows

        def part(index: np.ndarray) -> Any:
            own = targets.weights[index]
            total = float(own.sum())
            return Rows(
                rows=[rows[i] for i in index],
                targets=targets.values[index],
                weights=own / own.mean(),
                total_weight=total,
                inputs=[X[i] for i in index],
            )

        if not hold_some_out:
            return part(np.arange(len(targets))), None
        train, valid = hold_out(len(targets), targets.strata, float(self.validation_fraction), seed)
        return part(train), part(valid)

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
