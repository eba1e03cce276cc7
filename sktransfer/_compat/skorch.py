"""Private names of skorch (tested with 1.4)."""

from __future__ import annotations

from typing import Any, ClassVar

from skorch import NeuralNet


class Net(NeuralNet):
    """A net whose class says what stands in place of callbacks that skorch adds by itself.

    A parameter ``callbacks__print_log`` would do so for one net, and show in its repr.
    """

    default_callbacks: ClassVar[dict[str, type]] = {}

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        own = self.default_callbacks
        return [(k, own[k]() if k in own else v) for k, v in super()._default_callbacks]
