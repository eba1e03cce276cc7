"""A low-rank adapter of somebody else's around any backbone (Hu et al., 2022, arXiv:2106.09685)."""

from __future__ import annotations

from sktransfer.plugins import BackboneWrapper


class LowRank(BackboneWrapper):
    """Leave a backbone's weights as they are, and train products of two thin matrices beside them.

    Parameters
    ----------
    backbone : str or Backbone, default="minilm"
        The inner one.
    rank : int, default=4
        Width of the thin matrices.
    """

    def __init__(self, backbone="minilm", rank=4):
        self.backbone = backbone
        self.rank = rank

    @classmethod
    def test_params(cls):
        """Give parameters of small instances."""
        return [{"backbone": "hashing", "rank": 2}]

    def search_space(self):
        """Say what is worth tuning."""
        from optuna.distributions import IntDistribution

        return {"rank": IntDistribution(1, 16, log=True), **super().search_space()}

    def wrap(self, encoder, *, random_state):
        """Put adapters beside the linear layers of each block."""
        from lowrank_encoder import LowRankEncoder

        return LowRankEncoder(encoder, self.rank, random_state)
