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

from sktransfer.plugins import Plugin, parameters_of
from sktransfer.testing._check import check_of, expect, expect_no_error
from sktransfer.testing._fresh_process import first_use
from sktransfer.testing._use import use


@check_of(Plugin)
def check_parameters_have_defaults(plugin: Plugin) -> None:
    """Every parameter of the constructor has a name and a default.

    Spell the parameters out, so that clone and searches see them, and give each the default that
    suits most users.
    """
    for name, parameter in _constructor(plugin).items():
        unnamed = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        where = f"in the constructor of {type(plugin).__name__}"
        expect(not unnamed, f"the parameter {parameter} {where}")
        expect(parameter.default is not parameter.empty, f"no default for {name!r} {where}")


@check_of(Plugin)
def check_constructor_only_stores(plugin: Plugin) -> None:
    """The constructor stores its arguments, whatever they are, as they are, and nothing else.

    Write `self.name = name` in __init__ for each parameter. Validate and convert parameters, and
    compute what depends on them, where they are used.
    """
    cls = type(plugin)
    # Strange values, so that a constructor that validates, converts or replaces is caught at it.
    for strange in (object, lambda: None, list):
        given = {name: strange() for name in plugin.get_params(deep=False)}
        with expect_no_error(f"from the constructor of {cls.__name__} for {given}"):
            built = cls(**given)
        for name, value in given.items():
            stored = getattr(built, name, "nothing")
            expect(stored is value, f"{stored!r} in the attribute {name!r} for the given {value!r}")
        extra = sorted(set(vars(built)) - set(given))
        expect(not extra, f"the attributes {extra} besides the parameters")


@check_of(Plugin)
def check_use_stores_nothing(plugin: Plugin) -> None:
    """Using a plugin leaves its attributes as they were: it is a parameter object without state.

    Keep state in the object that the method returns.
    """
    own = clone(plugin)
    before, nothing = dict(vars(own)), object()
    use(own)
    after = vars(own)
    names = sorted({*before, *after})
    changed = [n for n in names if before.get(n, nothing) is not after.get(n, nothing)]
    expect(not changed, f"the attributes {changed} set or changed by the plugin's methods")


@check_of(Plugin)
def check_clone(plugin: Plugin) -> None:
    """A clone is another object with equal parameters.

    Do not override __sklearn_clone__, and store parameters unchanged.
    """
    own = clone(plugin)
    expect(
        own is not plugin and _same_parameters(own, plugin),
        f"{own!r} as the clone of {plugin!r}" + (", the same object" if own is plugin else ""),
    )


@check_of(Plugin)
def check_set_params(plugin: Plugin) -> None:
    """Every parameter can be set, and set back.

    Let get_params and set_params be those of the base class.
    """
    params = plugin.get_params(deep=False)
    own = clone(plugin)
    for values in ({name: f"another {name}" for name in params}, params):
        own.set_params(**values)
        expect(own.get_params(deep=False) == values, f"{own!r} after set_params(**{values})")


@check_of(Plugin)
def check_repr(plugin: Plugin) -> None:
    """The repr begins with the name of the class.

    Let __repr__ be that of the base class.
    """
    text, name = repr(plugin), type(plugin).__name__
    expect(text.startswith(name), f"the repr {text!r} of the class {name}")


@check_of(Plugin)
def check_pickle(plugin: Plugin) -> None:
    """A pickle keeps class and parameters: jobs travel to other processes.

    Define the class at the top of a module, keep parameters simple, and do not override
    __getstate__ or __reduce__.
    """
    with expect_no_error(f"from pickling a {type(plugin).__name__}"):
        own = pickle.loads(pickle.dumps(plugin))
        same = _same_parameters(own, plugin)
    expect(same, f"{own!r} from a pickle of {plugin!r}")


@check_of(Plugin)
def check_import_needs_no_torch(plugin: Plugin) -> None:
    """Importing the module and building the plugin do not import torch.

    Move `import torch`, and imports that need it, into the methods that compute with it.
    """
    cls = type(plugin)
    answer = first_use(plugin)
    if answer is None:
        return
    for step, name in (("import", "importing the module"), ("constructor", "the constructor")):
        eager = answer[f"torch_after_{step}"]
        expect(not eager, f"torch imported by {name} of {cls.__module__}.{cls.__qualname__}")


@check_of(Plugin)
def check_search_space_names_own_parameters(plugin: Plugin) -> None:
    """The search space is a dict whose keys `set_params` takes.

    Use the names of constructor parameters as keys, or <name>__<parameter>.
    """
    space, own = plugin.search_space(), list(plugin.get_params(deep=False))
    fits = isinstance(space, dict) and all(name.partition("__")[0] in own for name in space)
    expect(fits, f"the search space {space!r} of a plugin with the parameters {own}")


@check_of(Plugin)
def check_search_space_holds_distributions(plugin: Plugin) -> None:
    """The search space holds Optuna distributions, with choices that can be stored.

    Use optuna.distributions, such as FloatDistribution(1e-3, 1, log=True). Let choices be None,
    bool, int, float or str: name objects by string, and look them up where they are used.
    """
    from optuna.distributions import BaseDistribution

    for name, distribution in plugin.search_space().items():
        where = f"for {name!r} in the search space"
        expect(isinstance(distribution, BaseDistribution), f"{distribution!r} {where}")
        choices = getattr(distribution, "choices", ())
        odd = [choice for choice in choices if not isinstance(choice, int | float | str | None)]
        expect(not odd, f"the choices {odd!r} {where}")


@check_of(Plugin)
def check_search_space_values_work(plugin: Plugin) -> None:
    """The plugin works at the ends of its search space, and everywhere in between.

    Narrow the space, or accept the value.
    """
    own_names = plugin.get_params(deep=False)
    # What is no parameter or no distribution is the matter of the two checks above.
    space = {
        name: distribution
        for name, distribution in plugin.search_space().items()
        if name in own_names and (hasattr(distribution, "choices") or hasattr(distribution, "low"))
    }
    for values in _settings(space):
        own = clone(plugin).set_params(**values)
        with expect_no_error(f"with {values} from the search space of {plugin!r}"):
            use(own)


@check_of(Plugin)
def check_docstring_names_parameters(plugin: Plugin) -> None:
    """The class has a docstring of its own, with a line of text for each parameter and no other.

    Say in one line what the plugin does. For each parameter, add `name : type, default=value` and,
    indented below it, what it means to a numpydoc section 'Parameters'. Remove or rename entries
    that are no parameters.
    """
    cls = type(plugin)
    doc = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
    expect(doc, f"no docstring in the class {cls.__name__}")
    described = _described_parameters(doc)
    wanted = list(plugin.get_params(deep=False))
    # What is declared by `param` is described there.
    declared = parameters_of(cls) if is_dataclass(cls) else {}
    elsewhere = [name for name in declared if declared[name].doc]
    missing = [name for name in wanted if not described.get(name) and name not in elsewhere]
    expect(not missing, f"nothing on {missing} in the docstring of {cls.__name__}")
    unknown = [name for name in described if name not in wanted]
    expect(
        not unknown, f"{unknown} in the docstring of {cls.__name__}, whose parameters are {wanted}"
    )


@check_of(Plugin)
def check_test_params_build(plugin: Plugin) -> None:
    """`test_params` gives a list of dicts of constructor parameters, at least one.

    Use the names of constructor parameters, and give [{}] where the defaults make a small offline
    instance.
    """
    cls = type(plugin)
    entries, own = cls.test_params(), list(_constructor(plugin))
    where = f"from {cls.__name__}.test_params()"
    fits = isinstance(entries, list) and entries and all(isinstance(e, dict) for e in entries)
    expect(fits, f"{entries!r} {where}")
    for entry in entries:
        unknown = [name for name in entry if name not in own]
        expect(not unknown, f"{unknown} {where} where the parameters are {own}")
        cls(**entry)


def _constructor(plugin: Plugin) -> dict[str, inspect.Parameter]:
    # A class without a constructor shows object's, which takes anything.
    if type(plugin).__init__ is object.__init__:
        return {}
    return dict(list(inspect.signature(type(plugin).__init__).parameters.items())[1:])


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
        choices = getattr(distribution, "choices", None)
        for value in choices or (distribution.low, distribution.high):
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
    # An entry: the names up to a colon, the rest of the line, and indented or empty lines.
    entries = re.findall(r"^(\S[^:\n]*).*((?:\n(?!\S).*)*)", section[1] if section else "", re.M)
    return {name.strip(): text.strip() for names, text in entries for name in names.split(",")}
