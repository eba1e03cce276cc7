"""Numbers from texts: against ridge regression, in the caller's units, and what is refused."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score

from sktransfer import TransferTextClassifier, TransferTextEncoder, TransferTextRegressor, load
from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.heads.linear import LinearHead
from sktransfer.training.execution import draw_seed
from sktransfer.training.holdout import hold_out

BACKBONE = HashingBackbone(dim=16, n_buckets=1024)


def quick(**params):
    return TransferTextRegressor(
        **{"backbone": BACKBONE, "freeze": "frozen", "max_epochs": 3, "random_state": 0} | params
    )


def stars(texts):
    """Give 4 ± 0.3 where a review says what it is about, and 2 ± 0.3 elsewhere."""
    topic = np.array([bool(re.search("film|movie", text)) for text in texts])
    return np.where(topic, 4.0, 2.0) + 0.3 * np.random.RandomState(0).randn(len(texts))


@pytest.fixture(scope="module")
def data(movie):
    return movie[0][:150], stars(movie[0][:150])


@pytest.fixture(scope="module")
def features(data):
    return TransferTextEncoder(BACKBONE, random_state=0).fit_transform(data[0]).astype(float)


def ridge(features, y, C=1.0, weight=None):
    """Predict by ridge regression on a standardised target, in the units of the target."""
    mean = np.average(y, axis=0, weights=weight)
    scale = np.sqrt(np.average((y - mean) ** 2, axis=0, weights=weight))
    model = Ridge(alpha=1 / C).fit(features, (y - mean) / scale, sample_weight=weight)
    return model.predict(features) * scale + mean


# --- what is learned ----------------------------------------------------------------------------


@pytest.mark.parametrize("C", [0.01, 1.0, 1000.0])
def test_a_frozen_regressor_is_ridge_regression(data, features, C):
    reg = quick(head=LinearHead(C=C)).fit(*data)
    np.testing.assert_allclose(reg.predict(data[0]), ridge(features, data[1], C), atol=1e-4)


def test_several_targets_are_a_ridge_regression_each(data, features):
    Y = np.column_stack([data[1], [len(text) for text in data[0]]])
    reg = quick().fit(data[0], Y)
    np.testing.assert_allclose(reg.predict(data[0]), ridge(features, Y), rtol=1e-4)
    assert (reg.n_targets_, reg.target_mean_.shape) == (2, (2,))
    assert reg.score(data[0], Y) == pytest.approx(r2_score(Y, reg.predict(data[0])))


def test_sample_weights_count_as_in_ridge_regression(data, features):
    weight = np.random.RandomState(0).uniform(0, 3, 150)
    weight[::5] = 0
    found = quick(head=LinearHead(C=1.0)).fit(*data, sample_weight=weight).predict(data[0])
    np.testing.assert_allclose(found, ridge(features, data[1], weight=weight), atol=1e-4)


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_a_weight_of_two_is_a_row_twice(data, loss):
    weight = np.where(np.arange(150) % 3 == 0, 2, 1)
    weighted = quick(loss=loss).fit(*data, sample_weight=weight)
    repeated = quick(loss=loss).fit(np.repeat(data[0], weight), np.repeat(data[1], weight))
    np.testing.assert_allclose(weighted.target_scale_, repeated.target_scale_)
    found, expected = (reg.predict(data[0]) for reg in (weighted, repeated))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("freeze", ["frozen", "full"])
@pytest.mark.parametrize("loss", ["squared_error", "huber", "quantile"])
def test_predictions_are_in_the_units_of_the_target(data, freeze, loss):
    """Fahrenheit for Celsius: other units of the same target give the same predictions."""
    params = {"freeze": freeze, "loss": loss, "quantile": 0.7}
    found = quick(**params).fit(data[0], 1000 * data[1] - 5e6).predict(data[0])
    expected = quick(**params).fit(*data).predict(data[0])
    np.testing.assert_allclose((found + 5e6) / 1000, expected, atol=0.02)
    assert np.std(expected) > 0.1


def test_a_trained_body_predicts_better_than_a_frozen_one(data):
    frozen, full = quick().fit(*data), quick(freeze="full", max_epochs=10, lr=0.02).fit(*data)
    assert full.score(*data) > frozen.score(*data) + 0.2
    assert full.n_parameters_["frozen"] == frozen.n_parameters_["trained"] == 0


def test_a_target_that_does_not_vary_is_predicted_as_it_is(data):
    np.testing.assert_allclose(quick().fit(data[0], np.full(150, 7.0)).predict(data[0]), 7.0)


# --- other losses -------------------------------------------------------------------------------


def test_quantiles_cover_their_share_and_are_in_order(data):
    head = LinearHead(C=100.0)
    found = {
        q: quick(loss="quantile", quantile=q, head=head).fit(*data).predict(data[0])
        for q in (0.1, 0.5, 0.9)
    }
    for q, predicted in found.items():
        assert np.mean(data[1] <= predicted) == pytest.approx(q, abs=0.06)
    assert np.mean(found[0.9] > found[0.1]) > 0.97
    assert found[0.1].mean() < found[0.5].mean() < found[0.9].mean()


def test_a_huber_loss_that_begins_far_out_is_the_squared_one(data):
    far = quick(loss="huber", delta=1000.0).fit(*data).predict(data[0])
    np.testing.assert_allclose(far, quick().fit(*data).predict(data[0]), atol=1e-5)
    near = quick(loss="huber", delta=0.1).fit(*data).predict(data[0])
    assert np.abs(near - far).max() > 0.01


def test_outliers_pull_the_huber_loss_less_than_the_squared_one(data):
    y = data[1].copy()
    y[::30] += 20.0
    ordinary = np.arange(150) % 30 != 0
    truth = data[1][ordinary]

    def error(**params):
        return mean_absolute_error(
            truth, quick(**params).fit(data[0], y).predict(data[0])[ordinary]
        )

    assert error(loss="huber", delta=0.2) < 0.8 * error()
    assert error(loss="quantile") < 0.8 * error()


# --- shapes and types ---------------------------------------------------------------------------

CONTAINERS = {
    "list": lambda y: y.tolist(),
    "Series": pd.Series,
    "nullable Series": lambda y: pd.Series(y).astype("Float64"),
    "objects": lambda y: y.astype(object),
    "polars Series": pl.Series,
    "column": lambda y: y.reshape(-1, 1),
    "frame": lambda y: pd.DataFrame({"y": y}),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_targets_are_the_same_whatever_they_come_in(data, container):
    y = CONTAINERS[container](data[1])
    found = quick().fit(data[0], y).predict(data[0])
    assert found.dtype == np.float64
    assert found.shape == np.shape(y)
    np.testing.assert_allclose(found.ravel(), quick().fit(*data).predict(data[0]))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
def test_numbers_of_any_type_are_read(data, dtype):
    y = (10 * data[1]).astype(dtype)
    np.testing.assert_allclose(
        quick().fit(data[0], y).predict(data[0]),
        quick().fit(data[0], y.astype(float)).predict(data[0]),
    )


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (None, ValueError, "requires y to be passed, but the target y is None"),
        ([np.nan, *range(149)], ValueError, "Input y contains NaN"),
        ([np.inf, *range(149)], ValueError, "Input y contains infinity"),
        ([None, *range(149)], ValueError, "Input y contains NaN"),
        (["good", "bad"] * 75, ValueError, "could not convert string to float"),
        (range(149), ValueError, "150 inputs, 149 targets"),
        (np.zeros((150, 2, 2)), ValueError, "dim 3"),
        (sparse.csr_matrix((150, 1)), TypeError, "dense data is required"),
    ],
)
def test_bad_targets_are_refused_and_leave_the_estimator_as_it_was(data, y, error, message):
    reg = quick().fit(*data)
    state = dict(vars(reg))
    for method in (reg.fit, reg.partial_fit):
        with pytest.raises(error, match=message):
            method(data[0], y)
    assert vars(reg) == state


@pytest.mark.parametrize(
    "params", [{"loss": "absolute"}, {"delta": 0}, {"quantile": 1.0}, {"quantile": 0}]
)
def test_bad_parameters_are_refused(data, params):
    with pytest.raises(ValueError, match=f"The '{next(iter(params))}' parameter"):
        quick(**params).fit(*data)


def test_prediction_before_fit_is_refused(data):
    with pytest.raises(NotFittedError):
        quick().predict(data[0])


# --- stages -------------------------------------------------------------------------------------


def test_later_stages_keep_the_units_of_the_first(data):
    reg = quick().fit(*data)
    mean, scale = reg.target_mean_.copy(), reg.target_scale_.copy()
    reg.partial_fit(data[0][:40], data[1][:40] + 10)
    np.testing.assert_array_equal(reg.target_mean_, mean)
    np.testing.assert_array_equal(reg.target_scale_, scale)
    assert [s["stage"] for s in reg.stages_] == ["source", "target"]
    assert reg.stages_[1]["head"] == "kept"
    assert 4 < reg.predict(data[0]).mean() < 13.5  # it has moved towards the new rows


@pytest.mark.parametrize("freeze", ["frozen", "head_by_epochs", "full"])
@pytest.mark.parametrize("constant", [5.0, 0.1])
def test_a_constant_target_is_predicted_as_it_is(data, freeze, constant):
    y = np.column_stack([np.full(150, constant), data[1]])
    weight = np.where(np.arange(150) == 7, 0.0, 1.0)
    y[7, 0] = 100.0  # a row that does not count
    reg = quick(freeze=freeze).fit(data[0], y, sample_weight=weight)
    predicted = reg.predict(data[0])
    assert set(predicted[:, 0]) == {constant}
    assert predicted[:, 1].std() > 0
    assert reg.target_scale_[0] == 0


def test_what_was_constant_at_first_is_learned_in_a_later_stage(data):
    reg = quick(freeze="full", max_epochs=20, lr=0.02).fit(data[0], np.full(150, 3.0))
    reg.partial_fit(*data)
    assert reg.target_mean_ == [3.0]
    np.testing.assert_allclose(reg.target_scale_, np.sqrt(np.mean((data[1] - 3.0) ** 2)))
    assert reg.score(*data) > 0.5


def test_a_strong_penalty_keeps_what_was_learned(data):
    reg = quick().fit(*data)
    before = reg.predict(data[0])
    reg.set_params(head=LinearHead(C=1e-9)).partial_fit(data[0][:40], data[1][:40] + 10)
    np.testing.assert_allclose(reg.predict(data[0]), before, atol=1e-4)


def test_partial_fit_needs_no_fit_before_it(data):
    reg = quick(freeze="full").partial_fit(*data)
    np.testing.assert_array_equal(
        reg.predict(data[0]), quick(freeze="full").fit(*data).predict(data[0])
    )


def test_another_number_of_targets_is_refused_and_changes_nothing(data):
    reg = quick().fit(*data)
    state = dict(vars(reg))
    with pytest.raises(ValueError, match="y has 2 columns, but the estimator was fitted with 1"):
        reg.partial_fit(data[0], np.column_stack([data[1], data[1]]))
    assert vars(reg) == state


def test_a_classifier_is_a_source_whose_encoder_is_kept_and_whose_head_is_not(movie, data):
    clf = TransferTextClassifier(
        BACKBONE, freeze="full", max_epochs=5, lr=0.02, random_state=0
    ).fit(movie[0][150:350], movie[1][150:350])
    before = clf.predict_proba(data[0])
    reg = clone(quick(source=FrozenEstimator(clf))).fit(*data)
    tuned = clf.encoder_.transform(data[0]).astype(float)
    np.testing.assert_allclose(reg.predict(data[0]), ridge(tuned, data[1]), atol=1e-4)
    assert (reg.stages_[0]["stage"], reg.stages_[0]["head"]) == ("target", "new")
    np.testing.assert_array_equal(clf.predict_proba(data[0]), before)


def test_a_regressor_is_a_source_whose_head_is_kept(data):
    first = quick().fit(*data)
    strong = LinearHead(C=1e-9)
    reg = quick(source=FrozenEstimator(first), head=strong).fit(data[0][:50], 10 * data[1][:50])
    found = (reg.predict(data[0]) - reg.target_mean_) / reg.target_scale_
    expected = (first.predict(data[0]) - first.target_mean_) / first.target_scale_
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert reg.stages_[0]["head"] == "kept"


# --- the tools that people use ------------------------------------------------------------------


def test_early_stopping_restores_the_best_epoch_by_r2(data):
    settings = {"freeze": "full", "validation_fraction": 0.3, "max_epochs": 30, "lr": 0.05}
    reg = quick(early_stopping=True, n_iter_no_change=3, **settings).fit(*data)
    scores = [epoch["valid_score"] for epoch in reg.history_]
    assert len(scores) < 30
    _, valid = hold_out(150, None, 0.3, draw_seed(0))
    assert reg.score([data[0][i] for i in valid], data[1][valid]) == pytest.approx(
        max(scores), abs=1e-5
    )
    assert scores[-1] < max(scores)


def test_early_stopping_goes_by_the_scorer_that_is_asked_for_in_the_units_of_the_target(data):
    params = {"freeze": "full", "validation_fraction": 0.3, "max_epochs": 8, "lr": 0.05}
    reg = quick(early_stopping=True, scoring="neg_mean_absolute_error", **params)
    reg.fit(data[0], 1000 * data[1])
    _, valid = hold_out(150, None, 0.3, draw_seed(0))
    predicted = reg.predict([data[0][i] for i in valid])
    best = max(epoch["valid_score"] for epoch in reg.history_)
    assert -mean_absolute_error(1000 * data[1][valid], predicted) == pytest.approx(best, rel=1e-4)


@pytest.mark.parametrize("freeze", ["frozen", "full"])
@pytest.mark.parametrize("n_targets", [None, 2])
def test_what_is_saved_comes_back(data, tmp_path, freeze, n_targets):
    y = data[1] if n_targets is None else np.column_stack([data[1], -data[1]])
    reg = quick(freeze=freeze, loss="huber", delta=0.5).fit(data[0], y)
    reg.save(tmp_path / "model")
    for again in (load(tmp_path / "model"), pickle.loads(pickle.dumps(reg))):
        assert repr(again) == repr(reg)
        assert again.n_targets_ == n_targets
        np.testing.assert_array_equal(again.predict(data[0]), reg.predict(data[0]))
        further = again.partial_fit(data[0][:20], y[:20]).predict(data[0])
        assert further.shape == y.shape


def test_cross_validation_and_search_score_by_r2(movie):
    texts, y = movie[0][:150], np.array([len(text.split()) for text in movie[0][:150]])
    y = y + 10 * (movie[1][:150] == "positive")
    assert np.isfinite(cross_val_score(quick(), texts, y, cv=2, error_score="raise")).all()
    search = GridSearchCV(
        quick(), {"head__C": [1e-6, 1.0], "head": [LinearHead()]}, cv=2, error_score="raise"
    ).fit(texts, y)
    assert search.score(texts, y) == pytest.approx(
        r2_score(y, search.best_estimator_.predict(texts))
    )


def test_the_encoder_of_a_regressor_gives_the_features_that_it_uses(data):
    reg = quick(freeze="full", lr=0.02).fit(*data)
    state = reg.net_.state
    weight, bias = (state.head_weights[name].double().numpy() for name in ("weight", "bias"))
    features = reg.encoder_.transform(data[0])
    found = (features @ weight.T + bias)[:, 0] * reg.target_scale_ + reg.target_mean_
    np.testing.assert_allclose(reg.predict(data[0]), found, rtol=1e-5)
