"""Inputs that a training sees in another way each time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sktransfer.training.augmentation import (
    augment_online,
    fixed_views,
    sample_cached_views,
    views,
)
from sktransfer.training.batch import Batch, Mix, TrainingRows, mix_rows
from sktransfer.training.losses import Step, Supervised


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
    return TrainingRows(
        rows=list(range(n)),
        values=np.arange(n),
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
    assert len(found) == len(found.values) == len(found.weights) == 12
    assert found.total_weight == rows(4).total_weight
    assert found.weights.mean() == pytest.approx(1.0)
    for i, row in enumerate(found.rows):
        assert found.values[i] == (row if i < 4 else row[0])
    matrix = rows(4)
    matrix.values = np.eye(4)
    np.testing.assert_array_equal(
        fixed_views(matrix, Doubles(2), Echo(), 0).values, np.concatenate([np.eye(4)] * 2)
    )


def test_rows_are_drawn_anew_in_each_batch():
    found = augment_online(rows(4), Doubles(mixup=0.3), Echo())
    assert found.mixup == 0.3
    rng = np.random.default_rng(0)
    first, second = found.draw(np.array([3, 0]), rng), found.draw(np.array([3, 0]), rng)
    assert [x for x, _ in first] == [x for x, _ in second] == [3, 0]
    assert not {seed for _, seed in first} & {seed for _, seed in second}


def test_rows_are_drawn_of_what_was_computed():
    seen = [[f"{i}{v}" for i in range(4)] for v in "ab"]
    found = sample_cached_views(rows(4), seen, Doubles())
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
    (found,), mix = mix_rows([part], np.zeros(n, dtype=bool), alpha, rng)
    partners = mix.partners.tolist()
    assert sorted(partners) == list(range(n))
    assert 0 <= mix.share <= 1
    for name, values in part.items():
        assert found[name].dtype == values.dtype
        own, other = values.double(), values[partners].double()
        wanted = mix.share * own + (1 - mix.share) * other
        tolerance = 0.501 if name == "pixels" else 1e-5
        assert (found[name].double() - wanted).abs().max() <= tolerance


def test_rows_are_mixed_within_their_micro_batch_and_side():
    parts = [{"x": torch.arange(8.0)[:, None]}, {"x": torch.arange(8.0, 13.0)[:, None]}]
    sides = np.arange(13) % 2 == 0
    found, mix = mix_rows(parts, sides, 0.5, np.random.default_rng(0))
    assert found[0]["x"].max() <= 7
    assert found[1]["x"].min() >= 8
    partners = mix.partners.numpy()
    np.testing.assert_array_equal(sides[partners], sides)
    assert (partners[:8] < 8).all()
    assert (mix.part(slice(8, 13)).partners < 5).all()


class Absolute:
    def loss(self, head, output, target):
        return (output - target).abs()


def test_the_loss_of_mixed_rows_is_that_of_both_targets():
    def loss(partners, share):
        weights = torch.tensor([1.0, 2.0, 3.0])
        batch = Batch([], torch.tensor([0.0, 0.0, 10.0]), weights, 3)
        outputs = torch.tensor([1.0, 2.0, 3.0])
        step = Step(3, Mix(torch.tensor(partners), share))
        return float(Supervised(Absolute(), None).loss(batch.forward(outputs, outputs), step))

    own = 0.75 * np.mean([1 * 1, 2 * 2, 3 * 7])
    other = 0.25 * np.mean([3 * 9, 2 * 2, 1 * 3])
    assert loss([2, 1, 0], 0.75) == pytest.approx(own + other)
    assert loss([0, 1, 2], 0.3) == pytest.approx(np.mean([1, 4, 21]))
