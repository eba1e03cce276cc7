"""Private names of skorch (tested with 1.4)."""

from __future__ import annotations

from typing import Any

from skorch import NeuralNet

__all__ = ["Net"]


class Net(NeuralNet):
    """A net whose class changes the callbacks that skorch adds by itself.

    A parameter such as ``callbacks__print_log`` would do so for one net, and show in its repr.
    """

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        return self.adapt_callbacks(super()._default_callbacks)

    def adapt_callbacks(self, callbacks: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        """Replace some of skorch's callbacks, or add to them; by default they stay as they are."""
        return callbacks
