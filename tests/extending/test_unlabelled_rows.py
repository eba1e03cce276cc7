"""Rows without a label: which targets mark them, which of them count, and who sees them."""

from __future__ import annotations

import numpy as np
import pytest
from coral import Coral

from sktransfer import TransferTextClassifier, TransferTextRegressor

WORDS = ["good", "bad", "fine", "awful", "great", "poor", "nice", "ugly"]
RNG = np.random.default_rng(0)
X = [" ".join(RNG.choice(WORDS, 4)) for _ in range(40)]
Y = np.array([int("good" in x or "great" in x) for x in X])
DOMAIN = np.repeat([0, -1], 20)
MARKED = np.where(DOMAIN < 0, -1, Y)
SHARED = {"freeze": "head_by_epochs", "max_epochs": 2, "batch_size": 8, "random_state": 0}


def quick(cls=TransferTextClassifier, **params):
    return cls("hashing", **SHARED | {"alignment": Coral()} | params)


# --- weights ------------------------------------------------------------------------------------


def test_unlabelled_rows_of_weight_0_are_left_out_as_labelled_ones_are():
    weight = np.where(np.arange(40) < 30, 1.0, 0.0)
    weighted = quick().fit(X, MARKED, sample_domain=DOMAIN, sample_weight=weight)
    short = quick().fit(X[:30], MARKED[:30], sample_domain=DOMAIN[:30])
    whole = quick().fit(X, MARKED, sample_domain=DOMAIN)
    np.testing.assert_array_equal(weighted.predict_proba(X), short.predict_proba(X))
    assert np.abs(weighted.predict_proba(X) - whole.predict_proba(X)).max() > 1e-4


def test_unlabelled_rows_of_weight_0_are_not_counted_where_no_alignment_uses_them():
    weight = np.where(np.arange(40) < 30, 1.0, 0.0)
    with pytest.warns(UserWarning, match="10 of 40 rows have no label"):
        quick(alignment=None).fit(X, MARKED, sample_domain=DOMAIN, sample_weight=weight)


@pytest.mark.parametrize("cls", [TransferTextClassifier, TransferTextRegressor])
def test_weights_of_0_for_all_labelled_rows_are_refused_with_both_counts(cls):
    y = np.where(DOMAIN < 0, np.nan, Y)
    weight = np.where(DOMAIN < 0, 1.0, 0.0)
    with pytest.raises(ValueError, match=r"sample_weight is 0 .* 20 rows .* 20 without"):
        quick(cls).fit(X, y, sample_domain=DOMAIN, sample_weight=weight)


# --- sides --------------------------------------------------------------------------------------


def test_an_alignment_whose_source_rows_all_weigh_0_is_refused_with_their_number():
    weight = np.where(DOMAIN < 0, 1.0, 0.0)
    with pytest.raises(ValueError, match=r"sample_weight .* 20 source rows"):
        quick().fit(X, Y, sample_domain=DOMAIN, sample_weight=weight)
    with pytest.raises(ValueError, match=r"sample_weight .* 20 target rows"):
        quick().fit(X, MARKED, sample_domain=DOMAIN, sample_weight=1 - weight)


def test_an_alignment_whose_target_rows_are_all_held_out_is_refused_with_the_fraction():
    few = np.where(np.arange(40) < 38, 0, -1)
    clf = quick(early_stopping=True, validation_fraction=0.5, random_state=6)
    with pytest.raises(ValueError, match=r"validation_fraction=0\.5 .* 2 target rows"):
        clf.fit(X, Y, sample_domain=few)
    clf.set_params(random_state=0).fit(X, Y, sample_domain=few)
    clf.set_params(random_state=6, alignment=None).fit(X, Y, sample_domain=few)
