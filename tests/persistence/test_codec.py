"""Values survive JSON unchanged, and nothing in a file can name code."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import sktransfer.contracts.registry as registry
from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.freezing.strategies import Gradual, TopLayers
from sktransfer.heads.mlp import MLPHead
from sktransfer.persistence.codec import decode, encode
from sktransfer.plugins import FreezeStrategy, register

# What is slow once, or on a busy machine, is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


# Lone surrogates included: they are str, and labels may be anything.
TEXT = st.text(st.characters())
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
KEYS = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=4)
ARRAYS = hnp.arrays(
    st.one_of(
        hnp.boolean_dtypes(),
        hnp.integer_dtypes(endianness="?"),
        hnp.unsigned_integer_dtypes(endianness="?"),
        hnp.floating_dtypes(sizes=(16, 32, 64), endianness="?"),
        hnp.unicode_string_dtypes(endianness="?"),
    ),
    st.integers(0, 5) | hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
PATHS = st.lists(st.text("abc .-é", min_size=1), min_size=1, max_size=3).map(lambda p: Path(*p))
PLUGINS = st.one_of(
    st.builds(TopLayers, k=st.integers(1, 9), layer_decay=st.floats(0.1, 1)),
    st.builds(MLPHead, hidden=st.integers(1, 99), C=st.floats(0.1, 9)),
    st.builds(HashingBackbone, word_ngrams=st.tuples(st.integers(1, 2), st.integers(2, 3))),
    st.builds(TransformerBackbone, model=PATHS | TEXT, prefix=TEXT, normalize=st.booleans()),
)
VALUES = st.recursive(
    SCALARS | ARRAYS | PATHS | PLUGINS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)
MARKS = st.sampled_from(["tuple", "dict", "path", "array", "plugin", "object", None])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["freeze", "<i8"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(TEXT, inner, max_size=2)
        | st.fixed_dictionaries(
            {"$": MARKS},
            optional=dict.fromkeys(("items", "value", "dtype", "kind", "params"), inner)
            | {"name": st.sampled_from(["gradual", "frozen", "no such"])},
        )
    ),
    max_leaves=8,
)


def through_json(value):
    return decode(json.loads(json.dumps(encode(value))))


def assert_same(found, expected):
    """Compare values and their types, all the way down."""
    assert type(found) is type(expected)
    if isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert_same(a, b)
    elif isinstance(expected, dict):
        assert_same(list(found), list(expected))
        assert_same(list(found.values()), list(expected.values()))
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    elif hasattr(expected, "get_params"):
        assert_same(found.get_params(deep=False), expected.get_params(deep=False))
    else:
        assert found == expected


@pytest.fixture
def no_runtime_plugins(monkeypatch):
    monkeypatch.setattr(registry, "_RUNTIME", {})


@given(VALUES)
def test_every_value_comes_back_with_its_types(value):
    assert_same(through_json(value), value)


@pytest.mark.parametrize("value", [math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308])
def test_every_float_comes_back_to_the_bit(value):
    assert math.copysign(1, through_json(value)) == math.copysign(1, value)
    assert through_json(value) == value


def test_nan_comes_back():
    assert math.isnan(through_json(math.nan))
    assert np.isnan(through_json(np.array([np.nan]))).all()


@given(st.dictionaries(st.sampled_from(["$", "items", "kind", "name", "value"]), SCALARS))
def test_a_dict_that_looks_like_the_codec_s_own_marks_comes_back(value):
    assert_same(through_json(value), value)


@pytest.mark.parametrize(
    ("scalar", "plain"),
    [(np.int64(3), 3), (np.float32(0.5), 0.5), (np.bool_(True), True), (np.str_("a"), "a")],
)
def test_numpy_scalars_become_plain_values(scalar, plain):
    assert_same(through_json([scalar]), [plain])


@pytest.mark.parametrize(
    "value",
    [np.eye(2), np.array([["a", "bc"]]), np.eye(2, dtype=bool), np.array(3), np.zeros((2, 0, 3))],
    ids=lambda value: f"{value.dtype}{value.shape}",
)
def test_arrays_keep_their_shape(value):
    found = through_json(value)
    assert (found.shape, found.dtype) == (value.shape, value.dtype)
    np.testing.assert_array_equal(found, value)


def test_arrays_of_objects_may_hold_lists_and_arrays():
    value = np.empty(2, dtype=object)
    value[0], value[1] = [1, 2], np.eye(2)
    found = through_json(value)
    assert found[0] == [1, 2]
    np.testing.assert_array_equal(found[1], np.eye(2))


def test_a_matrix_in_fortran_order_keeps_its_rows():
    value = np.asfortranarray(np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(through_json(value), value)


@pytest.mark.parametrize("labels", [["b", "a"], [1, "a"], [None, 2.5], [True, False]])
def test_arrays_of_objects_keep_the_types_of_their_items(labels):
    array = np.array(labels, dtype=object)
    found = through_json(array)
    assert found.dtype == object
    assert_same(found.tolist(), labels)


@pytest.mark.parametrize(
    "value", [b"bytes", {1, 2}, 1j, object(), len, np.zeros(2, "c16"), np.random.RandomState(0)]
)
def test_what_json_cannot_hold_is_refused_with_its_type(value):
    with pytest.raises(TypeError, match=f"of type {type(value).__name__} cannot be written"):
        encode({"a": [value]})


# --- plugins ------------------------------------------------------------------------------------


class Unregistered(FreezeStrategy):
    def __init__(self, k=1):
        self.k = k


def test_a_plugin_that_is_not_registered_is_refused(no_runtime_plugins):
    with pytest.raises(TypeError, match=r"Unregistered.*sktransfer\.plugins\.register"):
        encode(Unregistered())


def test_a_plugin_that_was_registered_is_written_by_name_and_comes_back(no_runtime_plugins):
    register("freeze", "mine", Unregistered)
    encoded = encode(Unregistered(k=4))
    assert encoded == {"$": "plugin", "kind": "freeze", "name": "mine", "params": {"k": 4}}
    found = decode(encoded)
    assert type(found) is Unregistered
    assert found.k == 4


def test_a_name_that_is_broken_does_not_keep_others_from_being_found(no_runtime_plugins):
    def fails():
        raise RuntimeError("broken")

    register("freeze", "a_name_before_mine", fails)
    register("freeze", "another_before_mine", f"{__name__}:no_such_attribute")
    register("freeze", "mine", Unregistered)
    assert encode(Unregistered())["name"] == "mine"
    assert encode(Gradual())["name"] == "gradual"


def test_parameters_that_a_registered_name_stands_for_do_not_override_those_saved(
    no_runtime_plugins,
):
    register("freeze", "a_name_before_the_class_s_own", Gradual, every=3)
    assert through_json(Gradual(every=2)).every == 2


def test_a_plugin_is_not_found_by_a_path_in_the_file(monkeypatch):
    called = []
    monkeypatch.setattr(os, "system", called.append)
    for kind in ("backbone", "freeze", "head", "alignment", "os", ""):
        for name in ("os:system", "os.system", "antigravity:geohash", "sktransfer:load", ""):
            evil = {"$": "plugin", "kind": kind, "name": name, "params": {"command": "id"}}
            evil |= {"target": "os:system", "module": "os", "class": "system"}
            with pytest.raises(ValueError, match=r"not installed here|an unknown kind"):
                decode(evil)
    assert not called
    assert "antigravity" not in sys.modules


def test_an_unknown_kind_of_value_is_refused():
    with pytest.raises(ValueError, match=r"unknown kind.*'object'"):
        decode({"$": "object", "module": "os", "name": "system"})


@given(JSON)
def test_other_json_gives_a_value_or_a_value_error(value):
    with contextlib.suppress(ValueError):
        decode(value)


@pytest.mark.parametrize(
    "value",
    [
        {"$": "tuple"},
        {"$": "dict", "items": [1]},
        {"$": "dict", "items": [[[], 1]]},
        {"$": "path", "value": 3},
        {"$": "array", "dtype": "no such type", "items": []},
        {"$": "array", "dtype": "<i8", "items": ["a"]},
        {"$": "array", "dtype": "<i8", "items": [1, 2, 3], "shape": [2, 2]},
        {"$": "array", "dtype": "<i8", "items": [1], "shape": "a"},
        {"$": "array", "dtype": "|i1", "items": [300]},
        {"$": "plugin", "kind": "freeze", "name": "gradual"},
        {"$": "plugin", "kind": "freeze", "name": "gradual", "params": {"no_such": 1}},
    ],
    ids=repr,
)
def test_a_mark_without_what_belongs_to_it_is_a_value_error(value):
    with pytest.raises(ValueError):  # noqa: PT011, one for each kind
        decode(value)
