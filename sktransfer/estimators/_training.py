"""One stage of training: choose the strategy, build the model, train, calibrate, report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from sktransfer._warnings import warn_user
from sktransfer.contracts import (
    Alignment,
    Backbone,
    Decision,
    FreezeStrategy,
    Head,
    Inputs,
    Regulariser,
    Task,
)
from sktransfer.estimators import _held_out
from sktransfer.estimators._callback_bridge import CallbackBridge
from sktransfer.estimators._domains import check_both_domains, check_both_remain
from sktransfer.estimators._held_out import GivenRows, Parts
from sktransfer.estimators._scoring import output_scorer

if TYPE_CHECKING:
    from sktransfer.features.store import FeatureStore
    from sktransfer.training.batch import TrainingRows
    from sktransfer.training.initial_state import Execution, InitialState, Model

__all__ = ["FitData", "ResolvedPlugins", "Trained", "execution_of", "store_of", "train"]


@dataclass(frozen=True)
class ResolvedPlugins:
    """The plugins that an estimator was told to use, as its own copies."""

    backbone: Backbone
    freeze: FreezeStrategy
    head: Head | None = None
    alignment: Alignment | None = None
    regulariser: Regulariser | None = None


@dataclass(frozen=True, eq=False)
class FitData:
    """Validated inputs, and the coded targets of those that have a label.

    Attributes
    ----------
    inputs : Inputs of n inputs
        What the modality validated.
    task : Task
        How targets are coded.
    values : ndarray with an entry for each labelled row
        Coded targets.
    weights : ndarray of float64 with an entry for each labelled row
        What the rows weigh in training, with the weights of classes; not normalised.
    labelled : ndarray of int64
        Positions of the labelled rows among the inputs, in ascending order.
    sample_weight : ndarray of float64 of shape (n,)
        What all rows weigh by themselves, in calibration for example.
    domains : ndarray of int64 of shape (n,) or None
        Below 0 for target rows; None where nothing was said of domains.
    held_out : ndarray of bool of shape (n,) or None
        Which rows the user names to be held out, if he names rows.
    given : GivenRows or None
        Further rows that are held out.
    """

    inputs: Inputs
    task: Task
    values: np.ndarray
    weights: np.ndarray
    labelled: np.ndarray
    sample_weight: np.ndarray
    domains: np.ndarray | None = None
    held_out: np.ndarray | None = None
    given: GivenRows | None = None

    def in_use(self, alignment: Alignment | None) -> FitData:
        """Leave out rows of weight 0, and unlabelled rows unless an alignment uses them."""
        if alignment is not None:
            check_both_domains(self.domains, alignment)
        has_label = np.zeros(len(self.inputs), dtype=bool)
        has_label[self.labelled] = True
        counts = self.sample_weight > 0
        counts[self.labelled[self.weights == 0]] = False
        n_unlabelled = int((counts & ~has_label).sum())
        if n_unlabelled and alignment is None:
            warn_user(
                f"{n_unlabelled} of {len(self.inputs)} rows have no label and are left out, since "
                "nothing uses them: pass alignment=... to learn from them."
            )
        weighed = np.flatnonzero(counts[self.labelled])
        kept = np.flatnonzero(counts if alignment is not None else counts & has_label)
        if len(kept) == len(self.inputs):
            return self
        domains = None if self.domains is None else self.domains[kept]
        if alignment is not None:
            what, advice = "sample_weight or class_weight is 0 for", "give some a weight above 0"
            check_both_remain(alignment, self.domains, domains, what, advice)
        return FitData(
            self.inputs.take(kept.tolist()),
            self.task,
            self.values[weighed],
            self.weights[weighed],
            np.searchsorted(kept, self.labelled[weighed]),
            self.sample_weight[kept],
            domains,
            None if self.held_out is None else self.held_out[kept],
            self.given,
        )

    def training_rows(self, rows: Sequence[Any]) -> TrainingRows:
        """Put all rows and their targets together; weights are not normalised.

        ``rows`` is what the encoder prepared from the inputs.
        """
        from sktransfer.training.batch import TrainingRows

        values = np.zeros((len(rows), *self.values.shape[1:]), dtype=self.values.dtype)
        if self.task.of_states:
            for i, x in enumerate(self.inputs):
                values[i] = self.task.unlabelled_values(x)
        weights = np.zeros(len(rows))
        values[self.labelled], weights[self.labelled] = self.values, self.weights
        return TrainingRows(rows, values, weights, 0.0, self.inputs.items, self.domains)


@dataclass(frozen=True)
class Trained:
    """A training that succeeded, before anything of it is kept."""

    model: Model
    task: Task | None
    attributes: dict[str, Any]
    seconds: list[dict[str, Any]] = field(default_factory=list)
    interrupted: str = ""


def train(
    estimator: Any,
    plugins: ResolvedPlugins,
    data: FitData,
    initial: InitialState | None,
    stage: str,
    restart: bool,
) -> Trained:
    """Train one stage; the estimator stays as it is.

    Parameters
    ----------
    estimator : estimator of sktransfer
        Its parameters say how.
    plugins : ResolvedPlugins
        What is trained, and by which strategy.
    data : FitData
        What is trained on.
    initial : InitialState or None
        Earlier weights.
    stage : {"source", "target"}
        What the training is for.
    restart : bool
        Whether it forgets earlier stages.

    Returns
    -------
    trained : Trained
    """
    from sktransfer.training.batch import flatten
    from sktransfer.training.execution import isolated_rng
    from sktransfer.training.frozen_prefix import FrozenPrefix
    from sktransfer.training.initial_state import build_model
    from sktransfer.training.losses import LossTerms, Supervised, auxiliary_terms
    from sktransfer.training.probe import HeadFit
    from sktransfer.training.schedule import make_schedule
    from sktransfer.training.stage import Monitoring, Optimisation, Stage

    assert plugins.head is not None
    start = time.perf_counter()
    store = store_of(estimator)
    data = data.in_use(plugins.alignment)
    task = data.task
    if restart:
        task.check_trainable(data.values)
    execution = execution_of(estimator, 0 if initial is None else initial.n_stages)
    decision = _decide(estimator, plugins, data, initial, stage)
    with isolated_rng(execution.seed, execution.device):
        model = build_model(
            plugins.backbone, data.inputs.items, plugins.head, task, initial, execution
        )
        loading = time.perf_counter() - start
        model.module.progress = bool(estimator.verbose)
        encoder = model.module.encoder
        terms = LossTerms(
            Supervised(task, plugins.head),
            auxiliary_terms(
                (plugins.alignment, plugins.regulariser),
                encoder.dim,
                len(task.names),
                execution.device,
            ),
        )
        if initial is not None:
            terms.load_weights(initial.model.term_weights)
        schedule = make_schedule(
            decision.strategy,
            model.backbone,
            plugins.head,
            list(encoder.blocks),
            stage=stage,
            n_rows=len(data.labelled),
            max_epochs=estimator.max_epochs,
            lr=estimator.lr,
        )
        rows = encoder.prepare(data.inputs.items)
        modality = estimator._modality()
        report = modality.report(data.inputs, model.backbone, encoder.truncation(rows))
        by_epochs = schedule.n_probe < len(schedule.epochs)
        stops = estimator.early_stopping and by_epochs
        learns = estimator._wants_held_out(task)
        if learns and by_epochs:
            learns = _held_out.has_enough(estimator, data)
        # A head that is fitted to convergence is quickly fitted again, without some of the rows.
        by_fraction = learns and _held_out.is_fraction(estimator, data)
        cross_fits = by_fraction and not by_epochs
        in_folds = by_fraction and by_epochs and estimator._trains_in_folds(task)
        if stops or (learns and not cross_fits and not in_folds):
            parts = _held_out.split(estimator, data, encoder, rows, execution.seed)
        else:
            if data.given is not None:
                _held_out.warn_of_unused()
            parts = Parts(data.training_rows(rows).normalised())
        if plugins.alignment is not None:
            what = f"validation_fraction={estimator.validation_fraction} holds out"
            domains = data.domains, parts.train.domains
            check_both_remain(plugins.alignment, *domains, what, "lower it, or pass more of them")

        def state_so_far(task: Task) -> dict[str, Any]:
            return estimator._state_so_far(Trained(model, task, report), plugins)

        n_steps = len(schedule.epochs) - max(0, schedule.n_probe - 1)
        bridge = CallbackBridge(estimator, state_so_far, task, n_steps, data)
        bridge.begin_fit()
        prefix = FrozenPrefix(
            model.module,
            store,
            modality.variation(),
            views_recur=isinstance(estimator.random_state, Integral),
            seed=execution.seed,
        )
        result = Stage(
            prefix=prefix,
            terms=terms,
            strategy=decision.strategy,
            schedule=schedule,
            train=parts.train,
            valid=parts.valid if stops else None,
            optimisation=Optimisation(
                batch_size=int(estimator.batch_size),
                weight_decay=float(estimator.weight_decay),
                warmup=float(estimator.warmup),
                average=estimator.average,
            ),
            head_fit=HeadFit(plugins.head.C, model.anchor, cross_fits),
            monitoring=Monitoring(
                score=output_scorer(estimator.scoring, task, plugins.head) if stops else None,
                patience=int(estimator.n_iter_no_change),
                observer=bridge,
                callbacks=estimator.callbacks or (),
                verbose=int(estimator.verbose),
            ),
            seed=execution.seed,
        ).run()
        if in_folds:
            trainer = partial(train, plugins=plugins, initial=initial, stage=stage, restart=restart)
            result.out_of_fold = _held_out.outputs_of_folds(estimator, data, trainer)
        if result.out_of_fold is not None:
            known = flatten(data.values, data.sample_weight[data.labelled])
            task = task.calibrate(plugins.head, result.out_of_fold, *known)
        elif parts.valid is not None:
            task = _held_out.calibrated(task, plugins.head, model, parts)
        bridge.end_fit(task)
    stage_report = {
        "stage": stage,
        "rows": len(parts.train.labelled()),
        "rows_held_out": 0 if parts.valid is None else len(parts.valid),
        "epochs": len(result.history),
        "strategy": repr(decision.strategy),
        "blocks": [block for block in encoder.blocks if block in schedule.blocks],
        "labels_kept": model.change.kept,
        "labels_added": model.change.added,
        "labels_dropped": model.change.dropped,
        "head": "new" if model.anchor is None else "kept",
    }
    attributes = {
        "history_": [*([] if restart else getattr(estimator, "history_", [])), *result.history],
        "stages_": [*([] if restart else getattr(estimator, "stages_", [])), stage_report],
        "decision_": {
            "freeze": repr(decision.strategy),
            "reason": decision.reason,
            f"rows_per_{task.unit}": round(task.rows_each(data.values), 2),
            "max_epochs": len(schedule.epochs) if by_epochs else 0,
            "lr": result.lr,
            **({} if result.C is None else {"C": result.C}),
            "batch_size": int(estimator.batch_size),
            "precision": result.precision or execution.precision,
            "device": execution.device,
            "frozen_prefix": result.prefix,
        },
        "freeze_": decision.strategy,
        "n_iter_": result.n_iter,
        **report,
    }
    seconds = {"stage": stage, "loading": loading, **result.seconds}
    seconds["total"] = time.perf_counter() - start
    earlier = [] if restart or initial is None else estimator.seconds_
    return Trained(model, task, attributes, [*earlier, seconds], result.interrupted)


def execution_of(estimator: Any, n_stages: int = 0) -> Execution:
    """Choose the device, the precision and the seed of a training.

    Parameters
    ----------
    estimator : estimator of sktransfer
        With the parameters.
    n_stages : int, default=0
        How many stages came before, since each draws a seed of its own.

    Returns
    -------
    execution : Execution
    """
    from sktransfer.features.precision import resolve_precision
    from sktransfer.training.execution import draw_seed, resolve_device
    from sktransfer.training.initial_state import Execution

    device = resolve_device(estimator.device)
    return Execution(
        device=device,
        precision=resolve_precision(estimator.precision, device),
        seed=draw_seed(estimator.random_state, n_stages),
        compiled=bool(estimator.compile),
    )


def store_of(estimator: Any) -> FeatureStore | None:
    """Open the store of features that ``cache`` names, if it names one.

    Raises
    ------
    ImportError, OSError
        If it cannot be opened.
    """
    if estimator.cache is None:
        return None
    from sktransfer.features.store import open_store

    return open_store(estimator.cache)


def _decide(
    estimator: Any,
    plugins: ResolvedPlugins,
    data: FitData,
    initial: InitialState | None,
    stage: str,
) -> Decision:
    """Ask a strategy which one it stands for, and warn of parameters that have no use then."""
    own = plugins.backbone.frozen_below
    below = own if initial is None else initial.frozen_below(plugins.backbone, data.task)
    decision = plugins.freeze.decide(
        rows=data.task.rows_each(data.values),
        per=data.task.unit,
        pretrained=plugins.backbone.pretrained,
        stage=stage,
        frozen_below=below,
    )
    strategy = decision.strategy
    # A user who names the strategy is not warned: a search over strategies has one number of
    # epochs for all of them.
    chosen = plugins.freeze.settles and not strategy.trains_body and strategy.fits_head_first
    useless = [
        *([] if estimator.max_epochs == "auto" else [f"max_epochs={estimator.max_epochs}"]),
        *(["early_stopping=True"] if estimator.early_stopping else []),
    ]
    if chosen and useless:
        warn_user(
            f"freeze='auto' fits the head alone here ({decision.reason}), and that to convergence, "
            f"so that {' and '.join(useless)} {'has' if len(useless) == 1 else 'have'} no effect. "
            "freeze='head_by_epochs' and 'full' train by epochs."
        )
    return decision
