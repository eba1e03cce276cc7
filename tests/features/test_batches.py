"""Batches of rows of similar length."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sktransfer.features import batches as module
from sktransfer.features.batches import shuffled_batches, sorted_batches

# What is slow once, or on a busy machine, is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


LENGTHS = st.lists(st.integers(0, 40), max_size=300)
SIZES = st.integers(1, 70)
SEEDS = st.integers(0, 2**32)


def rows_of(lengths):
    return [range(length) for length in lengths]


def rng(seed):
    return np.random.default_rng(seed)


def as_lists(batches):
    return [batch.tolist() for batch in batches]


@given(LENGTHS, SIZES)
def test_sorted_batches_hold_each_row_once_and_all_but_the_last_are_full(lengths, size):
    batches = as_lists(sorted_batches(rows_of(lengths), size))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(len(batch) == size for batch in batches[:-1])
    assert all(0 < len(batch) <= size for batch in batches)


@given(LENGTHS, SIZES)
def test_sorted_batches_go_from_the_longest_row_down_and_keep_the_order_of_equals(lengths, size):
    order = [i for batch in sorted_batches(rows_of(lengths), size) for i in batch.tolist()]
    assert order == sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))


@given(LENGTHS, SIZES, SEEDS)
def test_shuffled_batches_hold_each_row_once_and_one_at_most_is_not_full(lengths, size, seed):
    batches = as_lists(shuffled_batches(rows_of(lengths), size, rng(seed)))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // size)
    assert sum(len(batch) < size for batch in batches) <= 1
    assert all(0 < len(batch) <= size for batch in batches)


@given(LENGTHS, SIZES, SEEDS)
def test_the_same_state_gives_the_same_batches_and_is_advanced(lengths, size, seed):
    a, b = rng(seed), rng(seed)
    first = as_lists(shuffled_batches(rows_of(lengths), size, a))
    assert first == as_lists(shuffled_batches(rows_of(lengths), size, b))
    assert a.bit_generator.state == b.bit_generator.state
    if len(lengths) > 1:
        assert a.bit_generator.state != rng(seed).bit_generator.state


@given(st.integers(100, 300), SEEDS)
def test_another_epoch_and_another_seed_give_other_batches(n, seed):
    rows, state = rows_of([i % 7 for i in range(n)]), rng(seed)
    first, second = (as_lists(shuffled_batches(rows, 8, state)) for _ in range(2))
    assert first != second
    assert first != as_lists(shuffled_batches(rows, 8, rng(seed + 1)))


@given(st.lists(st.integers(1, 40), min_size=2, max_size=300), st.integers(2, 20), SEEDS)
def test_within_a_pool_no_two_batches_overlap_in_length(lengths, size, seed):
    batches = as_lists(shuffled_batches(rows_of(lengths), size, rng(seed)))
    if len(lengths) > module.POOL * size:
        return
    spans = sorted((min(lengths[i] for i in b), max(lengths[i] for i in b)) for b in batches)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


def test_real_text_is_padded_little_and_shuffled_all_the_same(movie):
    texts = movie[0][:2000]
    batches = shuffled_batches(texts, 16, rng(0))
    padded = sum(len(batch) * max(len(texts[i]) for i in batch) for batch in batches)
    assert padded < 1.1 * sum(map(len, texts))
    plain = [range(i, i + 16) for i in range(0, 2000, 16)]
    assert sum(16 * max(len(texts[i]) for i in batch) for batch in plain) > 1.5 * padded
    # Longer and shorter batches alternate: no run from short to long.
    means = [np.mean([len(texts[i]) for i in batch]) for batch in batches]
    assert abs(np.corrcoef(np.arange(len(means)), means)[0, 1]) < 0.3


def test_rows_meet_other_rows_in_each_epoch_even_in_small_data():
    rows, state = rows_of([i % 5 for i in range(200)]), rng(0)
    partners = {
        frozenset(batch.tolist())
        for _ in range(5)
        for batch in shuffled_batches(rows, 8, state)
        if 0 in batch
    }
    assert len(partners) == 5


def test_no_rows_give_no_batches():
    assert sorted_batches([], 4) == []
    assert shuffled_batches([], 4, rng(0)) == []
