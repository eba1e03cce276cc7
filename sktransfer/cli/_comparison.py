"""Scores of a model on rows that it was not trained on, beside those of a plain baseline."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table as RichTable
from rich.text import Text as Plain

from sktransfer.cli._measures import measure, measure_label_sets, measure_numbers
from sktransfer.cli._targets import Targets

if TYPE_CHECKING:
    from sktransfer.contracts import Modality

__all__ = ["Scored", "compared", "score", "score_baseline"]

_MEASURES = {
    "classification": ("accuracy", "macro_f1"),
    "multilabel": ("macro_f1", "micro_f1"),
    "regression": ("mae", "rmse", "r2"),
}
_WORDS = {"macro_f1": "macro F1", "micro_f1": "micro F1", "mae": "MAE", "rmse": "RMSE", "r2": "R2"}
# Of errors, which have the unit of the target, significant digits; of scores, decimals.
_FORMATS = {"mae": ".4g", "rmse": ".4g"}


@dataclass(frozen=True)
class Scored:
    """What was measured of one estimator.

    Attributes
    ----------
    name : str
        Of the estimator.
    measured : dict
        Numbers by name.
    seconds : float
        That the fit took.
    """

    name: str
    measured: dict[str, Any]
    seconds: float


def score(estimator: Any, values: Sequence[Any], targets: Targets, known: Targets) -> Any:
    """Measure predictions.

    Parameters
    ----------
    estimator : estimator
        Fitted on ``known``.
    values : sequence of n inputs
        To be predicted.
    targets : Targets
        Of these inputs.
    known : Targets
        What the estimator was fitted on: other labels can only be predicted wrongly.

    Returns
    -------
    measured : dict
    """
    predicted = estimator.predict(values)
    if targets.task == "regression":
        return measure_numbers(targets.values, predicted.tolist())
    if targets.task == "classification":
        return measure(targets.values, predicted.tolist(), sorted(known.names, key=str))
    labels = sorted(known.names)
    rows = [[labels[i] for i in row.nonzero()[0]] for row in predicted]
    return measure_label_sets(targets.values, rows)


def score_baseline(
    modality: Modality, known: Targets, train: Sequence[Any], targets: Targets, test: Sequence[Any]
) -> Scored:
    """Fit the plain baseline of a modality, and measure it.

    Raises
    ------
    NotImplementedError
        If the modality has none.
    ValueError
        If it cannot be fitted to the inputs.
    """
    pipeline = modality.baseline(known.task)
    started = time.perf_counter()
    pipeline.fit(train, known.y)
    seconds = time.perf_counter() - started
    name = f"baseline: {', '.join(pipeline.named_steps)}"
    return Scored(name, score(pipeline, test, targets, known), seconds)


def compared(task: str, scored: Sequence[Scored]) -> RichTable:
    """List what was measured, a row for each estimator."""
    table = RichTable("", box=None, pad_edge=False)
    for name in (*_MEASURES[task], "seconds"):
        table.add_column(_WORDS.get(name, name), justify="right")
    for each in scored:
        found = [(each.measured[name], _FORMATS.get(name, ".4f")) for name in _MEASURES[task]]
        numbers = ["–" if number is None else format(number, form) for number, form in found]
        table.add_row(Plain(each.name), *numbers, f"{each.seconds:.2f}")
    return table
