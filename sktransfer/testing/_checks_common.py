"""What every plugin is held to, whatever its kind."""

from __future__ import annotations

import inspect
import math
import pickle
import random
import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any

from sklearn.base import BaseEstimator, clone

from sktransfer.plugins import (
    Alignment,
    Backbone,
    FreezeStrategy,
    Head,
    Modality,
    Plugin,
    Regulariser,
    parameters_of,
)
from sktransfer.testing import (
    _checks_backbone,
    _checks_freeze,
    _checks_head,
    _checks_losses,
    _checks_modality,
)
from sktransfer.testing._expect import expect
from sktransfer.testing._fresh_process import first_use


def check_parameters_have_defaults(plugin: Plugin) -> None:
    """Check that every constructor parameter has a name and a default."""
    for name, parameter in _constructor(plugin).items():
        expect(
            parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD),
            got=f"the parameter {parameter} in the constructor of {type(plugin).__name__}",
            expected="named parameters only",
            change="Spell the parameters out, so that clone and searches see them.",
        )
        expect(
            parameter.default is not parameter.empty,
            got=f"no default for the parameter {name!r} of {type(plugin).__name__}",
            expected="a default for every parameter",
            change=f"Give {name!r} the default that suits most users.",
        )


def check_constructor_only_stores(plugin: Plugin) -> None:
    """Check that the constructor stores its arguments unchanged, and nothing else."""
    cls = type(plugin)
    # Strange values, so that a constructor that validates, converts or replaces is caught at it.
    for strange in (object, lambda: None, list):
        given = {name: strange() for name in plugin.get_params(deep=False)}
        try:
            built = cls(**given)
        except Exception as error:
            raise AssertionError(
                f"got {type(error).__name__}: {error} from the constructor of {cls.__name__}; "
                "expected any value to be stored. Validate parameters where they are used, not in "
                "__init__."
            ) from error
        for name, value in given.items():
            stored = getattr(built, name, "nothing")
            expect(
                stored is value,
                got=f"{stored!r} in the attribute {name!r} when {value!r} was given",
                expected="the same object",
                change=f"Write `self.{name} = {name}` in __init__, and convert where it is used.",
            )
        extra = sorted(set(vars(built)) - set(given))
        expect(
            not extra,
            got=f"the attributes {extra} besides the parameters",
            expected="parameters only",
            change="Compute what depends on parameters where it is used.",
        )


def check_use_stores_nothing(plugin: Plugin) -> None:
    """Check that using a plugin leaves its attributes as they were."""
    own = clone(plugin)
    before = dict(vars(own))
    use(own)
    after = vars(own)
    changed = sorted(
        name
        for name in {*before, *after}
        if name not in before or name not in after or before[name] is not after[name]
    )
    expect(
        not changed,
        got=f"the attributes {changed} set or changed by the plugin's methods",
        expected="a parameter object without state",
        change="Keep state in the object that the method returns.",
    )


def check_clone(plugin: Plugin) -> None:
    """Check that a clone is another object with the same parameters."""
    own = clone(plugin)
    expect(
        own is not plugin and _same_parameters(own, plugin),
        got=f"{own!r} as the clone of {plugin!r}",
        expected="another object with equal parameters",
        change="Do not override __sklearn_clone__, and store parameters unchanged.",
    )


def check_set_params(plugin: Plugin) -> None:
    """Check that every parameter can be set, and set back."""
    params = plugin.get_params(deep=False)
    own = clone(plugin)
    for values in ({name: f"another {name}" for name in params}, params):
        own.set_params(**values)
        expect(
            own.get_params(deep=False) == values,
            got=f"{own!r} after set_params(**{values})",
            expected="these parameters",
            change="Let get_params and set_params be those of the base class.",
        )


def check_repr(plugin: Plugin) -> None:
    """Check that the repr names the class."""
    text = repr(plugin)
    expect(
        text.startswith(type(plugin).__name__),
        got=f"the repr {text!r}",
        expected=f"{type(plugin).__name__}(...)",
        change="Let __repr__ be that of the base class.",
    )


def check_pickle(plugin: Plugin) -> None:
    """Check that pickling keeps class and parameters: jobs travel to other processes."""
    try:
        own = pickle.loads(pickle.dumps(plugin))
        same = _same_parameters(own, plugin)
    except Exception as error:
        raise AssertionError(
            f"got {type(error).__name__}: {error} from pickling a {type(plugin).__name__}; "
            "expected a round trip. Define the class at the top of a module, and keep parameters "
            "simple."
        ) from error
    expect(
        same,
        got=f"{own!r} from a pickle of {plugin!r}",
        expected="equal parameters",
        change="Do not override __getstate__ or __reduce__.",
    )


def check_import_needs_no_torch(plugin: Plugin) -> None:
    """Check that importing the module and building the plugin do not import torch."""
    cls = type(plugin)
    planning = _checks_freeze.PLANNING if isinstance(plugin, FreezeStrategy) else None
    answer = first_use(plugin, planning)
    if answer is None:
        return
    for step, name in (("import", "importing the module"), ("constructor", "the constructor")):
        expect(
            not answer[f"torch_after_{step}"],
            got=f"torch imported by {name} of {cls.__module__}.{cls.__qualname__}",
            expected="torch imported only in the methods that compute with it",
            change="Move `import torch`, and imports that need it, into those methods.",
        )


def check_search_space_names_own_parameters(plugin: Plugin) -> None:
    """Check that the search space is a dict whose keys `set_params` takes."""
    space = plugin.search_space()
    own = list(plugin.get_params(deep=False))
    expect(
        isinstance(space, dict) and all(name.partition("__")[0] in own for name in space),
        got=f"the search space {space!r}",
        expected=f"a dict with keys among {own}",
        change="Use the names of constructor parameters as keys, or <name>__<parameter>.",
    )


def check_search_space_holds_distributions(plugin: Plugin) -> None:
    """Check that the search space holds Optuna distributions, with choices that can be stored."""
    from optuna.distributions import BaseDistribution, CategoricalDistribution

    for name, distribution in plugin.search_space().items():
        expect(
            isinstance(distribution, BaseDistribution),
            got=f"{distribution!r} for {name!r} in the search space",
            expected="an optuna distribution",
            change="Use optuna.distributions, such as FloatDistribution(1e-3, 1, log=True).",
        )
        if isinstance(distribution, CategoricalDistribution):
            odd = [
                choice
                for choice in distribution.choices
                if not (choice is None or isinstance(choice, bool | int | float | str))
            ]
            expect(
                not odd,
                got=f"the choices {odd!r} for {name!r} in the search space",
                expected="choices of None, bool, int, float or str",
                change="Name objects by string and look them up where they are used.",
            )


def check_search_space_values_work(plugin: Plugin) -> None:
    """Check that the plugin works at the ends of its search space, and with draws from it."""
    own_names = plugin.get_params(deep=False)
    # What is no parameter or no distribution is the matter of the two checks above.
    space = {
        name: distribution
        for name, distribution in plugin.search_space().items()
        if name in own_names and (hasattr(distribution, "choices") or hasattr(distribution, "low"))
    }
    for values in _settings(space):
        own = clone(plugin).set_params(**values)
        try:
            use(own)
        except Exception as error:
            raise AssertionError(
                f"got {type(error).__name__}: {error} with {values} from the search space of "
                f"{plugin!r}; expected every setting in it to work. Narrow the space, or accept "
                "the value."
            ) from error


def check_docstring_names_parameters(plugin: Plugin) -> None:
    """Check that the class has a docstring, and every parameter a description."""
    cls = type(plugin)
    doc = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
    expect(
        doc,
        got=f"no docstring in the class {cls.__name__}",
        expected="a docstring of its own",
        change="Say in one line what the plugin does.",
    )
    described = _described_parameters(doc)
    wanted = list(plugin.get_params(deep=False))
    # What is declared by `param` is described there.
    declared = parameters_of(cls) if is_dataclass(cls) else {}
    missing = [
        name
        for name in wanted
        if not described.get(name) and not (name in declared and declared[name].doc)
    ]
    expect(
        not missing,
        got=f"nothing on {missing} in the docstring of {cls.__name__}",
        expected="a numpydoc section 'Parameters' with a line of text for each parameter",
        change="Add `name : type, default=value` and, indented below it, what it means.",
    )
    unknown = [name for name in described if name not in wanted]
    expect(
        not unknown,
        got=f"{unknown} described as parameters of {cls.__name__}",
        expected=f"its parameters {wanted} only",
        change="Remove or rename the entries.",
    )


def check_test_params_build(plugin: Plugin) -> None:
    """Check that ``test_params`` gives constructor parameters of at least one instance."""
    cls = type(plugin)
    entries = cls.test_params()
    expect(
        isinstance(entries, list) and entries and all(isinstance(e, dict) for e in entries),
        got=f"{entries!r} from {cls.__name__}.test_params()",
        expected="a list of at least one dict",
        change="Give [{}] where the defaults make a small offline instance.",
    )
    for entry in entries:
        unknown = [name for name in entry if name not in _constructor(plugin)]
        expect(
            not unknown,
            got=f"{unknown} in an entry of {cls.__name__}.test_params()",
            expected=f"parameters among {list(_constructor(plugin))}",
            change="Use the names of constructor parameters.",
        )
        cls(**entry)


CHECKS = (
    check_parameters_have_defaults,
    check_constructor_only_stores,
    check_use_stores_nothing,
    check_clone,
    check_set_params,
    check_repr,
    check_pickle,
    check_import_needs_no_torch,
    check_search_space_names_own_parameters,
    check_search_space_holds_distributions,
    check_search_space_values_work,
    check_docstring_names_parameters,
    check_test_params_build,
)


def use(plugin: Any) -> None:
    """Call the methods of a plugin's kind once, on small data."""
    for kind, use_kind in _USE_OF_KIND.items():
        if isinstance(plugin, kind):
            use_kind(plugin)


_USE_OF_KIND = {
    Backbone: _checks_backbone.use,
    FreezeStrategy: _checks_freeze.use,
    Head: _checks_head.use,
    Alignment: _checks_losses.use,
    Regulariser: _checks_losses.use,
    Modality: _checks_modality.use,
}


def _constructor(plugin: Plugin) -> dict[str, inspect.Parameter]:
    signature = inspect.signature(type(plugin).__init__)
    named = list(signature.parameters.items())[1:]
    # A class without a constructor shows object's, which takes anything.
    return {} if type(plugin).__init__ is object.__init__ else dict(named)


def _same_parameters(one: Any, other: Any) -> bool:
    if isinstance(one, BaseEstimator) and type(one) is type(other):
        mine, theirs = one.get_params(deep=False), other.get_params(deep=False)
        return mine.keys() == theirs.keys() and all(
            _same_parameters(mine[name], theirs[name]) for name in mine
        )
    return bool(one is other or one == other or (one != one and other != other))


def _settings(space: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give every end and choice of a search space alone, and a few draws of all keys together."""
    for name, distribution in space.items():
        for value in getattr(distribution, "choices", None) or (
            distribution.low,
            distribution.high,
        ):
            yield {name: value}
    if space:
        generator = random.Random(0)
        for _ in range(3):
            yield {name: _draw(distribution, generator) for name, distribution in space.items()}


def _draw(distribution: Any, generator: random.Random) -> Any:
    if hasattr(distribution, "choices"):
        return generator.choice(distribution.choices)
    low, high, step = distribution.low, distribution.high, distribution.step
    if distribution.log:
        value = math.exp(generator.uniform(math.log(low), math.log(high)))
    elif step is not None:
        value = low + step * generator.randint(0, int((high - low) / step))
    else:
        value = generator.uniform(low, high)
    return round(value) if isinstance(low, int) else value


def _described_parameters(doc: str) -> dict[str, str]:
    """Map the names in a numpydoc section 'Parameters' to what is said about them."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-{3,}$|\Z)", doc, re.M | re.S)
    described: dict[str, str] = {}
    names: list[str] = []
    for line in section[1].splitlines() if section else ():
        if line[:1].strip():
            names = [name.strip() for name in line.split(":")[0].split(",")]
            described.update(dict.fromkeys(names, ""))
        else:
            described.update({name: described[name] + line.strip() for name in names})
    return described
