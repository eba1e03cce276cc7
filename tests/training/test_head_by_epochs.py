"""A head that is trained by epochs on features that are computed once."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from sktransfer import TransferTextClassifier
from sktransfer.heads.mlp import MLPHead

TEXTS = [f"a {word} film, {i}" for i in range(20) for word in ("good", "fine", "bad", "dull")]
LABELS = ["+", "+", "-", "-"] * 20


def classifier(**params):
    return TransferTextClassifier(
        "hashing",
        **{"freeze": "head_by_epochs", "max_epochs": 8, "random_state": 0, **params},
    )


def test_the_encoder_stays_and_epochs_are_counted():
    clf = classifier().fit(TEXTS, LABELS)
    assert clf.score(TEXTS, LABELS) > 0.8
    assert [record["epoch"] for record in clf.history_] == list(range(1, 9))
    assert clf.history_[-1]["train_loss"] < clf.history_[0]["train_loss"]
    assert clf.n_parameters_["trained"] == 0
    assert clf.stages_[0]["blocks"] == []
    assert clf.decision_["frozen_prefix"] == "all of it"
    assert list(clf.decision_["lr"]) == ["head"]
    fitted = classifier(freeze="frozen").fit(TEXTS, LABELS)
    np.testing.assert_array_equal(clf.encoder_.transform(TEXTS), fitted.encoder_.transform(TEXTS))


def test_features_are_computed_once_whatever_the_epochs(monkeypatch):
    from sktransfer.backbones.hashing import HashingEncoder

    rows, forward = [], HashingEncoder.forward

    def counting(self, batch):
        found = forward(self, batch)
        rows.append(len(found))
        return found

    monkeypatch.setattr(HashingEncoder, "forward", counting)
    counts = []
    for max_epochs in (1, 8):
        rows.clear()
        classifier(max_epochs=max_epochs).fit(TEXTS, LABELS)
        counts.append(sum(rows))
    assert counts[0] == counts[1]


def test_the_same_seed_gives_the_same_head_and_another_one_another():
    proba = [
        classifier(random_state=seed).fit(TEXTS, LABELS).predict_proba(TEXTS) for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(proba[0], proba[1])
    assert np.abs(proba[0] - proba[2]).max() > 1e-6


def test_dropout_has_an_effect_by_epochs_alone():
    def proba(freeze, dropout):
        clf = classifier(freeze=freeze, head=MLPHead(hidden=8, dropout=dropout))
        return clf.fit(TEXTS, LABELS).predict_proba(TEXTS)

    assert np.abs(proba("head_by_epochs", 0.0) - proba("head_by_epochs", 0.5)).max() > 1e-4
    np.testing.assert_array_equal(proba("frozen", 0.0), proba("frozen", 0.5))


def test_early_stopping_watches_the_head():
    clf = classifier(early_stopping=True, max_epochs=50, n_iter_no_change=2).fit(TEXTS, LABELS)
    assert clf.n_iter_ < 50
    assert "valid_score" in clf.history_[-1]


def test_a_head_goes_on_from_where_it_stood():
    source = classifier().fit(TEXTS, LABELS)
    target = classifier(source=FrozenEstimator(source), max_epochs=1, lr=1e-9)
    target.fit(TEXTS[:8], LABELS[:8])
    np.testing.assert_allclose(target.predict_proba(TEXTS), source.predict_proba(TEXTS), atol=1e-3)


def test_what_an_optimizer_needs_is_worth_tuning():
    clf = classifier()
    assert "lr" in clf.search_space()
    assert clf.is_active("batch_size")
    assert not clf.is_active("head__C")
    assert clf.is_active("head__lr_scale")
    fitted = clone(clf).set_params(freeze="frozen")
    assert "lr" not in fitted.search_space()
    assert not fitted.is_active("batch_size")


def test_an_activation_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match=r"activation has to be one of \['gelu', 'relu'\]"):
        classifier(head=MLPHead(activation="tanh")).fit(TEXTS, LABELS)
    relu, gelu = (
        classifier(freeze="frozen", head=MLPHead(activation=name)).fit(TEXTS, LABELS)
        for name in ("relu", "gelu")
    )
    assert np.abs(relu.predict_proba(TEXTS) - gelu.predict_proba(TEXTS)).max() > 1e-4
