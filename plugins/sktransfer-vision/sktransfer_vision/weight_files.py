"""Files of weights: read, checked against a network, put into it, and written."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from sktransfer_vision.networks import ImageNetwork

__all__ = ["Weights", "are_colours", "put_weights", "read_weights", "write_weights"]

# Of what a file says besides its tensors: how the network reads colours.
_COLOURS = "colours"


@dataclass(frozen=True)
class Weights:
    """What a file holds.

    Attributes
    ----------
    origin : pathlib.Path
        The file.
    tensors : dict of str to torch.Tensor
        By the names that they have in a network.
    colours : dict of str to list of float
        As `ImageNetwork.colours`.
    """

    origin: Path
    tensors: dict[str, torch.Tensor]
    colours: dict[str, list[float]] = field(default_factory=dict)


def read_weights(path: Path, owner: str) -> Weights:
    """Read a file that a converter or `write_weights` made.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    owner : str
        The backbone's class, for messages.

    Returns
    -------
    weights : Weights

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is no file of safetensors.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file {path}, which {owner} needs for its weights. Put it there, or name "
            "another one as `weights`; a model that needs no other file is saved by save(folder, "
            "embed_backbone=True)."
        )
    try:
        with safe_open(path, "pt") as file:
            said = (file.metadata() or {}).get(_COLOURS, "{}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is no safetensors file, or is damaged: {error}.") from error
    try:
        colours = json.loads(said)
    except (ValueError, RecursionError):
        colours = None
    if not are_colours(colours):
        raise ValueError(f"{path} says of its colours {said!r}; expected three numbers of each.")
    return Weights(path, tensors, colours)


def are_colours(found: object) -> bool:
    """Tell whether something says how colours are read.

    Parameters
    ----------
    found : object
        What a file says.

    Returns
    -------
    are_colours : bool
        Whether it is a dict of three numbers each, in steps of a byte: from 0 to 255, and those of
        ``std`` not 0.
    """
    return isinstance(found, dict) and all(
        name in ("mean", "std")
        and isinstance(values, list)
        and len(values) == 3
        and all(
            isinstance(v, int | float)
            and not isinstance(v, bool)
            and 0 <= v <= 255
            and (v > 0 or name == "mean")
            for v in values
        )
        for name, values in found.items()
    )


def put_weights(weights: Weights, network: ImageNetwork, owner: str, registered: str) -> None:
    """Put weights into a network that has none.

    Parameters
    ----------
    weights : Weights
        All that the network needs, and nothing else.
    network : ImageNetwork
        Its tensors hold nothing.
    owner : str
        The backbone's class, for messages.
    registered : str
        Name of the weights that are known for it, for messages.

    Raises
    ------
    ValueError
        If they are those of another network.
    """
    import torch

    wanted = {n: tuple(v.shape) for n, v in network.state_dict().items() if _is_weight(n)}
    found = {name: tuple(value.shape) for name, value in weights.tensors.items()}
    wrong = [n for n in {**wanted, **found} if wanted.get(n) != found.get(n)]
    if wrong:
        first = wrong[0]
        raise ValueError(
            f"{weights.origin} does not hold the weights of this {owner}: {first!r} is "
            f"{_described(found.get(first))}, expected {_described(wanted.get(first))}; "
            f"{len(wrong)} of {len({**wanted, **found})} differ. weights='auto' stands for "
            f"{registered!r}, weights=None draws them."
        )
    whole = [n for n, value in weights.tensors.items() if not value.is_floating_point()]
    if whole:
        raise ValueError(
            f"{weights.origin} holds {whole[0]!r} as {weights.tensors[whole[0]].dtype}; expected "
            "floating-point numbers."
        )
    # What was read is the file itself, in memory, which may be written to at any time.
    own = {name: value.to(torch.float32, copy=True) for name, value in weights.tensors.items()}
    network.load_state_dict(own, assign=True)
    network.colours = dict(weights.colours)


def write_weights(network: ImageNetwork, path: Path) -> None:
    """Write what `read_weights` reads.

    Parameters
    ----------
    network : ImageNetwork
        With its weights.
    path : pathlib.Path
        The file.
    """
    from safetensors.torch import save_file

    state = {n: v.cpu().contiguous() for n, v in network.state_dict().items() if _is_weight(n)}
    said = {_COLOURS: json.dumps(network.colours)} if network.colours else {}
    save_file(state, path, metadata={"format": "pt", **said})


def _is_weight(name: str) -> bool:
    """Tell weights from the counters of batch normalisation, which nothing depends on."""
    return not name.endswith(".num_batches_tracked")


def _described(shape: tuple[int, ...] | None) -> str:
    return "not there" if shape is None else f"of shape {shape}"
