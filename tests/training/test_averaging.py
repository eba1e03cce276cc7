"""The mean of the weights along a training, against one that is computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss
from skorch.callbacks import Callback

from sktransfer import TransferTextClassifier, TransferTextEncoder, TransferTextRegressor
from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.training.averaging import WeightAverage
from sktransfer.training.execution import draw_seed
from sktransfer.training.holdout import hold_out
from sktransfer.training.module import TransferModule

BACKBONE = HashingBackbone(dim=8, n_buckets=256)
ROWS, BATCH = 60, 16
STEPS = 4  # of an epoch


@pytest.fixture(scope="module")
def data(movie):
    """Reviews, and whether they say what they are about: few rows suffice to learn it."""
    texts = movie[0][:ROWS]
    return texts, np.where(["film" in t or "movie" in t for t in texts], "positive", "negative")


class Record(Callback):
    """Keeps the weights after each step, and those that are in place at the end of an epoch."""

    def __init__(self, steps, epochs):
        self.steps, self.epochs = steps, epochs

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.steps.append(weights_of(net.module_))

    def on_epoch_end(self, net, **kwargs):
        self.epochs.append(weights_of(net.module_))


def weights_of(module):
    return {name: value.clone().double() for name, value in module.state_dict().items()}


def quick(cls=TransferTextClassifier, **params):
    params = {
        "backbone": BACKBONE,
        "freeze": "full",
        "max_epochs": 5,
        "lr": 0.05,
        "batch_size": BATCH,
        "random_state": 0,
    } | params
    return cls(**params)


def fit(data, **params):
    """Give the classifier, the weights after each step, and those at the end of each epoch."""
    steps, epochs = [], []
    clf = quick(callbacks=[lambda: Record(steps, epochs)], **params).fit(*data)
    return clf, steps, epochs


def mean(weights):
    return {name: sum(w[name] for w in weights) / len(weights) for name in weights[0]}


def ema(steps):
    """Average as TensorFlow does: 0.99 of the earlier mean, and less of it in the beginning."""
    found = steps[0]
    for n, weights in enumerate(steps[1:], start=1):
        decay = min(0.99, (1 + n) / (10 + n))
        found = {k: decay * found[k] + (1 - decay) * weights[k] for k in weights}
    return found


def soup(steps, n_epochs, n_steps=STEPS):
    """Average the weights after each epoch of the second half."""
    ends = steps[n_steps - 1 :: n_steps]
    return mean(ends[n_epochs // 2 :])


def assert_close(found, expected, tol=1e-5):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=tol, err_msg=name)


def final(clf):
    return weights_of(clf.net_.module_)


@pytest.mark.parametrize("n_epochs", [1, 2, 5])
def test_ema_is_the_moving_average_over_all_steps(data, n_epochs):
    clf, steps, epochs = fit(data, average="ema", max_epochs=n_epochs)
    assert len(steps) == STEPS * n_epochs
    assert_close(final(clf), ema(steps))
    for epoch, in_place in enumerate(epochs, start=1):
        assert_close(in_place, ema(steps[: STEPS * epoch]))
    assert (final(clf)["head.weight"] - steps[-1]["head.weight"]).abs().max() > 1e-3


@pytest.mark.parametrize("n_epochs", [1, 2, 4, 5])
def test_soup_is_the_mean_over_the_epochs_of_the_second_half(data, n_epochs):
    clf, steps, epochs = fit(data, average="soup", max_epochs=n_epochs)
    assert_close(final(clf), soup(steps, n_epochs))
    for epoch, in_place in enumerate(epochs, start=1):
        first = epoch <= n_epochs // 2
        expected = steps[STEPS * epoch - 1] if first else soup(steps[: STEPS * epoch], n_epochs)
        assert_close(in_place, expected)


@pytest.mark.parametrize("average", ["ema", "soup"])
def test_averaging_leaves_the_training_as_it_was(data, average):
    _, plain, _ = fit(data, average=None)
    clf, steps, _ = fit(data, average=average)
    for a, b in zip(plain, steps, strict=True):
        assert_close(a, b, tol=0)
    unaveraged = quick().fit(*data)
    assert not np.allclose(clf.predict_proba(data[0]), unaveraged.predict_proba(data[0]), atol=1e-3)


@pytest.mark.parametrize("average", ["ema", "soup"])
def test_what_is_averaged_is_what_is_scored_and_restored(data, average):
    settings = {"early_stopping": True, "validation_fraction": 0.3, "scoring": "neg_log_loss"}
    clf, steps, epochs = fit(data, average=average, max_epochs=8, n_iter_no_change=8, **settings)
    n_steps = 3  # 42 rows
    codes = (data[1] == "positive").astype(int)
    _, valid = hold_out(ROWS, codes, 0.3, draw_seed(0))
    X, y = [data[0][i] for i in valid], codes[valid]
    scores = [epoch["valid_score"] for epoch in clf.history_]
    assert len(scores) == 8

    module = clf.net_.module_
    kept = final(clf)
    best = int(np.argmax(scores))
    for epoch, score in enumerate(scores, start=1):
        until = steps[: n_steps * epoch]
        if average == "ema":
            expected = ema(until)
        else:
            expected = until[-1] if epoch <= 4 else soup(until, 8, n_steps)
        assert_close(epochs[epoch - 1], expected, tol=1e-4)
        module.put_trained({name: value.float() for name, value in expected.items()})
        assert -log_loss(y, clf.predict_proba(X)[:, 1]) == pytest.approx(score, abs=1e-4)
        if epoch - 1 == best:
            assert_close(kept, expected, tol=1e-4)
    assert best not in (0, 7)


def test_a_training_that_stops_before_the_second_half_keeps_its_last_weights(data):
    class Stop(Record):
        def on_epoch_end(self, net, **kwargs):
            super().on_epoch_end(net, **kwargs)
            net.stop_requested = len(self.epochs) == 2

    steps, epochs = [], []
    clf = quick(average="soup", max_epochs=10, callbacks=[lambda: Stop(steps, epochs)]).fit(*data)
    assert clf.n_iter_ == 2
    assert_close(final(clf), steps[-1], tol=0)


@pytest.mark.parametrize("average", ["ema", "soup"])
def test_averaging_is_without_effect_where_only_the_head_is_fitted(data, average):
    found, expected = (
        quick(freeze="frozen", average=a).fit(*data).predict_proba(data[0]) for a in (average, None)
    )
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("average", ["ema", "soup"])
def test_a_probe_is_no_part_of_the_average(data, average):
    clf, steps, _ = fit(data, average=average, freeze="lp_ft", max_epochs=5)
    assert len(steps) == 4 * STEPS
    expected = ema(steps) if average == "ema" else soup(steps, 4)
    assert_close(final(clf), expected)


@pytest.mark.parametrize("average", ["ema", "soup"])
@pytest.mark.parametrize("freeze", ["gradual", "chain_thaw"])
def test_blocks_that_open_late_are_averaged_too(data, average, freeze):
    clf, steps, _ = fit(data, average=average, freeze=freeze, max_epochs=6)
    n_epochs = len(steps) // STEPS
    assert n_epochs == 5  # the first was the probe
    assert_close(final(clf), ema(steps) if average == "ema" else soup(steps, n_epochs))


@pytest.mark.parametrize("average", ["ema", "soup"])
def test_each_stage_averages_for_itself(data, average):
    clf, first, _ = fit(data, average=average)
    steps = []
    clf.set_params(callbacks=[lambda: Record(steps, [])]).partial_fit(*data)
    assert_close(final(clf), ema(steps) if average == "ema" else soup(steps, 5))
    assert len(first) == len(steps)


@pytest.mark.parametrize("cls", [TransferTextRegressor, TransferTextEncoder])
def test_other_estimators_average_too(data, cls):
    y = np.linspace(0, 1, ROWS)
    steps = []
    fitted = quick(cls, average="ema", callbacks=[lambda: Record(steps, [])]).fit(data[0], y)
    body = {name: value for name, value in ema(steps).items() if name.startswith("body.")}
    found = {name: value for name, value in final(fitted).items() if name.startswith("body.")}
    assert_close(found, body)


def test_an_unknown_way_of_averaging_is_refused(data):
    with pytest.raises(ValueError, match="The 'average' parameter"):
        quick(average="swa").fit(*data)


# --- the parts ----------------------------------------------------------------------------------


def small_module():
    encoder = BACKBONE.load(device="cpu", random_state=0)
    module = TransferModule(encoder, torch.nn.Linear(8, 2), "fp32")
    module.set_trainable(["projection.weight"])
    return module


def test_the_mean_is_put_in_place_for_a_while_and_the_weights_come_back():
    module, average = small_module(), WeightAverage("ema", 1)
    average.after_step(module)
    before = weights_of(module)
    with torch.no_grad():
        module.head.weight.add_(1.0)
        module.body["projection"].weight.add_(1.0)
    moved = weights_of(module)
    with average.applied(module):
        assert_close(weights_of(module), before, tol=0)
    assert_close(weights_of(module), moved, tol=0)
    with pytest.raises(RuntimeError, match="inside"), average.applied(module):
        raise RuntimeError("inside")
    assert_close(weights_of(module), moved, tol=0)
    average.apply(module)
    assert_close(weights_of(module), before, tol=0)


def test_only_what_trains_is_averaged():
    module, average = small_module(), WeightAverage("soup", 1)
    average.after_epoch(module)
    assert set(average._mean) == {"body.projection.weight", "head.weight", "head.bias"}


def test_the_average_predicts_as_well_as_the_last_weights_on_held_out_texts(movie):
    """No promise of more: the mean of a noisy training is at least no worse than where it ends."""
    train, test = (movie[0][:300], movie[1][:300]), (movie[0][300:900], movie[1][300:900])
    settings = {"max_epochs": 8, "lr": 0.1, "backbone": HashingBackbone(dim=16, n_buckets=4096)}
    found = {
        average: accuracy_score(
            test[1], quick(average=average, **settings).fit(*train).predict(test[0])
        )
        for average in (None, "ema", "soup")
    }
    assert min(found["ema"], found["soup"]) > found[None] - 0.02
