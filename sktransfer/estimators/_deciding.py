"""What the data and the start of a training settle: the strategy."""

from __future__ import annotations

from typing import Any

from sktransfer._warnings import warn_user
from sktransfer.estimators._source import Start
from sktransfer.estimators._targets import Targets
from sktransfer.freezing.strategies import Frozen
from sktransfer.plugins import Backbone, Decision, FreezeStrategy


def decided(
    estimator: Any,
    freeze: FreezeStrategy,
    backbone: Backbone,
    targets: Targets,
    start: Start | None,
    stage: str,
) -> Decision:
    """Ask a strategy which one it stands for, and warn of parameters that this one has no use for.

    Parameters
    ----------
    estimator : estimator of sktransfer
        With the parameters.
    freeze : FreezeStrategy
        What the user asked for.
    backbone : Backbone
        Says up to how many rows its features do better as they are.
    targets : Targets
        Of the training rows.
    start : Start or None
        What an earlier training left, whose features are other ones if it trained the encoder.
    stage : {"source", "target"}
        What the training is for.

    Returns
    -------
    decision : Decision
    """
    untouched = start is None or not start.state.body
    decision = freeze.decide(
        rows=targets.rows_each,
        per=targets.per,
        pretrained=backbone.pretrained,
        stage=stage,
        frozen_below=backbone.frozen_below if untouched else 0,
    )
    strategy = decision.strategy
    # Who asks for it by name may search over strategies, with one number of epochs for all.
    chosen = strategy is not freeze and isinstance(strategy, Frozen) and strategy.fits_head_first
    useless = [
        *([] if estimator.max_epochs == "auto" else [f"max_epochs={estimator.max_epochs}"]),
        *(["early_stopping=True"] if estimator.early_stopping else []),
    ]
    if chosen and useless:
        has = "has" if len(useless) == 1 else "have"
        warn_user(
            f"freeze='auto' fits the head alone here ({decision.reason}), and that to convergence, "
            f"so that {' and '.join(useless)} {has} no effect. freeze='head_by_epochs' and 'full' "
            "train by epochs."
        )
    return decision
