"""An alignment written against the public contracts alone: deep CORAL (Sun and Saenko, 2016)."""

from __future__ import annotations

from sktransfer.plugins import Alignment


class Coral(Alignment):
    """Bring means and covariances of source and target features together.

    Parameters
    ----------
    weight : float, default=1.0
        What the loss is multiplied by.
    """

    def __init__(self, weight=1.0):
        self.weight = weight

    def search_space(self):
        """Say what is worth tuning."""
        from optuna.distributions import FloatDistribution

        return {"weight": FloatDistribution(0.01, 100.0, log=True)}

    def schedule(self, progress):
        """Let the labels speak first."""
        return min(1.0, 4.0 * progress)

    def loss(self, source, target, progress, module=None):
        """Add up the squared differences of means and covariances."""
        means = (source.features.mean(dim=0) - target.features.mean(dim=0)).square().sum()
        gap = _covariance(source.features) - _covariance(target.features)
        return means + gap.square().sum()


def _covariance(features):
    centred = features - features.mean(dim=0)
    return centred.T @ centred / len(features)
