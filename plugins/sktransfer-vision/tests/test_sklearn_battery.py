"""scikit-learn's own battery on image networks, through the real image path."""

from __future__ import annotations

import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks
from sktransfer_vision import VGG16

from sktransfer import (
    ImageAugmentation,
    TransferImageClassifier,
    TransferImageEncoder,
    TransferImageRegressor,
)
from sktransfer.plugins import resolve
from sktransfer.testing import RowsAsImages

VGG = VGG16(weights=None, width=0.1, image_size=33, crop=1.0)
WIDER = VGG16(weights=None, width=0.3, image_size=33, crop=1.0)
# In half precision a probability moves with the images that are predicted beside it.
SEEDED = {"precision": "fp32", "random_state": 0}
ANOTHER_ORDER = {
    "check_methods_subset_invariance": (
        "convolutions of another number of images sum in another order, and the check allows 1e-7"
    )
}
TRAINED_BODY = {
    **ANOTHER_ORDER,
    "check_sample_weight_equivalence_on_dense_data": (
        "batches of shuffled rows take other steps when rows are repeated than when they are "
        "weighted"
    ),
}


@parametrize_with_checks(
    [
        RowsAsImages(TransferImageClassifier(VGG, freeze="frozen", **SEEDED)),
        RowsAsImages(
            TransferImageClassifier(
                VGG,
                freeze="frozen",
                augmentation=ImageAugmentation(flip=None, crop=0.0, color=0.1, n_views=2),
                **SEEDED,
            )
        ),
        RowsAsImages(TransferImageEncoder(VGG, **SEEDED)),
    ]
)
def test_check(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore:TF32 acceleration")  # of the switch of oneDNN, without a GPU
# The battery asks for R2 > 0.5 on its training rows; C=1 shrinks random features more.
@parametrize_with_checks(
    [
        RowsAsImages(
            TransferImageRegressor(
                WIDER, freeze="frozen", head=resolve("head", "linear").set_params(C=100.0), **SEEDED
            )
        )
    ]
)
def test_check_of_a_regressor(estimator, check):
    # oneDNN sums convolutions of another number of images in another order, and the battery allows
    # 1e-7, which numbers in single precision do not keep to.
    with torch.backends.mkldnn.flags(enabled=False):
        check(estimator)


# Whether sums in another order differ by more than the check allows is a matter of the machine.
@parametrize_with_checks(
    [
        RowsAsImages(TransferImageClassifier(VGG, freeze="full", max_epochs=5, **SEEDED)),
        RowsAsImages(
            TransferImageRegressor(
                VGG,
                freeze="lp_ft",
                head=resolve("head", "linear").set_params(C=1.0),
                max_epochs=5,
                **SEEDED,
            )
        ),
    ],
    expected_failed_checks=lambda estimator: TRAINED_BODY,
)
def test_check_of_a_trained_body(estimator, check):
    check(estimator)
