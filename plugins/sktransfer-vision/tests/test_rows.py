"""Rows that decode when they are put into a batch."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sktransfer_vision.rows import LazyRow


class File:
    """A picture that counts how often it is decoded."""

    def __init__(self, array):
        self.array = array
        self.n_decoded = 0

    def __array__(self, dtype=None, copy=None):
        self.n_decoded += 1
        return self.array


def corner(array):
    return array[:2, :3]


def test_a_row_decodes_when_it_is_read_and_each_time():
    file = File(np.arange(60, dtype=np.uint8).reshape(4, 5, 3))
    row = LazyRow(file, corner, cost=7)
    assert len(row) == 7
    assert file.n_decoded == 0
    np.testing.assert_array_equal(np.asarray(row), file.array[:2, :3])
    np.asarray(row)
    assert file.n_decoded == 2


def test_a_row_travels_to_other_processes():
    row = LazyRow(np.ones((4, 5, 3), np.uint8), corner, cost=7)
    again = pickle.loads(pickle.dumps(row))
    assert len(again) == 7
    np.testing.assert_array_equal(np.asarray(again), np.asarray(row))


WRONG = [
    np.zeros((4, 5, 3)),
    np.zeros((4, 5), np.uint8),
    np.zeros((3, 4, 5), np.uint8),
    np.zeros((0, 5, 3), np.uint8),
]


@pytest.mark.parametrize("array", WRONG, ids=lambda array: f"{array.dtype}{array.shape}")
def test_what_is_no_picture_is_refused_as_soon_as_it_is_known(array):
    with pytest.raises(ValueError, match="array of uint8 of shape"):
        LazyRow(array, corner, cost=1)
    row = LazyRow(File(array), corner, cost=1)
    with pytest.raises(ValueError, match="array of uint8 of shape"):
        np.asarray(row)
