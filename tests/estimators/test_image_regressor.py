"""The regressor of images, on pictures of known brightness and a network of random weights."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone, is_regressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktransfer import (
    ImageAugmentation,
    TransferImageClassifier,
    TransferImageEncoder,
    TransferImageRegressor,
    TransferSearchCV,
    TransferTextRegressor,
    load,
)
from sktransfer.heads.linear import LinearHead

vision = pytest.importorskip("sktransfer_vision", reason="needs the plugin sktransfer-vision")
Image = pytest.importorskip("PIL.Image")

TINY = vision.EfficientNetLite(weights=None, width=0.1, depth=0.3, image_size=33, crop=1.0)
PLAIN = vision.VGG16(weights=None, width=0.1, image_size=33, crop=1.0)
SETTINGS = {"precision": "fp32", "random_state": 0}


def drawn(n, seed=0):
    """Draw noise of different brightness, from 0 to 200."""
    rng = np.random.default_rng(seed)
    brightness = rng.uniform(0, 200, n)
    pictures = [(b + rng.integers(0, 50, (40, 40, 3))).astype(np.uint8) for b in brightness]
    return pictures, brightness


@pytest.fixture(scope="module")
def data():
    return drawn(40)


@pytest.fixture
def files(data, tmp_path):
    paths = []
    for i, picture in enumerate(data[0]):
        paths.append(str(tmp_path / f"{i}.png"))
        Image.fromarray(picture).save(paths[-1])
    return paths


def regressor(**params):
    # Features of random weights vary little.
    head = LinearHead(C=1000.0)
    given = {"backbone": TINY, "freeze": "frozen", "head": head, **SETTINGS, **params}
    return TransferImageRegressor(**given)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"loss": "huber"},
        {"backbone": PLAIN, "freeze": "full", "max_epochs": 20, "lr": 1e-3},
    ],
    ids=["frozen", "huber", "full"],
)
def test_it_predicts_the_brightness_of_new_pictures(data, params):
    assert regressor(**params).fit(*data).score(*drawn(40, seed=1)) > 0.8


def test_it_is_a_regressor_to_scikit_learn():
    assert is_regressor(regressor())
    assert repr(TransferImageRegressor(image_size=64)) == "TransferImageRegressor(image_size=64)"


def test_of_frozen_features_it_is_the_ridge_regression(data):
    X, y = data
    features = TransferImageEncoder(TINY, **SETTINGS).fit_transform(X)
    scale = y.std()
    ridge = Ridge(alpha=1 / 10.0).fit(features, y / scale)
    found = regressor(head=LinearHead(C=10.0)).fit(X, y).predict(X)
    np.testing.assert_allclose(found, ridge.predict(features) * scale, rtol=1e-3)


def test_paths_images_and_arrays_give_the_same(data, files):
    X, y = data
    wanted = regressor().fit(X, y).predict(X)
    for same in (files, [Image.fromarray(picture) for picture in X]):
        np.testing.assert_allclose(regressor().fit(same, y).predict(same), wanted, rtol=1e-4)


def test_several_numbers_are_predicted_at_once(data):
    X, y = data
    both = regressor().fit(X, np.stack([y, -3 * y], axis=1))
    assert both.n_targets_ == 2
    found = both.predict(X)
    assert found.shape == (40, 2)
    np.testing.assert_allclose(found[:, 1], -3 * found[:, 0], atol=1.0)


def test_partial_fit_goes_on_in_the_units_of_the_first_fit(data):
    X, y = data
    reg = regressor().fit(X, y)
    mean = reg.target_mean_.copy()
    reg.partial_fit(X[:20], y[:20] + 10)
    np.testing.assert_array_equal(reg.target_mean_, mean)
    assert [stage["stage"] for stage in reg.stages_] == ["source", "target"]
    assert 2 < np.mean(reg.predict(X) - y) < 12


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_broken_images_are_left_out_with_their_numbers_and_weights(data, files, method):
    X, y = data
    with open(files[7], "wb") as file:
        file.write(b"no image")
    weights = np.linspace(1, 2, 40)
    # The number of the broken image would spoil everything.
    wrong = np.where(np.arange(40) == 7, 1e6, y)
    with pytest.raises(ValueError, match=r"X\[7\]"):
        getattr(regressor(), method)(files, wrong)
    with pytest.warns(UserWarning, match=r"1 of 40 .*X\[7\]"):
        reg = getattr(regressor(on_bad_image="skip"), method)(files, wrong, sample_weight=weights)
    assert list(reg.bad_images_) == [7]
    good = np.arange(40) != 7
    kept = [picture for picture, keep in zip(X, good, strict=True) if keep]
    alone = regressor().fit(kept, y[good], sample_weight=weights[good])
    np.testing.assert_allclose(reg.predict(X), alone.predict(X), rtol=1e-4)


@pytest.mark.parametrize("freeze", ["frozen", "full"])
def test_augmentation_is_seeded_and_changes_the_training_alone(data, freeze):
    X, y = data
    params = {"freeze": freeze, "max_epochs": 1}
    augmented = regressor(augmentation=ImageAugmentation(rotation=20), **params)
    one, same = (clone(augmented).fit(X, y).predict(X) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    plain = regressor(**params).fit(X, y).predict(X)
    assert np.abs(one - plain).max() > 0.01


def test_mixup_mixes_numbers(data):
    X, y = data
    nothing = {"flip": None, "crop": 0.0}
    params = {"backbone": PLAIN, "freeze": "full", "max_epochs": 20, "lr": 1e-3}
    plain, mixed = (
        regressor(augmentation=ImageAugmentation(mixup=mixup, **nothing), **params).fit(X, y)
        for mixup in (0.0, 0.4)
    )
    assert mixed.score(X, y) > 0.8
    assert mixed.history_[-1]["train_loss"] > plain.history_[-1]["train_loss"]


def test_a_source_gives_its_encoder_and_its_head(data):
    X, y = data
    source = regressor(freeze="full", max_epochs=1).fit(X, y)
    target = regressor(source=FrozenEstimator(source)).fit(X[:10], y[:10])
    assert target.stages_[0]["head"] == "kept"
    features = [reg.encoder_.transform(X[:3]) for reg in (source, target, regressor().fit(X, y))]
    np.testing.assert_array_equal(features[0], features[1])
    assert np.abs(features[0] - features[2]).max() > 1e-3


def test_a_classifier_of_images_is_a_source_whose_head_is_not_taken(data):
    X, y = data
    source = TransferImageClassifier(TINY, freeze="frozen", **SETTINGS).fit(X, y > 100)
    assert regressor(source=FrozenEstimator(source)).fit(X, y).stages_[0]["head"] == "new"


def test_a_source_of_texts_is_refused(data):
    of_texts = TransferTextRegressor("hashing", freeze="frozen", random_state=0)
    source = FrozenEstimator(of_texts.fit(["a", "b"], [0.0, 1.0]))
    with pytest.raises(ValueError, match="source is a TransferTextRegressor"):
        regressor(source=source).fit(*data)


def test_the_tuned_encoder_is_an_image_encoder_and_a_backbone(data):
    X, y = data
    tuned = regressor(freeze="full", max_epochs=1).fit(X, y).encoder_
    assert type(tuned.estimator) is TransferImageEncoder
    other = TransferImageRegressor(tuned, freeze="frozen", **SETTINGS).fit(X, y)
    np.testing.assert_array_equal(other.encoder_.transform(X), tuned.transform(X))
    assert make_pipeline(tuned, StandardScaler(), Ridge()).fit(X, y).score(X, y) > 0.8


@pytest.mark.parametrize("embed", [False, True])
def test_what_is_saved_predicts_the_same_and_keeps_its_parameters(data, tmp_path, embed):
    X, y = data
    reg = regressor(loss="huber", augmentation=ImageAugmentation(n_views=2), image_size=40)
    reg.fit(X, y).save(tmp_path / "model", embed_backbone=embed)
    loaded = load(tmp_path / "model")
    assert type(loaded) is TransferImageRegressor
    np.testing.assert_array_equal(loaded.predict(X), reg.predict(X))
    assert (loaded.loss, loaded.image_size, loaded.augmentation.n_views) == ("huber", 40, 2)


def test_searches_go_over_the_head_and_the_augmentation(data):
    X, y = data
    grid = GridSearchCV(regressor(), {"head__C": [1e-3, 1e3]}, cv=2).fit(X, y)
    assert grid.best_params_ == {"head__C": 1e3}
    reg = regressor(freeze="full", max_epochs=1, augmentation=ImageAugmentation())
    assert {"augmentation__crop", "backbone__dropout", "lr"} <= set(reg.search_space())
    assert "augmentation__crop" not in regressor().search_space()
    search = TransferSearchCV(reg, n_trials=2, cv=2, refit=False, random_state=0).fit(X, y)
    assert "augmentation__crop" in search.best_params_


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"loss": "absolute"}, "'loss'"),
        ({"quantile": 1.0}, "'quantile'"),
        ({"augmentation": True}, "'augmentation'"),
        ({"image_size": 0}, "'image_size'"),
        ({"backbone": "hashing"}, "TransferImageRegressor is for images"),
    ],
)
def test_wrong_parameters_are_refused_before_data_is_touched(params, name):
    with pytest.raises(ValueError, match=name):
        regressor(**params).fit(["not there.jpg", "nor this.jpg"], [0.0, 1.0])


@pytest.mark.parametrize("y", [None, [1.0, 2.0, 3.0]], ids=["none", "too many"])
def test_errors_about_y_do_not_speak_of_texts(data, y):
    with pytest.raises(ValueError, match="y") as caught:
        regressor().fit(data[0][:2], y)
    assert "text" not in str(caught.value)


def test_a_model_is_exported_to_onnx(data, tmp_path):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    from sktransfer.serving import with_onnx

    X, y = data
    reg = regressor(freeze="full", max_epochs=1).fit(X, y)
    reg.export_onnx(tmp_path / "model.onnx")
    served = with_onnx(reg, tmp_path / "model.onnx")
    np.testing.assert_allclose(served.predict(X), reg.predict(X), rtol=1e-4)
