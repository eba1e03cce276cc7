"""Search spaces of estimators and pipelines."""

from sktransfer.tuning.space import search_space

__all__ = ["search_space"]
