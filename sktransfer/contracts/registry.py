"""Names of plugins, and how they are found.

All plugins are entry points of installed distributions, our own among them, or what `register` was
given in this process. A name is looked up among our own, then among those of this process, then
among those of other distributions. A plugin's module is imported when its name is used, never to
list it, so one that is broken disables only itself.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import import_module
from importlib.metadata import Distribution, distributions
from typing import Any

from sklearn.base import clone

from sktransfer._warnings import warn_user
from sktransfer.contracts.backbone import Backbone
from sktransfer.contracts.base import Plugin
from sktransfer.contracts.catalogue import installation, unknown_name
from sktransfer.contracts.freezing import FreezeStrategy
from sktransfer.contracts.head import Head
from sktransfer.contracts.losses import Alignment, Regulariser
from sktransfer.contracts.modality import Modality
from sktransfer.weights.model_files import parse_model

# What follows the group of backbones, after a dot, is the modality that they read.
ENTRY_POINT_GROUPS = {
    "backbone": "sktransfer.backbones",
    "freeze": "sktransfer.freeze_strategies",
    "head": "sktransfer.heads",
    "alignment": "sktransfer.alignments",
    "regulariser": "sktransfer.regularisers",
    "modality": "sktransfer.modalities",
    "augmentation": "sktransfer.augmentations",
    "estimator": "sktransfer.estimators",
}

_OURS = "sktransfer"

# What an instance of each kind has to be; estimators are classes.
_CONTRACTS: dict[str, type[Plugin]] = {
    "backbone": Backbone,
    "freeze": FreezeStrategy,
    "head": Head,
    "alignment": Alignment,
    "regulariser": Regulariser,
    "modality": Modality,
    "augmentation": Plugin,
}


@dataclass(frozen=True)
class PluginInfo:
    """One registered name.

    Attributes
    ----------
    kind : str
        What the name may be given for, a key of `ENTRY_POINT_GROUPS`.
    name : str
        What the user types.
    target : str or callable
        ``"module:attribute"`` or an object; called with ``params`` it gives the plugin.
    distribution : str
        Who registered it.
    params : dict
        Constructor parameters that the name stands for.
    shadowed_by : str
        Distribution whose plugin of the same name is used instead of this one; empty if this one
        is used.
    modality : str
        The modality of a backbone, where it is known; else empty.
    """

    kind: str
    name: str
    target: str | Callable[..., Any]
    distribution: str
    params: dict[str, Any] = field(default_factory=dict)
    shadowed_by: str = ""
    modality: str = ""

    def factory(self) -> Any:
        """Import what builds the plugin.

        Returns
        -------
        factory : callable
            The class, or a function. Of the kind ``"estimator"`` the class itself is meant.
        """
        if not isinstance(self.target, str):
            return self.target
        module, _, attribute = self.target.partition(":")
        return getattr(import_module(module), attribute)

    def load(self) -> Any:
        """Import the plugin and build it with its default parameters.

        Returns
        -------
        plugin : Plugin

        Raises
        ------
        ImportError
            If the plugin cannot be imported or built; names the distribution and the reason.
        """
        try:
            return self.factory()(**self.params)
        except Exception as error:
            raise ImportError(
                f"The {self.kind} {self.name!r} of the distribution {self.distribution!r} cannot "
                f"be used: {type(error).__name__}: {error}. Other plugins are not affected."
            ) from error


_RUNTIME: dict[tuple[str, str], PluginInfo] = {}


def register(
    kind: str,
    name: str,
    target: str | Callable[..., Any],
    *,
    distribution: str = "this process",
    **params: Any,
) -> None:
    """Register a plugin for this process.

    Worker processes of joblib do not know it: give them the parameter object in place of the
    name, or declare an entry point.

    Parameters
    ----------
    kind : str
        What the name may be given for.
    name : str
        What users will type.
    target : str or callable
        The plugin class, or ``"module:attribute"`` to import it when it is used.
    distribution : str, default="this process"
        Who registers it, for messages.
    **params : dict
        Constructor parameters that the name stands for.

    Raises
    ------
    ValueError
        If the kind is unknown or the name is taken.

    Examples
    --------
    >>> from sktransfer.plugins import register, resolve
    >>> from sktransfer.freezing.strategies import TopLayers
    >>> register("freeze", "top_three", TopLayers, k=3)
    >>> resolve("freeze", "top_three")
    TopLayers(k=3)
    """
    _check_kind(kind)
    for info in _candidates(kind):
        if info.name == name:
            raise ValueError(
                f"The {kind} name {name!r} is taken by the distribution {info.distribution!r}; "
                f"{distribution!r} has to choose another one."
            )
    _RUNTIME[kind, name] = PluginInfo(kind, name, target, distribution, params)


def available(kind: str | None = None) -> list[PluginInfo]:
    """List registered plugins without importing any.

    Parameters
    ----------
    kind : str or None, default=None
        Which kind; None lists all.

    Returns
    -------
    plugins : list of PluginInfo
        Sorted by kind and name. A name that is claimed twice appears twice, and the entry that
        is not used says so in ``shadowed_by``.

    Examples
    --------
    >>> from sktransfer.plugins import available
    >>> [info.name for info in available("head")]
    ['linear', 'mlp']
    """
    if kind is not None:
        _check_kind(kind)
    kinds = list(ENTRY_POINT_GROUPS) if kind is None else [kind]
    found = []
    for each in kinds:
        owner: dict[str, str] = {}
        entries: list[PluginInfo] = []
        for info in _candidates(each):
            first = owner.setdefault(info.name, info.distribution)
            shadowed = any(e.name == info.name for e in entries)
            entries.append(replace(info, shadowed_by=first) if shadowed else info)
        found += sorted(entries, key=lambda info: (info.name, bool(info.shadowed_by)))
    return found


def find(kind: str, name: str) -> PluginInfo | None:
    """Look a name up; None if nobody has registered it."""
    _check_kind(kind)
    return next((info for info in _candidates(kind) if info.name == name), None)


def resolve(kind: str, spec: Any, *, modality: str | None = None) -> Any:
    """Turn a name, or a parameter object, into a parameter object of its own.

    Parameters
    ----------
    kind : str
        What is wanted.
    spec : str or Plugin
        A registered name, or an instance, which is cloned. For backbones also what
        `sktransfer.weights.model_files.parse_model` accepts: a hub id, or a path to a folder.
    modality : str or None, default=None
        What a model of the hub, or of a folder, is to read; needed for these. Names and instances
        say it themselves. Where nobody has a name, only what reads this is suggested; None is any.

    Returns
    -------
    plugin : Plugin

    Raises
    ------
    ValueError
        If nobody has registered the name, or what reads the modality is not installed.
    TypeError
        If an object of another kind was given.
    ImportError
        If the plugin is registered and broken.

    Examples
    --------
    >>> from sktransfer.plugins import resolve
    >>> resolve("freeze", "gradual")
    Gradual()
    """
    _check_kind(kind)
    contract = _CONTRACTS[kind]
    if isinstance(spec, contract):
        return clone(spec)
    if isinstance(spec, str) and (info := find(kind, spec)) is not None:
        plugin = info.load()
        if not isinstance(plugin, contract):
            raise TypeError(
                f"The {kind} {spec!r} of the distribution {info.distribution!r} gives a "
                f"{type(plugin).__name__}, which is no {contract.__name__}."
            )
        return plugin
    if kind == "backbone" and (model := parse_model(spec)) is not None:
        return _backbone_of(model, modality)
    if isinstance(spec, str):
        installed = [info for info in available(kind) if not info.shadowed_by]
        wanted = None if modality is None else (modality, plural_of(modality))
        raise ValueError(unknown_name(kind, spec, installed, wanted))
    raise TypeError(
        f"{kind} has to be a name or a {contract.__name__} instance, got {spec!r}"
        + (f" (an instance is wanted: {spec.__name__}())." if isinstance(spec, type) else ".")
    )


def _backbone_of(model: Any, modality: str | None) -> Any:
    """Give the backbone that loads a hub id or a folder."""
    if modality is None:
        raise ValueError(
            f"{str(model)!r} names a model of the hub or a folder, which backbones of several "
            "modalities load: pass modality=..., or a parameter object."
        )
    name = modality_class(modality).hub_backbone
    info = find("backbone", name) if name else None
    if info is None:
        raise ValueError(
            f"{str(model)!r} names a model of the hub or a folder, which "
            + (
                f"the backbone {name!r} loads for {plural_of(modality)}. "
                f"{installation('backbone', name)}"
                if name
                else f"no backbone of {plural_of(modality)} loads."
            )
        )
    return info.load().set_params(model=model)


def modality_class(name: str) -> type[Modality]:
    """Import the class of a modality.

    Parameters
    ----------
    name : str
        Its registered name.

    Returns
    -------
    cls : type
        A subclass of `Modality`.

    Raises
    ------
    ValueError
        If nobody has registered the name.
    """
    info = find("modality", name)
    if info is None:
        names = [each.name for each in available("modality")]
        raise ValueError(f"There is no modality named {name!r}. Installed: {', '.join(names)}.")
    return info.factory()


def modality_classes() -> list[type[Modality]]:
    """Import all modalities, ours first; one that is broken is left out with a warning."""
    found = []
    for info in sorted(available("modality"), key=lambda info: info.distribution != _OURS):
        if info.shadowed_by:
            continue
        try:
            found.append(info.factory())
        except Exception as error:  # a plugin of somebody else's may fail in any way
            # Called several times in a command; Python shows the same warning once.
            warn_user(
                f"The modality {info.name!r} of the distribution {info.distribution!r} cannot be "
                f"used: {type(error).__name__}: {error}"
            )
    return found


def plural_of(modality: str) -> str:
    """Say what the inputs of a modality are called.

    Parameters
    ----------
    modality : str
        Its name; it need not be installed.

    Returns
    -------
    plural : str
    """
    info = find("modality", modality)
    return modality if info is None else info.factory().plural


def _check_kind(kind: str) -> None:
    if kind not in ENTRY_POINT_GROUPS:
        raise ValueError(f"kind has to be one of {list(ENTRY_POINT_GROUPS)}, got {kind!r}.")


def _candidates(kind: str) -> Iterator[PluginInfo]:
    """Yield every registration of a kind; of equal names the first one counts."""
    points = sorted(_entry_points(kind), key=lambda info: (info.name, info.distribution))
    yield from (info for info in points if info.distribution == _OURS)
    yield from (info for (k, _), info in _RUNTIME.items() if k == kind)
    yield from (info for info in points if info.distribution != _OURS)


def _entry_points(kind: str) -> Iterator[PluginInfo]:
    """Yield what installed distributions have registered."""
    group = ENTRY_POINT_GROUPS[kind]
    for name, infos in _installed(distributions, tuple(sys.path)).items():
        if name == group:
            yield from (replace(info, kind=kind) for info in infos)
        elif kind == "backbone" and name.startswith(f"{group}."):
            modality = name.removeprefix(f"{group}.")
            yield from (replace(info, kind=kind, modality=modality) for info in infos)


@lru_cache(maxsize=8)
def _installed(
    find_distributions: Callable[[], Iterable[Distribution]], path: tuple[str, ...]
) -> dict[str, list[PluginInfo]]:
    """Read our entry points of all distributions by group; once, since that takes a while."""
    groups: dict[str, list[PluginInfo]] = {}
    seen: set[str] = set()
    for distribution in find_distributions():
        # Only entry points are read: parsing all metadata would take a hundred times as long.
        if f"[{_OURS}." not in (distribution.read_text("entry_points.txt") or ""):
            continue
        name = distribution.name
        normalised = name.lower().replace("_", "-")
        if normalised in seen:
            continue  # the first one that is found is imported
        seen.add(normalised)
        for point in distribution.entry_points:
            if point.group.startswith(f"{_OURS}."):
                info = PluginInfo("", point.name, point.value, name)
                groups.setdefault(point.group, []).append(info)
    return groups
