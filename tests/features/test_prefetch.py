"""Batches that are made while the one before them is computed on."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from sktransfer.features.prefetch import prefetch


class Slow:
    slow_collate = True


class Quick:
    slow_collate = False


@pytest.fixture(params=[1, 2])
def n_threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("encoder", [Slow(), Quick()])
@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_everything_comes_in_order(n_threads, encoder, n):
    assert list(prefetch(lambda x: x * x, range(n), encoder)) == [(i, i * i) for i in range(n)]


def test_the_next_is_made_while_the_caller_works_and_one_at_a_time():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    running, most, made = 0, 0, []
    lock = threading.Lock()

    def make(x):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        made.append(x)
        return x

    try:
        for x, _ in prefetch(make, range(6), Slow()):
            time.sleep(0.05)
            assert made == list(range(min(6, x + 2)))
    finally:
        torch.set_num_threads(before)
    assert most == 1


def test_an_error_comes_where_its_item_would_have_come(n_threads):
    def make(x):
        if x == 3:
            raise ValueError("three")
        return x

    found = prefetch(make, range(9), Slow())
    assert [next(found) for _ in range(3)] == [(0, 0), (1, 1), (2, 2)]
    with pytest.raises(ValueError, match="three"):
        next(found)


def test_a_caller_that_leaves_early_leaves_no_thread(n_threads):
    before = threading.active_count()
    for x, _ in prefetch(lambda x: x, range(1000), Slow()):
        if x == 5:
            break
    assert threading.active_count() == before
