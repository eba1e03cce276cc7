"""Texts in any container come out as str that every encoder can read."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.modalities.text.validation import check_texts


def checked(X, **options):
    return check_texts(X, **options).items


# What is slow once, or on a busy machine, is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


ANY = st.text(st.characters())  # lone surrogates included
TEXTS = st.lists(ANY, min_size=1, max_size=20)
READABLE = st.lists(st.text(), min_size=1, max_size=20)

CONTAINERS = {
    "tuple": tuple,
    "generator": lambda X: (x for x in X),
    "object array": lambda X: np.array(X, dtype=object),
    "column": lambda X: np.array(X, dtype=object).reshape(-1, 1),
    "pandas Series": pd.Series,
    "pandas object Series": lambda X: pd.Series(X, dtype=object),
    "pandas frame": lambda X: pd.DataFrame({"text": X}),
    "pandas category": lambda X: pd.Series(X, dtype="category"),
    "polars Series": pl.Series,
    "polars frame": lambda X: pl.DataFrame({"text": X}),
    "pyarrow array": pa.array,
    "pyarrow table": lambda X: pa.table({"text": X}),
}


def is_readable(text):
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@given(TEXTS)
@example(["\ud800"])
@example(["\ud83d\ude00"])  # an emoji in two halves
@example(["\ufeff\ud800", "\udc00\ud800x"])
def test_any_str_comes_back_readable_and_unchanged_where_it_was_readable(texts):
    found = checked(texts)
    assert len(found) == len(texts)
    for before, after in zip(texts, found, strict=True):
        assert type(after) is str
        assert is_readable(after)
        if is_readable(before):
            assert after == before


@given(st.text(), st.sampled_from(["\ud800", "\udbff", "\udc00", "\udfff"]), st.text())
def test_a_lone_surrogate_is_replaced_and_what_stands_around_it_is_kept(before, lone, after):
    (found,) = checked([before + lone + after])
    assert found == f"{before}\ufffd{after}"


def test_two_halves_of_a_character_become_that_character():
    assert checked(["a \ud83d\ude00 b"]) == ["a 😀 b"]


@given(TEXTS)
def test_whatever_comes_back_can_be_encoded(texts):
    encoder = HashingBackbone(dim=2, n_buckets=16).load(device="cpu", random_state=0)
    assert len(encoder.prepare(checked(texts))) == len(texts)


@pytest.mark.parametrize("container", CONTAINERS)
@given(texts=READABLE)
def test_texts_are_the_same_whatever_they_come_in(container, texts):
    assert checked(CONTAINERS[container](texts)) == texts


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1))
def test_arrays_of_numpy_strings_are_read(texts):
    assert checked(np.array(texts)) == texts
    assert checked(np.array(texts, dtype=np.dtypes.StringDType())) == texts
    assert all(type(text) is str for text in checked([np.str_(text) for text in texts]))


@given(TEXTS)
def test_the_input_is_not_changed(texts):
    array = np.array(texts, dtype=object)
    before = list(texts)
    checked(texts)
    checked(array)
    assert texts == before
    assert array.tolist() == before


class Shouting(str):
    def __str__(self):
        return self.upper()


def test_subclasses_of_str_become_str():
    (found,) = checked([Shouting("quiet")])
    assert type(found) is str


@given(st.lists(st.text(" \t\n"), max_size=3), st.lists(st.text("ab", min_size=1), min_size=1))
def test_blank_texts_warn_when_fitting_and_never_when_predicting(blank, texts):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert checked(blank + texts) == blank + texts
    assert not caught
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert checked(blank + texts, fitting=True) == blank + texts
    assert len(caught) == bool(blank)
    if blank:
        expected = f"{len(blank)} of {len(blank + texts)} texts in X are empty or blank"
        assert expected in str(caught[0].message)


@given(st.lists(st.text(" \t\n"), min_size=1, max_size=3))
def test_blank_texts_alone_are_no_training_data_but_can_be_predicted(blank):
    with pytest.raises(ValueError, match=f"all {len(blank)} are empty or blank"):
        checked(blank, fitting=True)
    assert checked(blank) == blank


MISSING = [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT]


@given(st.lists(st.text(), max_size=5), st.sampled_from(MISSING), st.lists(st.text(), max_size=5))
def test_a_missing_text_is_counted_and_its_index_named(before, missing, after):
    n = len(before) + 1 + len(after)
    message = rf"1 missing value\(s\) among {n} texts \(first at index {len(before)}"
    with pytest.raises(ValueError, match=message):
        checked([*before, missing, *after])


@given(
    st.lists(st.text(), max_size=5),
    st.sampled_from([b"bytes", 1, 1.5, ["a"], ("a",), True, 1j]),
    st.lists(st.text(), max_size=5),
)
def test_what_is_no_text_is_counted_and_its_index_and_type_named(before, wrong, after):
    n = len(before) + 1 + len(after)
    message = rf"1 of {n} are not \(first at index {len(before)}: {type(wrong).__name__}\)"
    with pytest.raises(TypeError, match=message):
        checked([*before, wrong, *after])
