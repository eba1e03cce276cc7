"""The fit story that all estimators share: resolve, check, assemble, train, keep.

An estimator says how inputs and targets are read; what happens in between is here. Fitted
attributes are set at the very end, so a fit that fails leaves the estimator as it was.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sktransfer.estimators._assembly import assemble
from sktransfer.estimators._labels import LabelChange, row_weights, to_codes
from sktransfer.estimators._scoring import output_scorer
from sktransfer.estimators._source import Start, start_of_source
from sktransfer.plugins import Backbone, FreezeStrategy, Head, resolve


@dataclass(frozen=True)
class Parts:
    """The plugins that an estimator was told to use, as its own copies."""

    backbone: Backbone
    freeze: FreezeStrategy
    head: Head


class BaseTransfer(BaseEstimator):
    """Source-then-target training of an encoder and a head."""

    history_: list[dict[str, Any]]
    stages_: list[dict[str, Any]]

    _parameter_constraints: dict[str, Any] = {
        "backbone": [str, os.PathLike, Backbone],
        "freeze": [str, FreezeStrategy],
        "head": [str, Head],
        "source": "no_validation",  # its own error says how to wrap an estimator
        "max_epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "warmup": [Interval(Real, 0, 1, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "max_length": [Interval(Integral, 1, None, closed="left"), None],
        "precision": [StrOptions({"auto", "bf16", "fp32"})],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "callbacks": [list, tuple, None],
    }

    def _resolve(self) -> Parts:
        """Check parameters and find plugins, before data is touched or torch is imported."""
        self._validate_params()
        backbone = resolve("backbone", self.backbone)
        if self.max_length is not None:
            if "max_length" not in backbone.get_params(deep=False):
                raise ValueError(
                    f"max_length={self.max_length} is given, but {type(backbone).__name__} has no "
                    "such parameter."
                )
            backbone.set_params(max_length=int(self.max_length))
        return Parts(backbone, resolve("freeze", self.freeze), resolve("head", self.head))

    def _train(
        self,
        parts: Parts,
        X: list[Any],
        y: np.ndarray,
        sample_weight: Any,
        classes: np.ndarray,
        start: Start | None,
        stage: str,
        *,
        restart: bool,
    ) -> None:
        """Train one stage on checked data, and keep what came of it."""
        from sktransfer.features.precision import resolve_precision
        from sktransfer.training.device import resolve_device
        from sktransfer.training.plan import make_plan
        from sktransfer.training.seeding import draw_seed, isolated_rng
        from sktransfer.training.stage import StageSettings, run_stage
        from sktransfer.training.state import FittedNet

        codes = to_codes(y, classes)
        weights = row_weights(codes, classes, self.class_weight, sample_weight)
        if not weights.all():
            used = np.flatnonzero(weights)
            X, codes, weights = [X[i] for i in used], codes[used], weights[used]
        if restart:
            self._check_trainable(codes, classes)
        device = resolve_device(self.device)
        precision = resolve_precision(self.precision, device)
        seed = draw_seed(self.random_state)
        labels = LabelChange.between(None if start is None else start.classes, classes)
        rows_per_class = len(codes) / len(classes)
        decision = parts.freeze.decide(
            rows_per_class=rows_per_class, pretrained=parts.backbone.pretrained, stage=stage
        )
        with isolated_rng(seed, device):
            made = assemble(
                parts.backbone,
                parts.head,
                len(classes),
                start,
                labels,
                device=device,
                precision=precision,
                seed=seed,
            )
            plan = make_plan(
                decision.strategy,
                parts.backbone,
                parts.head,
                list(made.module.encoder.blocks),
                stage=stage,
                n_rows=len(codes),
                max_epochs=self.max_epochs,
                lr=self.lr,
            )
            train, valid = self._rows(made.module.encoder, X, codes, weights, plan, seed)
            result = run_stage(
                made.module,
                parts.head,
                decision.strategy,
                plan,
                StageSettings(
                    batch_size=int(self.batch_size),
                    weight_decay=float(self.weight_decay),
                    warmup=float(self.warmup),
                    patience=int(self.n_iter_no_change),
                    callbacks=self.callbacks or (),
                    verbose=int(self.verbose),
                ),
                train,
                anchor=made.anchor,
                seed=seed,
                valid=valid,
                score=output_scorer(
                    self.scoring, classes, lambda outputs: _proba(parts.head, outputs)
                ),
            )
        self.history_ = [*([] if restart else getattr(self, "history_", [])), *result.history]
        self.stages_ = [
            *([] if restart else getattr(self, "stages_", [])),
            {
                "stage": stage,
                "rows": len(train),
                "rows_held_out": 0 if valid is None else len(valid),
                "epochs": len(result.history),
                "strategy": repr(decision.strategy),
                "blocks": [b for b in made.module.encoder.blocks if b in plan.blocks],
                "labels_kept": labels.kept,
                "labels_added": labels.added,
                "labels_dropped": labels.dropped,
                "head": "new" if made.anchor is None else "kept",
            },
        ]
        self.decision_ = {
            "freeze": repr(decision.strategy),
            "reason": decision.reason,
            "rows_per_class": round(rows_per_class, 2),
            "max_epochs": len(plan.epochs),
            "lr": result.lr,
            "batch_size": int(self.batch_size),
            "precision": precision,
            "device": device,
        }
        self.freeze_ = decision.strategy
        self.n_iter_ = result.n_iter
        self.classes_ = classes
        self.net_ = FittedNet(
            module=made.module,
            backbone=parts.backbone,
            backbone_seed=made.backbone_seed,
            head=parts.head,
        )

    def _rows(
        self,
        encoder: Any,
        X: list[Any],
        codes: np.ndarray,
        weights: np.ndarray,
        plan: Any,
        seed: int,
    ) -> tuple[Any, Any]:
        """Prepare inputs, and hold some out where early stopping has something to stop."""
        from sktransfer.training.holdout import hold_out
        from sktransfer.training.net import Rows

        rows = encoder.prepare(X)

        def part(index: np.ndarray) -> Any:
            own = weights[index]
            total = float(own.sum())
            return Rows([rows[i] for i in index], codes[index], own / own.mean(), total)

        if not self.early_stopping or plan.n_probe == len(plan.epochs):
            return part(np.arange(len(rows))), None
        train, valid = hold_out(codes, float(self.validation_fraction), seed)
        return part(train), part(valid)

    def _check_trainable(self, codes: np.ndarray, classes: np.ndarray) -> None:
        """Refuse data that nothing can be learned from."""

    def _source_start(self) -> Start | None:
        return start_of_source(self.source)

    def _outputs(self, X: list[Any]) -> Any:
        """Compute the head's outputs in double precision."""
        import copy

        import torch

        from sktransfer.features.encode import encode
        from sktransfer.features.precision import resolve_precision
        from sktransfer.training.device import resolve_device

        device = resolve_device(self.device)
        module = self.net_.on(device, resolve_precision(self.precision, device))
        features = encode(module.encoder, X, module.precision)
        # In double precision no output depends on which rows stand beside it.
        head = copy.deepcopy(module.head).cpu().double()
        with torch.inference_mode():
            return head(features.double())

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

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")


def _proba(head: Head, outputs: Any) -> np.ndarray:
    """Turn outputs into probabilities that sum to 1 in double precision."""
    proba = head.to_proba(outputs.double()).numpy()
    return proba / proba.sum(axis=1, keepdims=True)
