r"""Does a source of pictures help a target that looks otherwise? Styles of pictures, and digits.

PACS shows seven things in four styles. Three of them are the source. "Unseen" is the accuracy on
all of the fourth, which nothing was trained on: of pixels, of a frozen network from random weights
at 64 pixels, of a frozen pretrained one, and of one of which everything was trained at 96 pixels
for two epochs. Then 16 labelled pictures a class of the fourth are the target, and the others of it
the test: target only, and source then target (``fit``, then ``partial_fit``), frozen and with
everything trained. A source is trained once; target rows are drawn anew for each seed, and with
them the order of batches.

scikit-learn's digits of 8 x 8 pixels, brought into the frame of 20 x 20 in 28 x 28 that MNIST has,
are a source for 16 or 64 digits a class of MNIST: with a small network from random weights, and
with a pretrained one at 48 pixels. The first 5,000 of MNIST are drawn from, and 2,000 others are
the test.

    SKTRANSFER_DATA=... python benchmarks/images_source_target.py --seeds 5 \
        --json benchmarks/results/images_source_target.json
"""

from __future__ import annotations

import argparse
import copy
import tempfile
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from _data import shots
from _images import floor_accuracy, home, unpack
from _record import Record, mean_se, table
from PIL import Image
from sklearn.datasets import load_digits
from sktransfer_vision import EfficientNetLite

from sktransfer import TransferImageClassifier

STYLES = ("photo", "art_painting", "cartoon", "sketch")
SHOTS = {"pacs": (16,), "digits": (16, 64)}
WAYS = ("frozen", "full")
# The ways of each network for digits, and how it trains: epochs of the source and of the target.
DIGITS = {
    "drawn": (
        EfficientNetLite(weights=None, width=0.25, depth=0.5, image_size=33, crop=1.0),
        {"freeze": "full", "lr": 3e-3, "max_epochs": 10},
    ),
    "lite0": (
        EfficientNetLite(image_size=48, crop=1.0),
        {"freeze": "full", "lr": 3e-4, "max_epochs": 3},
    ),
}
TARGET_EPOCHS = {"pacs": 5, "digits": 10}
N_TEST = 2000
Fit = Callable[[], Any]


def scored(fit: Fit, X: Any, y: Any) -> Callable[[], dict[str, Any]]:
    """Fit and score when called."""
    return lambda: {"accuracy": float(fit().score(X, y))}


def styles(way: str, seed: int, **params: Any) -> TransferImageClassifier:
    if way == "frozen":
        settings: dict[str, Any] = {"freeze": "frozen", "cache": "memory"}
    else:
        settings = {"freeze": "full", "image_size": 96, "lr": 3e-4, "max_epochs": 2}
    settings |= {"precision": "fp32", "random_state": seed, **params}
    return TransferImageClassifier(settings.pop("backbone", "efficientnet-lite0"), **settings)


def once(make: Fit) -> Fit:
    """Make something when it is first needed."""
    made: list[Any] = []
    return lambda: made[0] if made else made.append(make()) or made[0]


def goes_on(source: Fit, X: Any, y: Any, seed: int, max_epochs: int) -> Fit:
    def fit() -> Any:
        clf = copy.deepcopy(source()).set_params(max_epochs=max_epochs, random_state=seed)
        return clf.partial_fit(X, y, classes=np.unique(y))

    return fit


def pacs(record: Record, seeds: int) -> None:
    n_epochs = TARGET_EPOCHS["pacs"]
    with tempfile.TemporaryDirectory() as folder:
        frame = unpack("img_pacs", folder)
        for style in STYLES:
            of_style = (frame.domain == style).to_numpy()
            X, y = frame.path[~of_style].tolist(), frame.label[~of_style].to_numpy()
            own, labels = frame.path[of_style].to_numpy(), frame.label[of_style].to_numpy()
            sources = {way: once(lambda w=way, a=X, b=y: styles(w, 0).fit(a, b)) for way in WAYS}
            unseen = own.tolist()
            record.run(
                (style, "unseen", "pixels", 0),
                lambda a=X, b=y, c=unseen, d=labels: {"accuracy": floor_accuracy(a, b, c, d)},
            )
            for way in WAYS:
                run = scored(sources[way], unseen, labels)
                record.run((style, "unseen", way, 0), run)
            for seed in range(seeds):
                index = shots(labels, *SHOTS["pacs"], seed)
                rest = np.setdiff1d(np.arange(len(own)), index)
                few, few_y = own[index].tolist(), labels[index]
                test, test_y = own[rest].tolist(), labels[rest]
                record.run(
                    (style, 16, "pixels", seed),
                    lambda a=few, b=few_y, c=test, d=test_y, s=seed: {
                        "accuracy": floor_accuracy(a, b, c, d, s)
                    },
                )
                for way in WAYS:
                    alone = styles(way, seed, max_epochs=n_epochs)
                    fits = {
                        "source only": sources[way],
                        "target only": lambda c=alone, a=few, b=few_y: c.fit(a, b),
                        "then": goes_on(sources[way], few, few_y, seed, n_epochs),
                    }
                    for kind, fit in fits.items():
                        record.run((style, 16, f"{way}, {kind}", seed), scored(fit, test, test_y))


def pacs_drawn(record: Record, seeds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        frame = unpack("img_pacs", folder)
        for seed in range(seeds):
            for style in STYLES:
                source, unseen = frame[frame.domain != style], frame[frame.domain == style]
                drawn = EfficientNetLite(weights=None, image_size=64)
                clf = styles("frozen", seed, backbone=drawn)
                run = scored(
                    lambda c=clf, f=source: c.fit(f.path.tolist(), f.label.to_numpy()),
                    unseen.path.tolist(),
                    unseen.label.to_numpy(),
                )
                record.run((style, "unseen", "drawn", seed), run)


def in_the_frame_of_mnist(digits: np.ndarray) -> np.ndarray:
    """Enlarge digits of 8 x 8 pixels, from 0 to 16, to 20 x 20 in the middle of 28 x 28."""
    framed = np.zeros((len(digits), 28, 28), np.uint8)
    for digit, frame in zip(digits, framed, strict=True):
        grey = Image.fromarray((digit / 16 * 255).round().astype(np.uint8))
        frame[4:24, 4:24] = np.asarray(grey.resize((20, 20), Image.Resampling.BICUBIC))
    return framed


def digits(record: Record, seeds: int) -> None:
    n_epochs = TARGET_EPOCHS["digits"]
    source = load_digits()
    X_source, y_source = in_the_frame_of_mnist(source.images), source.target
    mnist = np.load(home("img_mnist10k") / "img_mnist10k.npz")
    X, y = mnist["X"], mnist["y"]
    test, test_y = X[5000 : 5000 + N_TEST], y[5000 : 5000 + N_TEST]
    for seed in range(seeds):
        for name, (backbone, settings) in DIGITS.items():

            def made(b=backbone, s=settings, r=seed, **params: Any) -> TransferImageClassifier:
                params = {**s, "precision": "fp32", "random_state": r, **params}
                return TransferImageClassifier(b, **params)

            trained = once(lambda m=made: m().fit(X_source, y_source))
            record.run(("digits", "source only", name, seed), scored(trained, test, test_y))
            for n in SHOTS["digits"]:
                index = shots(y[:5000], n, seed)
                few, few_y = X[index], y[index]
                run = scored(
                    lambda m=made, a=few, b=few_y: m(max_epochs=n_epochs).fit(a, b),
                    test,
                    test_y,
                )
                record.run(("digits", n, f"{name}, target only", seed), run)
                then = goes_on(trained, few, few_y, seed, n_epochs)
                record.run(("digits", n, f"{name}, then", seed), scored(then, test, test_y))
        for n in SHOTS["digits"]:
            index = shots(y[:5000], n, seed)
            few, few_y = X[index], y[index]
            record.run(
                ("digits", n, "pixels", seed),
                lambda a=few, b=few_y, s=seed: {"accuracy": floor_accuracy(a, b, test, test_y, s)},
            )


def values(record: Record, *key: Any) -> list[float]:
    start = "/".join(map(str, key)) + "/"
    runs = record.content["runs"].items()
    return [100 * run["accuracy"] for name, run in runs if name.startswith(start)]


def cell(found: list[float]) -> str:
    if len(found) > 1 and np.ptp(found) > 0:
        return "{:.1f} ± {:.1f}".format(*mean_se(found))
    return f"{found[0]:.1f}" if found else "-"


def gain(then: list[float], other: list[float]) -> str:
    """Compare draw by draw."""
    if not then or len(then) != len(other):
        return "-"
    mean, error = mean_se(list(np.subtract(then, other)))
    verdict = "helps" if mean > 2 * error else "hurts" if mean < -2 * error else "no difference"
    return f"{mean:+.1f} ± {error:.1f}, {verdict}"


def row(record: Record, place: str, n: int, way: str, ways: Any) -> list[str]:
    """Compare a source with the same without one, and with what is best on average without one."""
    pixels = values(record, place, n, "pixels")
    alone = {each: values(record, place, n, f"{each}, target only") for each in ways}
    then = values(record, place, n, f"{way}, then")
    only = values(record, place, n, f"{way}, source only") or values(
        record, place, "source only", way
    )
    best = max([pixels, *alone.values()], key=lambda found: np.mean(found) if found else -1)
    start = [place.replace("digits", "MNIST"), str(n), way]
    cells = map(cell, (pixels, alone[way], only, then))
    return [*start, *cells, gain(then, alone[way]), gain(then, best)]


def summary(record: Record) -> str:
    kinds = ("pixels", "drawn", "frozen", "full")
    unseen = [["unseen style", *kinds]]
    for style in STYLES:
        unseen.append([style, *(cell(values(record, style, "unseen", kind)) for kind in kinds)])
    found = [[np.mean(values(record, s, "unseen", k) or np.nan) for s in STYLES] for k in kinds]
    unseen.append(["mean", *(f"{np.mean(each):.1f}" for each in found)])
    head = ["pixels", "target only", "source only", "source, then target"]
    few = [["target", "a class", "", *head, "on the same", "on the best without a source"]]
    few += [
        row(record, style, n, way, WAYS) for style in STYLES for n in SHOTS["pacs"] for way in WAYS
    ]
    few += [row(record, "digits", n, way, [way]) for way in DIGITS for n in SHOTS["digits"]]
    return f"{table(unseen)}\n\n{table(few)}"


PARTS = {"pacs": pacs, "digits": digits, "drawn": pacs_drawn}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", help="Where to keep the results; runs that are there are kept.")
    parser.add_argument("--parts", nargs="*", default=list(PARTS))
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    record = Record(args.json, {"target_epochs": TARGET_EPOCHS, "shots": SHOTS, "test": N_TEST})
    for part in args.parts:
        PARTS[part](record, args.seeds)
    print(summary(record))


if __name__ == "__main__":
    main()
