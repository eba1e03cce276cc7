"""Features of texts: as they are, tuned on labels, and handed on as the backbone of another."""

from __future__ import annotations

import copy
import pickle
import re
import shutil

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from sktransfer import TransferTextClassifier, TransferTextEncoder, TransferTextRegressor, load
from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.features.encode import encode
from sktransfer.training.execution import draw_seed

BACKBONE = HashingBackbone(dim=16, n_buckets=1024)
FULL = {"freeze": "full", "max_epochs": 3, "lr": 0.02}


def quick(**params):
    return TransferTextEncoder(**{"backbone": BACKBONE, "random_state": 0} | params)


def classifier(**params):
    return TransferTextClassifier(**{"backbone": BACKBONE, "random_state": 0} | params)


@pytest.fixture(scope="module")
def data(movie):
    # So short that the tiny model, which reads letters, takes them whole.
    return [text[:60] for text in movie[0][:120]], movie[1][:120]


@pytest.fixture(scope="module")
def tuned(data):
    return classifier(**FULL).fit(*data)


@pytest.fixture(scope="module")
def tiny_tuned(data, tiny_model):
    params = {"freeze": "top_layers", "max_epochs": 2, "lr": 1e-3, "precision": "fp32"}
    return classifier(backbone=tiny_model, **params).fit(data[0][:40], data[1][:40])


def weights_of(estimator):
    module = estimator.net_.module_
    return {name: value.clone() for name, value in module.body.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# --- an encoder that learns nothing -------------------------------------------------------------


def test_a_frozen_encoder_gives_the_features_of_its_backbone(data, tiny_model):
    for backbone in (BACKBONE, TransformerBackbone(tiny_model)):
        found = quick(backbone=backbone, precision="fp32").fit(data[0][:40]).transform(data[0])
        encoder = backbone.load(device="cpu", random_state=draw_seed(0))
        np.testing.assert_array_equal(found, encode(encoder, data[0], "fp32").numpy())
        assert found.dtype == np.float32
        assert found.shape == (120, encoder.dim)


def test_a_frozen_encoder_learns_nothing_and_looks_at_no_labels(data):
    expected = quick().fit(data[0]).transform(data[0])
    for X, y in [(data[0], data[1]), (data[0][:3], None), (data[0], "what is this?")]:
        np.testing.assert_array_equal(quick().fit(X, y).transform(data[0]), expected)
    encoder = quick().fit(data[0], data[1])
    np.testing.assert_array_equal(encoder.fit_transform(data[0], data[1]), expected)
    assert (encoder.stages_, encoder.history_) == ([], [])
    assert encoder.n_parameters_["trained"] == 0 < encoder.n_parameters_["frozen"]
    assert encoder.net_.state.body == {}
    assert not hasattr(encoder, "decision_")


def test_features_do_not_depend_on_the_texts_beside_them(data):
    encoder = quick().fit(data[0])
    together = encoder.transform(data[0])
    alone = np.vstack([encoder.transform([text]) for text in data[0][:10]])
    np.testing.assert_allclose(together[:10], alone, atol=1e-6)


def test_what_is_not_fitted_transforms_nothing(data):
    with pytest.raises(NotFittedError):
        quick().transform(data[0])


# --- an encoder that is tuned -------------------------------------------------------------------


def test_tuning_needs_labels_and_changes_features(data):
    with pytest.raises(ValueError, match=r"freeze='full' tunes the encoder .* y is None: pass y"):
        quick(**FULL).fit(data[0])
    plain, encoder = quick().fit(data[0]), quick(**FULL).fit(*data)
    assert np.abs(encoder.transform(data[0]) - plain.transform(data[0])).max() > 0.1
    assert encoder.n_parameters_["frozen"] == 0
    assert len(encoder.history_) == encoder.n_iter_ == 3
    assert encoder.net_.head is None


def test_tuning_is_that_of_the_classifier(data, tuned):
    np.testing.assert_array_equal(
        quick(**FULL).fit_transform(*data), tuned.encoder_.transform(data[0])
    )


def test_tuning_separates_the_labels(data):
    def score(features):
        return LogisticRegression(max_iter=1000).fit(features, data[1]).score(features, data[1])

    after = score(quick(**FULL | {"max_epochs": 8}).fit_transform(*data))
    assert after > score(quick().fit_transform(data[0])) + 0.1


@pytest.mark.parametrize(
    ("task", "y", "per"),
    [
        ("auto", lambda y: y, "class"),
        ("auto", lambda y: (y == "positive").astype(int), "class"),
        ("auto", lambda y: (y == "positive").astype(float), "class"),
        ("auto", lambda y: np.where(y == "positive", 0.5, 1.25), "target"),
        ("auto", lambda y: np.random.RandomState(0).randn(len(y), 2), "target"),
        ("auto", lambda y: np.column_stack([y == "positive", y != "positive"]), "label"),
        ("regression", lambda y: (y == "positive").astype(int), "target"),
        ("regression", lambda y: np.eye(2)[(y == "positive").astype(int)], "target"),
        ("classification", lambda y: np.where(y == "positive", 2.0, 1.0), "class"),
    ],
)
def test_the_task_is_read_off_the_labels_unless_it_is_given(data, task, y, per):
    encoder = quick(task=task, **FULL | {"max_epochs": 1}).fit(data[0], y(data[1]))
    assert f"rows_per_{per}" in encoder.decision_
    assert np.isfinite(encoder.transform(data[0])).all()


def test_a_task_that_does_not_suit_the_labels_is_refused(data):
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        quick(task="classification", **FULL).fit(data[0], np.linspace(0, 1, 120))
    with pytest.raises(ValueError, match="could not convert string to float"):
        quick(task="regression", **FULL).fit(*data)
    with pytest.raises(ValueError, match="The 'task' parameter"):
        quick(task="ranking", **FULL).fit(*data)


def test_rows_of_weight_zero_do_not_tune(data):
    weight = np.r_[np.ones(80), np.zeros(40)]
    found = quick(**FULL).fit(*data, sample_weight=weight).transform(data[0])
    expected = quick(**FULL).fit(data[0][:80], data[1][:80]).transform(data[0])
    np.testing.assert_array_equal(found, expected)


def test_a_source_is_where_an_encoder_starts(data, tuned):
    source = FrozenEstimator(tuned)
    found = quick(source=source).fit(data[0]).transform(data[0])
    np.testing.assert_array_equal(found, tuned.encoder_.transform(data[0]))
    further = quick(source=source, **FULL).fit(*data)
    assert further.stages_[0]["stage"] == "target"
    assert not np.allclose(further.transform(data[0]), found, atol=1e-3)


# --- beside and before other estimators ---------------------------------------------------------


def test_features_have_names(data):
    encoder = quick().fit(data[0])
    assert encoder.get_feature_names_out().tolist() == [
        f"transfertextencoder{i}" for i in range(16)
    ]


def test_features_come_as_pandas_or_polars(data):
    texts = pd.Series(data[0], index=range(1000, 1120))
    expected = quick().fit_transform(texts)
    frame = quick().set_output(transform="pandas").fit_transform(texts)
    assert isinstance(frame, pd.DataFrame)
    assert frame.index.tolist() == texts.index.tolist()
    found = quick().set_output(transform="polars").fit_transform(texts)
    assert isinstance(found, pl.DataFrame)
    for each in (frame, found):
        assert list(each.columns) == quick().fit(data[0]).get_feature_names_out().tolist()
        np.testing.assert_array_equal(each.to_numpy(), expected)


@pytest.mark.parametrize("library", [pd, pl])
@pytest.mark.parametrize("column", ["text", ["text"]])
def test_it_stands_beside_numbers_and_categories(data, library, column):
    n = len(data[0])
    table = library.DataFrame(
        {
            "text": data[0],
            "price": np.arange(n) % 7,
            "shop": np.array(["a", "b", "c"])[np.arange(n) % 3],
        }
    )
    columns = ColumnTransformer(
        [
            ("text", quick(), column),
            ("price", StandardScaler(), ["price"]),
            ("shop", OneHotEncoder(sparse_output=False), ["shop"]),
        ]
    )
    found = columns.fit_transform(table)
    np.testing.assert_allclose(found[:, :16], quick().fit_transform(data[0]), rtol=1e-6)
    names = columns.get_feature_names_out().tolist()
    assert names[0] == "text__transfertextencoder0"
    assert names[16:] == ["price__price", "shop__shop_a", "shop__shop_b", "shop__shop_c"]
    pipe = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(table, data[1])
    assert set(pipe.predict(table)) == {"negative", "positive"}


def test_a_pipeline_with_logistic_regression_is_the_frozen_classifier(data):
    pipe = make_pipeline(quick(), LogisticRegression(tol=1e-8, max_iter=5000)).fit(*data)
    clf = classifier(freeze="frozen").fit(*data)
    np.testing.assert_allclose(pipe.predict_proba(data[0]), clf.predict_proba(data[0]), atol=1e-3)
    assert pipe[:-1].get_feature_names_out().tolist()[0] == "transfertextencoder0"
    search = GridSearchCV(
        pipe, {"transfertextencoder__backbone__dim": [4, 16]}, cv=2, error_score="raise"
    ).fit(*data)
    assert len(search.cv_results_["params"]) == 2


def test_self_training_goes_on_features(movie):
    texts, labels = movie[0][:200], np.where(movie[1][:200] == "positive", 1, 0)
    some = labels.copy()
    some[100:] = -1
    clf = SelfTrainingClassifier(LogisticRegression(C=100, max_iter=1000), threshold=0.7)
    pipe = Pipeline([("encode", quick()), ("learn", clf)]).fit(texts, some)
    assert (pipe["learn"].labeled_iter_[100:] > 0).any()
    assert pipe["learn"].classes_.tolist() == [0, 1]
    assert pipe.score(texts[:100], labels[:100]) > 0.55


# --- the encoder of another estimator -----------------------------------------------------------


def test_the_encoder_of_a_classifier_gives_the_features_that_it_uses(data, tuned):
    state = tuned.net_.state
    weight, bias = (state.head_weights[name].double() for name in ("weight", "bias"))
    features = torch.tensor(tuned.encoder_.transform(data[0])).double()
    found = (features @ weight.T + bias).softmax(dim=1).numpy()
    np.testing.assert_allclose(tuned.predict_proba(data[0]), found, atol=1e-6)
    plain = quick().fit_transform(data[0])
    assert np.abs(features.numpy() - plain).max() > 0.1


def test_the_encoder_of_a_classifier_survives_clone_and_fit(data, tuned):
    encoder = tuned.encoder_
    expected = encoder.transform(data[0])
    again = clone(encoder).fit(data[0][:10], data[1][:10])
    np.testing.assert_array_equal(again.transform(data[0]), expected)
    copied = copy.deepcopy(encoder)
    np.testing.assert_array_equal(copied.transform(data[0]), expected)
    assert encoder.get_feature_names_out().tolist()[0] == "transfertextencoder0"
    pipe = clone(make_pipeline(encoder, LogisticRegression(max_iter=1000))).fit(*data)
    np.testing.assert_array_equal(pipe[0].transform(data[0]), expected)


def test_the_encoder_reads_as_the_classifier_does(data, tiny_model):
    clf = classifier(
        backbone=tiny_model, freeze="frozen", max_length=8, long_text="window_max", stride=3
    ).fit(data[0][:20], data[1][:20])
    encoder = clf.encoder_
    own = encoder.estimator
    assert (own.max_length, own.long_text, own.stride) == (8, "window_max", 3)
    assert own.truncation_report_ == clf.truncation_report_
    assert own.backbone_.get_params() == clf.backbone_.get_params()


def test_an_encoder_keeps_what_it_is_when_its_classifier_goes_on(data):
    clf = classifier(**FULL).fit(*data)
    encoder = clf.encoder_
    expected = encoder.transform(data[0])
    clf.partial_fit(data[0], data[1][::-1])
    np.testing.assert_array_equal(encoder.transform(data[0]), expected)
    assert not np.allclose(clf.encoder_.transform(data[0]), expected, atol=1e-3)


OTHERS = {
    "classifier": (TransferTextClassifier, lambda y: np.where(y == "positive", "yes", "no")),
    "multi-label classifier": (
        TransferTextClassifier,
        lambda y: np.column_stack([y == "positive", np.arange(len(y)) % 2 == 0]).astype(int),
    ),
    "regressor": (TransferTextRegressor, lambda y: np.arange(len(y)) + 0.5),
    "encoder": (TransferTextEncoder, lambda y: y),
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("kind", ["tuned", "tiny_tuned"])
def test_an_encoder_is_the_backbone_of_another_estimator(data, request, other, kind):
    clf = request.getfixturevalue(kind)
    cls, target = OTHERS[other]
    X, y = data[0][:40], target(data[1][:40])
    before, predicted = weights_of(clf), clf.predict_proba(X)

    # Before any training it has the tuned weights ...
    frozen = cls(clone(clf.encoder_), freeze="frozen", random_state=1, precision="fp32")
    frozen = clone(frozen).fit(X, y)
    assert same(weights_of(frozen), before)
    found = frozen if other == "encoder" else frozen.encoder_
    np.testing.assert_array_equal(found.transform(X), clf.encoder_.transform(X))
    assert frozen.stages_ == [] or frozen.stages_[0]["stage"] == "source"

    # ... and what trains is a copy of them.
    settings = {"freeze": "full", "max_epochs": 1, "lr": 1e-3, "random_state": 1}
    trained = clone(cls(clf.encoder_, **settings)).fit(X, y)
    assert not same(weights_of(trained), before)
    assert same(weights_of(clf), before)
    np.testing.assert_array_equal(clf.predict_proba(X), predicted)


def test_a_fit_starts_from_the_tuned_weights_again_and_partial_fit_goes_on(data, tuned):
    clf = classifier(backbone=tuned.encoder_, **FULL)
    once = clf.fit(*data).predict_proba(data[0])
    further = clf.partial_fit(*data).predict_proba(data[0])
    assert not np.array_equal(once, further)
    np.testing.assert_array_equal(clf.fit(*data).predict_proba(data[0]), once)


def test_a_backbone_that_was_tuned_works_under_a_search(data, tuned):
    search = GridSearchCV(
        classifier(max_epochs=1),
        {"backbone": [BACKBONE, tuned.encoder_], "freeze": ["frozen"]},
        cv=2,
        error_score="raise",
    ).fit(*data)
    # It has seen the labels of these very rows.
    assert isinstance(search.best_params_["backbone"], FrozenEstimator)


def test_an_encoder_of_an_encoder_of_an_encoder_has_the_weights_of_the_last(data, tuned):
    second = quick(backbone=tuned.encoder_, **FULL).fit(*data)
    third = quick(backbone=FrozenEstimator(second)).fit(data[0])
    assert same(weights_of(third), weights_of(second))
    np.testing.assert_array_equal(third.transform(data[0]), second.transform(data[0]))


def test_a_pipeline_that_ends_in_an_encoder_is_a_backbone(data):
    pipe = Pipeline([("encode", quick(**FULL))]).fit(*data)
    found = quick(backbone=FrozenEstimator(pipe)).fit(data[0]).transform(data[0])
    np.testing.assert_array_equal(found, pipe.transform(data[0]))


@pytest.mark.parametrize(
    ("wrap", "error", "message"),
    [
        (lambda data: quick().fit(data[0]), TypeError, "clone would drop.*FrozenEstimator"),
        (lambda data: FrozenEstimator(quick()), NotFittedError, "TransferTextEncoder"),
        (
            lambda data: FrozenEstimator(StandardScaler().fit([[1.0], [2.0]])),
            TypeError,
            "backbone has to wrap an estimator of sktransfer, got StandardScaler",
        ),
    ],
)
def test_what_is_no_wrapped_fitted_encoder_is_refused(data, wrap, error, message):
    with pytest.raises(error, match=message):
        classifier(backbone=wrap(data)).fit(*data)


# --- kept ---------------------------------------------------------------------------------------


def n_bytes_of(names, clf):
    parameters = dict(clf.net_.module_.body.named_parameters())
    return sum(4 * parameters[name].numel() for name in names)


def test_a_pickle_has_what_was_trained_and_no_pretrained_weights(data, tiny_model, tiny_tuned):
    everything = n_bytes_of(
        [n for n, _ in tiny_tuned.net_.module_.body.named_parameters()], tiny_tuned
    )
    trained = n_bytes_of(tiny_tuned.net_.state.body, tiny_tuned)
    assert 0 < trained < 0.8 * everything
    plain = quick(backbone=tiny_model).fit(data[0][:10])
    assert len(pickle.dumps(plain)) < 10_000
    assert trained < len(pickle.dumps(tiny_tuned.encoder_)) < trained + 20_000
    # An estimator with such a backbone refers to it once as a parameter, and holds its own copy.
    clf = classifier(backbone=tiny_tuned.encoder_, freeze="frozen", precision="fp32")
    clf.fit(data[0][:40], data[1][:40])
    assert len(pickle.dumps(clf)) < 2 * trained + 30_000
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict_proba(data[0]), clf.predict_proba(data[0]))


@pytest.mark.parametrize("params", [{}, FULL, {"source": "tuned"}, {"backbone": "tuned"}])
def test_an_encoder_that_is_saved_comes_back(data, tuned, tmp_path, params):
    given = {"source": FrozenEstimator(tuned), "backbone": tuned.encoder_}
    params = {name: given[name] if value == "tuned" else value for name, value in params.items()}
    encoder = quick(**params).fit(*data)
    encoder.save(tmp_path / "model")
    expected = encoder.transform(data[0])
    for again in (load(tmp_path / "model"), pickle.loads(pickle.dumps(encoder))):
        assert isinstance(again, TransferTextEncoder)
        np.testing.assert_array_equal(again.transform(data[0]), expected)
        assert again.n_parameters_ == encoder.n_parameters_
        assert len(again.get_feature_names_out()) == 16
        np.testing.assert_array_equal(again.fit(*data).transform(data[0]), expected)


@pytest.mark.parametrize("embed_backbone", [False, True])
def test_an_estimator_whose_backbone_is_an_encoder_comes_back(
    data, tiny_model, tmp_path, embed_backbone
):
    folder = shutil.copytree(tiny_model, tmp_path / "tiny")
    params = {"max_epochs": 1, "lr": 1e-3, "precision": "fp32"}
    X, y = data[0][:40], data[1][:40]
    first = classifier(backbone=folder, freeze="top_layers", **params).fit(X, y)
    clf = classifier(backbone=first.encoder_, freeze="bias_only", **params).fit(X, y)
    clf.save(tmp_path / "model", embed_backbone=embed_backbone)
    expected = clf.predict_proba(X)
    again = clf.fit(X, y).predict_proba(X)
    moved = (tmp_path / "model").rename(tmp_path / "moved")
    if embed_backbone:
        shutil.rmtree(folder)
    loaded = load(moved)
    assert isinstance(loaded.backbone, FrozenEstimator)
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)
    np.testing.assert_array_equal(
        loaded.backbone.transform(X), FrozenEstimator(load(moved / "backbone")).transform(X)
    )
    np.testing.assert_array_equal(loaded.fit(X, y).predict_proba(X), again)


def test_the_repr_says_what_it_starts_from(tuned):
    clf = classifier(backbone=tuned.encoder_)
    assert re.search(r"backbone=FrozenEstimator\(estimator=TransferTextEncoder\(", repr(clf))
