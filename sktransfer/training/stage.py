"""One uninterrupted training of a module: probe, then epochs."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from skorch.callbacks import GradientNormClipping
from torch import nn

from sktransfer._warnings import warn_user
from sktransfer.features.precision import copy_in_bf16
from sktransfer.features.store import FeatureStore
from sktransfer.heads.objectives import Objective
from sktransfer.plugins import FreezeStrategy
from sktransfer.training._callbacks import (
    CheckFinite,
    KeepBest,
    OpenBlocks,
    Score,
    WarmupThenDecay,
    Watch,
    Watcher,
    fresh,
    named,
    parameters_to_open,
)
from sktransfer.training._half import through_half
from sktransfer.training._table import only_entries
from sktransfer.training.averaging import WeightAverage
from sktransfer.training.convergence import fit_to_convergence
from sktransfer.training.memory import malloc_trim
from sktransfer.training.module import TransferModule
from sktransfer.training.net import Rows, TransferNet
from sktransfer.training.plan import Plan
from sktransfer.training.start import features_of, some_features, started
from sktransfer.training.varied import Variation, fixed_views

_CLIP = 1.0


@dataclass
class StageSettings:
    """How a stage is trained.

    Attributes
    ----------
    batch_size : int
        Rows of a training batch.
    weight_decay : float
        Of AdamW, on weights; biases and norms have none.
    warmup : float
        Fraction of the steps in which the learning rate rises.
    patience : int
        Epochs without a better score before the training stops; used where rows are held out.
    callbacks : sequence
        The user's skorch callbacks, which are copied, or functions that make one.
    verbose : int
        skorch's verbosity.
    average : {"ema", "soup"} or None
        Which mean of the weights is kept; None keeps the last ones.
    store : FeatureStore or None
        Where the features of a frozen encoder are looked up, and kept.
    variation : Variation or None
        How the training sees its inputs in different ways.
    views_recur : bool
        Whether another training will see the same views, so that they are worth keeping.
    """

    batch_size: int = 16
    weight_decay: float = 0.01
    warmup: float = 0.1
    patience: int = 3
    callbacks: Sequence[Any] = ()
    verbose: int = 0
    average: str | None = None
    store: FeatureStore | None = None
    variation: Variation | None = None
    views_recur: bool = True


@dataclass
class StageResult:
    """What a stage did.

    Attributes
    ----------
    history : list of dict
        One for each epoch; the probe counts as one.
    n_iter : int
        Epochs trained; iterations of the solver where the head alone was fitted.
    lr : dict of str to float
        Peak learning rate of each group of parameters.
    prefix : str
        Which block's inputs were computed once, or why not.
    precision : str
        In which precision blocks trained, where it was another than that of features.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    n_iter: int = 0
    lr: dict[str, float] = field(default_factory=dict)
    prefix: str = "nothing was trained by epochs"
    precision: str = ""


def run_stage(
    module: TransferModule,
    objective: Objective,
    strategy: FreezeStrategy,
    plan: Plan,
    settings: StageSettings,
    train: Rows,
    *,
    C: float,
    anchor: list[torch.Tensor] | None,
    seed: int,
    valid: Rows | None = None,
    score: Score | None = None,
    watcher: Watcher | None = None,
) -> StageResult:
    """Train a module in place.

    Parameters
    ----------
    module : TransferModule
        What is trained.
    objective : Objective
        The loss.
    strategy : FreezeStrategy
        Says which parameters of an open block train.
    plan : Plan
        Which blocks train when.
    settings : StageSettings
        How.
    train : Rows
        What is trained on. The penalty of a head that is fitted to convergence is relative to
        the total weight.
    C : float
        Inverse strength of that penalty.
    anchor : list of torch.Tensor or None
        Earlier weights of the head, on which that penalty is centred.
    seed : int
        Of the order of rows. Dropout draws from torch's global generator, which the caller seeds.
    valid : Rows or None, default=None
        Held-out rows for early stopping.
    score : callable or None, default=None
        ``score(outputs, targets)``, higher is better; needed with ``valid``.
    watcher : Watcher or None, default=None
        Is told of each epoch, and may end the training.

    Returns
    -------
    result : StageResult
    """
    result = StageResult()
    module.open(())  # so that an encoder that does not train can be told from one that does
    features, stop = None, False
    mixup = 0.0 if settings.variation is None else settings.variation.mixup
    if mixup > 0 and plan.n_probe == len(plan.epochs):
        warn_user(
            f"mixup={mixup} has no effect, since the head is fitted to convergence: "
            "freeze='head_by_epochs' trains it by steps."
        )
    if plan.n_probe:
        seen = train
        if settings.variation is not None:
            seen = fixed_views(train, settings.variation, module.encoder, seed)
        n_kept = len(seen) if settings.views_recur else len(train)
        features = features_of(module, seen, n_kept, settings.store)
        stop = _probe(
            module, objective, features, seen, C, anchor, plan, watcher, settings.verbose, result
        )
    if plan.n_probe < len(plan.epochs) and not stop:
        if features is None:
            features = some_features(module, plan, train, settings.store)
        # The step that suits the head depends on the size of what it multiplies.
        size = float(features.norm(dim=1).mean())
        names = parameters_to_open(module, strategy, plan.blocks)
        rows = [*train.rows, *([] if valid is None else valid.rows)]
        precise = bool(names) and getattr(module.encoder, "trains_in_fp32", False)
        usable = bool(names) and module.precision == "bf16" and not precise
        if precise and module.precision == "bf16":
            result.precision = "bf16 for features, fp32 for training"
        usable = usable and copy_in_bf16(module.encoder, rows) is not None
        with (
            _precise(module, precise),
            only_entries(module, names, rows),
            through_half(module, usable),
        ):
            _train(
                module,
                objective,
                strategy,
                plan,
                settings,
                train,
                size,
                anchor is not None,
                seed,
                valid,
                score,
                watcher,
                result,
            )
    # Gradients would take as much memory as the weights, for as long as the model is kept.
    for parameter in module.parameters():
        parameter.grad = None
    module.eval()
    malloc_trim()
    return result


def _probe(
    module: TransferModule,
    objective: Objective,
    features: torch.Tensor,
    train: Rows,
    C: float,
    anchor: list[torch.Tensor] | None,
    plan: Plan,
    watcher: Watcher | None,
    verbose: int,
    result: StageResult,
) -> bool:
    """Fit the head alone, to convergence; say whether the watcher ends the training there."""
    if watcher is not None:
        watcher.begin()
    device = module.device
    module.head.cpu()
    weights = torch.as_tensor(train.weights * (train.total_weight / train.weights.sum()))
    fitted = fit_to_convergence(
        objective,
        module.head,
        features,
        torch.as_tensor(train.targets),
        weights,
        C=C,
        anchor=anchor,
    )
    module.head.to(device)
    result.n_iter = fitted.n_iter
    result.history.append(
        {
            "stage": plan.stage,
            "epoch": 1,
            "blocks": [],
            "train_loss": fitted.loss,
            "solver_iterations": fitted.n_iter,
        }
    )
    if verbose:
        print(f"head fitted to convergence in {fitted.n_iter} steps, loss {fitted.loss:.4f}")
    return watcher is not None and watcher.end()


def _train(
    module: TransferModule,
    objective: Objective,
    strategy: FreezeStrategy,
    plan: Plan,
    settings: StageSettings,
    train: Rows,
    feature_size: float,
    head_is_kept: bool,
    seed: int,
    valid: Rows | None,
    score: Score | None,
    watcher: Watcher | None,
    result: StageResult,
) -> None:
    """Train the remaining epochs."""
    module.open(parameters_to_open(module, strategy, plan.blocks))
    head_lr = plan.head_lr / max(1.0, feature_size)
    groups, result.lr = _parameter_groups(module, strategy, plan, head_lr, settings.weight_decay)
    n_epochs = len(plan.epochs) - plan.n_probe
    n_steps = n_epochs * math.ceil(len(train) / settings.batch_size)
    best = None
    if valid is not None and score:
        best = KeepBest(score, settings.patience, plan.n_probe > 0 or head_is_kept)
    ours = [
        ("open_blocks", OpenBlocks(plan, strategy)),
        ("lr", WarmupThenDecay(n_steps, settings.warmup)),
        ("clip", GradientNormClipping(_CLIP)),
        *([] if best is None else [("best", best)]),
        *([] if watcher is None else [("watch", Watch(watcher))]),
        ("finite", CheckFinite()),
    ]
    net = TransferNet(
        module,
        objective=objective,
        groups=groups,
        rng=np.random.default_rng(seed),
        stage=plan.stage,
        epoch_offset=plan.n_probe,
        average=None if settings.average is None else WeightAverage(settings.average, n_epochs),
        max_epochs=n_epochs,
        batch_size=settings.batch_size,
        device=module.device,
        verbose=settings.verbose,
        callbacks=[*named(ours), *fresh(settings.callbacks)],
    )
    start = started(
        module,
        plan,
        train,
        valid,
        store=settings.store,
        variation=settings.variation,
        views_recur=settings.views_recur,
        seed=seed,
    )
    with start as rows:
        result.prefix, net.valid = rows.prefix, rows.valid
        net.fit(rows.train)
    result.n_iter = len(net.history)
    if best is not None and result.history and best.start_counts:
        result.history[-1]["valid_score"] = best.start_score_
    for epoch, record in enumerate(net.history, start=plan.n_probe + 1):
        values = {k.removeprefix("event_"): _plain(v) for k, v in record.items() if _is_kept(k)}
        result.history.append({"stage": plan.stage, **values, "epoch": epoch})


@contextlib.contextmanager
def _precise(module: TransferModule, precise: bool) -> Iterator[None]:
    """Compute in single precision, where a training has to."""
    before = module.precision
    module.precision = "fp32" if precise else before
    try:
        yield
    finally:
        module.precision = before


def _parameter_groups(
    module: TransferModule,
    strategy: FreezeStrategy,
    plan: Plan,
    head_lr: float,
    weight_decay: float,
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Group parameters by block, and by whether they decay."""
    body = dict(module.body.named_parameters())
    owners: dict[str, tuple[float, list[nn.Parameter]]] = {}
    for block in module.encoder.blocks:
        names = parameters_to_open(module, strategy, plan.blocks & {block})
        if names:
            owners[block] = (plan.lr * plan.lr_scale[block], [body[name] for name in names])
    owners["head"] = (head_lr, list(module.head.parameters()))
    groups = []
    for rate, parameters in owners.values():
        for decays in (True, False):
            members = [p for p in parameters if (p.ndim > 1) == decays]
            if members:
                decay = weight_decay if decays else 0.0
                groups.append(
                    {"params": members, "lr": rate, "peak_lr": rate, "weight_decay": decay}
                )
    return groups, {owner: rate for owner, (rate, _) in owners.items()}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _is_kept(name: str) -> bool:
    """Tell what belongs into a history that is compared, stored and printed."""
    return name not in ("batches", "dur") and not name.endswith(("_best", "_batch_count"))
