"""scikit-learn's own battery on image networks, through the real image path."""

from __future__ import annotations

from sklearn.utils.estimator_checks import parametrize_with_checks
from sktransfer_vision import VGG16

from sktransfer import ImageAugmentation, TransferImageClassifier, TransferImageEncoder
from sktransfer.testing import RowsAsImages

VGG = VGG16(weights=None, width=0.1, image_size=33, crop=1.0)
# In half precision a probability moves with the images that are predicted beside it.
SEEDED = {"precision": "fp32", "random_state": 0}
TRAINED_BODY = {
    "check_sample_weight_equivalence_on_dense_data": (
        "batches of shuffled rows take other steps when rows are repeated than when they are "
        "weighted"
    ),
    "check_methods_subset_invariance": (
        "convolutions of another number of images sum in another order, and the check allows 1e-7"
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


# Whether sums in another order differ by more than the check allows is a matter of the machine.
@parametrize_with_checks(
    [RowsAsImages(TransferImageClassifier(VGG, freeze="full", max_epochs=5, **SEEDED))],
    expected_failed_checks=lambda estimator: TRAINED_BODY,
)
def test_check_of_a_trained_body(estimator, check):
    check(estimator)
