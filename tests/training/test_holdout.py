"""Rows that are held out."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sktransfer.training.holdout import hold_out

# What is slow once, or on a busy machine, is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@given(
    counts=st.lists(st.integers(5, 30), min_size=2, max_size=5),
    fraction=st.floats(0.2, 0.6),
    seed=st.integers(0, 2**31 - 1),
)
def test_each_row_is_in_one_part_and_each_label_in_both(counts, fraction, seed):
    codes = np.random.RandomState(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train, valid = hold_out(len(codes), codes, fraction, seed)
    assert sorted([*train, *valid]) == list(range(len(codes)))
    assert len(valid) == int(np.ceil(fraction * len(codes)))
    assert list(train) == sorted(train)
    assert list(valid) == sorted(valid)
    for code, count in enumerate(counts):
        share = np.sum(codes[valid] == code)
        assert abs(share - len(valid) * count / len(codes)) < 1 + 1e-9
        assert np.sum(codes[train] == code) >= 1


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    codes = np.arange(100) % 3
    a, b, c = (hold_out(100, codes, 0.2, seed)[1].tolist() for seed in (0, 0, 1))
    assert a == b
    assert a != c


def test_the_global_random_state_is_left_alone():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    hold_out(100, np.arange(100) % 3, 0.2, 0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize(
    ("codes", "fraction", "rarest"),
    [
        ([0] * 20 + [1], 0.2, 1),  # a label with one row
        ([0, 1, 2] * 4, 0.1, 4),  # two rows for three labels
        ([0, 1, 2] * 4, 0.9, 4),  # one row left for three labels
    ],
)
def test_what_cannot_be_stratified_is_split_all_the_same_with_a_warning(codes, fraction, rarest):
    with pytest.warns(UserWarning, match=rf"cannot be stratified.*rarest label has {rarest} of"):
        train, valid = hold_out(len(codes), np.array(codes), fraction, 0)
    assert sorted([*train, *valid]) == list(range(len(codes)))
    assert len(valid) == int(np.ceil(fraction * len(codes)))


@pytest.mark.parametrize(
    ("n", "fraction", "what"), [(1, 0.5, "train on"), (3, 0.9, "train on"), (2, 0.99, "train on")]
)
@pytest.mark.filterwarnings("ignore:.*cannot be stratified")
def test_a_part_without_rows_is_refused(n, fraction, what):
    with pytest.raises(
        ValueError, match=rf"validation_fraction={fraction} leaves no rows to {what}"
    ):
        hold_out(n, np.arange(n) % 2, fraction, 0)


def test_without_strata_the_split_is_plain_and_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train, valid = hold_out(10, None, 0.3, 0)
    assert sorted([*train, *valid]) == list(range(10))
    assert len(valid) == 3


# --- equal inputs ---------------------------------------------------------------------------------


def test_equal_inputs_are_held_out_together():
    inputs = [f"rare {i % 12}" for i in range(140)] + [f"common {i}" for i in range(140)]
    codes = np.array([0] * 140 + [1] * 140)
    train, valid = hold_out(280, codes, 0.2, 0, inputs)
    assert not {inputs[i] for i in train} & {inputs[i] for i in valid}
    assert sorted([*train, *valid]) == list(range(280))
    assert len({inputs[i] for i in valid}) == 31  # a fifth of 152
    assert set(codes[train]) == set(codes[valid]) == {0, 1}


def test_inputs_that_are_all_different_are_split_as_rows_are():
    codes = np.arange(60) % 3
    for one, other in zip(
        hold_out(60, codes, 0.2, 0), hold_out(60, codes, 0.2, 0, list(range(60))), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_equal_inputs_with_numbers_are_held_out_together():
    inputs = [i // 3 for i in range(30)]
    train, valid = hold_out(30, None, 0.2, 0, inputs)
    assert len(valid) == 6
    assert not {inputs[i] for i in train} & {inputs[i] for i in valid}


def test_copies_on_both_sides_are_counted_where_they_cannot_be_avoided():
    codes = np.arange(20) % 2
    with pytest.warns(UserWarning, match=r"4 of the 4 rows .* copies .* only 2 different inputs"):
        hold_out(20, codes, 0.2, 0, [f"text {code}" for code in codes])
