"""The runtime side of `TransformerBackbone`: tokens in, pooled features out."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.utils.checkpoint
from torch import nn

from sktransfer._compat.torch import share_buffers
from sktransfer.backbones._long_texts import Cutter, TokenRow
from sktransfer.backbones._sentence_files import POOLINGS, sentence_settings
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


class TransformerEncoder:
    """What `TransformerBackbone.load` returns; see `sktransfer.plugins.Encoder`."""

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
        self._max_length = _max_length(backbone.max_length, length, tokenizer, module.config)
        self._cutter = Cutter(
            tokenizer, self._max_length, backbone.long_text, backbone.stride, self._prefix
        )
        if self._pooling == "pooler":
            if getattr(module, "pooler", None) is None:
                raise ValueError(f"{folder} has no pooler; pooling can be 'mean', 'cls' or 'max'.")
        elif getattr(module, "pooler", None) is not None:
            # Unused, often not even in the file, and it would count as a trained block.
            module.pooler = None
        self.blocks = blocks_of(module)
        self._layers: Any = _layer_list(module)
        self.fingerprint = self._fingerprint(drawn)

    def prepare(self, X: Sequence[Any]) -> list[TokenRow]:
        """Tokenize each text or pair of texts, and cut what is too long.

        Parameters
        ----------
        X : sequence of str or (str, str)
            Texts. What looks like a special token is read as ordinary text.

        Returns
        -------
        rows : list of TokenRow
            Token ids, special tokens included.
        """
        return self._cutter.rows(X)

    def collate(self, rows: Sequence[TokenRow]) -> dict[str, torch.Tensor]:
        """Pad rows on the right to the longest of them.

        Parameters
        ----------
        rows : sequence of TokenRow
            What `prepare` returned.

        Returns
        -------
        batch : dict of str to torch.Tensor
            ``input_ids`` and ``attention_mask`` of shape (n, longest row), or (n, windows, length)
            where a row is longer than one window; ``token_type_ids`` for pairs.
        """
        length = self._max_length
        n_windows = max(-(-len(row) // length) for row in rows)
        if n_windows == 1:
            return self._padded(rows, max(len(row) for row in rows))
        cut = [TokenRow(row[i : i + length]) for row in rows for i in range(0, len(row), length)]
        owner = [(i, j) for i, row in enumerate(rows) for j in range(-(-len(row) // length))]
        flat = self._padded(cut, length)
        index = tuple(torch.tensor(axis) for axis in zip(*owner, strict=True))
        batch = {}
        for name, value in flat.items():
            batch[name] = value.new_zeros((len(rows), n_windows, length))
            batch[name][index] = value
        return batch

    def _padded(self, rows: Sequence[TokenRow], longest: int) -> dict[str, torch.Tensor]:
        pad = self._tokenizer.pad_token_id or 0
        ids = torch.full((len(rows), longest), pad, dtype=torch.int64)
        mask = torch.zeros((len(rows), longest), dtype=torch.int64)
        types = torch.zeros((len(rows), longest), dtype=torch.int64)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row, dtype=torch.int64)
            mask[i, : len(row)] = 1
            if row.types is not None:
                types[i, : len(row)] = torch.tensor(row.types, dtype=torch.int64)
        batch = {"input_ids": ids.to(self._device), "attention_mask": mask.to(self._device)}
        if any(row.types is not None for row in rows):
            batch["token_type_ids"] = types.to(self._device)
        return batch

    def forward(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Run the encoder and pool its last states.

        Parameters
        ----------
        batch : mapping of str to torch.Tensor
            What `collate` returned.

        Returns
        -------
        features : torch.Tensor of shape (n, dim)
            Single precision.
        """
        if batch["input_ids"].ndim == 2:
            return self._scaled(self._features(batch))
        n_tokens = batch["attention_mask"].sum(dim=2)
        real = n_tokens > 0
        if torch.compiler.is_exporting():
            return self._pooled_windows(self._all_windows(batch), n_tokens)
        # Rows have different numbers of windows: only what holds tokens is run.
        each = self._scaled(self._windows({name: value[real] for name, value in batch.items()}))
        windows = each.new_zeros((*real.shape, self.dim))
        windows[real] = each
        return self._pooled_windows(windows, n_tokens)

    def _pooled_windows(self, windows: torch.Tensor, n_tokens: torch.Tensor) -> torch.Tensor:
        how = "max" if self._cutter.long_text == "window_max" else "mean"
        # A last window of few tokens says less than a full one.
        weight = n_tokens if how == "mean" else n_tokens > 0
        return self._scaled(_pool(windows, weight, how))

    def _all_windows(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Run empty windows, too: a graph that is exported cannot choose by what it is given."""
        mask = batch["attention_mask"]
        first = torch.arange(mask.shape[2], device=mask.device) == 0
        # Attention over no token is undefined; what it gives has no weight afterwards.
        some = {**batch, "attention_mask": torch.where(first, 1, mask)}
        flat = {name: value.flatten(0, 1) for name, value in some.items()}
        return self._scaled(self._features(flat)).unflatten(0, mask.shape[:2])

    def _windows(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Run windows, a few at a time: one long text may have dozens."""
        ids = batch["input_ids"]
        few = max(1, self.training_budget() // ids.shape[1])
        parts = [
            {name: value[i : i + few] for name, value in batch.items()}
            for i in range(0, len(ids), few)
        ]
        if len(parts) == 1 or not torch.is_grad_enabled():
            return torch.cat([self._features(part) for part in parts])
        # Their activations are computed again in the backward pass instead of being kept.
        run = torch.utils.checkpoint.checkpoint
        return torch.cat([run(self._features, part, use_reentrant=False) for part in parts])

    def in_bf16(self) -> TransformerEncoder:
        """Give a copy that computes in bfloat16.

        Returns
        -------
        encoder : TransformerEncoder
            Shares the word table and the buffers with this one, in single precision.
        """
        other, table = copy.copy(self), self.table()
        other._in_bf16 = True
        shared = {} if table is None else {id(table.weight): table.weight}
        other.module = copy.deepcopy(self.module, shared)
        vars(other.module).pop("forward", None)  # compiled for the original
        own = other.table()
        if own is not None:
            # Half of a small encoder is its word table, of which a batch reads a few rows.
            own.weight = None  # type: ignore[assignment]
        other.module.to(torch.bfloat16).eval()
        if own is not None and table is not None:
            own.weight = table.weight
            own.register_forward_hook(lambda module, args, output: output.to(torch.bfloat16))
        # Statistics have to be those of the original, and angles of positions exact.
        for name, module in self.module.named_modules():
            share_buffers(other.module.get_submodule(name), module)
        other._layers = _layer_list(other.module)
        return other

    def budget(self) -> int:
        """Say how many tokens a batch of inference should have, padding included.

        Returns
        -------
        n_tokens : int
            What keeps a CPU's caches warm; an accelerator wants all that it can get.
        """
        if self._device != "cpu":
            return 64 * _LONGEST
        return 4096 if self._in_bf16 else 1024

    def training_budget(self) -> int:
        """Say for how many tokens, padding included, gradients are computed together.

        Returns
        -------
        n_tokens : int
            Activations of a token take some 0.1 MB a layer of 768 units in single precision.
        """
        return 4096 if self._device == "cpu" else 32 * _LONGEST

    def table(self) -> nn.Embedding | None:
        """Give the word embeddings.

        Returns
        -------
        embeddings : torch.nn.Embedding or None
            Takes token ids. None where the architecture has no such table.
        """
        try:
            found = self.module.get_input_embeddings()
        except (AttributeError, NotImplementedError):
            return None
        return found if isinstance(found, nn.Embedding) else None

    @property
    def max_length(self) -> int:
        """Tokens of a window, special ones included."""
        return self._max_length

    def entries(self, rows: Sequence[TokenRow]) -> set[int]:
        """Say which word embeddings rows look up.

        Parameters
        ----------
        rows : sequence of TokenRow
            What `prepare` returned.

        Returns
        -------
        ids : set of int
            Token ids, that of padding included.
        """
        return {self._tokenizer.pad_token_id or 0}.union(*rows)

    def forward_until(self, batch: Mapping[str, torch.Tensor], block: str) -> dict[str, Any]:
        """Run the encoder up to a block.

        Parameters
        ----------
        batch : mapping of str to torch.Tensor
            What `collate` returned.
        block : str
            Where to stop.

        Returns
        -------
        state : dict of str to torch.Tensor
            The batch, and ``hidden`` of shape (n, longest row, dim).
        """
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

    def forward_from(self, state: Mapping[str, Any], block: str) -> torch.Tensor:
        """Run the encoder from a block on, and pool its last states.

        Parameters
        ----------
        state : mapping of str to torch.Tensor
            What `forward_until` returned.
        block : str
            Where to begin.

        Returns
        -------
        features : torch.Tensor of shape (n, dim)
        """
        batch = {name: value for name, value in state.items() if name != "hidden"}
        layer = self._layer_of(block)
        if layer is None:
            return self.forward(batch)
        parent, name, layers = self._layers

        def replace(module: nn.Module, args: Any, kwargs: Any) -> Any:
            if args:
                return (state["hidden"], *args[1:]), kwargs
            return args, {**kwargs, "hidden_states": state["hidden"]}

        # The module itself makes the masks that its layers need; only the layers below are left
        # out, and what the embeddings give is replaced.
        hook = layers[layer].register_forward_pre_hook(replace, with_kwargs=True)
        setattr(parent, name, layers[layer:])
        try:
            return self.forward(batch)
        finally:
            setattr(parent, name, layers)
            hook.remove()

    def _layer_of(self, block: str) -> int | None:
        """Give the number of a layer's block; None for the embeddings."""
        if self._layers is None:
            return None
        kind, _, number = block.partition(".")
        return int(number) if kind == "layer" else None

    def _features(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        output = self.module(**batch)
        if self._pooling == "pooler":
            return output.pooler_output.float()
        return _pool(output.last_hidden_state.float(), batch["attention_mask"], self._pooling)

    def _scaled(self, features: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(features, dim=1) if self._normalize else features

    def _fingerprint(self, drawn: str) -> str:
        """Hash everything that features depend on: files and settings."""
        weights, preprocessing = hashlib.sha256(drawn.encode()), hashlib.sha256()
        folder = self.files.folder
        for digest in self.files.hashes():
            weights.update(digest.encode())
        # A tokenizer.json says it all. Without one the class builds it from what there is.
        whole = (folder / "tokenizer.json").is_file()
        for name in _TOKENIZER_FILES if whole else (*_TOKENIZER_FILES, *_VOCABULARIES):
            path = folder / name
            if path.is_file():
                preprocessing.update(f"{name}:{file_sha256(path)}".encode())
        settings = [self._pooling, self._normalize, self._max_length, self._prefix]
        if self._cutter.long_text != "truncate":
            settings += [self._cutter.long_text, self._cutter.step]
        preprocessing.update(json.dumps(settings).encode())
        return f"transformer:{weights.hexdigest()}+{preprocessing.hexdigest()}"


def blocks_of(module: nn.Module) -> dict[str, list[str]]:
    """Group an encoder's parameters into embeddings and layers, input side first.

    The layers are the longest list of modules. What stands before it, and embeddings wherever
    they stand, are ``embeddings``; what follows, such as a last normalisation, belongs to the last
    layer.
    """
    names = [name for name, _ in module.named_parameters()]
    found = _named_layer_list(module)
    if found is None:
        return {"embeddings": names}
    stem, layers = found
    blocks: dict[str, list[str]] = {"embeddings": []}
    blocks |= {f"layer.{i}": [] for i in range(len(layers))}
    last = f"layer.{len(layers) - 1}"
    behind = False
    for name in names:
        if name.startswith(f"{stem}."):
            behind = True
            blocks["layer." + name[len(stem) + 1 :].split(".")[0]].append(name)
        else:
            blocks[last if behind and "embed" not in name else "embeddings"].append(name)
    return {block: members for block, members in blocks.items() if members}


def _named_layer_list(module: nn.Module) -> tuple[str, nn.ModuleList] | None:
    lists = [(name, m) for name, m in module.named_modules() if isinstance(m, nn.ModuleList)]
    return max(lists, key=lambda item: len(item[1])) if lists else None


def _layer_list(module: nn.Module) -> tuple[nn.Module, str, nn.ModuleList] | None:
    """Give the layers with the module that holds them, and their name in it."""
    found = _named_layer_list(module)
    if found is None:
        return None
    parent, _, name = found[0].rpartition(".")
    return module.get_submodule(parent), name, found[1]


def _pool(states: torch.Tensor, mask: torch.Tensor, how: str) -> torch.Tensor:
    if how == "cls":
        return states[:, 0]
    weight = mask.unsqueeze(-1).to(states.dtype)
    if how == "max":
        return states.masked_fill(weight == 0, torch.finfo(states.dtype).min).max(dim=1).values
    return (states * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1.0)


def _max_length(asked: int | None, own: int | None, tokenizer: Any, config: Any) -> int:
    positions = getattr(config, "max_position_embeddings", None) or _LONGEST
    # RoBERTa's positions start behind the padding index, so two of them are never used.
    if getattr(config, "model_type", "") in ("roberta", "xlm-roberta", "camembert", "mpnet"):
        positions -= 2
    limit = min(int(tokenizer.model_max_length), int(positions))
    if asked is None:
        return min(own or _LONGEST, limit)
    if not 3 <= asked <= limit:
        raise ValueError(f"max_length has to be from 3 to {limit} for this model, got {asked}.")
    return asked
