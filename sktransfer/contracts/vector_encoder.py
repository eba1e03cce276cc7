"""Encoders whose networks give one vector for each input."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sktransfer.contracts.encoder import Encoder

if TYPE_CHECKING:
    import torch

__all__ = ["VectorEncoder"]


class VectorEncoder(Encoder):
    """An encoder whose network gives one vector for each input, which is its only state.

    `forward` has to be written in place of `states`, and `forward_from` in place of `states_from`.
    """

    def states(self, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the features as the only state of each row.

        Parameters
        ----------
        batch : mapping of str to torch.Tensor
            What `collate` returned.

        Returns
        -------
        hidden : torch.Tensor of shape (n, 1, dim)
        mask : torch.Tensor of shape (n, 1)
        """
        return self._as_states(self.forward(batch))

    def states_from(
        self, state: Mapping[str, torch.Tensor], block: str
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the features as the only state of each row.

        Parameters
        ----------
        state : mapping of str to torch.Tensor
            What `forward_until` returned.
        block : str
            The same one.

        Returns
        -------
        hidden, mask : torch.Tensor
        """
        return self._as_states(self.forward_from(state, block))

    def pool(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Give the only state of each row.

        Parameters
        ----------
        hidden : torch.Tensor of shape (n, 1, dim)
            What `states` returned.
        mask : torch.Tensor of shape (n, 1)
            What `states` returned.

        Returns
        -------
        features : torch.Tensor of shape (n, dim)
        """
        return hidden[:, 0]

    @abstractmethod
    def forward(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Compute features; gradients flow to ``module``.

        Parameters
        ----------
        batch : mapping of str to torch.Tensor
            What `collate` returned.

        Returns
        -------
        features : torch.Tensor of shape (n, dim)
        """

    def forward_from(self, state: Mapping[str, torch.Tensor], block: str) -> torch.Tensor:
        """Go on with a block where `forward_until` has stopped.

        Parameters
        ----------
        state : mapping of str to torch.Tensor
            What `forward_until` returned.
        block : str
            The same one.

        Returns
        -------
        features : torch.Tensor of shape (n, dim)

        Raises
        ------
        NotImplementedError
            If the encoder cannot be split.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be split")

    def _as_states(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return features.unsqueeze(1), features.new_ones(len(features), 1)
