"""A model of transformers as a network from bytes to features, and the parts it is made of."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from sktransfer_vision.reading import PictureReader
from sktransfer_vision.statistics import keep_statistics, of_rows
from sktransfer_vision.towers import Tower

__all__ = ["TowerNetwork", "blocks_of", "layers_of"]

# Submodules that make one vector of states, where they have weights.
_HEADS = ("pooler", "head")
_CLASS_TOKENS = ("cls_token", "class_token", "class_embedding")


class _Reached(Exception):
    pass


class TowerNetwork(nn.Module):
    """Pixels to features.

    Parameters
    ----------
    tower : Tower
        What is run. A pooler that is not used is taken out.
    reader : PictureReader
        Says what pixels are.
    pooling : {"auto", "cls", "mean"}
        How states become one vector.
    keeps_statistics : bool
        Whether a training leaves the statistics of batch normalisation as they are.

    Attributes
    ----------
    dim : int
        Width of the features.
    pooling : {"pooler", "cls", "mean"}
        What ``"auto"`` stands for here.
    """

    def __init__(
        self, tower: Tower, reader: PictureReader, pooling: str, keeps_statistics: bool
    ) -> None:
        super().__init__()
        model: Any = tower.model
        self.model = model
        self.keeps_statistics = keeps_statistics
        self._size = reader.height, reader.width
        self._in_bytes = reader.scale is not None
        for name in ("scale", "offset"):
            value = getattr(reader, name)
            given = torch.ones(3) if value is None else torch.from_numpy(value)
            # No weights: another preprocessing of the same weights is stored with none of it.
            self.register_buffer(name, given.view(1, 3, 1, 1), persistent=False)
        accepted = inspect.signature(model.forward).parameters
        own = getattr(model.config, "image_size", None)
        self._interpolates = "interpolate_pos_encoding" in accepted and own not in (
            None,
            reader.height if reader.height == reader.width else self._size,
            list(self._size),
            self._size,
        )
        self._masks = "noise" in accepted and hasattr(model.config, "mask_ratio")
        if self._masks:
            model.config.mask_ratio = 0.0
        self.pooling = self._named_pooling(pooling, tower.missing)
        self._prefix = 0
        self._returns: dict[int, int] = {}
        states, pooled = self._shapes()
        if self.pooling == "pooler" and pooled is None:
            self.pooling = "cls" if self._has_class_token() else "mean"
        if len(states) == 4:
            if self.pooling == "cls":
                raise ValueError(
                    f"A {type(model).__name__} has no class token: pooling can be 'auto' or 'mean'."
                )
            self.dim = int(states[1])
        else:
            self.dim = int(states[2])
            self._prefix = self._tokens_before_patches(int(states[1]))
        if self.pooling == "pooler":
            assert pooled is not None
            self.dim = int(pooled[1])

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Compute features of pixels (n, height, width, 3), which are bytes or numbers."""
        return self.pooled(self.run(pixels))

    def train(self, mode: bool = True) -> TowerNetwork:
        """Set the mode; statistics that are kept are used in training, too."""
        super().train(mode)
        if self.keeps_statistics:
            keep_statistics(self)
        return self

    def run(self, pixels: torch.Tensor) -> Any:
        """Run the model, whose output is one of transformers'."""
        maps = pixels.permute(0, 3, 1, 2)
        if self._in_bytes:
            maps = maps.float() * self.scale + self.offset
        options: dict[str, Any] = {"interpolate_pos_encoding": True} if self._interpolates else {}
        if self._masks:
            # Masked autoencoders leave patches out at random, by their places in this order.
            order = torch.arange(self._n_patches(), device=maps.device, dtype=torch.float32)
            options["noise"] = order.expand(len(maps), -1)
        with of_rows(self, len(maps)):
            return self.model(pixel_values=maps, **options)

    def pooled(self, output: Any) -> torch.Tensor:
        """Make features (n, dim), in single precision, of the model's output."""
        if self.pooling == "pooler":
            return output.pooler_output.flatten(1).float()
        states = output.last_hidden_state
        if states.ndim == 4:
            return states.mean(dim=(2, 3)).float()
        return (
            states[:, 0] if self.pooling == "cls" else states[:, self._prefix :].mean(1)
        ).float()

    def until(self, pixels: torch.Tensor, layer: int) -> torch.Tensor:
        """Give what a layer is given."""
        reached: list[torch.Tensor] = []

        def stop(module: nn.Module, args: Any, kwargs: Any) -> None:
            reached.append(_first(args, kwargs))
            raise _Reached

        hook = layers_of(self.model)[1][layer].register_forward_pre_hook(stop, with_kwargs=True)
        try:
            with contextlib.suppress(_Reached):
                self.run(pixels)
        finally:
            hook.remove()
        if not reached or not isinstance(reached[0], torch.Tensor):
            raise NotImplementedError(f"a {type(self.model).__name__} passes on no single tensor")
        return reached[0]

    def since(self, hidden: torch.Tensor, layer: int) -> torch.Tensor:
        """Compute features from what a layer is given."""

        def replace(module: nn.Module, args: Any, kwargs: Any) -> Any:
            if args:
                return (hidden, *args[1:]), kwargs
            return args, {**kwargs, next(iter(kwargs)): hidden}

        # The model itself makes what its layers need besides, such as angles of positions, which
        # depends on no colour.
        blank = self.scale.new_zeros(1).to(torch.uint8 if self._in_bytes else torch.float32)
        layers = layers_of(self.model)[1]
        hook = layers[layer].register_forward_pre_hook(replace, with_kwargs=True)
        try:
            with self._passing_on(layers[:layer]):
                return self.pooled(self.run(blank.expand(len(hidden), *self._size, 3)))
        except (AttributeError, IndexError, KeyError) as error:
            raise NotImplementedError(
                f"the layers of a {type(self.model).__name__} are not run in a row ({error})"
            ) from error
        finally:
            hook.remove()

    @contextlib.contextmanager
    def _passing_on(self, layers: Any) -> Iterator[None]:
        """Let layers give what they are given, in the form in which they give what they compute."""
        before = [vars(layer).get("forward") for layer in layers]
        for i, layer in enumerate(layers):
            layer.forward = _passer(self._returns.get(i, -1))
        try:
            yield
        finally:
            for layer, own in zip(layers, before, strict=True):
                vars(layer).pop("forward", None)
                if own is not None:
                    layer.forward = own

    def _named_pooling(self, asked: str, missing: list[str]) -> str:
        """Say what is to be taken of the output, and drop weights that this does not need."""
        heads = [
            name
            for name in _HEADS
            if any(True for _ in getattr(self.model, name, nn.Identity()).parameters())
        ]
        trained = not any(name.startswith(tuple(f"{head}." for head in heads)) for name in missing)
        # A dense layer and tanh on the class token were made for the task of a pretraining.
        made_for_a_task = any(hasattr(self.model.get_submodule(head), "dense") for head in heads)
        if asked == "auto" and (not heads or (trained and not made_for_a_task)):
            return "pooler"
        for head in heads:
            setattr(self.model, head, nn.Identity())
        if asked != "auto":
            return asked
        return "cls" if self._has_class_token() else "mean"

    def _has_class_token(self) -> bool:
        names = (name.rpartition(".")[2] for name, _ in self.model.named_parameters())
        return any(name in _CLASS_TOKENS for name in names)

    def _n_patches(self) -> int:
        side = getattr(self.model.config, "patch_size", None)
        if side is None:
            return 0
        high, wide = (side, side) if isinstance(side, int) else side
        return (self._size[0] // high) * (self._size[1] // wide)

    def _tokens_before_patches(self, n_tokens: int) -> int:
        """Count what is no patch: class tokens and registers, which come first."""
        before, n_patches = n_tokens - self._n_patches(), self._n_patches()
        # Where patches are merged on the way, there are fewer in the end.
        return before if n_patches and 0 < before < n_tokens and self._has_class_token() else 0

    def _shapes(self) -> tuple[Any, Any]:
        """Run the model once, without computing where possible, to see what it gives."""
        self.eval()
        hooks = [
            layer.register_forward_hook(self._noted(i))
            for i, layer in enumerate(layers_of(self.model)[1])
        ]
        try:
            try:
                output = self._output_on("meta")
            except Exception:  # some models look at what they compute
                output = self._output_on("cpu")
            states, pooled = output.last_hidden_state.shape, output.get("pooler_output")
            return states, None if pooled is None else pooled.shape
        except Exception as error:
            raise ValueError(
                f"A {type(self.model).__name__} gives no features of pictures of "
                f"{self._size[0]} x {self._size[1]} pixels alone: {type(error).__name__}: {error}. "
                "image_size= is what to change where the size is wrong."
            ) from error
        finally:
            for hook in hooks:
                hook.remove()

    def _output_on(self, device: str) -> Any:
        state = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        moved = {name: value.detach().to(device) for name, value in state.items()}
        dtype = torch.uint8 if self._in_bytes else torch.float32
        pixels = torch.zeros((2, *self._size, 3), dtype=dtype, device=device)
        with torch.no_grad():
            return torch.func.functional_call(_Runs(self), _below(moved, "network"), (pixels,))

    def _noted(self, i: int) -> Callable[[Any, Any, Any], None]:
        def note(module: Any, args: Any, output: Any) -> None:
            self._returns[i] = len(output) if isinstance(output, tuple) else 0

        return note


class _Runs(nn.Module):
    """`TowerNetwork.run` as a forward."""

    def __init__(self, network: TowerNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> Any:
        return self.network.run(pixels)


def _below(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {f"{name}.{key}": value for key, value in values.items()}


def _first(args: Any, kwargs: Any) -> Any:
    return args[0] if args else next(iter(kwargs.values()), None)


def _passer(length: int) -> Callable[..., Any]:
    def passed(*args: Any, **kwargs: Any) -> Any:
        hidden = _first(args, kwargs)
        return (hidden, *[None] * (length - 1)) if length > 0 else hidden

    return passed


def layers_of(model: nn.Module) -> tuple[str, Any]:
    """Find the layers, or stages, that a model runs one after another.

    Parameters
    ----------
    model : torch.nn.Module
        The largest of its outermost lists is taken.

    Returns
    -------
    name : str
        Of the list in the model.
    layers : torch.nn.ModuleList or torch.nn.Sequential

    Raises
    ------
    ValueError
        If there is no list.
    """
    for kind in (nn.ModuleList, nn.Sequential):
        found: dict[str, Any] = {}
        for name, part in model.named_modules():
            inner = any(name.startswith(f"{outer}.") for outer in found)
            if isinstance(part, kind) and len(part) and name and not inner:
                found[name] = part
        sizes = {n: sum(p.numel() for p in part.parameters()) for n, part in found.items()}
        if any(sizes.values()):
            largest = max(sizes, key=lambda name: sizes[name])
            return largest, found[largest]
    raise ValueError(
        f"A {type(model).__name__} has no list of layers, by which its blocks could be told apart."
    )


def blocks_of(network: TowerNetwork) -> dict[str, list[str]]:
    """Group a network's parameters into embeddings and layers or stages, input side first.

    What stands before the layers, and embeddings wherever they stand, are ``embeddings``; what
    follows, such as a last normalisation, belongs to the last layer.

    Parameters
    ----------
    network : TowerNetwork
        Of a model with a list of layers.

    Returns
    -------
    blocks : dict of str to list of str
    """
    name, layers = layers_of(network.model)
    stem = f"model.{name}."
    kind = "stage" if "Stage" in type(layers[0]).__name__ else "layer"
    blocks: dict[str, list[str]] = {"embeddings": []}
    blocks |= {f"{kind}.{i}": [] for i in range(len(layers))}
    last, behind = f"{kind}.{len(layers) - 1}", False
    for each, _ in network.named_parameters():
        if each.startswith(stem):
            behind = True
            blocks[f"{kind}." + each[len(stem) :].split(".")[0]].append(each)
        else:
            # Biases of positions that layers share are used by the first of them.
            early = not behind or "embed" in each or "position" in each
            blocks["embeddings" if early else last].append(each)
    return {block: members for block, members in blocks.items() if members}
