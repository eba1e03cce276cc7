"""Metrics of predictions, as dicts that JSON can hold; prints nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

__all__ = ["measure", "measure_label_sets", "measure_numbers"]


def measure(
    true: Sequence[Any], predicted: Sequence[Any], classes: Sequence[Any]
) -> dict[str, Any]:
    """Score predicted labels; labels are the same if they read the same.

    Parameters
    ----------
    true : sequence of n labels
        What the file says; str in CSV, whatever type the model's labels have.
    predicted : sequence of n labels
        What the model says.
    classes : sequence of labels
        All that the model knows. Other labels in ``true`` can only be predicted wrongly, and are
        counted so.

    Returns
    -------
    measured : dict
        ``rows``, ``accuracy``, ``macro_f1``, ``labels``, ``averages`` and ``unknown_labels``.

    Examples
    --------
    >>> from sktransfer.cli._measures import measure
    >>> measure(["0", "1", "2"], [0, 1, 1], [0, 1])["unknown_labels"]
    {'2': 1}
    """
    import numpy as np
    from sklearn.metrics import precision_recall_fscore_support

    y_true, y_pred = [str(label) for label in true], [str(label) for label in predicted]
    known = [str(label) for label in classes]
    unknown = Counter(label for label in y_true if label not in set(known))
    occurring = {*y_true, *y_pred}
    # The numbers of classification_report, whose dict cannot hold a label named "accuracy".
    names = [label for label in [*known, *sorted(unknown)] if label in occurring]
    scores = precision_recall_fscore_support(y_true, y_pred, labels=names, zero_division=0)
    right = sum(a == b for a, b in zip(y_true, y_pred, strict=True))
    averages = {
        "macro": np.mean(scores[:3], axis=1),
        "weighted": np.average(scores[:3], axis=1, weights=scores[3]),
    }
    return {
        "rows": len(y_true),
        "accuracy": right / len(y_true),
        "macro_f1": float(averages["macro"][2]),
        "labels": {
            name: {"precision": p, "recall": r, "f1": f1, "rows": n}
            for name, p, r, f1, n in zip(names, *(each.tolist() for each in scores), strict=True)
        },
        "averages": {
            name: dict(zip(("precision", "recall", "f1"), values.tolist(), strict=True))
            for name, values in averages.items()
        },
        "unknown_labels": dict(unknown.most_common()),
    }


def measure_label_sets(
    true: Sequence[Sequence[Any]], predicted: Sequence[Sequence[Any]]
) -> dict[str, Any]:
    """Score rows with any number of labels each.

    Parameters
    ----------
    true, predicted : sequence of n sequences of labels
        What the file says, and what the model says.

    Returns
    -------
    measured : dict
        ``rows``, and ``macro_f1`` and ``micro_f1`` over all labels that occur.

    Examples
    --------
    >>> from sktransfer.cli._measures import measure_label_sets
    >>> measure_label_sets([["a", "b"], ["b"], []], [["a"], ["b"], []])["macro_f1"]
    0.8333333333333333
    """
    pairs = list(zip(map(set, true), map(set, predicted), strict=True))
    right = Counter(label for a, b in pairs for label in a & b)
    named = Counter(label for a, b in pairs for label in [*a, *b])
    f1 = [2 * right[label] / n for label, n in named.items()]
    return {
        "rows": len(pairs),
        "macro_f1": math.fsum(f1) / len(f1) if f1 else 0.0,
        "micro_f1": 2 * right.total() / named.total() if named else 0.0,
    }


def measure_numbers(true: Sequence[float], predicted: Sequence[float]) -> dict[str, Any]:
    """Score predicted numbers.

    Parameters
    ----------
    true, predicted : sequence of n floats
        What the file says, and what the model says.

    Returns
    -------
    measured : dict
        ``rows``, ``mae``, ``rmse`` and ``r2``, which is None for a single row.

    Examples
    --------
    >>> from sktransfer.cli._measures import measure_numbers
    >>> measure_numbers([1.0, 2.0, 3.0], [1.0, 2.0, 2.0])["r2"]
    0.5
    """
    from sklearn.metrics import mean_absolute_error, r2_score

    errors = [a - b for a, b in zip(predicted, true, strict=True)]
    return {
        "rows": len(errors),
        "mae": float(mean_absolute_error(true, predicted)),
        "rmse": math.sqrt(math.fsum(error**2 for error in errors) / len(errors)),
        "r2": float(r2_score(true, predicted)) if len(errors) > 1 else None,
    }
