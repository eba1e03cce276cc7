"""The mean of the weights along a training, which often predicts better than the last ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from sktransfer.training.module import TransferModule

# Share of the earlier mean that a step keeps once there were many steps; fewer keep less.
_DECAY = 0.99


class WeightAverage:
    """Average the weights that train.

    Parameters
    ----------
    how : {"ema", "soup"}
        ``"ema"`` is an exponential moving average over the steps [1]_; ``"soup"`` is the plain
        mean of the weights after each epoch of the second half of the training [2]_.
    n_epochs : int
        Epochs of the training.

    References
    ----------
    .. [1] Polyak, B. T. and Juditsky, A. B. (1992). Acceleration of stochastic approximation by
       averaging. SIAM Journal on Control and Optimization 30(4).
    .. [2] Izmailov, P., Podoprikhin, D., Garipov, T., Vetrov, D. and Wilson, A. G. (2018).
       Averaging weights leads to wider optima and better generalization. UAI. arXiv:1803.05407;
       for fine-tuning Wortsman, M. et al. (2022). Model soups. ICML. arXiv:2203.05482.
    """

    def __init__(self, how: str, n_epochs: int) -> None:
        self.how = how
        self._first_epoch = n_epochs // 2
        self._n = 0
        self._epochs = 0
        self._mean: dict[str, torch.Tensor] = {}

    def after_step(self, module: TransferModule) -> None:
        """Take a step of the optimizer into account."""
        if self.how == "ema":
            # As in TensorFlow: with a constant decay, the first weights would still count at the
            # end of a short training.
            decay = min(_DECAY, (1 + self._n) / (10 + self._n))
            self._move(module, 1.0 - decay)

    def after_epoch(self, module: TransferModule) -> None:
        """Take an epoch into account."""
        if self.how == "soup" and self._epochs >= self._first_epoch:
            self._move(module, 1.0 / (self._n + 1))
        self._epochs += 1

    def _move(self, module: TransferModule, share: float) -> None:
        self._n += 1
        weights = module.trained_weights()
        if not self._mean:
            self._mean = weights
            return
        for name, value in weights.items():
            if value.is_floating_point():
                self._mean[name].lerp_(value, share)
            else:
                self._mean[name].copy_(value)

    @contextlib.contextmanager
    def applied(self, module: TransferModule) -> Iterator[None]:
        """Put the mean in place of the weights, and the weights back afterwards."""
        weights = module.trained_weights()
        module.put_trained(self._mean)
        try:
            yield
        finally:
            module.put_trained(weights)

    def apply(self, module: TransferModule) -> None:
        """Put the mean in place of the weights, for good."""
        module.put_trained(self._mean)
