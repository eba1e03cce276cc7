"""Names of plugins, and how they are found.

A name is looked up among the built-ins, then among what `register` was given, then among the entry
points of installed distributions. A plugin's module is imported when its name is used, never to
list it, so one that is broken disables only itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from sklearn.base import clone

from sktransfer.plugins.backbone import Backbone
from sktransfer.plugins.base import Plugin
from sktransfer.plugins.catalogue import installation, known_to_read, unknown_name
from sktransfer.plugins.freezing import FreezeStrategy
from sktransfer.plugins.head import Head
from sktransfer.plugins.losses import Alignment, Regulariser
from sktransfer.weights.model_files import parse_model

ENTRY_POINT_GROUPS = {
    "backbone": "sktransfer.backbones",
    "freeze": "sktransfer.freeze_strategies",
    "head": "sktransfer.heads",
    "alignment": "sktransfer.alignments",
    "regulariser": "sktransfer.regularisers",
}

# What an instance of each kind has to be.
_CONTRACTS: dict[str, type[Plugin]] = {
    "backbone": Backbone,
    "freeze": FreezeStrategy,
    "head": Head,
    "alignment": Alignment,
    "regulariser": Regulariser,
}


_TRANSFORMER = "sktransfer.backbones.transformer:TransformerBackbone"
# The name of what does the same for images, in a distribution of its own.
_IMAGE_TRANSFORMER = "image-transformer"
_FREEZING = "sktransfer.freezing.strategies"


@dataclass(frozen=True)
class PluginInfo:
    """One registered name.

    Attributes
    ----------
    kind : {"backbone", "freeze", "head", "alignment", "regulariser"}
        What the name may be given for.
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
    reads : str
        The modality of a backbone, where it is known without importing it; else empty.
    """

    kind: str
    name: str
    target: str | Callable[..., Any]
    distribution: str
    params: dict[str, Any] = field(default_factory=dict)
    shadowed_by: str = ""
    reads: str = ""

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
            factory = _named(self.target) if isinstance(self.target, str) else self.target
            return factory(**self.params)
        except Exception as error:
            raise ImportError(
                f"The {self.kind} {self.name!r} of the distribution {self.distribution!r} cannot "
                f"be used: {type(error).__name__}: {error}. Other plugins are not affected."
            ) from error


def _built_in(kind: str, name: str, target: str, **params: Any) -> PluginInfo:
    reads = "text" if kind == "backbone" else ""
    return PluginInfo(kind, name, target, "sktransfer", params, reads=reads)


_BUILT_IN = [
    _built_in("backbone", "minilm", _TRANSFORMER, model="minilm"),
    _built_in("backbone", "multilingual", _TRANSFORMER, model="multilingual", prefix="query: "),
    _built_in("backbone", "hashing", "sktransfer.backbones.hashing:HashingBackbone"),
    # Models that everybody calls by a name without an owner. Any other hub model is "owner/name".
    _built_in("backbone", "bert-base-uncased", _TRANSFORMER, model="google-bert/bert-base-uncased"),
    _built_in("backbone", "bert-base-cased", _TRANSFORMER, model="google-bert/bert-base-cased"),
    _built_in(
        "backbone",
        "distilbert-base-uncased",
        _TRANSFORMER,
        model="distilbert/distilbert-base-uncased",
    ),
    _built_in("backbone", "roberta-base", _TRANSFORMER, model="FacebookAI/roberta-base"),
    _built_in("backbone", "xlm-roberta-base", _TRANSFORMER, model="FacebookAI/xlm-roberta-base"),
    _built_in("freeze", "auto", "sktransfer.freezing.auto:Auto"),
    _built_in("freeze", "full", f"{_FREEZING}:Full"),
    _built_in("freeze", "frozen", f"{_FREEZING}:Frozen"),
    _built_in("freeze", "head_by_epochs", f"{_FREEZING}:HeadByEpochs"),
    _built_in("freeze", "top_layers", f"{_FREEZING}:TopLayers"),
    _built_in("freeze", "bottom_layers", f"{_FREEZING}:BottomLayers"),
    _built_in("freeze", "lp_ft", f"{_FREEZING}:LinearProbeFineTune"),
    _built_in("freeze", "gradual", f"{_FREEZING}:Gradual"),
    _built_in("freeze", "chain_thaw", f"{_FREEZING}:ChainThaw"),
    _built_in("freeze", "bias_only", f"{_FREEZING}:BiasOnly"),
    _built_in("head", "linear", "sktransfer.heads.linear:LinearHead"),
    _built_in("head", "mlp", "sktransfer.heads.mlp:MLPHead"),
]

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
    kind : {"backbone", "freeze", "head", "alignment", "regulariser"}
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
    kind : {"backbone", "freeze", "head", "alignment", "regulariser"} or None, default=None
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
    kind : {"backbone", "freeze", "head", "alignment", "regulariser"}
        What is wanted.
    spec : str or Plugin
        A registered name, or an instance, which is cloned. For backbones also what
        `sktransfer.weights.model_files.parse_model` accepts: a hub id, or a path to a folder.
    modality : {"text", "image"} or None, default=None
        What a model of the hub, or of a folder, is to read; texts for None. Names and instances say
        it themselves. Where nobody has a name, only what reads this is suggested; None is any.

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
        return _backbone_of(model, "text" if modality is None else modality)
    if isinstance(spec, str):
        installed = [info for info in available(kind) if not info.shadowed_by]
        raise ValueError(unknown_name(kind, spec, installed, modality))
    raise TypeError(
        f"{kind} has to be a name or a {contract.__name__} instance, got {spec!r}"
        + (f" (an instance is wanted: {spec.__name__}())." if isinstance(spec, type) else ".")
    )


def _backbone_of(model: Any, modality: str) -> Any:
    """Give the backbone that loads a hub id or a folder."""
    if modality == "text":
        return _named(_TRANSFORMER)(model=model)
    if modality != "image":
        raise ValueError(f"modality has to be 'text' or 'image', got {modality!r}.")
    info = find("backbone", _IMAGE_TRANSFORMER)
    if info is None:
        raise ValueError(
            f"{str(model)!r} names a model of transformers, which reads images by the backbone "
            f"{_IMAGE_TRANSFORMER!r}. {installation('backbone', _IMAGE_TRANSFORMER)}"
        )
    return info.load().set_params(model=model)


def _named(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def _check_kind(kind: str) -> None:
    if kind not in ENTRY_POINT_GROUPS:
        raise ValueError(f"kind has to be one of {list(ENTRY_POINT_GROUPS)}, got {kind!r}.")


def _candidates(kind: str) -> Iterator[PluginInfo]:
    """Yield every registration of a kind; of equal names the first one counts."""
    yield from (info for info in _BUILT_IN if info.kind == kind)
    yield from (info for (k, _), info in _RUNTIME.items() if k == kind)
    points = entry_points(group=ENTRY_POINT_GROUPS[kind])
    for point in sorted(points, key=lambda p: (p.name, _distribution_of(p))):
        distribution = _distribution_of(point)
        reads = known_to_read(kind, point.name, distribution)
        yield PluginInfo(kind, point.name, point.value, distribution, reads=reads)


def _distribution_of(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "an unknown distribution"
