"""Every text backbone that needs no download, with every strategy and head, in every estimator."""

from __future__ import annotations

import pickle
import re
import warnings

import numpy as np
import pytest

from sktransfer import TransferTextClassifier, TransferTextEncoder, TransferTextRegressor
from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.plugins import available, resolve

TEXTS = [
    f"{article} {quality} {thing}"
    for article in ("the", "a")
    for quality in ("good", "great", "bad", "dull")
    for thing in ("film", "movie", "act")
]
GOOD = np.array([("good" in text) or ("great" in text) for text in TEXTS]).astype(int)
FILM = np.array(["film" in text for text in TEXTS]).astype(int)

ESTIMATORS = {
    "classifier": (TransferTextClassifier, np.where(GOOD, "good", "bad"), "predict_proba"),
    "labels": (TransferTextClassifier, np.column_stack([GOOD, FILM]), "predict_proba"),
    "regressor": (TransferTextRegressor, GOOD + 0.1 * FILM, "predict"),
    "encoder": (TransferTextEncoder, GOOD, "transform"),
}


def names_of(kind):
    """Name what this repository registers; what others have installed beside is theirs to test."""
    return [
        info.name
        for info in available()
        if info.kind == kind and re.fullmatch("sktransfer(-.+)?", info.distribution)
    ]


def offline_backbones():
    """Name text backbones that bring or draw their weights, and one that is made for tests."""
    found = ["tiny"]
    for info in available():
        if info.kind == "backbone" and info.name in names_of("backbone"):
            try:
                plugin = info.load()
            except ImportError:
                continue  # test_conformance tells.
            if plugin.modality == "text" and not isinstance(plugin, TransformerBackbone):
                found.append(info.name)
    return found


def small(name, tiny_model):
    if name == "tiny":
        return TransformerBackbone(tiny_model)
    cls = type(resolve("backbone", name))
    return cls(**cls.test_params()[0])


def epochs_for(strategy, backbone, n_blocks):
    """Give the fewest epochs in which a strategy trains all that it ever does."""
    decided = resolve("freeze", strategy).decide(
        rows=1, per="class", pretrained=backbone.pretrained, stage="source"
    )
    return decided.strategy.min_epochs(n_blocks)


def fitted(name, backbone, **params):
    """Fit an estimator, in which no warning is expected; give it, and what it computes."""
    cls, y, method = ESTIMATORS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimator = cls(backbone, batch_size=8, random_state=0, **params).fit(TEXTS, y)
    return estimator, getattr(estimator, method)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("freeze", names_of("freeze"))
@pytest.mark.parametrize("backbone", offline_backbones())
def test_every_strategy_trains_what_it_says_in_every_estimator(
    backbone, freeze, estimator, tiny_model
):
    backbone = small(backbone, tiny_model)
    blocks = backbone.load(device="cpu", random_state=0).blocks
    n_epochs = epochs_for(freeze, backbone, len(blocks))
    model, compute = fitted(estimator, backbone, freeze=freeze, max_epochs=n_epochs)

    found = compute(TEXTS)
    assert len(found) == len(TEXTS)
    assert np.isfinite(found).all()
    trained = {block for stage in model.stages_ for block in stage["blocks"]}
    plan = [
        model.freeze_.trainable(list(blocks), epoch, n_epochs, "source")
        for epoch in range(n_epochs)
    ]
    assert trained == frozenset().union(*plan)
    changed = set(model.net_.state.body)
    assert changed == {
        name for block in trained for name in blocks[block] if model.freeze_.trains_parameter(name)
    }
    assert model.n_parameters_["trained"] == sum(
        value.numel() for value in model.net_.state.body.values()
    )
    if estimator != "encoder":
        assert model.predict(TEXTS).shape[0] == len(TEXTS)

    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(getattr(again, compute.__name__)(TEXTS), found)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("freeze", ["frozen", "full"])
@pytest.mark.parametrize("head", names_of("head"))
def test_every_head_stands_on_every_estimator(head, freeze, estimator, tiny_model):
    backbone = small("hashing", tiny_model)
    model, compute = fitted(estimator, backbone, head=head, freeze=freeze, max_epochs=2)
    found = compute(TEXTS)
    assert np.isfinite(found).all()
    kind = type(model.net_.head)
    assert kind is (type(None) if estimator == "encoder" else type(resolve("head", head)))
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(getattr(again, compute.__name__)(TEXTS), found)


def test_the_matrix_has_what_is_registered():
    assert {"tiny", "hashing"} <= set(offline_backbones())
    assert {"auto", "frozen", "full", "top_layers", "gradual"} <= set(names_of("freeze"))
    assert {"linear", "mlp"} <= set(names_of("head"))
