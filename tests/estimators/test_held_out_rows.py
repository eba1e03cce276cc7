"""Rows that the user holds out: X_val and y_val, splitters, positions and masks."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import PredefinedSplit, ShuffleSplit

from sktransfer import (
    TransferImageClassifier,
    TransferTextClassifier,
    TransferTextEncoder,
    TransferTextRegressor,
    load,
)
from sktransfer.backbones.hashing import HashingBackbone

vision = pytest.importorskip("sktransfer_vision")
BACKBONE = HashingBackbone(dim=16, n_buckets=1024)
STOPPING = {"backbone": BACKBONE, "freeze": "full", "max_epochs": 4, "lr": 0.02, "random_state": 0}


def stopping(**params):
    return TransferTextClassifier(**STOPPING | {"early_stopping": True} | params)


@pytest.fixture(scope="module")
def data(movie):
    return list(movie[0][:100]), movie[1][:100]


@pytest.fixture(scope="module")
def further(movie):
    return list(movie[0][100:160]), movie[1][100:160]


def scores(clf):
    return [epoch["valid_score"] for epoch in clf.history_]


def test_rows_that_are_passed_are_scored_and_all_others_are_trained_on(data, further):
    clf = stopping().fit(*data, X_val=further[0], y_val=further[1])
    assert (clf.stages_[0]["rows"], clf.stages_[0]["rows_held_out"]) == (100, 60)
    assert max(scores(clf)) == pytest.approx(clf.score(*further))


def test_partial_fit_takes_them_too(data, further):
    clf = stopping().fit(*data, X_val=further[0], y_val=further[1])
    clf.partial_fit(*data, X_val=further[0][:30], y_val=further[1][:30])
    assert [stage["rows_held_out"] for stage in clf.stages_] == [60, 30]


def test_a_regressor_takes_them_too(data, further):
    y, y_val = ([len(text) for text in part[0]] for part in (data, further))
    reg = TransferTextRegressor(**STOPPING, early_stopping=True)
    reg.fit(data[0], y, X_val=further[0], y_val=y_val)
    assert max(scores(reg)) == pytest.approx(reg.score(further[0], y_val))


def test_an_encoder_takes_them_too(data, further):
    encoder = TransferTextEncoder(**STOPPING, early_stopping=True)
    encoder.fit(*data, X_val=further[0], y_val=further[1])
    assert encoder.stages_[0]["rows_held_out"] == 60


def images(n):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, size=(40, 40, 3), dtype=np.uint8) for _ in range(n)]


def of_images(**params):
    tiny = vision.EfficientNetLite(weights=None, width=0.1, depth=0.3, image_size=33, crop=1.0)
    given = {"freeze": "head_by_epochs", "max_epochs": 1, "early_stopping": True}
    return TransferImageClassifier(tiny, **given, **params)


def test_images_are_passed_as_well():
    X = images(12)
    clf = of_images().fit(X[:8], [0, 1] * 4, X_val=X[8:], y_val=[0, 1] * 2)
    assert clf.stages_[0]["rows_held_out"] == 4


def test_images_of_them_that_cannot_be_read_are_skipped_with_their_labels():
    X = [*images(12), "gone.png"]
    clf = of_images(on_bad_image="skip")
    with pytest.warns(UserWarning, match=r"1 of 5 images.*left out of X_val.*gone\.png"):
        clf.fit(X[:8], [0, 1] * 4, X_val=[X[8], X[12], *X[9:12]], y_val=[0, 0, 1, 0, 1])
    assert clf.stages_[0]["rows_held_out"] == 4
    with pytest.raises(ValueError, match="X_val has no input that can be read"):
        clf.fit(X[:8], [0, 1] * 4, X_val=[X[12]], y_val=[0])
    with pytest.raises(ValueError, match=r"gone\.png, cannot be read"):
        of_images().fit(X[:8], [0, 1] * 4, X_val=[X[12]], y_val=[0])


def test_temperatures_are_fitted_on_them(data):
    params = {"calibrate": "temperature", "early_stopping": False}
    turned = np.where(data[1] == "positive", "negative", "positive")
    found = [
        stopping(**params).fit(*data, X_val=data[0], y_val=y).temperature_
        for y in (data[1], turned)
    ]
    assert found[0] < 1 < 5 < found[1]


def test_only_one_of_the_two_is_refused(data, further):
    with pytest.raises(ValueError, match="y_val is None"):
        stopping().fit(*data, X_val=further[0])
    with pytest.raises(ValueError, match="X_val is None"):
        stopping().fit(*data, y_val=further[1])


def test_rows_that_nothing_would_look_at_are_refused(data, further):
    with pytest.raises(ValueError, match="early_stopping=True"):
        stopping(early_stopping=False).fit(*data, X_val=further[0], y_val=further[1])


def test_lengths_that_differ_are_named(data, further):
    with pytest.raises(ValueError, match="60 inputs, 3 targets"):
        stopping().fit(*data, X_val=further[0], y_val=further[1][:3])


def test_a_label_that_training_lacks_is_refused(data, further):
    with pytest.raises(ValueError, match="neutral"):
        stopping().fit(*data, X_val=further[0][:1], y_val=["neutral"])


@pytest.mark.parametrize("kind", [list, np.array, pd.Series])
def test_positions_name_the_rows(data, kind):
    rows = [3, 50, 51, 99, 4]
    clf = stopping(validation_fraction=kind(rows)).fit(*data)
    assert (clf.stages_[0]["rows"], clf.stages_[0]["rows_held_out"]) == (95, 5)
    X, y = [data[0][i] for i in rows], data[1][rows]
    assert max(scores(clf)) == pytest.approx(clf.score(X, y))


def test_a_mask_names_the_same_rows_as_positions(data):
    mask = np.zeros(100, dtype=bool)
    mask[[3, 50, 51, 99, 4]] = True
    by_mask, by_position = (
        stopping(validation_fraction=rows).fit(*data) for rows in (mask, np.flatnonzero(mask))
    )
    np.testing.assert_array_equal(
        by_mask.predict_proba(data[0]), by_position.predict_proba(data[0])
    )


def test_a_splitter_gives_its_first_split(data):
    fold = np.where(np.arange(100) % 4 == 0, 0, -1)
    by_splitter = stopping(validation_fraction=PredefinedSplit(fold)).fit(*data)
    by_position = stopping(validation_fraction=np.flatnonzero(fold == 0)).fit(*data)
    assert by_splitter.stages_[0]["rows_held_out"] == 25
    assert scores(by_splitter) == scores(by_position)


def test_a_splitter_may_leave_rows_out_of_both_parts(data):
    splitter = ShuffleSplit(train_size=40, test_size=20, random_state=0)
    clf = stopping(validation_fraction=splitter).fit(*data)
    assert (clf.stages_[0]["rows"], clf.stages_[0]["rows_held_out"]) == (40, 20)


def test_rows_of_weight_0_do_not_shift_the_positions(data):
    weight = np.ones(100)
    weight[:10] = 0
    rows = np.arange(5, 20)
    clf = stopping(validation_fraction=rows).fit(*data, sample_weight=weight)
    rest = stopping(validation_fraction=np.arange(10)).fit(data[0][10:], data[1][10:])
    assert (clf.stages_[0]["rows"], clf.stages_[0]["rows_held_out"]) == (80, 10)
    assert scores(clf) == scores(rest)


def test_named_rows_tune_a_frozen_head_in_place_of_folds(data):
    params = {"freeze": "frozen", "early_stopping": False, "calibrate": "temperature"}
    crossed = stopping(**params).fit(*data)
    named = stopping(**params, validation_fraction=np.arange(40)).fit(*data)
    assert (crossed.stages_[0]["rows"], named.stages_[0]["rows"]) == (100, 60)
    assert crossed.temperature_ != named.temperature_


def test_cross_fitted_temperatures_make_held_out_probabilities_no_worse(data, movie):
    X, y = list(movie[0][160:460]), movie[1][160:460]
    from sklearn.metrics import log_loss

    params = {"freeze": "frozen", "early_stopping": False, "head": "linear"}
    losses = [
        log_loss(y, stopping(**params, calibrate=how).fit(*data).predict_proba(X))
        for how in ("temperature", None)
    ]
    assert losses[0] <= losses[1] + 1e-3


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([0, 100], "0 to 100"),
        ([-1], "-1 to -1"),
        ([0.5, 1.5], "float64"),
        ([True] * 5, r"\(5,\)"),
        (np.arange(100), "100 of 100"),
        ([[1, 2]], r"\(1, 2\)"),
    ],
)
def test_rows_that_there_are_not_are_refused(data, rows, message):
    with pytest.raises(ValueError, match=message):
        stopping(validation_fraction=rows).fit(*data)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -1, "half", None])
def test_what_is_neither_fraction_nor_rows_is_refused(data, fraction):
    with pytest.raises(ValueError, match="validation_fraction"):
        stopping(validation_fraction=fraction).fit(*data)


def test_clones_hold_out_the_same_rows_and_saving_warns_that_they_are_not_kept(data, tmp_path):
    clf = stopping(validation_fraction=PredefinedSplit([0] * 20 + [-1] * 80)).fit(*data)
    assert scores(clone(clf).fit(*data)) == scores(clf)
    with pytest.warns(UserWarning, match="validation_fraction"):
        clf.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").predict(data[0]), clf.predict(data[0]))


# --- too few rows, and rows that nothing looks at ------------------------------------------------


def test_rows_without_an_effect_are_told_of(data, further):
    with pytest.warns(UserWarning, match="X_val and y_val have no effect"):
        stopping(freeze="frozen").fit(*data, X_val=further[0], y_val=further[1])


@pytest.mark.parametrize("n", [1, 5])
def test_a_few_rows_more_leave_tuned_thresholds_as_they_are_and_a_warning_says_so(data, n):
    Y = np.column_stack([data[1] == "positive", np.arange(100) % 3 == 0]).astype(int)
    clf = stopping(early_stopping=False).fit(data[0], Y)
    before = clf.thresholds_.copy()
    assert not np.array_equal(before, [0.5, 0.5])
    with pytest.warns(UserWarning, match=f"of {n} rows none is held out"):
        clf.partial_fit(data[0][:n], Y[:n])
    np.testing.assert_array_equal(clf.thresholds_, before)
    assert clf.stages_[1]["rows"] == n
