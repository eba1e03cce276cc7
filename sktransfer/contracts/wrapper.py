"""Backbones that wrap another one, as adapters do, and delegate all that they do not change."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sktransfer.contracts.backbone import Backbone
from sktransfer.contracts.encoder import Encoder, Truncation
from sktransfer.contracts.registry import resolve

if TYPE_CHECKING:
    import torch
    from optuna.distributions import BaseDistribution

__all__ = ["BackboneWrapper", "EncoderWrapper"]


class BackboneWrapper(Backbone):
    """A backbone that changes what another one loads.

    Subclasses have a parameter ``backbone``, a registered name or a parameter object, and write
    `wrap`. Parameters that an estimator hands on, the search space, the modality and everything
    else are those of the inner backbone.
    """

    backbone: Any

    @abstractmethod
    def wrap(self, encoder: Encoder, *, random_state: int) -> Encoder:
        """Change what the inner backbone has loaded.

        Parameters
        ----------
        encoder : Encoder
            Fresh, so that its module may be changed in place.
        random_state : int
            Seeds what is drawn.

        Returns
        -------
        encoder : Encoder
            An `EncoderWrapper`, for example.
        """

    @property
    def inner(self) -> Backbone:
        """The inner backbone, as a parameter object of its own."""
        return resolve("backbone", self.backbone)

    @property
    def modality(self) -> str:  # type: ignore[override]
        """What the inner backbone reads."""
        return self.inner.modality

    @property
    def pretrained(self) -> bool:  # type: ignore[override]
        """Whether the weights of the inner backbone are worth keeping."""
        return self.inner.pretrained

    @property
    def reads_pairs(self) -> bool:  # type: ignore[override]
        """Whether the inner backbone reads pairs of inputs."""
        return self.inner.reads_pairs

    @property
    def lr(self) -> float:  # type: ignore[override]
        """Learning rate that suits the inner backbone."""
        return self.inner.lr

    @property
    def frozen_below(self) -> int:  # type: ignore[override]
        """Rows below which the features of the inner backbone are used as they are."""
        return self.inner.frozen_below

    @property
    def english_only(self) -> bool:
        """Whether the pretrained weights know English alone."""
        return self.inner.english_only

    def load(self, *, device: str, random_state: int) -> Encoder:
        """Load the inner encoder, and wrap it.

        Parameters
        ----------
        device : str
            Where the module has to be.
        random_state : int
            Seeds what is not pretrained.

        Returns
        -------
        encoder : Encoder
        """
        encoder = self.inner.load(device=device, random_state=random_state)
        return self.wrap(encoder, random_state=random_state)

    def learned_from(self, X: Sequence[Any], earlier: Backbone | None = None) -> Backbone:
        """Let the inner backbone learn from training inputs.

        Parameters
        ----------
        X : sequence of n inputs
            All that a training is about to see.
        earlier : Backbone or None, default=None
            What the training before this one used.

        Returns
        -------
        backbone : Backbone
        """
        before = earlier.inner if isinstance(earlier, BackboneWrapper) else None
        return self._around(self.inner.learned_from(X, before))

    def export(self, encoder: Encoder, folder: Path) -> Backbone:
        """Let the inner backbone write what it needs into an existing empty folder.

        Parameters
        ----------
        encoder : Encoder
            What `load` returned.
        folder : pathlib.Path
            Where to write.

        Returns
        -------
        backbone : Backbone
        """
        wrapped = encoder.inner if isinstance(encoder, EncoderWrapper) else encoder
        return self._around(self.inner.export(wrapped, folder))

    def forward_params(self, params: Mapping[str, Any]) -> None:
        """Take over parameters of an estimator: own ones, and those of the inner backbone.

        Parameters
        ----------
        params : mapping of str to object
            By name.
        """
        own = self.get_params(deep=False)
        inner = self.inner
        inner.forward_params({name: v for name, v in params.items() if name not in own})
        self.set_params(backbone=inner, **{n: v for n, v in params.items() if n in own})

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning of the inner backbone; a subclass adds parameters of its own.

        Returns
        -------
        space : dict of str to optuna.distributions.BaseDistribution
            Parameters of the inner backbone as ``backbone__<name>``.
        """
        return {f"backbone__{name}": d for name, d in self.inner.search_space().items()}

    def default_point(self) -> dict[str, Any]:
        """Give own parameters, and those of the inner backbone, as they are.

        Returns
        -------
        point : dict of str to object
        """
        begin = "backbone__"
        own = [name for name in self.search_space() if not name.startswith(begin)]
        inner = {f"{begin}{name}": value for name, value in self.inner.default_point().items()}
        return {name: getattr(self, name) for name in own} | inner

    def set_params(self, **params: Any) -> BackboneWrapper:
        """Set parameters; an inner backbone that is given by name becomes an object first.

        Parameters
        ----------
        **params : dict
            Own parameters, and those of the inner backbone as ``backbone__<name>``.

        Returns
        -------
        self : BackboneWrapper
        """
        if any(name.startswith("backbone__") for name in params) and "backbone" not in params:
            super().set_params(backbone=self.inner)
        super().set_params(**params)
        return self

    def _around(self, inner: Backbone) -> Backbone:
        return type(self)(**{**self.get_params(deep=False), "backbone": inner})


class EncoderWrapper(Encoder):
    """An encoder that delegates to another one; subclasses override what they change.

    Parameters
    ----------
    inner : Encoder
        What is delegated to.
    """

    def __init__(self, inner: Encoder) -> None:
        self.inner = inner
        self.module = inner.module
        self.dim = inner.dim
        self.blocks = inner.blocks
        self.fingerprint = inner.fingerprint
        self.never_train = inner.never_train
        self.growing = inner.growing
        self.padded_states = inner.padded_states
        self.can_split = inner.can_split
        self.trains_in_fp32 = inner.trains_in_fp32
        self.slow_collate = inner.slow_collate
        self.max_length = inner.max_length
        self.cheaper = inner.cheaper

    def prepare(self, X: Sequence[Any]) -> list[Any]:
        """Delegate to the inner encoder.

        Parameters
        ----------
        X : sequence of n inputs
            As the inner encoder reads them.

        Returns
        -------
        rows : list of n rows
        """
        return self.inner.prepare(X)

    def collate(self, rows: Sequence[Any]) -> dict[str, torch.Tensor]:
        """Delegate to the inner encoder.

        Parameters
        ----------
        rows : sequence of n rows
            What `prepare` returned.

        Returns
        -------
        batch : dict of str to torch.Tensor
        """
        return self.inner.collate(rows)

    def states(self, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Delegate to the inner encoder.

        Parameters
        ----------
        batch : mapping of str to torch.Tensor
            What `collate` returned.

        Returns
        -------
        hidden, mask : torch.Tensor
        """
        return self.inner.states(batch)

    def pool(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Delegate to the inner encoder.

        Parameters
        ----------
        hidden, mask : torch.Tensor
            What `states` returned.

        Returns
        -------
        features : torch.Tensor
        """
        return self.inner.pool(hidden, mask)

    def forward_until(
        self, batch: Mapping[str, torch.Tensor], block: str
    ) -> dict[str, torch.Tensor]:
        """Delegate to the inner encoder.

        Parameters
        ----------
        batch : mapping of str to torch.Tensor
            What `collate` returned.
        block : str
            Where to stop.

        Returns
        -------
        state : dict of str to torch.Tensor
        """
        return self.inner.forward_until(batch, block)

    def states_from(
        self, state: Mapping[str, torch.Tensor], block: str
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Delegate to the inner encoder.

        Parameters
        ----------
        state : mapping of str to torch.Tensor
            What `forward_until` returned.
        block : str
            Where to begin.

        Returns
        -------
        hidden, mask : torch.Tensor
        """
        return self.inner.states_from(state, block)

    def in_bf16(self) -> Encoder | None:
        """Wrap the copy of the inner encoder, if it offers one.

        Returns
        -------
        encoder : Encoder or None
        """
        half = self.inner.in_bf16()
        if half is None:
            return None
        other = copy.copy(self)
        other.inner, other.module = half, half.module
        return other

    def budget(self) -> int:
        """Delegate to the inner encoder.

        Returns
        -------
        budget : int
        """
        return self.inner.budget()

    def training_budget(self) -> int:
        """Delegate to the inner encoder.

        Returns
        -------
        budget : int
        """
        return self.inner.training_budget()

    def table(self) -> Any:
        """Delegate to the inner encoder.

        Returns
        -------
        table : torch.nn.Module or None
        """
        return self.inner.table()

    def entries(self, rows: Sequence[Any]) -> set[int]:
        """Delegate to the inner encoder.

        Parameters
        ----------
        rows : sequence of rows
            What `prepare` returned.

        Returns
        -------
        entries : set of int
        """
        return self.inner.entries(rows)

    def truncation(self, rows: Sequence[Any]) -> Truncation | None:
        """Delegate to the inner encoder.

        Parameters
        ----------
        rows : sequence of rows
            What `prepare` returned.

        Returns
        -------
        truncation : Truncation or None
        """
        return self.inner.truncation(rows)

    def spans(self, X: Sequence[Any]) -> list[list[tuple[int, int]]]:
        """Delegate to the inner encoder.

        Parameters
        ----------
        X : sequence of n inputs
            What `prepare` is given.

        Returns
        -------
        spans : list of n list of (int, int)
        """
        return self.inner.spans(X)

    def code_version(self) -> str:
        """Name the versions of this code and of that of the inner encoder.

        Returns
        -------
        version : str
        """
        return "|".join(filter(None, [super().code_version(), self.inner.code_version()]))
