"""Loss terms beside the supervised one: what they change of a training, and what they do not."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from sktransfer import TransferTextClassifier
from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.modalities.text.modality import TextModality
from sktransfer.plugins import Alignment, Regulariser, Variation
from sktransfer.training.stage import Stage

X = [f"{'good' if i % 2 else 'bad'} thing {i}" for i in range(40)]
Y = np.arange(40) % 2
FEW_TARGETS = np.where(np.arange(40) < 38, 0, -1)


def quick(**params):
    shared = {"backbone": "hashing", "freeze": "full", "max_epochs": 2, "batch_size": 8}
    return TransferTextClassifier(**shared | {"random_state": 0} | params)


class Nothing(Regulariser):
    """Adds nothing to the loss."""

    def loss(self, batch, progress, change, second=None, module=None):
        return 0.0 * batch.outputs.sum()


def test_a_regulariser_leaves_the_rows_of_two_domains_as_they_are():
    alone = quick().fit(X, Y, sample_domain=FEW_TARGETS)
    beside = quick(regulariser=Nothing()).fit(X, Y, sample_domain=FEW_TARGETS)
    np.testing.assert_allclose(beside.predict_proba(X), alone.predict_proba(X), atol=1e-6)


class _Gap(Alignment):
    """Has one weight, which begins at a value of its own."""

    start: float
    seen: list[float]

    def build(self, dim, n_outputs):
        module = nn.Linear(1, 1, bias=False)
        nn.init.constant_(module.weight, self.start)
        return module

    def loss(self, source, target, progress, module=None):
        self.seen.append(module.weight.item())
        return 0.0 * module.weight.sum() + (source.features.mean() - target.features.mean()) ** 2


class First(_Gap):
    start, seen = 1.0, []


class Second(_Gap):
    start, seen = 7.0, []


def test_an_alignment_goes_on_from_its_own_weights_and_not_from_those_of_another_one():
    d = np.where(np.arange(40) < 20, 0, -1)
    clf = quick(alignment=First()).fit(X, Y, sample_domain=d)
    with torch.no_grad():
        name = next(iter(clf.net_.module_.term_weights))
        clf.net_.module_.term_weights[name].fill_(3.0)
    clf.set_params(alignment=Second()).partial_fit(X, Y, sample_domain=d)
    assert Second.seen[0] == 7.0
    clf = quick(alignment=First()).fit(X, Y, sample_domain=d)
    with torch.no_grad():
        clf.net_.module_.term_weights[name].fill_(3.0)
    First.seen.clear()
    clf.partial_fit(X, Y, sample_domain=d)
    assert First.seen[0] == 3.0


def test_mixup_is_refused_where_each_state_has_a_target():
    module = SimpleNamespace(of_states=True, set_trainable=lambda names: None)
    prefix = SimpleNamespace(module=module, variation=SimpleNamespace(mixup=0.2))
    schedule = SimpleNamespace(n_probe=0, epochs=[()])
    with pytest.raises(ValueError, match=r"mixup=0\.2 .* each state"):
        Stage(prefix, None, None, schedule, None).run()


class _Synonyms(Variation):
    def view(self, x, seed):
        return x.replace("good", "movie").replace("bad", "film")


def test_augmented_texts_may_have_words_that_the_texts_themselves_have_not(tiny_model, monkeypatch):
    monkeypatch.setattr(TextModality, "variation", lambda self: _Synonyms())
    clf = quick(backbone=TransformerBackbone(tiny_model)).fit(["good", "bad"] * 8, [1, 0] * 8)
    assert np.isfinite(clf.predict_proba(["good", "film"])).all()
