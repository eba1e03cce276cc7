r"""Does a source help a target with 16 labelled texts a class? Twelve pairs, and a label change.

For each ordered pair of review domains: target only, source only, source then target
(``fit`` then ``partial_fit``; by the default, by the head alone, and by everything after the head),
and pooled (one ``fit`` on both); beside them TF-IDF + logistic
regression on the target texts. Then news topics to product sentiment, where the label set changes.

    SKTRANSFER_DATA=... python benchmarks/source_target.py --seeds 5 --no-pooled \
        --json benchmarks/results/source_target.json
"""

from __future__ import annotations

import argparse
import copy
import time
from itertools import permutations
from typing import Any

import numpy as np
from _data import read, shots
from _record import Record, mean_se, table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktransfer import TransferTextClassifier

DOMAINS = ("books", "dvd", "electronics", "kitchen")
FREEZE = {"source_then_target": "auto", "then_head": "frozen", "then_everything": "lp_ft"}
METHODS = ("tfidf", "target_only", "source_only", *FREEZE, "pooled")
SHOTS = 16


def classifier(args: argparse.Namespace, seed: int, **params: Any) -> TransferTextClassifier:
    return TransferTextClassifier(max_length=args.max_length, random_state=seed, **params)


def tfidf(X, y):
    return make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000)).fit(X, y)


def amazon() -> dict[str, tuple[list[str], np.ndarray, list[str], np.ndarray]]:
    frame = read("amazon_blitzer")
    parts = {}
    for domain in DOMAINS:
        own = frame[(frame.domain == domain) & (frame.label != "")]
        train, test = own[own.split == "train"], own[own.split == "test"]
        parts[domain] = (
            train.text.tolist(),
            train.label.to_numpy(),
            test.text.tolist(),
            test.label.to_numpy(),
        )
    return parts


def label_change() -> dict[str, tuple[list[str], np.ndarray, list[str], np.ndarray]]:
    parts = {}
    for name in ("bbc_news", "cr"):
        frame = read(name)
        train, test = frame[frame.split == "train"], frame[frame.split == "test"]
        parts[name] = (
            train.text.tolist(),
            train.label.to_numpy(),
            test.text.tolist(),
            test.label.to_numpy(),
        )
    return parts


def subset(X, y, rows: int, seed: int):
    index = shots(y, rows // len(np.unique(y)), seed)
    return [X[i] for i in index], y[index]


def run_source(args, parts, source: str, targets: list[str], seed: int, record: Record) -> None:
    """Fit a source once, and take it to each target."""
    fitted: dict[str, Any] = {}

    def source_model():
        if not fitted:
            X, y = subset(*parts[source][:2], args.source_rows, seed)
            fitted["clf"] = classifier(args, seed, max_epochs=args.source_epochs).fit(X, y)
        return fitted["clf"]

    for target in targets:
        X_all, y_all, X_test, y_test = parts[target]
        index = shots(y_all, SHOTS, seed)
        X, y = [X_all[i] for i in index], y_all[index]
        same_labels = set(parts[source][1]) == set(y)

        def score(fit):
            start = time.perf_counter()
            accuracy = fit().score(X_test, y_test)  # noqa: B023 - called at once
            return {"accuracy": float(accuracy), "seconds": round(time.perf_counter() - start, 1)}

        def then_target(freeze):
            clf = copy.deepcopy(source_model())
            clf.set_params(max_epochs="auto", freeze=freeze)
            return clf.partial_fit(X, y, classes=np.unique(y))  # noqa: B023

        def pooled():
            X_source, y_source = subset(*parts[source][:2], args.source_rows, seed)
            both = np.concatenate([y_source, y])  # noqa: B023
            clf = classifier(args, seed, max_epochs=args.source_epochs)
            return clf.fit([*X_source, *X], both)  # noqa: B023

        own = f"->{target}"
        pair = f"{source}->{target}"
        record.run((own, "tfidf", seed), lambda: score(lambda: tfidf(X, y)))  # noqa: B023
        record.run(
            (own, "target_only", seed),
            lambda: score(lambda: classifier(args, seed).fit(X, y)),  # noqa: B023
        )
        if same_labels:
            record.run((pair, "source_only", seed), lambda: score(source_model))
        for method in args.then:
            freeze = FREEZE[method]
            record.run(
                (pair, method, seed),
                lambda f=freeze: score(lambda: then_target(f)),
            )
        if same_labels and args.pooled:
            record.run((pair, "pooled", seed), lambda: score(pooled))


def values(record: Record, pair: str, method: str, seeds: int) -> list[float] | None:
    runs = record.content["runs"]
    owner = "->" + pair.partition("->")[2] if method in ("tfidf", "target_only") else pair
    keys = [f"{owner}/{method}/{seed}" for seed in range(seeds)]
    return [100 * runs[k]["accuracy"] for k in keys] if all(k in runs for k in keys) else None


def summary(record: Record, pairs: list[str], seeds: int) -> str:
    rows = [["pair", *METHODS, "transfer gain", "beyond 2 SE"]]
    gains_by_seed = []
    for pair in pairs:
        found = {m: values(record, pair, m, seeds) for m in METHODS}
        if found["source_then_target"] is None or found["target_only"] is None:
            continue
        cells = [
            "-" if v is None else "{:.1f} ± {:.1f}".format(*mean_se(v)) for v in found.values()
        ]
        gain = np.subtract(found["source_then_target"], found["target_only"])
        gains_by_seed.append(gain)
        mean, error = mean_se(list(gain))
        verdict = "helps" if mean > 2 * error else "hurts" if mean < -2 * error else "no"
        rows.append([pair, *cells, f"{mean:+.1f} ± {error:.1f}", verdict])
    if len(gains_by_seed) > 1:
        mean, error = mean_se(list(np.mean(gains_by_seed, axis=0)))
        verdict = "helps" if mean > 2 * error else "hurts" if mean < -2 * error else "no"
        means = [over_pairs(record, pairs, method, seeds) for method in METHODS]
        rows.append(["mean", *means, f"{mean:+.1f} ± {error:.1f}", verdict])
    return table(rows)


def over_pairs(record: Record, pairs: list[str], method: str, seeds: int) -> str:
    """Give a method's mean over all pairs, with the standard error over seeds."""
    found = [values(record, pair, method, seeds) for pair in pairs]
    if any(v is None for v in found):
        return "-"
    return "{:.1f} ± {:.1f}".format(*mean_se(list(np.mean(found, axis=0))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--source-rows", type=int, default=300)
    parser.add_argument("--source-epochs", type=int, default=3)
    parser.add_argument("--max-length", type=int, default=96)
    parser.add_argument("--then", nargs="+", default=list(FREEZE), choices=FREEZE)
    parser.add_argument("--pooled", action=argparse.BooleanOptionalAction, default=True)
    args = parser.parse_args()
    settings = {name: value for name, value in vars(args).items() if name != "json"}
    record = Record(args.json, settings | {"shots": SHOTS})
    parts, change = amazon(), label_change()
    for seed in range(args.seeds):
        run_source(args, change, "bbc_news", ["cr"], seed, record)
        for source in DOMAINS:
            run_source(args, parts, source, [d for d in DOMAINS if d != source], seed, record)
    pairs = [f"{a}->{b}" for a, b in permutations(DOMAINS, 2)]
    print(summary(record, pairs, args.seeds))
    print()
    print(summary(record, ["bbc_news->cr"], args.seeds))


if __name__ == "__main__":
    main()
