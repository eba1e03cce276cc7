r"""Pictures of ants and bees, and of CIFAR-10: frozen, fine-tuned, from random weights, and pixels.

Ants and bees (img_hymenoptera) are 244 pictures for training and 153 for the test; of CIFAR-10
there are 200 for training and 100 for the test of each of ten classes. Where the encoder trains,
pictures of CIFAR are read at 64 pixels, since they have 32. "pixels" are 32 x 32 of them, their
principal components and a support vector machine; its C is chosen on folds of the training rows.
"batch statistics" trains everything as "full" does, but lets batch normalisation learn its
statistics anew. "Rate from folds" is trained at that one of RATES whose log loss is lowest on five
folds of the training rows, for ants and bees. "Then thawed" trains the last stage of VGG16 for two
epochs after the head, as tutorials do. Networks that train compute in single precision,
which does not move the results by which CPU it is. What is not drawn is run once.

    SKTRANSFER_DATA=... python benchmarks/images.py --seeds 5 --json benchmarks/results/images.json
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from _images import floor_accuracy, parts, unpack
from _record import Record, mean_se, table
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sktransfer_vision import EfficientNetLite

from sktransfer import TransferImageClassifier
from sktransfer.images.augmentation import ImageAugmentation


class BatchStatistics(EfficientNetLite):
    """A pretrained network whose statistics follow the batches of a training."""

    def load(self, *, device: str, random_state: int) -> Any:
        encoder = super().load(device=device, random_state=random_state)
        encoder.module.keeps_statistics = False
        return encoder


# How everything is tuned in each data set: pixels of a side, epochs and learning rate.
TUNED = {
    "img_hymenoptera": {"image_size": None, "max_epochs": 3, "lr": "auto"},
    "img_cifar10_3k": {"image_size": 64, "max_epochs": 3, "lr": 3e-4},
}
Make = Callable[[dict[str, Any], int], TransferImageClassifier]


def frozen(backbone: Any, at_tuned_size: bool = False) -> Make:
    def make(tuned: dict[str, Any], seed: int) -> TransferImageClassifier:
        size = tuned["image_size"] if at_tuned_size else None
        return TransferImageClassifier(
            backbone, freeze="frozen", image_size=size, precision="fp32", random_state=seed
        )

    return make


def tuned_by(freeze: str, backbone: Any = "efficientnet-lite0", **params: Any) -> Make:
    def make(tuned: dict[str, Any], seed: int) -> TransferImageClassifier:
        settings = {**tuned, "precision": "fp32", "random_state": seed, **params}
        return TransferImageClassifier(backbone, freeze=freeze, **settings)

    return make


# Of which folds of the training rows choose one.
RATES = (1e-5, 3e-5, 1e-4, 3e-4)
N_FOLDS = 5
# From random weights there is a longer way to go.
DRAWN = {"image_size": 64, "max_epochs": 5, "lr": "auto"}
METHODS: dict[str, Make] = {
    "lite0 frozen": frozen("efficientnet-lite0"),
    "lite0 top_layers": tuned_by("top_layers", max_epochs="auto", lr="auto"),
    "lite0 full": tuned_by("full"),
    "lite0 lp_ft": tuned_by("lp_ft"),
    "lite0 full, augmented": tuned_by("full", augmentation=ImageAugmentation()),
    "lite0 lp_ft, rate from folds": tuned_by("lp_ft"),
    "lite0 top_layers, rate from folds": tuned_by("top_layers", max_epochs="auto"),
    "lite0 full, rate from folds": tuned_by("full"),
    "vgg16 frozen": frozen("vgg16"),
    "vgg16 frozen, then thawed": frozen("vgg16"),
    "drawn, frozen": frozen(EfficientNetLite(weights=None), at_tuned_size=True),
    "drawn, full": tuned_by("full", EfficientNetLite(weights=None), **DRAWN),
    "lite0 frozen, 64 pixels": frozen("efficientnet-lite0", at_tuned_size=True),
    "lite0 full, batch statistics": tuned_by("full", BatchStatistics()),
}
ONCE = ("pixels", "lite0 frozen", "vgg16 frozen", "lite0 frozen, 64 pixels")
# Where the tuned size is another one than the network's own.
CIFAR_ALONE = ("lite0 frozen, 64 pixels", "lite0 full, batch statistics")


FROM_FOLDS = "rate from folds"
# As tutorials go on, once the head is trained.
THAWED = {"freeze": "top_layers", "freeze__k": 1, "lr": 1e-5, "max_epochs": 2}


def run(
    data: tuple[Any, ...], name: str, method: str, seed: int, rate: float | None = None
) -> dict[str, Any]:
    X, y, X_test, y_test = data
    if method == "pixels":
        return {"accuracy": floor_accuracy(X, y, X_test, y_test, seed)}
    clf = METHODS[method](TUNED[name], seed)
    if rate is not None:
        clf.set_params(lr=rate)
    found = {} if rate is None else {"lr": rate}
    clf.fit(X, y)
    if method.endswith("then thawed"):
        clf.set_params(**THAWED).partial_fit(X, y)
    return {"accuracy": float(clf.score(X_test, y_test)), **found}


def best_rate(record: Record, data: tuple[Any, ...], name: str, method: str) -> float:
    """Choose a rate without the test rows."""
    X, y, *_ = data
    folds = list(StratifiedKFold(N_FOLDS, shuffle=True, random_state=0).split(X, y))

    def loss(rate: float, fold: int) -> dict[str, Any]:
        train, valid = folds[fold]
        clf = METHODS[method](TUNED[name], fold).set_params(lr=rate)
        proba = clf.fit([X[i] for i in train], y[train]).predict_proba([X[i] for i in valid])
        right = float((clf.classes_[proba.argmax(1)] == y[valid]).mean())
        return {"log_loss": float(log_loss(y[valid], proba, labels=clf.classes_)), "right": right}

    def mean(rate: float) -> float:
        found = [
            record.run(("folds", name, method, rate, fold), lambda f=fold: loss(rate, f))
            for fold in range(N_FOLDS)
        ]
        return float(np.mean([each["log_loss"] for each in found]))

    return min(RATES, key=mean)


def summary(record: Record) -> str:
    rows = [["", *(name.removeprefix("img_") for name in TUNED)]]
    for method in ("pixels", *METHODS):
        found = [
            [
                100 * value["accuracy"]
                for key, value in record.content["runs"].items()
                if key.startswith(f"{name}/{method}/")
            ]
            for name in TUNED
        ]
        cells = ["-" if not v else f"{v[0]:.1f}" for v in found]
        for i, values in enumerate(found):
            if len(values) > 1:
                cells[i] = "{:.1f} ± {:.1f}".format(*mean_se(values))
        rows.append([method, *cells])
    return table(rows)


def summary_of_folds(record: Record) -> str:
    rows = [["", "rate", "log loss", "right"]]
    for method in (m for m in METHODS if m.endswith(FROM_FOLDS)):
        for rate in RATES:
            found = [
                value
                for key, value in record.content["runs"].items()
                if key.startswith(f"folds/img_hymenoptera/{method}/{rate}/")
            ]
            if found:
                loss, right = (np.mean([v[k] for v in found]) for k in ("log_loss", "right"))
                rows.append([method, f"{rate:g}", f"{loss:.3f}", f"{100 * right:.1f}"])
    return table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", nargs="*", default=list(TUNED))
    parser.add_argument("--methods", nargs="*", default=["pixels", *METHODS])
    parser.add_argument("--json", help="Where to keep the results; runs that are there are kept.")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    record = Record(args.json, {"tuned": TUNED, "drawn": DRAWN, "rates": RATES, "thawed": THAWED})
    with tempfile.TemporaryDirectory() as folder:
        for name in args.data:
            data = parts(unpack(name, folder))
            for method in args.methods:
                if method in CIFAR_ALONE and name != "img_cifar10_3k":
                    continue
                rate = None
                if method.endswith(FROM_FOLDS):
                    if name != "img_hymenoptera":
                        continue
                    rate = best_rate(record, data, name, method)
                for seed in range(1 if method in ONCE else args.seeds):
                    record.run(
                        (name, method, seed),
                        lambda d=data, n=name, m=method, s=seed, r=rate: run(d, n, m, s, r),
                    )
    print(summary(record))
    print(summary_of_folds(record))


if __name__ == "__main__":
    main()
