"""Estimators of images, on pictures that are drawn here and a network of random weights."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest
from optuna.distributions import FloatDistribution
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktransfer import (
    ImageAugmentation,
    TransferImageClassifier,
    TransferImageEncoder,
    TransferSearchCV,
    TransferTextClassifier,
    TransferTextEncoder,
    load,
)
from sktransfer.heads.linear import LinearHead

vision = pytest.importorskip("sktransfer_vision", reason="pip install ./plugins/sktransfer-vision")
Image = pytest.importorskip("PIL.Image")

TINY = vision.EfficientNetLite(weights=None, width=0.1, depth=0.3, image_size=33, crop=1.0)
PLAIN = vision.VGG16(weights=None, width=0.1, image_size=33, crop=1.0)
SETTINGS = {"precision": "fp32", "random_state": 0}


def drawn(n, seed=0):
    """Draw stripes of many colours, lying and upright, with some noise."""
    rng = np.random.default_rng(seed)
    pictures, labels = [], np.array(["lying", "upright"] * (n // 2))
    for label in labels:
        height, width = rng.integers(40, 60, 2)
        y, x = np.mgrid[:height, :width] // 5 % 2
        colors = rng.integers(0, 100, 3), rng.integers(120, 220, 3)
        stripes = np.where((x if label == "upright" else y)[..., None], *colors)
        noise = rng.integers(0, 30, stripes.shape)
        pictures.append((stripes + noise).astype(np.uint8))
    return pictures, labels


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


@pytest.fixture
def decoded(monkeypatch):
    """Count how often files are decoded."""
    from sktransfer.images import image

    names, lock, original = [], threading.Lock(), image.from_file

    def counting(file, at_least=None):
        with lock:
            names.append(file)
        return original(file, at_least)

    monkeypatch.setattr(image, "from_file", counting)
    return names


def classifier(**params):
    return TransferImageClassifier(**{"backbone": TINY, "freeze": "frozen", **SETTINGS, **params})


def test_paths_images_and_arrays_give_the_same(data, files):
    pictures, y = data
    wanted = classifier().fit(pictures, y).predict_proba(pictures)
    assert wanted.shape == (40, 2)
    for X in (files, [Image.fromarray(p) for p in pictures], np.array(files, dtype=object)):
        np.testing.assert_allclose(classifier().fit(X, y).predict_proba(X), wanted, atol=1e-6)


def test_it_learns_what_pictures_show(data):
    clf = classifier(backbone=PLAIN, freeze="full", max_epochs=8, lr=0.001).fit(*data)
    X, y = drawn(40, seed=1)
    assert clf.score(X, y) > 0.9


def test_predictions_do_not_depend_on_the_order_and_may_be_read_from_an_iterator(data, files):
    clf = classifier().fit(*data)
    wanted = clf.predict_proba(files)
    np.testing.assert_allclose(clf.predict_proba(files[::-1])[::-1], wanted, atol=1e-6)
    np.testing.assert_allclose(clf.predict_proba(iter(files)), wanted, atol=1e-6)


def test_an_image_that_occurs_twice_is_decoded_once(data, files, decoded):
    clf = classifier().fit(*data)
    decoded.clear()
    proba = clf.predict_proba([files[0], files[1], files[0]])
    assert sorted(decoded) == sorted(files[:2])
    np.testing.assert_array_equal(proba[0], proba[2])


def test_a_search_over_heads_decodes_each_image_once(data, files, decoded):
    grid = {"head__C": [0.01, 0.1, 1.0, 10.0]}
    clf = classifier(cache="memory", head=LinearHead(), random_state=11)
    search = GridSearchCV(clf, grid, cv=4).fit(files, data[1])
    search.predict(files)
    assert sorted(decoded) == sorted(files)


def test_a_search_of_ours_decodes_each_image_once(data, files, decoded):
    clf = classifier(head=LinearHead(), random_state=12)
    space = {"head__C": FloatDistribution(0.01, 10.0, log=True)}
    TransferSearchCV(clf, space, n_trials=3, cv=3, refit=False, random_state=0).fit(files, data[1])
    assert sorted(decoded) == sorted(files)


@pytest.mark.parametrize("freeze", ["frozen", "top_layers", "head_by_epochs"])
def test_a_search_of_ours_decodes_each_view_once_for_all_folds(data, files, decoded, freeze):
    augmentation = ImageAugmentation(n_views=3, zoom=0.1)  # which the first trial keeps
    clf = classifier(freeze=freeze, augmentation=augmentation, random_state=13, max_epochs=2)
    space = {"augmentation__zoom": [0.1, 0.2]}
    search = TransferSearchCV(clf, space, n_trials=2, cv=4, refit=False, random_state=0)
    search.fit(files, data[1])
    assert {params["augmentation__zoom"] for params in search.cv_results_["params"]} == {0.1, 0.2}
    # The pictures as they are, and two other views in each of the two trials; where more than the
    # head trains, six folds look at how long features are, and both trials score twice.
    expected = 5 if freeze != "top_layers" else 5 + 6 + 4
    counts = sorted(decoded.count(name) for name in files)
    assert counts[len(counts) // 2] == expected
    # A few are looked at more closely, to see whether the network can be cut in two.
    assert freeze == "top_layers" or counts[-1] == expected


@pytest.mark.parametrize("freeze", ["frozen", "head_by_epochs"])
def test_views_that_do_not_recur_are_computed_of_the_fold_alone(data, files, decoded, freeze):
    augmentation = ImageAugmentation(n_views=3)
    clf = classifier(freeze=freeze, augmentation=augmentation, random_state=None, max_epochs=2)
    space = {"augmentation__zoom": [0.1, 0.2]}
    search = TransferSearchCV(clf, space, n_trials=2, cv=4, refit=False, random_state=0)
    search.fit(files, data[1])
    # Both trials have four folds, in each of which a network is drawn and sees all pictures as they
    # are; two other views of each picture are seen in three of them.
    assert {decoded.count(name) for name in files} == {2 * (4 + 2 * 3)}


@pytest.mark.parametrize("freeze", ["frozen", "top_layers", "full", "lp_ft"])
def test_augmentation_is_seeded_and_changes_the_training_alone(data, freeze):
    pictures, y = data
    params = {"freeze": freeze, "max_epochs": 2}
    plain = classifier(**params).fit(pictures, y).predict_proba(pictures)
    augmented = clone(classifier(augmentation=ImageAugmentation(rotation=20), **params))
    one, same = (clone(augmented).fit(pictures, y) for _ in range(2))
    found = one.predict_proba(pictures)
    np.testing.assert_array_equal(found, same.predict_proba(pictures))
    np.testing.assert_array_equal(found, one.predict_proba(pictures))
    assert np.abs(found - plain).max() > 1e-4
    other = clone(augmented).set_params(random_state=1).fit(pictures, y)
    assert np.abs(found - other.predict_proba(pictures)).max() > 1e-4


def test_one_view_of_what_is_frozen_is_the_picture_itself(data):
    pictures, y = data
    one = classifier(augmentation=ImageAugmentation(n_views=1)).fit(pictures, y)
    plain = classifier().fit(pictures, y)
    np.testing.assert_array_equal(one.predict_proba(pictures), plain.predict_proba(pictures))


def test_views_of_what_is_frozen_are_computed_once_and_found_again(data, files, decoded):
    clf = classifier(cache="memory", augmentation=ImageAugmentation(n_views=3), random_state=13)
    clf.fit(files, data[1])
    assert len(decoded) == 3 * len(files)
    clone(clf).set_params(head=LinearHead(C=0.1)).fit(files[::-1], data[1][::-1])
    assert len(decoded) == 3 * len(files)
    more = ImageAugmentation(n_views=4)
    clone(clf).set_params(augmentation=more).fit(files, data[1])
    assert len(decoded) == 4 * len(files)


def test_below_what_trains_views_are_computed_once_for_all_epochs(data, files, decoded):
    clf = classifier(
        freeze="top_layers", max_epochs=7, augmentation=ImageAugmentation(n_views=3)
    ).fit(files, data[1])
    assert clf.decision_["frozen_prefix"] == "below block.6, of 3 views"
    counts = np.unique(decoded, return_counts=True)[1]
    assert counts.max() < 7


def test_where_all_trains_each_epoch_sees_other_views(data, files, decoded, monkeypatch):
    seen, apply = [], ImageAugmentation.apply
    monkeypatch.setattr(
        ImageAugmentation, "apply", lambda *args: seen.append(apply(*args)) or seen[-1]
    )
    classifier(freeze="full", max_epochs=3, augmentation=ImageAugmentation()).fit(files, data[1])
    assert len({picture.tobytes() for picture in seen}) > 2.5 * len(files)


def test_mixup_trains_on_mixed_rows_and_still_learns(data):
    pictures, y = data
    params = {"backbone": PLAIN, "freeze": "full", "max_epochs": 8, "lr": 0.001}
    nothing = {"flip": None, "crop": 0.0}
    plain = classifier(augmentation=ImageAugmentation(**nothing), **params).fit(pictures, y)
    mixing = ImageAugmentation(mixup=0.4, **nothing)
    clf = classifier(augmentation=mixing, **params).fit(pictures, y)
    assert clf.score(pictures, y) > 0.9
    assert clf.history_[-1]["train_loss"] > plain.history_[-1]["train_loss"]
    sure, unsure = (np.abs(c.predict_proba(pictures) - 0.5).mean() for c in (plain, clf))
    assert unsure < sure


@pytest.fixture
def broken(files):
    with open(files[7], "r+b") as file:
        file.truncate(1500)
    with open(files[9], "wb") as file:
        file.write(b"<html>not found</html>")
    return files


@pytest.mark.parametrize("freeze", ["frozen", "full"])
def test_a_broken_image_is_named_with_its_position(data, broken, freeze):
    with pytest.raises(ValueError, match=r"X\[(7|9)\], .*[79]\.png, cannot be read as an image"):
        classifier(freeze=freeze, max_epochs=1).fit(broken, data[1])
    clf = classifier().fit(*data)
    with pytest.raises(ValueError, match=r"X\[1\], .*7\.png, cannot be read") as caught:
        clf.predict(broken[6:9])
    assert "on_bad_image" not in str(caught.value)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("freeze", ["frozen", "full"])
def test_training_names_the_parameter_that_leaves_broken_images_out(data, broken, freeze, method):
    clf = classifier(freeze=freeze, max_epochs=1).fit(*data)
    with pytest.raises(ValueError, match=r"leave such images out .*: on_bad_image='skip'\.$"):
        getattr(clf, method)(broken, data[1])


def test_a_file_that_is_not_there_is_named(data, files):
    with pytest.raises(ValueError, match=r"X\[2\], gone\.jpg, cannot be read.*No such file"):
        classifier().fit([files[0], files[1], "gone.jpg", files[3]], data[1][:4])


@pytest.mark.parametrize("freeze", ["frozen", "full"])
def test_broken_images_can_be_left_out_of_the_training(data, broken, freeze):
    pictures, y = data
    params = {"freeze": freeze, "max_epochs": 2}
    clf = classifier(on_bad_image="skip", **params)
    with pytest.warns(
        UserWarning, match=r"2 of 40 images cannot be read; left out: X\[7\], .*X\[9\]"
    ):
        clf.fit(broken, y)
    assert list(clf.bad_images_) == [7, 9]
    assert clf.stages_[0]["rows"] == 38
    good = [i for i in range(40) if i not in (7, 9)]
    alone = classifier(**params).fit([pictures[i] for i in good], y[good])
    np.testing.assert_allclose(
        clf.predict_proba(pictures), alone.predict_proba(pictures), atol=1e-6
    )
    with pytest.raises(ValueError, match=r"X\[0\], .*7\.png"):
        clf.predict([broken[7]])


def test_what_is_left_out_counts_for_nothing(data, broken):
    pictures, y = data
    good = [i for i in range(40) if i not in (7, 9)]
    weights = np.linspace(1, 2, 40)
    params = {"class_weight": "balanced"}
    with pytest.warns(UserWarning, match="left out"):
        clf = classifier(on_bad_image="skip", **params).fit(broken, y, sample_weight=weights)
    alone = classifier(**params)
    alone.fit([pictures[i] for i in good], y[good], sample_weight=weights[good])
    np.testing.assert_allclose(
        clf.predict_proba(pictures), alone.predict_proba(pictures), atol=1e-6
    )
    labels = [*y[:7], "never", *y[8:]]
    with pytest.warns(UserWarning, match="left out"):
        clf.set_params(class_weight=None).fit(broken, labels)
    assert "never" not in clf.classes_
    with pytest.warns(UserWarning, match="left out"), pytest.raises(ValueError, match="39 targets"):
        clf.fit(broken, labels[:39])


def test_a_search_leaves_broken_images_out_of_its_trainings(data, broken):
    folds = [(np.arange(20), np.arange(20, 40))]
    clf = classifier(on_bad_image="skip", head=LinearHead())
    search = TransferSearchCV(clf, n_trials=2, cv=folds, refit=False, random_state=0)
    with pytest.warns(UserWarning, match="left out"):
        search.fit(broken, data[1])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_model_that_is_built_in_inference_mode_predicts(data):
    import torch

    clf = classifier().fit(*data)
    wanted, copy = clf.predict_proba(data[0]), pickle.dumps(clf)
    with torch.inference_mode():
        loaded = pickle.loads(copy)
        np.testing.assert_array_equal(loaded.predict_proba(data[0]), wanted)
    np.testing.assert_array_equal(loaded.predict_proba(data[0]), wanted)


def test_mixup_of_a_head_that_is_fitted_is_warned_of(data):
    clf = classifier(augmentation=ImageAugmentation(mixup=0.4, n_views=1))
    with pytest.warns(UserWarning, match="mixup=0.4 has no effect.*head_by_epochs"):
        clf.fit(*data)


def test_where_no_image_can_be_read_there_is_nothing_to_leave_out(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"a")
    with pytest.raises(ValueError, match=r"no image that can be read.*X\[0\]"):
        classifier(on_bad_image="skip").fit([tmp_path / "a.jpg"] * 2, ["a", "b"])


def test_an_encoder_gives_nan_for_what_it_cannot_read(data, broken):
    encoder = TransferImageEncoder(TINY, on_bad_image="skip", **SETTINGS).fit(broken)
    with pytest.warns(UserWarning, match=r"2 of 40 images .*; their features are NaN: X\[7\]"):
        features = encoder.transform(broken)
    assert np.flatnonzero(np.isnan(features).any(axis=1)).tolist() == [7, 9]
    whole = TransferImageEncoder(TINY, **SETTINGS).fit_transform(data[0])
    np.testing.assert_allclose(features[10:], whole[10:], atol=1e-6)


@pytest.mark.parametrize("gap", [None, float("nan"), np.nan], ids=["None", "NaN", "numpy's"])
def test_a_missing_image_is_one_that_cannot_be_read(data, files, gap):
    X = [*files[:4], gap]
    encoder = TransferImageEncoder(TINY, on_bad_image="skip", **SETTINGS).fit(X)
    with pytest.warns(UserWarning, match=r"1 of 5 .*X\[4\] cannot be read as an image: it is miss"):
        found = encoder.transform(X)
    assert np.isnan(found[4]).all()
    assert np.isfinite(found[:4]).all()
    y = [*data[1][:4], "upright"]
    with pytest.warns(UserWarning, match="1 of 5 images cannot be read"):
        clf = classifier(on_bad_image="skip").fit(X, y)
    assert list(clf.bad_images_) == [4]
    with pytest.raises(ValueError, match=r"X\[4\] .*it is missing"):
        clf.predict(X)
    with pytest.raises(ValueError, match="missing value at index 4"):
        classifier().fit(X, y)


def test_rows_of_the_datasets_library_are_images(data, files):
    clf = classifier().fit(*data)
    rows = [{"bytes": None, "path": str(files[0])}]
    with open(files[1], "rb") as file:
        rows.append({"bytes": file.read(), "path": None})
    np.testing.assert_allclose(clf.predict_proba(rows), clf.predict_proba(files[:2]), rtol=1e-5)
    with pytest.raises(TypeError, match="got dict at index 0"):
        clf.predict([{"image": 1}])


def test_a_source_of_the_other_kind_is_named(data):
    texts, labels = ["a film", "a book"] * 4, ["x", "y"] * 4
    of_texts = TransferTextClassifier("hashing", freeze="frozen", random_state=0, device="cpu")
    source = FrozenEstimator(of_texts.fit(texts, labels))
    message = (
        r"TransferImageClassifier is for images, but source is a TransferTextClassifier, which "
        r"reads texts: start from a model of images"
    )
    with pytest.raises(ValueError, match=message):
        classifier(source=source).fit(*data)
    source = FrozenEstimator(classifier().fit(*data))
    with pytest.raises(ValueError, match=r"source is a TransferImageClassifier, which reads imag"):
        clone(of_texts).set_params(source=source).fit(texts, labels)


def test_source_then_target_keeps_what_labels_share(data):
    pictures, y = data
    clf = classifier().fit(pictures, y)
    clf.partial_fit(pictures, np.where(y == "lying", "lying", "box"), classes=["lying", "box"])
    assert clf.classes_.tolist() == ["box", "lying"]
    assert clf.stages_[1]["labels_kept"] == ["lying"]
    start = FrozenEstimator(classifier(freeze="full", max_epochs=1).fit(pictures, y))
    target = classifier(source=start).fit(pictures[:10], y[:10])
    other = classifier().fit(pictures[:10], y[:10])
    features = [c.encoder_.transform(pictures[:3]) for c in (start.estimator, target, other)]
    np.testing.assert_array_equal(features[0], features[1])
    assert np.abs(features[0] - features[2]).max() > 1e-3


def test_the_tuned_encoder_is_a_backbone(data):
    pictures, y = data
    tuned = classifier(freeze="full", max_epochs=1).fit(pictures, y).encoder_
    clf = TransferImageClassifier(tuned, freeze="frozen", **SETTINGS).fit(pictures, y)
    np.testing.assert_array_equal(clf.encoder_.transform(pictures), tuned.transform(pictures))


@pytest.mark.parametrize("embed", [False, True])
def test_what_is_saved_predicts_the_same_and_keeps_its_parameters(data, tmp_path, embed):
    augmentation = ImageAugmentation(color=0.2, n_views=2)
    clf = classifier(augmentation=augmentation, image_size=40).fit(*data)
    clf.save(tmp_path / "model", embed_backbone=embed)
    loaded = load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(data[0]), clf.predict_proba(data[0]))
    assert loaded.augmentation.get_params() == augmentation.get_params()
    assert loaded.image_size == 40
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(clf)).predict_proba(data[0]), clf.predict_proba(data[0])
    )


def test_an_augmentation_of_ones_own_is_left_behind_with_a_warning(data, tmp_path):
    class Mine(ImageAugmentation):
        pass

    clf = classifier(augmentation=Mine(n_views=1)).fit(*data)
    with pytest.warns(UserWarning, match="augmentation.*is not saved"):
        clf.save(tmp_path / "model")
    assert load(tmp_path / "model").augmentation is None


def test_more_than_one_label_may_be_right(data):
    pictures, y = data
    indicators = np.stack([y == "lying", np.arange(40) % 3 == 0], axis=1).astype(int)
    clf = classifier(class_weight=None).fit(pictures, indicators)
    assert clf.predict(pictures).shape == (40, 2)


def test_processes_give_what_one_process_gives(data, files):
    scores = [
        cross_val_score(classifier(), files, data[1], cv=3, n_jobs=n_jobs) for n_jobs in (1, 2)
    ]
    np.testing.assert_array_equal(*scores)


def test_augmentation_is_in_the_space_of_a_search(data):
    clf = classifier(freeze="top_layers", max_epochs=1, augmentation=ImageAugmentation())
    space = clf.search_space()
    assert {"augmentation__crop", "augmentation__mixup", "augmentation__rotation"} <= set(space)
    assert "augmentation" not in space
    assert clf.is_active("augmentation__mixup")
    assert clf.is_active("backbone__dropout")
    frozen = classifier(augmentation=ImageAugmentation())
    assert not frozen.is_active("augmentation__mixup")
    assert not frozen.is_active("backbone__dropout")
    assert frozen.is_active("backbone__crop")
    assert not any("augmentation" in key for key in classifier().search_space())
    search = TransferSearchCV(clf, n_trials=2, cv=2, random_state=0).fit(*data)
    assert "augmentation__crop" in search.best_params_


def test_texts_pictures_and_numbers_stand_in_one_table(data, files):
    import pandas as pd

    y = data[1]
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "photo": files,
            "title": [f"a {label} of some colour" for label in y],
            "price": rng.normal(size=40) + (y == "lying"),
        }
    )
    columns = ColumnTransformer(
        [
            ("photo", TransferImageEncoder(TINY, **SETTINGS), "photo"),
            ("title", TransferTextEncoder("hashing", random_state=0), "title"),
            ("price", StandardScaler(), ["price"]),
        ]
    )
    pipe = make_pipeline(columns, LogisticRegression(max_iter=1000))
    assert pipe.fit(table, y).score(table, y) > 0.9
    n_features = sum(columns.fit(table)[name]._n_features_out for name in ("photo", "title"))
    assert pipe[0].transform(table).shape == (40, n_features + 1)
    assert pipe[0].get_feature_names_out()[0] == "photo__transferimageencoder0"
    assert cross_val_score(pipe, table, y, cv=2).shape == (2,)


def test_backbones_of_texts_and_of_images_are_not_mistaken_for_one_another(data):
    with pytest.raises(ValueError, match="is for images, but backbone='hashing' reads texts"):
        TransferImageClassifier("hashing").fit(*data)
    with pytest.raises(ValueError, match=r"is for texts, but .* reads images, not texts"):
        TransferTextClassifier(TINY).fit(["a", "b"], [0, 1])


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"augmentation": True}, ValueError, r"such as ImageAugmentation\(\), .* Got True instead"),
        ({"augmentation": "flip"}, ValueError, r"such as ImageAugmentation\(\), .* Got 'flip'"),
        ({"augmentation": ImageAugmentation}, ValueError, r"such as ImageAugmentation\(\)"),
        ({"augmentation": ImageAugmentation(crop=1.5)}, ValueError, "crop"),
        ({"on_bad_image": "ignore"}, ValueError, "on_bad_image"),
        ({"image_size": 0}, ValueError, "image_size"),
        ({"image_size": 20}, ValueError, "image_size"),
    ],
)
def test_wrong_parameters_are_refused_before_data_is_touched(params, error, message):
    with pytest.raises(error, match=message):
        classifier(**params).fit(["not there.jpg", "nor this.jpg"], [0, 1])


def test_a_model_of_images_is_exported_to_onnx(data, tmp_path):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    from sktransfer.serving import with_onnx

    clf = classifier(freeze="full", max_epochs=1).fit(*data)
    clf.export_onnx(tmp_path / "model.onnx")
    served = with_onnx(clf, tmp_path / "model.onnx")
    for n in (1, 3, 40):
        np.testing.assert_allclose(
            served.predict_proba(data[0][:n]), clf.predict_proba(data[0][:n]), atol=1e-5
        )


def test_on_a_cpu_networks_train_in_single_precision_whatever_features_are_computed_in(data):
    params = {"freeze": "full", "max_epochs": 2, "device": "cpu"}
    half = classifier(precision="bf16", **params).fit(*data)
    single = classifier(precision="fp32", **params).fit(*data)
    assert half.decision_["precision"] == "bf16 for features, fp32 for training"
    assert single.decision_["precision"] == "fp32"
    for one, other in zip(half.history_, single.history_, strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=0.02)
    assert half.net_.on("cpu", "bf16").precision == "bf16"
