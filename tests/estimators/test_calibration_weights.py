"""Temperatures and thresholds go by sample weights; weights of classes are for training alone."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from sktransfer import TransferTextClassifier
from sktransfer.tasks.multiclass import MulticlassTask
from sktransfer.tasks.multilabel import MultilabelTask

WORDS = ["good", "bad", "fine", "awful", "great", "poor", "nice", "ugly"]


def noisy_texts(n, seed):
    """Give texts that say "good" or not, and labels of which three in ten are wrong."""
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(WORDS, 3)) for _ in range(n)]
    right = np.array(["good" in text for text in texts])
    return texts, (right ^ (rng.random(n) < 0.3)).astype(int)


def quick(**params):
    shared = {"freeze": "frozen", "validation_fraction": 0.4, "random_state": 0}
    return TransferTextClassifier("hashing", **shared | params)


@pytest.fixture(scope="module")
def data():
    return noisy_texts(600, 1)


def test_class_weights_do_not_reach_the_temperature(data):
    weighted = {"class_weight": {0: 1, 1: 20}}
    X, y = noisy_texts(600, 2)
    raw = quick(**weighted).fit(*data)
    calibrated = quick(calibrate="temperature", **weighted).fit(*data)
    before, after = (log_loss(y, clf.predict_proba(X)) for clf in (raw, calibrated))
    assert after < 0.72 < 1.3 < before


@pytest.mark.parametrize("task", [MulticlassTask, MultilabelTask])
@pytest.mark.parametrize("named", [None, range(200)])
def test_calibration_is_given_the_sample_weights_of_its_rows(data, task, named, monkeypatch):
    X, y = data
    sample_weight = np.where(np.arange(600) % 3, 1.0, 4.0)
    seen = []

    def calibrate(self, head, outputs, values, weights):
        seen.append((len(values), sorted(set(weights.tolist()))))
        return self

    monkeypatch.setattr(task, "calibrate", calibrate)
    weight = {0: 1, 1: 20}
    if task is MulticlassTask:
        clf = quick(calibrate="temperature", class_weight=weight)
    else:
        y = np.column_stack([y, np.arange(600) % 2])
        clf = quick(calibrate="temperature", threshold="auto", class_weight=[weight, weight])
    if named is not None:
        clf.set_params(validation_fraction=list(named))
    clf.fit(X, y, sample_weight=sample_weight)
    n_rows = 600 if named is None else 200  # by heads that did not see them, or held out
    assert seen == [(n_rows, [1.0, 4.0])]
