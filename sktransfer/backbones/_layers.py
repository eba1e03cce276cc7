"""The layers of a transformer, found in any architecture."""

from __future__ import annotations

from torch import nn

__all__ = ["blocks_of", "layer_list"]


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


def layer_list(module: nn.Module) -> tuple[nn.Module, str, nn.ModuleList] | None:
    """Give the layers with the module that holds them, and their name in it."""
    found = _named_layer_list(module)
    if found is None:
        return None
    parent, _, name = found[0].rpartition(".")
    return module.get_submodule(parent), name, found[1]
