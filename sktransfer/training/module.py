"""Encoder and head as one module."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from sktransfer.contracts import Encoder
from sktransfer.features.batches import collate_states
from sktransfer.features.corpus import CorpusStore
from sktransfer.features.encode import CHUNK, encode, encode_chunks, encode_states
from sktransfer.features.precision import autocast
from sktransfer.features.store import FeatureStore

# In place of a block: behind all of them, where rows are features.
HEAD = "head"
FEATURES = "features"


class TransferModule(nn.Module):
    """An encoder and a head.

    Parameters
    ----------
    encoder : Encoder
        Fresh from `Backbone.load`.
    head : torch.nn.Module
        From `Head.build`.
    precision : {"bf16", "fp32"}
        In which the encoder runs; the head always runs in single precision.
    of_states : bool, default=False
        Whether the head maps each state of an input to outputs, instead of its pooled features.
        Features and outputs of all inputs then stand one after the other.

    Attributes
    ----------
    compiled : bool
        Whether features are computed as torch compiled the encoder.
    progress : bool
        Whether a line shows how far the features are.
    split_block : str or None
        Block from which a training runs the encoder, on stored states; `HEAD` runs none of it, on
        stored features, and None all of it.
    half_copy : sktransfer.training.cheaper_steps.HalfCopy or None
        Through which a training runs the encoder.
    expand_table : dict of str to callable
        For a parameter of which only a part is in place, gives it whole.
    full_table : callable
        Gives a context in which all of each parameter is in place.
    term_weights : dict of str to torch.Tensor
        Weights of the modules of loss terms, such as a domain classifier, as the last stage left
        them; the first part of a name is that of the term.
    trained : set of str
        Names of the encoder's parameters that any stage has trained: what differs from the
        pretrained weights, and all that has to be stored.
    """

    encoder: Encoder

    def __init__(
        self, encoder: Encoder, head: nn.Module, precision: str, of_states: bool = False
    ) -> None:
        super().__init__()
        # Not registered as a submodule: an encoder that is a module itself would give each
        # parameter a second name.
        object.__setattr__(self, "encoder", encoder)
        self.body = encoder.module
        self.head = head
        self.precision = precision
        self.of_states = of_states
        self.trained: set[str] = set()
        self.compiled = False
        self.progress = False
        self.split_block: str | None = None
        self.half_copy: Any = None
        self.expand_table: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {}
        self.term_weights: dict[str, torch.Tensor] = {}
        self.full_table: Callable[[], AbstractContextManager[None]] = nullcontext

    @property
    def device(self) -> str:
        """Where the parameters are."""
        return str(next(self.body.parameters()).device)

    def forward(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Compute outputs of shape (n, n_outputs)."""
        return self.features_and_outputs(batch)[1]

    def features_and_outputs(
        self, batch: Mapping[str, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute features of shape (n, dim), and outputs of shape (n, n_outputs)."""
        encoder: Any = self.encoder
        precision = self.precision
        if self.training and self.half_copy is not None:
            encoder, precision, batch = self.half_copy.encoder, "fp32", self.half_copy.cast(batch)
        if self.split_block == HEAD:
            features = batch[FEATURES].float().to(self.device)
            return features, self.head(features)
        with autocast(precision, self.device):
            features = self._features(encoder, batch)
        features = features.float()
        return features, self.head(features)

    def _features(self, encoder: Encoder, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        block = self.split_block
        if self.of_states:
            states = encoder.states(batch) if block is None else encoder.states_from(batch, block)
            return states[0][states[1].bool()]
        return encoder.forward(batch) if block is None else encoder.forward_from(batch, block)

    def collate(self, rows: Sequence[Any]) -> dict[str, torch.Tensor]:
        """Put rows, or their states before ``split_block``, into one batch."""
        if self.split_block is None:
            return self.encoder.collate(rows)
        if self.split_block == HEAD:
            features = [row.values[FEATURES] for row in rows]
            return {FEATURES: torch.cat(features) if self.of_states else torch.stack(features)}
        return collate_states(self.encoder, rows)

    def set_trainable(self, names: Iterable[str]) -> None:
        """Train these parameters of the encoder from now on, and no others of it."""
        wanted = frozenset(names)
        for name, parameter in self.body.named_parameters():
            parameter.requires_grad_(name in wanted)
            if name not in wanted:
                parameter.grad = None
        if self.half_copy is not None:
            self.half_copy.set_trainable(wanted)
        self.trained |= wanted
        self.train(self.training)

    def load_trained(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Load the encoder's weights that an earlier stage has trained, by name."""
        own = self.body.state_dict()
        growing = self.encoder.growing
        with torch.no_grad():
            for name, value in weights.items():
                kept = own[name][: len(value)] if name in growing else own[name]
                kept.copy_(value)
        self.trained |= set(weights) & {name for name, _ in self.body.named_parameters()}

    def body_changes(self) -> dict[str, torch.Tensor]:
        """Give what differs from the pretrained encoder: trained parameters and all statistics."""
        changes = self._changes_in_place()
        return {
            n: self.expand_table[n](v) if n in self.expand_table else v for n, v in changes.items()
        }

    def _changes_in_place(self) -> dict[str, torch.Tensor]:
        parameters = {name for name, _ in self.body.named_parameters()}
        return {
            name: value
            for name, value in self.body.state_dict().items()
            # Running statistics, as of batch normalisation, are buffers that change in training.
            if name in self.trained
            or (self.trained and name not in parameters and name not in self.encoder.never_train)
        }

    def identity(self) -> str:
        """Name the encoder as it is now: equal strings mean equal features."""
        changes = self.body_changes()
        if not changes:
            return str(self.encoder.fingerprint)
        digest = hashlib.blake2b(digest_size=16)
        for name, value in sorted(changes.items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return f"{self.encoder.fingerprint}|{digest.hexdigest()}"

    def features(self, X: Sequence[Any], store: FeatureStore | None = None) -> torch.Tensor:
        """Compute the features of inputs, as float32 on the CPU; a store is looked into first."""
        self.eval()  # all of it, so that a training that goes on notices
        identity = "" if store is None else self.identity()
        with self.full_table():
            return encode(
                self.encoder,
                X,
                self.precision,
                store=store,
                identity=identity,
                compile=self.compiled,
                progress=self.progress,
            )

    def state_features(self, rows: Sequence[Any]) -> list[torch.Tensor]:
        """Compute the states of prepared rows, each of shape (length, dim), on the CPU."""
        self.eval()
        with self.full_table():
            return encode_states(self.encoder, rows, self.precision)

    def named_body_parameters(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Give the encoder's parameters, each of them whole."""
        for name, value in self.body.named_parameters():
            yield name, self.expand_table[name](value) if name in self.expand_table else value

    def map_outputs(
        self,
        X: Sequence[Any],
        function: Callable[[torch.Tensor, Sequence[int]], Any],
        store: FeatureStore | None = None,
    ) -> list[Any]:
        """Apply a function to the head's outputs, chunk by chunk, so that no features are kept.

        Parameters
        ----------
        X : sequence of n hashable inputs
            All different.
        function : callable
            Is given outputs of shape (n_chunk, n_outputs) in double precision, and, where the head
            maps states, how many of them each input has.
        store : FeatureStore or None, default=None
            Where features are looked up, and kept.

        Returns
        -------
        results : list
            What the function returned.
        """
        self.eval()
        if self.of_states:
            return list(self._map_states(X, function))
        training = self.trained and any(p.requires_grad for p in self.body.parameters())
        if training and isinstance(store, CorpusStore):
            # A corpus holds no features of weights that still train, and hashing these is slow.
            store = None
        identity = "" if store is None else self.identity()
        chunks = encode_chunks(
            self.encoder,
            X,
            self.precision,
            store=store,
            identity=identity,
            compile=self.compiled,
            progress=self.progress,
        )
        with self.full_table():
            return [function(self.outputs(features), ()) for features in chunks]

    def _map_states(
        self, X: Sequence[Any], function: Callable[[torch.Tensor, Sequence[int]], Any]
    ) -> Iterator[Any]:
        for start in range(0, len(X), CHUNK):
            states = self.state_features(self.encoder.prepare(list(X[start : start + CHUNK])))
            lengths = [len(each) for each in states]
            yield function(self.outputs(torch.cat(states)), lengths)

    def trained_weights(self) -> dict[str, torch.Tensor]:
        """Copy what trains, the head included, by full name; `put_trained` takes it back."""
        head = self.head.state_dict()
        return {
            **{f"body.{name}": value.clone() for name, value in self._changes_in_place().items()},
            **{f"head.{name}": value.clone() for name, value in head.items()},
        }

    def put_trained(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Put weights in place, by full name."""
        own = self.state_dict()
        with torch.no_grad():
            for name, value in weights.items():
                own[name].copy_(value)

    def outputs(self, features: torch.Tensor) -> torch.Tensor:
        """Compute the head's outputs in double precision, without dropout, on the CPU.

        In double precision no output depends on which rows stand beside it.
        """
        head = copy.deepcopy(self.head).cpu().double().eval()
        with torch.inference_mode():
            return head(features.double())

    def train(self, mode: bool = True) -> TransferModule:
        """Set the mode; what does not train stays in evaluation mode, without dropout."""
        if not (mode or self.training or self.body.training or self.head.training):
            return self  # the usual case of a prediction, which should be quick
        super().train(mode)
        if mode:
            _eval_frozen_children(self.body)
            if self.half_copy is not None:
                _eval_frozen_children(self.half_copy.encoder.module.train())
        return self


def _eval_frozen_children(module: nn.Module) -> None:
    """Put every part whose parameters are all frozen into evaluation mode."""
    parameters = list(module.parameters())
    if parameters and not any(parameter.requires_grad for parameter in parameters):
        module.eval()
        return
    for child in module.children():
        _eval_frozen_children(child)
