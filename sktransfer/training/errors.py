"""Errors that a training raises; imports nothing heavy, since users catch them by name."""

import math


class TrainingDivergedError(RuntimeError):
    """The loss became NaN, infinite or absurdly large, so the training was stopped.

    The estimator stays as it was before the call. The message names the stage, epoch and batch.
    """


# Cross entropy over any number of labels starts below 20; what is beyond this does not come back.
_DIVERGED = 1e4


def is_sane(loss: float) -> bool:
    """Say whether a training can go on from a loss."""
    return math.isfinite(loss) and loss <= _DIVERGED
