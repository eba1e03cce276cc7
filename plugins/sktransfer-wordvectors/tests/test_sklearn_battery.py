"""scikit-learn's own battery on word networks, through the real text path."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks
from sktransfer_wordvectors import GRU, BiLSTM, Conv1D, FastText, TextCNN

from sktransfer import TransferTextClassifier
from sktransfer.testing import RowsAsText

SMALL = {"dim": 16, "n_buckets": 256}
BACKBONES = [
    TextCNN(n_filters=16, dropout=0.0, **SMALL),
    Conv1D(n_filters=16, hidden=16, dropout=0.0, **SMALL),
    BiLSTM(width=8, dropout=0.0, **SMALL),
    GRU(width=8, dropout=0.0, **SMALL),
    FastText(**SMALL),
]
TRAINED_BODY = {
    "check_sample_weight_equivalence_on_dense_data": (
        "batches of shuffled rows take other steps when rows are repeated than when they are "
        "weighted"
    )
}


@pytest.mark.filterwarnings("ignore:.*empty or blank")
@parametrize_with_checks(
    [
        RowsAsText(
            TransferTextClassifier(backbone, freeze="full", max_epochs=8, lr=0.01, random_state=0)
        )
        for backbone in BACKBONES
    ],
    expected_failed_checks=lambda estimator: TRAINED_BODY,
    xfail_strict=True,
)
def test_check(estimator, check):
    check(estimator)
