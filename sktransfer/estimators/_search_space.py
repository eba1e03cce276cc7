"""The search space of an estimator, and parameters of plugins that are given by name."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from sktransfer._warnings import warn_user
from sktransfer.contracts import Modality, Plugin, Task, available, resolve
from sktransfer.contracts.registry import modality_class

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

# Strategies that are worth a trial; studies hold them in this order.
_STRATEGIES = ("frozen", "lp_ft", "full", "gradual", "top_layers")
# In the order of what they cost. "auto", which is tried before them, settles on one of the ends.
_BY_COST = ("frozen", "top_layers", "gradual", "lp_ft", "full")
REGISTERED = ("backbone", "freeze", "head", "alignment", "regulariser")
# Without effect where nothing trains by steps.
_OF_BODIES = {"lr", "weight_decay", "warmup", "batch_size", "max_epochs", "average"}
# Kinds that have an effect only where something trains by steps.
_OF_STEPS = ("alignment", "regulariser")
_OF_TRAINING = {("head", "lr_scale"), ("augmentation", "mixup")}
# Of encoders, and without effect where they do not train.
_OF_TRAINED_ENCODERS = {("backbone", "dropout"), ("backbone", "drop_connect")}


class Tunable:
    """Parameters of named plugins, and the space that plugins and estimator declare."""

    backbone: Any
    freeze: Any
    lr: Any
    cache: Any
    modality: ClassVar[str]
    _resolve: Callable[[], Any]
    _modality: Callable[[], Modality]
    _plugin: Callable[[str, Any], Any]
    _task_class: Callable[[Any], type[Task]]

    def set_params(self, **params: Any) -> Any:
        """Set parameters, also of plugins that are given by name.

        Parameters
        ----------
        **params : dict
            Parameters; those of plugins as ``<kind>__<parameter>``. ``freeze="top_layers",
            freeze__k=3`` makes the named plugin an object first. A parameter that the chosen plugin
            does not have, but another one of that kind, is left out, so that one flat space can
            hold the parameters of all choices; where the kind itself is not set in the same call,
            a warning says so.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError
            If there is no such parameter, or no such plugin.
        """
        own = {key: value for key, value in params.items() if "__" not in key}
        left_out: list[str] = []
        super().set_params(**own)  # type: ignore[misc]
        for kind in self._kinds():
            nested = {k: v for k, v in params.items() if k.startswith(f"{kind}__")}
            if not nested or not isinstance(getattr(self, kind, None), str):
                continue
            plugin = self._plugin(kind, getattr(self, kind))
            known = plugin.get_params(deep=False)
            for key, value in nested.items():
                params.pop(key)
                name = key.partition("__")[2]
                if name.partition("__")[0] in known:
                    plugin.set_params(**{name: value})
                    setattr(self, kind, plugin)
                elif name.partition("__")[0] not in _parameters_of_any(kind):
                    raise ValueError(
                        f"{key} is no parameter of {getattr(self, kind)!r} or of any other {kind}; "
                        f"{type(plugin).__name__} has {sorted(known)}."
                    )
                elif kind not in own:
                    left_out.append(key)
        if left_out:
            key = left_out[0]
            kind, _, name = key.partition("__")
            warn_user(
                f"{key} has no effect: {kind}={getattr(self, kind)!r} has no parameter {name!r}. "
                f"Name the plugin that has it in the same call: set_params({kind}=..., {key}=...)."
            )
        rest = {key: value for key, value in params.items() if "__" in key}
        return super().set_params(**rest)  # type: ignore[misc]

    def search_space(self) -> dict[str, BaseDistribution]:
        """Say what is worth tuning: own parameters, and what the plugins declare.

        Returns
        -------
        space : dict of str to optuna.distributions.BaseDistribution
            Keys are parameters as `set_params` takes them. What was set stays as it is: ``freeze``
            and ``lr`` are in the space where they are "auto". Then the parameters of all choices
            are in it; `is_active` says which of them belong to the one that a trial chose.

        Examples
        --------
        >>> from sktransfer import TransferTextClassifier
        >>> sorted(TransferTextClassifier().search_space())
        ['backbone__pooling', 'freeze', 'freeze__every', ..., 'head__C', 'head__lr_scale', 'lr']
        >>> sorted(TransferTextClassifier(freeze="full", lr=2e-5).search_space())
        ['backbone__pooling', 'freeze__layer_decay', 'head__C', 'head__lr_scale']
        """
        from optuna.distributions import CategoricalDistribution, FloatDistribution

        space: dict[str, BaseDistribution] = {}
        choices: dict[str, list[Plugin]] = {}
        for kind in self._kinds():
            value = getattr(self, kind, None)
            if kind == "freeze" and value == "auto":
                space["freeze"] = CategoricalDistribution(_STRATEGIES)
                choices[kind] = [resolve(kind, name) for name in _STRATEGIES]
            elif isinstance(value, str | Plugin):
                choices[kind] = [self._plugin(kind, value)]
        for kind, plugins in choices.items():
            for plugin in plugins:
                for name, distribution in plugin.search_space().items():
                    key = f"{kind}__{name}"
                    space[key] = _union(key, space.get(key), distribution)
        if self.lr == "auto" and any(_trains_by_steps(plugin) for plugin in choices["freeze"]):
            rate = self._rate()
            space["lr"] = FloatDistribution(rate / 4, rate * 8, log=True)
        return dict(sorted(space.items()))

    def starting_points(self) -> list[dict[str, Any]]:
        """Give settings that a search does well to try first: the defaults of each strategy.

        Returns
        -------
        points : list of dict of str to object
            The cheapest first; parameters as `set_params` takes them.

        Examples
        --------
        >>> from sktransfer import TransferTextClassifier
        >>> TransferTextClassifier(freeze="frozen").starting_points()
        [{'backbone__pooling': 'auto', 'head__C': 1.0, 'head__lr_scale': ...}]
        >>> [point["freeze"] for point in TransferTextClassifier().starting_points()]
        ['frozen', 'top_layers', 'gradual', 'lp_ft', 'full']
        """
        points = []
        for freeze in _BY_COST if self.freeze == "auto" else (self.freeze,):
            plugins = {kind: getattr(self, kind, None) for kind in self._kinds()} | {
                "freeze": freeze
            }
            point = {"freeze": freeze} if self.freeze == "auto" else {}
            for kind, value in plugins.items():
                if isinstance(value, str | Plugin):
                    plugin = self._plugin(kind, value)
                    point |= {f"{kind}__{n}": v for n, v in plugin.default_point().items()}
            if self.lr == "auto":
                point["lr"] = self._rate()
            points.append(point)
        return points

    def current_values(self, keys: Iterable[str]) -> dict[str, Any]:
        """Give parameters as they are, also of plugins that are given by name.

        Parameters
        ----------
        keys : iterable of str
            As in the space. Those without an effect are left out.

        Returns
        -------
        values : dict of str to object
        """
        values: dict[str, Any] = {}
        for key in filter(self.is_active, keys):
            kind, _, name = key.partition("__")
            value = getattr(self, kind)
            if not name:
                values[key] = value
            elif isinstance(value, str | Plugin):
                plugin = self._plugin(kind, value)
                known = plugin.default_point() | plugin.get_params(deep=True)
                values |= {key: known[name]} if name in known else {}
        return values

    def trains_by_steps(self) -> bool:
        """Say whether a fit may train by steps, which takes far longer than a head's fit.

        Returns
        -------
        trains : bool
        """
        return _trains_by_steps(resolve("freeze", self.freeze))

    def _kinds(self) -> tuple[str, ...]:
        """Name the parameters that hold parameter objects."""
        return (*REGISTERED, *modality_class(self.modality).augmentations)

    def _rate(self) -> float:
        """Give the learning rate that "auto" stands for."""
        if isinstance(self.backbone, str | Plugin):
            return float(self._plugin("backbone", self.backbone).lr)
        return 2e-5

    def share_features(self, X: Any) -> None:
        """Keep the features of these inputs in memory, for all fits of this process.

        A search calls this on its copies. A ``cache`` that was asked for stays.

        Parameters
        ----------
        X : sequence of n inputs
            All that will be trained and predicted on. What cannot be read is left to `fit`, which
            says why.
        """
        from sktransfer.features.corpus import corpus_of

        if self.cache is not None:
            return
        with warnings.catch_warnings(), contextlib.suppress(ImportError, TypeError, ValueError):
            warnings.simplefilter("ignore")
            inputs = self._modality().validate_fit(X, self._resolve().backbone)
            self.cache = corpus_of(inputs.items)

    def is_active(self, key: str) -> bool:
        """Say whether a parameter has an effect with the plugins that are chosen.

        Parameters
        ----------
        key : str
            As in the space.

        Returns
        -------
        active : bool
        """
        strategy = resolve("freeze", self.freeze)
        trains = _trains_by_steps(strategy)
        kind, _, name = key.partition("__")
        if not name or kind not in self._kinds():
            return trains or key not in _OF_BODIES
        if not trains and ((kind, name) in _OF_TRAINING or kind in _OF_STEPS):
            return False
        if (kind, name) in _OF_TRAINED_ENCODERS and not strategy.trains_body:
            return False
        if kind == "head" and name == "C" and not _fits_head_first(strategy):
            return False
        value = getattr(self, kind, None)
        if not isinstance(value, str | Plugin):
            return False
        return name.partition("__")[0] in self._plugin(kind, value).get_params(deep=False)


def _trains_by_steps(strategy: Any) -> bool:
    """Say whether a strategy leaves anything to an optimizer, which has a learning rate."""
    return strategy.trains_body or not strategy.fits_head_first


def _fits_head_first(strategy: Any) -> bool:
    """Say whether the head is fitted to convergence before anything else trains."""
    if not strategy.fits_head_first:
        return False
    # Only a strategy that picks another one by the data would need the real names of blocks.
    blocks = ("embeddings", "layer.0", "layer.1")
    return strategy.settles or not strategy.trainable(blocks, 0, 10, "target")


def _parameters_of_any(kind: str) -> set[str]:
    found: set[str] = set()
    for info in available(kind):
        try:
            found |= set(resolve(kind, info.name).get_params(deep=False))
        except ImportError:  # a broken plugin disables itself alone
            continue
    return found


def _union(key: str, one: Any, other: Any) -> Any:
    """Give the union of the distributions that two plugins declare for the same parameter."""
    if one is None or one == other:
        return other
    if type(one) is not type(other) or not hasattr(one, "low") or one.log != other.log:
        raise ValueError(f"Two plugins declare different kinds of {key}: {one} and {other}.")
    return type(one)(min(one.low, other.low), max(one.high, other.high), log=one.log)
