"""A warning tells how long a computation takes, once and early, and only if that is long."""

from __future__ import annotations

import warnings

import pytest

import sktransfer
from sktransfer import SlowComputationWarning, TransferTextClassifier
from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.features import pace as module
from sktransfer.features.pace import Pace


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""

    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def run(pace, clock, n_steps, seconds):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(n_steps):
            clock.now += seconds
            pace.advance(1)
    return [(each.category, str(each.message)) for each in caught]


def test_a_long_computation_is_told_once_with_its_time_and_what_is_faster(clock):
    pace = Pace("Training for 3 epochs", 301, ["freeze='frozen' is faster", ""])
    ((category, said),) = run(pace, clock, 301, 1.0)
    assert category is SlowComputationWarning
    assert said.startswith("Training for 3 epochs takes about 5 min, as its first 2 s show.")
    assert "freeze='frozen' is faster. " in said or said.endswith("freeze='frozen' is faster.")


def test_a_short_computation_and_the_end_of_one_are_not_told(clock):
    assert run(Pace("It", 18, []), clock, 18, 1.0) == []
    assert run(Pace("It", 100_000, []), clock, 100_000, 1e-4) == []


def test_the_first_step_does_not_count(clock):
    pace = Pace("It", 10, [])
    clock.now += 60.0
    pace.advance(1)
    assert run(pace, clock, 9, 1.0) == []


@pytest.fixture
def hurried(monkeypatch):
    """Take everything for long."""
    monkeypatch.setattr(module, "_LONG", 0.0)
    monkeypatch.setattr(module, "_WATCHED", 0.0)


TEXTS = [f"{'good' if i % 2 else 'bad'} text number {i}" for i in range(400)]


def fitted(freeze):
    clf = TransferTextClassifier(
        HashingBackbone(dim=8), freeze=freeze, max_epochs=2, random_state=0
    )
    return clf.fit(TEXTS, [i % 2 for i in range(400)])


@pytest.mark.parametrize(
    ("freeze", "words"),
    [("full", "Training for 2 epochs.*freeze='frozen'"), ("frozen", "features of 400 inputs")],
)
def test_fits_tell(hurried, freeze, words):
    with pytest.warns(SlowComputationWarning, match=words):
        fitted(freeze)


def test_predictions_tell_and_the_category_can_be_turned_off(hurried):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", sktransfer.SlowComputationWarning)
        clf = fitted("full")
        clf.predict(TEXTS)
    with pytest.warns(SlowComputationWarning, match="features of 400 inputs"):
        clf.predict(TEXTS)
