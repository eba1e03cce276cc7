"""Errors that a training raises; imports nothing heavy, since users catch them by name."""


class TrainingDivergedError(RuntimeError):
    """The loss became NaN, infinite or absurdly large, so the training was stopped.

    The estimator stays as it was before the call. The message names the stage, epoch and batch.
    """
