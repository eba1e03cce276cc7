"""The state of a fitted model: a reference to the backbone, and the weights that were trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from sktransfer.contracts import Backbone, Fingerprint, Head
from sktransfer.training.module import TransferModule
from sktransfer.weights.global_state import ForkSafeLock

_WEIGHTS = ("body", "head_weights", "term_weights")


@dataclass
class ModelState:
    """A fitted model without its pretrained weights.

    Attributes
    ----------
    backbone : Backbone
        Loads the pretrained encoder again.
    backbone_seed : int
        What it was loaded with.
    fingerprint : Fingerprint
        Of the encoder as loaded.
    head : Head or None
        Builds the head again; None for an encoder without one.
    n_outputs : int
        Outputs of the head.
    body : dict of str to torch.Tensor
        The encoder's parameters that were trained, and its running statistics.
    head_weights : dict of str to torch.Tensor
        All of the head.
    term_weights : dict of str to torch.Tensor
        Weights of what loss terms trained beside encoder and head, for a stage that goes on.
    of_states : bool
        Whether the head maps each state of an input to outputs.
    """

    backbone: Backbone
    backbone_seed: int
    fingerprint: Fingerprint
    head: Head | None
    n_outputs: int
    body: dict[str, torch.Tensor]
    head_weights: dict[str, torch.Tensor]
    term_weights: dict[str, torch.Tensor] = field(default_factory=dict)
    of_states: bool = False

    @classmethod
    def of(
        cls, module: TransferModule, backbone: Backbone, seed: int, head: Head | None
    ) -> ModelState:
        """Copy the trained weights to the CPU."""
        body = module.body_changes()
        weights = {name: _copy(value) for name, value in module.head.state_dict().items()}
        return cls(
            backbone=backbone,
            backbone_seed=seed,
            fingerprint=module.encoder.fingerprint,
            head=head,
            n_outputs=0 if head is None else list(module.head.parameters())[-1].shape[0],
            body={name: _copy(body[name]) for name in sorted(body)},
            head_weights=weights,
            term_weights=dict(module.term_weights),
            of_states=module.of_states,
        )

    def build(self, device: str, precision: str) -> TransferModule:
        """Load the backbone and put what was trained on top.

        Parameters
        ----------
        device : str
            Where the module has to be.
        precision : {"bf16", "fp32"}
            In which the encoder runs.

        Returns
        -------
        module : TransferModule
            In evaluation mode.

        Raises
        ------
        ValueError
            If the backbone's weights or preprocessing are not those of the fit.
        """
        encoder = self.backbone.load(device=device, random_state=self.backbone_seed)
        if encoder.fingerprint != self.fingerprint:
            raise ValueError(
                f"The files of {self.backbone!r} are not those that this model was fitted with: "
                f"their fingerprint is {encoder.fingerprint}, expected {self.fingerprint}. Restore "
                "them, or fit again. (save(path, embed_backbone=True) keeps a copy.)"
            )
        head = self._build_head(encoder.dim, device)
        module = TransferModule(encoder, head, precision, self.of_states)
        module.load_trained(self.body)
        module.term_weights = dict(self.term_weights)
        return module.eval()

    def __getstate__(self) -> dict[str, Any]:
        packed = {name: _packed(getattr(self, name)) for name in _WEIGHTS}
        return {**self.__dict__, **packed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Pickles of earlier versions have no weights of loss terms.
        unpacked = {name: _unpacked(state.get(name, {})) for name in _WEIGHTS}
        fingerprint = state["fingerprint"]
        if isinstance(fingerprint, str):
            state = {**state, "fingerprint": Fingerprint.parse(fingerprint)}
        self.__dict__.update(state, **unpacked)

    def _build_head(self, dim: int, device: str) -> nn.Module:
        if self.head is None:
            return nn.Identity()
        with torch.device("meta"):
            head = self.head.build(dim, self.n_outputs)
        weights = {name: value.clone().to(device) for name, value in self.head_weights.items()}
        head.load_state_dict(weights, assign=True)
        return head


class FittedNet:
    """The ``net_`` of an estimator: the module, and the reference from which it is built again.

    A pickle, copy or clone of it holds no pretrained weights; the backbone is loaded again when
    the module is next needed.

    Parameters
    ----------
    state : ModelState or None
        What to build the module from; None where it is given.
    module : TransferModule or None
        The module, right after training.
    backbone : Backbone or None
        What the module's encoder was loaded from.
    backbone_seed : int
        What it was loaded with.
    head : Head or None
        What the module's head was built from, if it has one.
    seconds : sequence of dict, default=()
        How long each stage took in this process.
    """

    def __init__(
        self,
        state: ModelState | None = None,
        *,
        module: TransferModule | None = None,
        backbone: Backbone | None = None,
        backbone_seed: int = 0,
        head: Head | None = None,
        seconds: Sequence[dict[str, Any]] = (),
    ) -> None:
        self.seconds = list(seconds)
        self._state = state
        self._module = module
        self._made_of = (backbone, backbone_seed, head)
        self._lock = ForkSafeLock()

    @property
    def state(self) -> ModelState:
        """The state of the module: a copy of the trained weights, and a reference to the others."""
        if self._state is not None:
            return self._state
        assert self._module is not None
        backbone, seed, head = self._made_of
        assert backbone is not None
        return ModelState.of(self._module, backbone, seed, head)

    @property
    def head(self) -> Head | None:
        """The parameter object from which the module's head was built."""
        return self._made_of[2] if self._state is None else self._state.head

    @property
    def module_(self) -> TransferModule:
        """The module, on the device where it is or was last used."""
        return self._module if self._module is not None else self.on("cpu", "fp32")

    def on(self, device: str, precision: str) -> TransferModule:
        """Get the module on a device, in evaluation mode; loads the backbone where it has to.

        Parameters
        ----------
        device : str
            Where the module has to be.
        precision : {"bf16", "fp32"}
            In which the encoder runs.

        Returns
        -------
        module : TransferModule
        """
        with self._lock:
            kind = torch.device(device).type
            if self._module is None or torch.device(self._module.device).type != kind:
                state = self.state
                self._module = state.build(device, precision)
                # The module holds all weights now; a second copy would only take memory.
                self._made_of = (state.backbone, state.backbone_seed, state.head)
                self._state = None
            self._module.precision = precision
            return self._module.eval()

    def without_head(self) -> FittedNet:
        """Give the encoder alone. Memory is shared, since no later training changes it."""
        with self._lock:
            if self._module is None:
                state = replace(
                    self.state,
                    head=None,
                    n_outputs=0,
                    head_weights={},
                    term_weights={},
                    of_states=False,
                )
                return FittedNet(state)
            module = TransferModule(self._module.encoder, nn.Identity(), self._module.precision)
            module.trained |= self._module.trained
            backbone, seed, _ = self._made_of
            return FittedNet(module=module.eval(), backbone=backbone, backbone_seed=seed)

    def __reduce__(self) -> tuple[type[FittedNet], tuple[ModelState]]:
        return FittedNet, (self.state,)


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().cpu().clone().contiguous()


def _packed(weights: dict[str, torch.Tensor]) -> dict[str, tuple[str, tuple[int, ...], np.ndarray]]:
    """Turn weights into bytes with dtype and shape.

    torch's own pickles hold addresses of this process, so that no two are alike, and dask refuses
    to hash them. Arrays are besides handed to other processes without a copy.
    """
    return {
        name: (
            str(tensor.dtype).removeprefix("torch."),
            tuple(tensor.shape),
            tensor.reshape(-1).view(torch.uint8).numpy(),
        )
        for name, tensor in weights.items()
    }


def _unpacked(
    packed: dict[str, tuple[str, tuple[int, ...], np.ndarray]],
) -> dict[str, torch.Tensor]:
    weights = {}
    for name, (dtype, shape, data) in packed.items():
        # Memory that is shared with other processes is read-only, which tensors cannot express.
        own = data if data.flags.writeable else data.copy()
        weights[name] = torch.from_numpy(own).view(getattr(torch, dtype)).reshape(shape)
    return weights
