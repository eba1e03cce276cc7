"""Parameters and fitted attributes as JSON, and back without running code.

What JSON lacks is written as ``{"$": kind, ...}``. A plugin is written by its registered name, so
reading one uses what is installed and registered here, and never a path from the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sktransfer.contracts import Plugin
from sktransfer.contracts.catalogue import installation
from sktransfer.contracts.registry import ENTRY_POINT_GROUPS, PluginInfo, available, find

# Kinds of dtypes whose items JSON can hold: bool, int, unsigned int, float, str and object.
_ARRAY_KINDS = "biufUO"


class NotInstalledError(ValueError):
    """A value names a plugin that is not installed."""


def encode(value: Any) -> Any:
    """Encode a value as an object that JSON can hold.

    Parameters
    ----------
    value : None, bool, int, float, str, list, tuple, dict, Path, NumPy value or Plugin
        Nested as you like.

    Returns
    -------
    encoded : object

    Raises
    ------
    TypeError
        If it is of another type, or a plugin that is not registered.

    Examples
    --------
    >>> from sktransfer.persistence.codec import decode, encode
    >>> encode((1, 2))
    {'$': 'tuple', 'items': [1, 2]}
    >>> decode(encode({("a", 1): 0.5}))
    {('a', 1): 0.5}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, tuple):
        return {"$": "tuple", "items": [encode(item) for item in value]}
    if isinstance(value, dict):
        return {"$": "dict", "items": [[encode(k), encode(v)] for k, v in value.items()]}
    if isinstance(value, Path):
        return {"$": "path", "value": str(value)}
    if isinstance(value, np.ndarray) and value.dtype.kind in _ARRAY_KINDS:
        items = [encode(item) for item in value.ravel().tolist()]
        # Arrays of one axis are written as the first format wrote them, which knew of no others.
        shape = {} if value.ndim == 1 else {"shape": list(value.shape)}
        return {"$": "array", "dtype": value.dtype.str, "items": items, **shape}
    if isinstance(value, Plugin):
        return _encode_plugin(value)
    raise TypeError(f"{value!r} of type {type(value).__name__} cannot be written as JSON.")


def decode(value: Any) -> Any:
    """Decode what `encode` returned.

    Parameters
    ----------
    value : object
        Read from JSON.

    Returns
    -------
    decoded : object

    Raises
    ------
    NotInstalledError
        If it names a plugin that is not installed here.
    ValueError
        If it is not of the form that `encode` writes.
    """
    try:
        return _decode(value)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"A value in the manifest is malformed: {error!r}.") from error


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("$")
    if kind == "tuple":
        return tuple(_decode(item) for item in value["items"])
    if kind == "dict":
        return {_decode(k): _decode(v) for k, v in value["items"]}
    if kind == "path":
        return Path(value["value"])
    if kind == "array":
        dtype = np.dtype(value["dtype"])
        array = np.empty(len(value["items"]), dtype=dtype)
        for i, item in enumerate(value["items"]):
            array[i] = _decode(item)  # one by one, since an item may be a list or an array
        return array.reshape(value["shape"]) if "shape" in value else array
    if kind == "plugin":
        return _decode_plugin(value)
    if kind == "augmentation":  # as the first format wrote them
        return _decode_plugin({"kind": "augmentation", "name": "image", "params": value["params"]})
    raise ValueError(f"The manifest has a value of an unknown kind: {kind!r}.")


def _encode_plugin(plugin: Plugin) -> dict[str, Any]:
    for info in available():
        # Only packages that can hold the class are imported, since others may be broken or slow.
        target = info.target if isinstance(info.target, str) else ""
        cls = type(plugin)
        if info.shadowed_by or target.partition(".")[0].partition(":")[0] not in (
            "",
            cls.__module__.partition(".")[0],
        ):
            continue
        if info.kind != "estimator" and _builds(info, cls):
            named = {"$": "plugin", "kind": info.kind, "name": info.name}
            return {**named, "params": _encoded_params(plugin)}
    raise TypeError(
        f"{plugin!r} cannot be saved: {type(plugin).__name__} has no registered name by which it "
        "could be found again. Call sktransfer.plugins.register first."
    )


def _builds(info: PluginInfo, cls: type) -> bool:
    """Tell whether a registered name stands for a class; one that is broken stands for none."""
    try:
        return type(info.load()) is cls
    except ImportError:
        return False


def _encoded_params(plugin: Plugin) -> dict[str, Any]:
    return {name: encode(value) for name, value in plugin.get_params(deep=False).items()}


def _decode_plugin(value: dict[str, Any]) -> Plugin:
    kind, name = str(value["kind"]), str(value["name"])
    if kind not in ENTRY_POINT_GROUPS:
        raise ValueError(f"The manifest has a plugin of an unknown kind: {kind!r}.")
    info = find(kind, name)
    if info is None:
        plugin = installation(kind, name) or "Install the plugin that has it."
        raise NotInstalledError(
            f"The model uses the {kind} {name!r}, which is not installed here. {plugin}"
        )
    params = {str(k): _decode(v) for k, v in value["params"].items()}
    return type(info.load())(**params)
