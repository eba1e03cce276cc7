"""One seed for everything random in a fit, and the caller's random state left alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sktransfer.training.execution import draw_seed, isolated_rng

# What is slow once, or on a busy machine, is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS)
def test_an_int_gives_one_seed_that_everything_accepts(random_state):
    seed = draw_seed(random_state)
    assert type(seed) is int
    assert 0 <= seed < 2**31
    assert seed == draw_seed(random_state) == draw_seed(np.uint32(random_state))
    np.random.RandomState(seed)
    torch.Generator().manual_seed(seed)


def test_neighbouring_ints_give_seeds_far_apart():
    seeds = [draw_seed(i) for i in range(2000)]
    assert len(set(seeds)) == 2000
    assert np.corrcoef(np.arange(2000), seeds)[0, 1] < 0.1


@given(SEEDS)
def test_an_instance_is_advanced_so_that_two_fits_differ(random_state):
    instance = np.random.RandomState(random_state)
    first, second = draw_seed(instance), draw_seed(instance)
    assert first != second
    again = np.random.RandomState(random_state)
    assert [draw_seed(again), draw_seed(again)] == [first, second]


def test_none_is_fresh_entropy_and_not_the_global_state():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    first = draw_seed(None)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    np.random.seed(0)
    assert len({first, *(draw_seed(None) for _ in range(5))}) == 6


@given(SEEDS.map(lambda seed: seed % 2**31))
def test_inside_torch_is_seeded_and_outside_it_goes_on_as_if_nothing_had_been(seed):
    torch.manual_seed(5)
    undisturbed = torch.rand(3)
    torch.manual_seed(5)
    with isolated_rng(seed, "cpu"):
        first = torch.rand(3)
    assert torch.equal(torch.rand(3), undisturbed)
    with isolated_rng(seed, "cpu"):
        assert torch.equal(torch.rand(3), first)
    expected = torch.rand(3, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(first, expected)


def test_the_state_is_restored_after_an_error_too():
    torch.manual_seed(5)
    before = torch.get_rng_state()

    def fail():
        with isolated_rng(0, "cpu"):
            torch.rand(1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_generator_of_the_device_is_seeded_and_restored_too():
    torch.cuda.manual_seed_all(5)
    before = torch.cuda.get_rng_state(0)
    draws = []
    for _ in range(2):
        with isolated_rng(3, "cuda:0"):
            draws.append(torch.rand(3, device="cuda:0").cpu())
    assert torch.equal(*draws)
    assert torch.equal(torch.cuda.get_rng_state(0), before)
