"""The encoder of `TransformerBackbone`: from tokens to pooled features."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.utils.checkpoint
from torch import nn

from sktransfer._compat.torch import share_buffers
from sktransfer.backbones._architecture import POOLINGS, blocks_of, layer_list, sentence_settings
from sktransfer.backbones._long_texts import Cutter, TokenRow
from sktransfer.contracts import Encoder, Fingerprint, Truncation
from sktransfer.weights import ModelFiles, file_sha256

_LONGEST = 512
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_VOCABULARIES = (
    "added_tokens.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
)


class _Reached(Exception):
    pass


class TransformerEncoder(Encoder):
    """The encoder of `TransformerBackbone`; see `sktransfer.plugins.Encoder`."""

    max_length: int
    padded_states = frozenset({"input_ids", "attention_mask", "token_type_ids", "hidden"})

    def __init__(
        self,
        backbone: Any,
        module: Any,
        tokenizer: Any,
        files: ModelFiles,
        device: str,
        drawn: str = "",
    ) -> None:
        folder = files.folder
        self.module = module
        self.files = files
        self.dim = int(module.config.hidden_size)
        self._in_bf16 = False
        self._tokenizer = tokenizer
        self._device = device
        self._prefix = backbone.prefix
        pooling, normalize, length = sentence_settings(folder)
        self._pooling = pooling if backbone.pooling == "auto" else backbone.pooling
        if self._pooling not in POOLINGS:
            raise ValueError(
                f"pooling has to be 'auto' or one of {POOLINGS}, got {backbone.pooling!r}."
            )
        self._normalize = normalize if backbone.normalize == "auto" else bool(backbone.normalize)
        self.max_length = _max_length(backbone.max_length, length, tokenizer, module.config)
        self.cheaper = f"max_length={self.max_length // 2} reads less of long texts"
        self._cutter = Cutter(
            tokenizer, self.max_length, backbone.long_text, backbone.stride, self._prefix
        )
        if self._pooling == "pooler":
            if getattr(module, "pooler", None) is None:
                raise ValueError(f"{folder} has no pooler; pooling can be 'mean', 'cls' or 'max'.")
        elif getattr(module, "pooler", None) is not None:
            # An unused pooler is often not even in the file, and would count as a trained block.
            module.pooler = None
        self.blocks = blocks_of(module)
        self._layers: Any = layer_list(module)
        self.can_split = self._layers is not None
        self.fingerprint = self._fingerprint(drawn)

    def prepare(self, X: Sequence[Any]) -> list[TokenRow]:
        """Tokenize texts or pairs of texts, and cut those that are too long."""
        return self._cutter.rows(X)

    def collate(self, rows: Sequence[TokenRow]) -> dict[str, torch.Tensor]:
        """Pad rows on the right to the longest of them."""
        length = self.max_length
        n_windows = max(-(-len(row) // length) for row in rows)
        if n_windows == 1:
            return self._padded(rows)
        cut = [
            TokenRow(row.ids[i : i + length]) for row in rows for i in range(0, len(row), length)
        ]
        owner = [(i, j) for i, row in enumerate(rows) for j in range(-(-len(row) // length))]
        index = tuple(torch.tensor(axis) for axis in zip(*owner, strict=True))
        batch = {}
        for name, value in self._padded(cut).items():
            batch[name] = value.new_zeros((len(rows), n_windows, length))
            batch[name][index] = value
        return batch

    def _padded(self, rows: Sequence[TokenRow]) -> dict[str, torch.Tensor]:
        def padded(values: list[list[int]], fill: int = 0) -> torch.Tensor:
            tensors = [torch.tensor(each, dtype=torch.int64) for each in values]
            pad = nn.utils.rnn.pad_sequence
            return pad(tensors, batch_first=True, padding_value=fill).to(self._device)

        batch = {
            "input_ids": padded([row.ids for row in rows], self._tokenizer.pad_token_id or 0),
            "attention_mask": padded([[1] * len(row) for row in rows]),
        }
        if any(row.types is not None for row in rows):
            batch["token_type_ids"] = padded([row.types or [0] * len(row) for row in rows])
        return batch

    def states(self, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Run the encoder."""
        mask = batch["attention_mask"]
        if mask.ndim == 2:
            return self._last_states(batch), mask
        return self._windows(batch, self._last_states).flatten(1, 2), mask.flatten(1, 2)

    def pool(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Pool states, and the windows of long texts."""
        if hidden.shape[1] <= self.max_length:
            return self._pool_window(hidden, mask)
        windows = mask.unflatten(1, (-1, self.max_length))
        each = self._pool_window(
            hidden.unflatten(1, (-1, self.max_length)).flatten(0, 1), windows.flatten(0, 1)
        )
        return self._pool_windows(each.unflatten(0, windows.shape[:2]), windows.sum(dim=2))

    def forward(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Run the encoder and pool its last states."""
        if batch["input_ids"].ndim == 2:
            return self._features(batch)
        # One vector of each window is kept, and not its states as by `states`.
        windows = self._windows(batch, self._features)
        return self._pool_windows(windows, batch["attention_mask"].sum(dim=2))

    def _pool_windows(self, windows: torch.Tensor, n_tokens: torch.Tensor) -> torch.Tensor:
        how = "max" if self._cutter.long_text == "window_max" else "mean"
        # Windows are weighted by their tokens, since the last one may have few.
        weight = n_tokens if how == "mean" else n_tokens > 0
        return self._scaled(_pool(windows, weight, how))

    def _windows(
        self,
        batch: Mapping[str, torch.Tensor],
        run: Callable[[Mapping[str, torch.Tensor]], torch.Tensor],
    ) -> torch.Tensor:
        """Compute windows, a few at a time, since one long text may have dozens."""
        mask = batch["attention_mask"]
        if torch.compiler.is_exporting():
            # A graph cannot leave out empty windows. Attention over no token is undefined, so that
            # they read one; what they give has no weight.
            first = torch.arange(mask.shape[2], device=mask.device) == 0
            some = {**batch, "attention_mask": torch.where(first, 1, mask)}
            flat = {name: value.flatten(0, 1) for name, value in some.items()}
            return run(flat).unflatten(0, mask.shape[:2])
        # Rows have different numbers of windows: those without tokens are not computed.
        real = mask.sum(dim=2) > 0
        filled = {name: value[real] for name, value in batch.items()}
        few = max(1, self.training_budget() // mask.shape[2])
        parts = [
            {name: value[i : i + few] for name, value in filled.items()}
            for i in range(0, len(filled["input_ids"]), few)
        ]
        if len(parts) > 1 and torch.is_grad_enabled():
            # Activations are computed again in the backward pass, and not kept.
            again = torch.utils.checkpoint.checkpoint
            each = torch.cat([again(run, part, use_reentrant=False) for part in parts])
        else:
            each = torch.cat([run(part) for part in parts])
        windows = each.new_zeros((*real.shape, *each.shape[1:]))
        windows[real] = each
        return windows

    def in_bf16(self) -> TransformerEncoder:
        """Return a copy that computes in bfloat16."""
        other, table = copy.copy(self), self.table()
        other._in_bf16 = True
        shared = {} if table is None else {id(table.weight): table.weight}
        other.module = copy.deepcopy(self.module, shared)
        vars(other.module).pop("forward", None)  # compiled for the original
        own = other.table()
        if own is not None:
            # The table of words is half of a small encoder, and a batch uses few of its rows.
            own.weight = None  # type: ignore[assignment]
        other.module.to(torch.bfloat16).eval()
        if own is not None and table is not None:
            own.weight = table.weight
            own.register_forward_hook(lambda module, args, output: output.to(torch.bfloat16))
        # Buffers stay those of the original: positions have to be exact, and statistics up to date.
        for name, module in self.module.named_modules():
            share_buffers(other.module.get_submodule(name), module)
        other._layers = layer_list(other.module)
        return other

    def budget(self) -> int:
        """Return the number of tokens of a batch of inference, with padding."""
        if self._device != "cpu":
            return 64 * _LONGEST
        return 4096 if self._in_bf16 else 1024

    def training_budget(self) -> int:
        """Return the number of tokens, with padding, whose gradients are computed together."""
        return 4096 if self._device == "cpu" else 32 * _LONGEST

    def table(self) -> nn.Embedding | None:
        """Return the word embeddings."""
        try:
            found = self.module.get_input_embeddings()
        except (AttributeError, NotImplementedError):
            return None
        return found if isinstance(found, nn.Embedding) else None

    def entries(self, rows: Sequence[TokenRow]) -> set[int]:
        """Return the ids of the word embeddings that rows use."""
        return {self._tokenizer.pad_token_id or 0}.union(*(row.ids for row in rows))

    def truncation(self, rows: Sequence[TokenRow]) -> Truncation:
        """Count the tokens that are not read, and those that are not known."""
        unknown = self._tokenizer.unk_token_id
        # Some tokenizers name a token for unknown ones that also ends or pads texts.
        if self._tokenizer.all_special_ids.count(unknown) != 1:
            unknown = None
        return Truncation(
            n_inputs=sum(row.cut > 0 for row in rows),
            n_tokens=sum(row.tokens for row in rows),
            n_cut=sum(row.cut for row in rows),
            n_unknown=0 if unknown is None else sum(row.ids.count(unknown) for row in rows),
        )

    def spans(self, X: Sequence[Any]) -> list[list[tuple[int, int]]]:
        """Return the first and last character of each token of each text."""
        return self._cutter.spans(X)

    def forward_until(
        self, batch: Mapping[str, torch.Tensor], block: str
    ) -> dict[str, torch.Tensor]:
        """Run the encoder up to a block."""
        if batch["input_ids"].ndim != 2:
            raise ValueError("texts of several windows cannot be stopped half-way")
        layer = self._layer_of(block)
        if layer is None:
            return dict(batch)
        _, _, layers = self._layers
        reached: list[torch.Tensor] = []

        def stop(module: nn.Module, args: Any, kwargs: Any) -> None:
            reached.append(args[0] if args else kwargs["hidden_states"])
            raise _Reached

        hook = layers[layer].register_forward_pre_hook(stop, with_kwargs=True)
        try:
            with contextlib.suppress(_Reached):
                self.module(**batch)
        finally:
            hook.remove()
        return {**batch, "hidden": reached[0]}

    def states_from(
        self, state: Mapping[str, torch.Tensor], block: str
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Run the encoder from a block on."""
        batch = {name: value for name, value in state.items() if name != "hidden"}
        layer = self._layer_of(block)
        if layer is None:
            return self.states(batch)
        parent, name, layers = self._layers

        def replace(module: nn.Module, args: Any, kwargs: Any) -> Any:
            if args:
                return (state["hidden"], *args[1:]), kwargs
            return args, {**kwargs, "hidden_states": state["hidden"]}

        # The module itself makes the masks of its layers. Only the layers below are left out, and
        # the output of the embeddings is replaced.
        hook = layers[layer].register_forward_pre_hook(replace, with_kwargs=True)
        setattr(parent, name, layers[layer:])
        try:
            return self.states(batch)
        finally:
            setattr(parent, name, layers)
            hook.remove()

    def _layer_of(self, block: str) -> int | None:
        """Return the number of a layer's block; None for the embeddings."""
        if self._layers is None:
            return None
        kind, _, number = block.partition(".")
        return int(number) if kind == "layer" else None

    def _last_states(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return self.module(**batch).last_hidden_state

    def _features(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return self._pool_window(self._last_states(batch), batch["attention_mask"])

    def _pool_window(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if self._pooling == "pooler":
            return self._scaled(self.module.pooler(hidden).float())
        return self._scaled(_pool(hidden.float(), mask, self._pooling))

    def _scaled(self, features: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(features, dim=1) if self._normalize else features

    def _fingerprint(self, drawn: str) -> Fingerprint:
        """Hash all files and settings that features depend on."""
        weights, preprocessing = hashlib.sha256(drawn.encode()), hashlib.sha256()
        folder = self.files.folder
        for digest in self.files.hashes():
            weights.update(digest.encode())
        # A tokenizer.json is complete. Without it, the tokenizer is built from other files.
        whole = (folder / "tokenizer.json").is_file()
        for name in _TOKENIZER_FILES if whole else (*_TOKENIZER_FILES, *_VOCABULARIES):
            path = folder / name
            if path.is_file():
                preprocessing.update(f"{name}:{file_sha256(path)}".encode())
        settings = [self._pooling, self._normalize, self.max_length, self._prefix]
        if self._cutter.long_text != "truncate":
            settings += [self._cutter.long_text, self._cutter.step]
        preprocessing.update(json.dumps(settings).encode())
        return Fingerprint(f"transformer:{weights.hexdigest()}", preprocessing.hexdigest())


def _pool(states: torch.Tensor, mask: torch.Tensor, how: str) -> torch.Tensor:
    if how == "cls":
        return states[:, 0]
    weight = mask.unsqueeze(-1).to(states.dtype)
    if how == "max":
        return states.masked_fill(weight == 0, torch.finfo(states.dtype).min).max(dim=1).values
    return (states * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1.0)


def _max_length(asked: int | None, own: int | None, tokenizer: Any, config: Any) -> int:
    positions = getattr(config, "max_position_embeddings", None) or _LONGEST
    # RoBERTa's positions begin after the padding index, so that two of them are never used.
    if getattr(config, "model_type", "") in ("roberta", "xlm-roberta", "camembert", "mpnet"):
        positions -= 2
    limit = min(int(tokenizer.model_max_length), int(positions))
    if asked is None:
        return min(own or _LONGEST, limit)
    if not 3 <= asked <= limit:
        raise ValueError(f"max_length has to be from 3 to {limit} for this model, got {asked}.")
    return asked
