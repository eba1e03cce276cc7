"""Every public name is documented: summary, parameters, returns."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
from pathlib import Path

import pytest
from numpydoc.validate import validate
from sklearn.base import BaseEstimator

import sktransfer

MODULES = [
    "sktransfer",
    "sktransfer.plugins",
    "sktransfer.datasets",
    "sktransfer.inspection",
    "sktransfer.weights",
]
BASES = [
    "Encoder",
    "TransferClassifier",
    "TransferEncoder",
    "TransferEstimator",
    "TransferRegressor",
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
    # Bases of estimators are completed by the options of a modality, and documented there.
    bases = {f"sktransfer.plugins.{name}" for name in BASES}
    if is_record(path) or path in bases:
        errors.pop("PR01", None)
    assert not errors


def is_record(path):
    module = max((m for m in MODULES if path.startswith(f"{m}.")), key=len)
    name = path.removeprefix(f"{module}.")
    if "." in name:
        return False
    cls = getattr(importlib.import_module(module), name)
    if inspect.isclass(cls) and issubclass(cls, BaseEstimator):
        return False
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


# --- docstrings that are written from the declared parameters -----------------------------------

ROOT = Path(sktransfer.__file__).parents[1]
ESTIMATORS = [
    name for name in sktransfer.__all__ if name.startswith(("TransferText", "TransferImage"))
]


@pytest.fixture(scope="module")
def script():
    path = ROOT / "docs" / "generate_docstrings.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_estimators_are_written_from_their_parameters(script):
    assert sorted(cls.__name__ for cls in script.estimators()) == sorted(ESTIMATORS)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_source_has_the_docstring_that_the_script_writes(script, name):
    cls = getattr(sktransfer, name)
    assert script.updated(cls) == Path(inspect.getfile(cls)).read_text(encoding="utf-8"), (
        "run python docs/generate_docstrings.py"
    )


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_docstring_has_every_parameter_with_its_default(script, name):
    cls = getattr(sktransfer, name)
    for parameter in inspect.signature(cls).parameters.values():
        pattern = rf"^    {parameter.name} : .*default={script.literal(parameter.default)}$"
        assert len(re.findall(pattern, cls.__doc__, flags=re.MULTILINE)) == 1


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if "Image" in name])
def test_parameters_of_images_are_not_described_by_texts(script, name):
    section = script.section_of(getattr(sktransfer, name)).lower()
    assert not {"text", "minilm", "token"} & set(re.findall(r"minilm|text|token", section))
    assert "images" in section
