"""Inputs that a training sees in another way each time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sktransfer.training.net import Rows
from sktransfer.training.varied import (
    Mixed,
    drawn_anew,
    drawn_of,
    fixed_views,
    mixed,
    views,
)


class Doubles:
    """Shows a number as itself and a seed."""

    def __init__(self, n_views=3, mixup=0.0):
        self.n_views, self.mixup = n_views, mixup

    def view(self, x, seed):
        return (x, seed)


class Echo:
    def prepare(self, X):
        return list(X)


def rows(n):
    weights = np.arange(1, n + 1, dtype=float)
    return Rows(
        rows=list(range(n)),
        targets=np.arange(n),
        weights=weights / weights.mean(),
        total_weight=float(weights.sum()),
        inputs=list(range(n)),
    )


def test_the_first_view_is_the_input_and_seeds_do_not_depend_on_the_inputs():
    one, other = views([1, 2, 3], Doubles(), 5), views([2], Doubles(), 5)
    assert one[0] == [1, 2, 3]
    assert [view[1] for view in one[1:]] == [view[0] for view in other[1:]]
    assert len({seed for view in one[1:] for _, seed in view}) == 2
    assert views([1], Doubles(), 6)[1:] != views([1], Doubles(), 5)[1:]
    assert views([1], Doubles(n_views=1), 5) == [[1]]
    assert views([1], Doubles(4), 5)[:3] == views([1], Doubles(3), 5)


def test_views_weigh_together_as_much_as_the_rows():
    found = fixed_views(rows(4), Doubles(), Echo(), 0)
    assert len(found) == len(found.targets) == len(found.weights) == 12
    assert found.total_weight == rows(4).total_weight
    assert found.weights.mean() == pytest.approx(1.0)
    for i, row in enumerate(found.rows):
        assert found.targets[i] == (row if i < 4 else row[0])
    matrix = rows(4)
    matrix.targets = np.eye(4)
    np.testing.assert_array_equal(
        fixed_views(matrix, Doubles(2), Echo(), 0).targets, np.concatenate([np.eye(4)] * 2)
    )


def test_rows_are_drawn_anew_in_each_batch():
    found = drawn_anew(rows(4), Doubles(mixup=0.3), Echo())
    assert found.mixup == 0.3
    rng = np.random.default_rng(0)
    first, second = found.draw(np.array([3, 0]), rng), found.draw(np.array([3, 0]), rng)
    assert [x for x, _ in first] == [x for x, _ in second] == [3, 0]
    assert not {seed for _, seed in first} & {seed for _, seed in second}


def test_rows_are_drawn_of_what_was_computed():
    seen = [[f"{i}{v}" for i in range(4)] for v in "ab"]
    found = drawn_of(rows(4), seen, Doubles())
    rng = np.random.default_rng(0)
    drawn = [tuple(found.draw(np.array([2, 1]), rng)) for _ in range(50)]
    assert set(drawn) == {(f"2{v}", f"1{w}") for v in "ab" for w in "ab"}


@given(st.integers(1, 6), st.floats(0.05, 2.0), st.integers(0, 2**32 - 1))
def test_what_is_mixed_lies_between_its_two_rows(n, alpha, seed):
    rng = np.random.default_rng(seed)
    part = {
        "pixels": torch.from_numpy(rng.integers(0, 256, (n, 3), dtype=np.uint8)),
        "maps": torch.from_numpy(rng.normal(size=(n, 2)).astype(np.float32)),
    }
    (found,), (mix,) = mixed([part], alpha, rng)
    assert sorted(mix.partners) == list(range(n))
    assert 0 <= mix.share <= 1
    for name, values in part.items():
        assert found[name].dtype == values.dtype
        own, other = values.double(), values[mix.partners].double()
        wanted = mix.share * own + (1 - mix.share) * other
        tolerance = 0.501 if name == "pixels" else 1e-5
        assert (found[name].double() - wanted).abs().max() <= tolerance


def test_parts_share_how_much_is_mixed_but_not_with_whom():
    parts = [{"x": torch.arange(8.0)[:, None]}, {"x": torch.arange(8.0, 13.0)[:, None]}]
    found, mixes = mixed(parts, 0.5, np.random.default_rng(0))
    assert mixes[0].share == mixes[1].share
    assert found[0]["x"].max() <= 7
    assert found[1]["x"].min() >= 8


def test_the_loss_of_mixed_rows_is_that_of_both_targets():
    def loss(output, target):
        return (output - target).abs()

    output, target = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.0, 0.0, 10.0])
    weights = torch.tensor([1.0, 2.0, 3.0])
    found = Mixed([2, 1, 0], 0.75).loss(loss, output, target, weights)
    own = 0.75 * np.mean([1 * 1, 2 * 2, 3 * 7])
    other = 0.25 * np.mean([3 * 9, 2 * 2, 1 * 3])
    assert float(found) == pytest.approx(own + other)
    plain = Mixed([0, 1, 2], 0.3).loss(loss, output, target, weights)
    assert float(plain) == pytest.approx(np.mean([1, 4, 21]))
