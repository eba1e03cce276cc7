"""Every public name is documented: summary, parameters, returns."""

from __future__ import annotations

import importlib
import inspect

import pytest
from numpydoc.validate import validate

MODULES = [
    "sktransfer",
    "sktransfer.plugins",
    "sktransfer.datasets",
    "sktransfer.inspection",
    "sktransfer.weights",
]
CODES = {
    "GL01": "the summary begins behind the quotes or on the next line",
    "GL08": "there is a docstring",
    "SS01": "there is a summary",
    "SS02": "the summary begins with a capital letter",
    "SS03": "the summary ends with a period",
    "PR01": "every parameter is documented",
    "PR02": "nothing else is documented as a parameter",
    "PR03": "parameters are in the order of the signature",
    "PR04": "every parameter has a type",
    "PR07": "every parameter has a description",
    "PR10": "colons stand between spaces",
    "RT01": "what is returned is documented",
    "YD01": "what is yielded is documented",
}


def public_names():
    """Yield the path of every public class, method and function."""
    for module in MODULES:
        for name in importlib.import_module(module).__all__:
            value = getattr(importlib.import_module(module), name)
            if not (inspect.isclass(value) or inspect.isfunction(value)):
                continue
            yield f"{module}.{name}"
            if inspect.isclass(value):
                # Methods that a base class of ours gives are as public as others.
                for owner in value.__mro__:
                    if not owner.__module__.startswith("sktransfer"):
                        continue
                    for method, member in vars(owner).items():
                        inner = getattr(member, "__func__", member)
                        if not method.startswith("_") and inspect.isfunction(inner):
                            yield f"{module}.{name}.{method}"


NAMES = sorted(set(public_names()))


def errors_of(path):
    return {code: text for code, text in validate(path)["errors"] if code in CODES}


def test_there_is_something_to_check():
    assert {
        "sktransfer.TransferTextClassifier.partial_fit",
        "sktransfer.plugins.Backbone.load",
        "sktransfer.weights.find_weights",
    } <= set(NAMES)


@pytest.mark.parametrize("path", NAMES)
def test_docstring_is_complete(path):
    errors = errors_of(path)
    # A dataclass describes its fields as attributes, and nobody constructs a protocol.
    if is_record(path) or path == "sktransfer.plugins.Encoder":
        errors.pop("PR01", None)
    assert not errors


def is_record(path):
    module = max((m for m in MODULES if path.startswith(f"{m}.")), key=len)
    name = path.removeprefix(f"{module}.")
    if "." in name:
        return False
    cls = getattr(importlib.import_module(module), name)
    return hasattr(cls, "__dataclass_fields__") or hasattr(cls, "_fields")


@pytest.mark.parametrize("path", [path for path in NAMES if is_record(path)])
def test_every_field_of_a_record_is_documented(path):
    module, _, name = path.rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    doc = inspect.getdoc(cls)
    fields = list(getattr(cls, "__dataclass_fields__", None) or cls._fields)
    if hasattr(cls, "__dataclass_fields__"):
        assert not [
            field for field in fields if f"\n{field}" not in doc and f", {field}" not in doc
        ]
    else:
        assert len(doc) > 40


def test_the_checks_find_what_is_missing():
    assert set(errors_of("json.JSONDecoder.raw_decode")) & {"PR01", "RT01"}
