"""Which rows a training holds out, and how probabilities and thresholds are learned from them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.model_selection import GroupKFold
from sklearn.utils import check_array

from sktransfer._compat.sklearn import HasMethods, num_samples, safe_indexing
from sktransfer._warnings import warn_user
from sktransfer.contracts import Head, Inputs, Task

if TYPE_CHECKING:
    from torch import Tensor

    from sktransfer.training.batch import TrainingRows
    from sktransfer.training.initial_state import Model

__all__ = [
    "GivenRows",
    "Parts",
    "calibrated",
    "given_rows",
    "has_enough",
    "is_fraction",
    "named_rows",
    "outputs_of_folds",
    "split",
    "warn_of_unused",
]

_N_FOLDS = 5
_SPLITTER = HasMethods("split")


@dataclass(frozen=True, eq=False)
class GivenRows:
    """Rows that the user holds out: ``X_val`` and ``y_val``.

    Attributes
    ----------
    inputs : Inputs of n inputs
        What the modality validated.
    values : ndarray of n values
        Coded targets.
    """

    inputs: Inputs
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Parts:
    """The two parts of the rows of a training.

    Attributes
    ----------
    train : TrainingRows
    valid : TrainingRows or None
        None where nothing is held out.
    weights : ndarray of float64
        Of held-out rows, without the weights of their classes.
    """

    train: TrainingRows
    valid: TrainingRows | None = None
    weights: np.ndarray | None = None


def given_rows(estimator: Any, X_val: Any, y_val: Any, task: Task) -> GivenRows:
    """Validate and encode the rows that the user holds out.

    Parameters
    ----------
    estimator : estimator of sktransfer
        That is fitted.
    X_val, y_val : array-like of m inputs and m targets
        As the user passed them.
    task : Task
        Encodes targets.

    Returns
    -------
    given : GivenRows

    Raises
    ------
    ValueError
        If one of them is None, their lengths differ, nothing would look at them, or none of the
        inputs can be read.
    """
    if X_val is None or y_val is None:
        lacking = "X_val" if X_val is None else "y_val"
        raise ValueError(f"X_val and y_val have to be passed together, but {lacking} is None.")
    if not (estimator.early_stopping or estimator._wants_held_out(task)):
        raise ValueError(
            "X_val and y_val are passed, but nothing looks at rows that are held out: set "
            "early_stopping=True, or pass them to score."
        )
    modality = estimator._modality()
    inputs = modality.validate(X_val)
    if len(inputs) != num_samples(y_val):
        raise ValueError(
            f"X_val and y_val have inconsistent numbers of samples: {len(inputs)} inputs, "
            f"{num_samples(y_val)} targets."
        )
    if bad := modality.unreadable(inputs):
        if len(bad) == len(inputs):
            raise ValueError(f"X_val has no input that can be read. {bad[0]}")
        modality.warn_of_skipped(bad, len(inputs), "left out of X_val")
        kept = [i for i in range(len(inputs)) if i not in bad]
        inputs, y_val = inputs.take(kept), safe_indexing(y_val, kept)
    return GivenRows(inputs, task.encode(y_val))


def has_enough(estimator: Any, data: Any) -> bool:
    """Tell whether there are enough rows to hold some out for probabilities and thresholds.

    Parameters
    ----------
    estimator : estimator of sktransfer
        Its parameters ask for it.
    data : FitData
        What is trained on.

    Returns
    -------
    has_enough : bool
        True, unless thresholds alone would be tuned on a fraction of less than ten rows.

    Warns
    -----
    UserWarning
        If it is False.
    """
    from sktransfer.training.probe import FEWEST

    n_rows = len(data.labelled)
    if n_rows >= FEWEST or data.task.calibrates or not is_fraction(estimator, data):
        return True
    warn_user(
        f"threshold={estimator.threshold!r} leaves the thresholds as they are: of {n_rows} "
        f"rows none is held out, since fewer than {FEWEST} would say too little."
    )
    return False


def warn_of_unused() -> None:
    """Warn of rows that the user holds out where nothing looks at them."""
    warn_user(
        "X_val and y_val have no effect, since the head alone is fitted here, and that to "
        "convergence: freeze='head_by_epochs' and 'full' train by epochs, which can be stopped "
        "early."
    )


def is_fraction(estimator: Any, data: Any) -> bool:
    """Tell whether nothing but a number says which rows are held out."""
    return data.given is None and isinstance(estimator.validation_fraction, Real)


def named_rows(validation_fraction: Any, n_rows: int) -> np.ndarray | None:
    """Read ``validation_fraction`` where it names the rows themselves.

    Parameters
    ----------
    validation_fraction : float, splitter or array-like
        As the user passed it.
    n_rows : int
        Rows of X.

    Returns
    -------
    held_out : ndarray of bool of shape (n_rows,) or None
        None where it is a fraction, or a splitter.

    Raises
    ------
    ValueError
        If it is a str, there is no such row, or no row is left.
    """
    if isinstance(validation_fraction, str):
        raise ValueError(
            f"validation_fraction is {validation_fraction!r}: a fraction between 0 and 1, a "
            "splitter, or the positions of rows are expected."
        )
    if isinstance(validation_fraction, Real) or _SPLITTER.is_satisfied_by(validation_fraction):
        return None
    rows = check_array(
        validation_fraction, dtype=None, ensure_2d=False, input_name="validation_fraction"
    )
    advice = "pass positions from 0 on, or a mask with an entry for each row of X"
    if rows.dtype == bool:
        if rows.shape != (n_rows,):
            raise ValueError(
                f"validation_fraction is a mask of the shape {rows.shape}, but X has {n_rows} "
                f"rows: {advice}."
            )
        held_out = rows
    else:
        if rows.ndim != 1 or rows.dtype.kind not in "iu":
            raise ValueError(
                f"validation_fraction is an array of the type {rows.dtype} and the shape "
                f"{rows.shape}: {advice}."
            )
        if rows.min() < 0 or rows.max() >= n_rows:
            raise ValueError(
                f"validation_fraction names the rows {rows.min()} to {rows.max()}, but X has "
                f"{n_rows} rows: {advice}."
            )
        held_out = np.zeros(n_rows, dtype=bool)
        held_out[rows] = True
    if held_out.all() or not held_out.any():
        raise ValueError(
            f"validation_fraction names {held_out.sum()} of {n_rows} rows: some have to be held "
            "out, and some have to be left to train on."
        )
    return held_out


def split(estimator: Any, data: Any, encoder: Any, rows: Sequence[Any], seed: int) -> Parts:
    """Put rows and targets together, and hold labelled ones out.

    Parameters
    ----------
    estimator : estimator of sktransfer
        Its parameter ``validation_fraction`` says which.
    data : FitData
        What is trained on.
    encoder : Encoder
        Prepares rows that the user holds out.
    rows : sequence of n rows
        What it prepared from the inputs of ``data``.
    seed : int
        The same seed holds out the same rows.

    Returns
    -------
    parts : Parts
    """
    from sktransfer.training.batch import TrainingRows

    whole = data.training_rows(rows)
    if data.given is not None:
        inputs, values = data.given.inputs.items, data.given.values
        weights = np.ones(len(inputs))
        given = TrainingRows(encoder.prepare(inputs), values, weights, 0.0, inputs)
        return Parts(whole.normalised(), given.normalised(), weights)
    train, valid = _positions(estimator.validation_fraction, data, seed)
    unlabelled = np.setdiff1d(np.arange(len(rows)), data.labelled)
    train = np.sort(np.concatenate([data.labelled[train], unlabelled]))
    valid = data.labelled[valid]
    return Parts(
        whole.take(train).normalised(), whole.take(valid).normalised(), data.sample_weight[valid]
    )


def _positions(fraction: Any, data: Any, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the positions, among the labelled rows, of those to train on and to hold out."""
    from sktransfer.training.holdout import hold_out

    if data.held_out is not None:
        held_out = data.held_out[data.labelled]
        if held_out.all() or not held_out.any():
            raise ValueError(
                f"validation_fraction names {held_out.sum()} of the {len(held_out)} rows that have "
                "a label and a weight above 0: some of them have to be held out, and some have to "
                "be left to train on."
            )
        return np.flatnonzero(~held_out), np.flatnonzero(held_out)
    if isinstance(fraction, Real):
        inputs = [data.inputs[i] for i in data.labelled]
        strata = data.task.strata(data.values)
        return hold_out(len(inputs), strata, float(fraction), seed, inputs)
    y = data.task.decode(data.values)
    return next(iter(fraction.split(np.zeros((len(data.labelled), 1)), y)))


def calibrated(task: Task, head: Head, model: Model, parts: Parts) -> Task:
    """Fit the temperature or the thresholds on held-out rows.

    Parameters
    ----------
    task : Task
        Says what is learned.
    head : Head
        Owns the probabilities of outputs.
    model : Model
        Trained.
    parts : Parts
        With held-out rows.

    Returns
    -------
    task : Task
    """
    from sktransfer.training.batch import flatten

    valid, weights = parts.valid, parts.weights
    assert valid is not None
    assert weights is not None
    outputs = _outputs(model, valid.rows)
    return task.calibrate(head, outputs, *flatten(valid.values, weights))


def outputs_of_folds(estimator: Any, data: Any, trainer: Callable[..., Any]) -> Tensor:
    """Compute the outputs of labelled rows by trainings that did not see them, one a fold.

    Parameters
    ----------
    estimator : TransferClassifier
        Says how to train.
    data : FitData
        Of which each fold gives the labelled rows that it holds out the weight 0.
    trainer : callable
        ``trainer(estimator, data=data)`` trains.

    Returns
    -------
    outputs : torch.Tensor of float64 of shape (n_labelled, n_outputs)

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C ended one of the trainings.
    """
    number: dict[Any, int] = {}
    groups = np.array([number.setdefault(data.inputs[i], len(number)) for i in data.labelled])
    splitter = GroupKFold(min(_N_FOLDS, len(number)), shuffle=True, random_state=0)
    in_fold = copy.copy(estimator).set_params(threshold=0.5, calibrate=None)
    in_fold.set_callbacks()  # those of skorch, which may set rates, stay
    outputs = None
    for _, held_out in splitter.split(groups, groups=groups):
        weights, sample_weight = data.weights.copy(), data.sample_weight.copy()
        weights[held_out] = sample_weight[data.labelled[held_out]] = 0
        fold = replace(data, weights=weights, sample_weight=sample_weight)
        trained = trainer(in_fold, data=fold)
        if trained.interrupted:
            raise KeyboardInterrupt
        module = trained.model.module
        rows = module.encoder.prepare([data.inputs[i] for i in data.labelled[held_out]])
        found = _outputs(trained.model, rows)
        if outputs is None:
            outputs = found.new_zeros((len(groups), found.shape[1]))
        outputs[held_out] = found
    assert outputs is not None
    return outputs


def _outputs(model: Model, rows: Sequence[Any]) -> Tensor:
    """Compute the outputs of prepared rows, or of their states."""
    import torch

    from sktransfer.features.encode import encode_rows

    module = model.module
    if module.of_states:
        features = torch.cat(module.state_features(rows))
    else:
        features = encode_rows(module.encoder, rows, module.precision)
    return module.outputs(features)
