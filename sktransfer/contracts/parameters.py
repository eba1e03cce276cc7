"""How parameters of estimators are declared: each once, with default, constraint and documentation.

A class whose parameters are annotated and given by `param` is decorated by `with_parameters`, which
writes its constructor. Classes without a constructor of their own may be mixed: the parameters of
all of them come together by the MRO, and those of a class that stands further left win.
"""

from __future__ import annotations

import inspect
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform

from sklearn.base import BaseEstimator

__all__ = ["Parameter", "check_decorated", "param", "parameters_of", "with_parameters"]

_C = TypeVar("_C", bound=type)
_FIELDS = "__dataclass_fields__"
# The only parameter that may be passed by position.
_POSITIONAL = "backbone"


@dataclass(frozen=True)
class Parameter:
    """A parameter of an estimator, with what its classes say of it put together.

    Attributes
    ----------
    name : str
        As it stands in the constructor.
    default : object
        Stored as it is.
    type : str
        As numpydoc writes it, without the default.
    constraint : list or str
        As scikit-learn's ``_parameter_constraints`` have it.
    doc : str
        What the parameter does. ``$inputs`` and other such words stand for those of the class, in
        its ``_doc_words``.
    """

    name: str
    default: Any
    type: str
    constraint: Any
    doc: str


def param(
    *,
    default: Any = MISSING,
    type: str = "",
    constraint: Any = None,
    doc: str = "",
    kw_only: bool = True,
) -> Any:
    """Declare a parameter.

    Whatever is left out of a parameter that a base class has too is as it is there.

    Parameters
    ----------
    default : object
        Is stored as it is, never copied, and so must not be mutable.
    type : str, default=""
        As numpydoc writes it, without the default: ``"int or None"``.
    constraint : list, str or None, default=None
        As scikit-learn's ``_parameter_constraints`` have it.
    doc : str, default=""
        What the parameter does, in whole sentences.
    kw_only : bool, default=True
        Whether it can be passed by name alone, as all parameters but ``backbone`` are.

    Returns
    -------
    field : dataclasses.Field

    Examples
    --------
    >>> from sktransfer.contracts.parameters import param, with_parameters
    >>> @with_parameters
    ... class Sound:
    ...     rate: int = param(
    ...         default=16000, type="int", constraint=[int], doc="Samples in a second."
    ...     )
    >>> Sound(rate=8000).rate
    8000
    """
    given = {"type": type, "constraint": constraint, "doc": doc}
    metadata = {key: value for key, value in given.items() if value}
    if default is MISSING:
        return field(kw_only=kw_only, metadata=metadata)
    return field(default=default, kw_only=kw_only, metadata=metadata)


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(param,))
def with_parameters(target: _C) -> _C:
    """Write the constructor of a class from the parameters that it and its bases declare.

    Every annotation that is not a ``ClassVar`` is a parameter. A plain value in place of `param`
    changes the default of a base's parameter. The constructor stores its arguments and does
    nothing else, as `sklearn.base.clone` needs it. Parameters of a class that has ``_after`` stand
    behind the parameter of that name in the signature.

    Parameters
    ----------
    target : type
        An estimator, or a class to be mixed into some.

    Returns
    -------
    target : type
        The same one.

    Raises
    ------
    TypeError
        If the class has a constructor already; if a parameter other than ``backbone`` is
        positional, or has a ``default_factory``; or if one of an estimator lacks its default,
        type, constraint or documentation.
    """
    if "__init__" in vars(target):
        raise TypeError(
            f"{target.__name__} has an __init__ and is decorated with with_parameters, which "
            "writes one: leave one of them out."
        )
    made: Any = dataclass(kw_only=True, eq=False, repr=False, match_args=False)(target)
    found = parameters_of(made)
    for each in fields(made):
        _check_field(made, each, found[each.name])
    made._parameter_constraints = {
        **getattr(made, "_parameter_constraints", {}),
        **{name: each.constraint for name, each in found.items() if each.constraint},
    }
    signature = inspect.signature(made.__init__)
    ordered = [signature.parameters[name] for name in ("self", *found)]
    made.__init__.__signature__ = signature.replace(parameters=ordered)
    return made


def parameters_of(target: Any) -> dict[str, Parameter]:
    """Give the parameters of a decorated class.

    Parameters
    ----------
    target : type
        Decorated with `with_parameters`.

    Returns
    -------
    parameters : dict of str to Parameter
        In the order of the signature.
    """
    places = {each.name: float(i) for i, each in enumerate(fields(target))}
    found = []
    for each in fields(target):
        # What stands further left in the MRO wins.
        declared = [b for b in reversed(target.__mro__) if each.name in vars(b).get(_FIELDS, {})]
        said: dict[str, Any] = {"type": "", "constraint": None, "doc": ""}
        for base in declared:
            said |= vars(base)[_FIELDS][each.name].metadata
        parameter = Parameter(name=each.name, default=each.default, **said)
        after = vars(declared[0]).get("_after")
        # Parameters that stand behind the same one keep their order.
        place = places[after] + 0.5 if after in places else places[each.name]
        found.append((each.kw_only, place, parameter))
    found.sort(key=lambda entry: entry[:2])
    return {parameter.name: parameter for _, _, parameter in found}


def check_decorated(cls: type) -> None:
    """Refuse a class that declares parameters which its constructor does not have.

    A subclass of a decorated class that is not decorated itself has the constructor of its base:
    parameters that it adds, and defaults that it changes, would have no effect.

    Parameters
    ----------
    cls : type
        An estimator.

    Raises
    ------
    TypeError
        If there are such parameters; names them and the class.
    """
    at = next(i for i, base in enumerate(cls.__mro__) if "__init__" in vars(base))
    known = vars(cls.__mro__[at]).get(_FIELDS)
    if known is None:
        return  # a constructor that is written by hand says itself what the parameters are
    for i, base in enumerate(cls.__mro__):
        if _FIELDS in vars(base):
            lost = vars(base)[_FIELDS].keys() - known
        else:
            lost = _declared(base) | (vars(base).keys() & known) if i < at else set()
        if lost:
            undecorated = base if i < at else cls.__mro__[at - 1]
            names = ", ".join(map(repr, sorted(lost)))
            raise TypeError(
                f"{undecorated.__name__} adds or changes the parameters {names} but is not "
                "decorated, and so its constructor does not know them: write @with_parameters "
                f"above class {undecorated.__name__}, or annotate as ClassVar what is no parameter."
            )


def _check_field(cls: type, declared: Field[Any], parameter: Parameter) -> None:
    """Refuse a parameter that scikit-learn or a user's call could not cope with."""
    name = declared.name
    if declared.default_factory is not MISSING:
        raise TypeError(
            f"The {name!r} parameter of {cls.__name__} has a default_factory, but defaults are "
            "stored as they are, so that clone works: use None and make the value in fit."
        )
    if declared.kw_only is (name == _POSITIONAL):
        raise TypeError(
            f"The {name!r} parameter of {cls.__name__} must be "
            + ("positional" if declared.kw_only else "keyword-only")
            + f", since {_POSITIONAL!r} is the only one that is passed by position: declare it by "
            f"param(..., kw_only={name != _POSITIONAL})."
        )
    if not issubclass(cls, BaseEstimator):
        return
    lacking = [key for key in ("type", "constraint", "doc") if not getattr(parameter, key)]
    if declared.default is MISSING:
        lacking.insert(0, "default")
    if lacking:
        raise TypeError(
            f"The {name!r} parameter of {cls.__name__} has no {' or '.join(lacking)}: declare it "
            "by param(default=..., type=..., constraint=..., doc=...), or annotate it as ClassVar "
            "if it is no parameter."
        )


def _declared(cls: type) -> set[str]:
    """Give the annotated names of a class that look like parameters, not like fitted attributes."""
    return {
        name
        for name, annotation in inspect.get_annotations(cls).items()
        if "ClassVar" not in str(annotation) and name.strip("_") == name
    }
