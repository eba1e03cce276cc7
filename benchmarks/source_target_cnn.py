r"""TextCNN on targets of 16, 64 and 256 labelled texts a class, with and without a source.

Sentiment of films to that of products, news topics to sentiment (the label set changes), Chinese
reviews of books to those of tablets, and Chinese news titles to reviews of food deliveries. Beside
source then target (``fit`` then ``partial_fit``): the same network on the target alone, and TF-IDF
with logistic regression, of words or of Chinese characters.

    SKTRANSFER_DATA=... python benchmarks/source_target_cnn.py --seeds 5 \
        --json benchmarks/results/source_target_cnn.json
"""

from __future__ import annotations

import argparse
import copy
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from _data import read, shots
from _record import Record, mean_se, table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sktransfer_wordvectors import TextCNN

from sktransfer import TransferTextClassifier

PAIRS = (
    ("mr", "cr"),
    ("newsgroups20", "cr"),
    ("zh_shopping_a:book", "zh_shopping_a:tablet"),
    ("zh_thucnews_titles", "zh_waimai"),
)
METHODS = ("tfidf", "target_only", "source_only", "source_then_target")
SIZES = (16, 64, 256)


def part(name: str, split: str) -> pd.DataFrame:
    name, _, domain = name.partition(":")
    frame = read(name)
    frame = frame[(frame.split == split) & (frame.label != "")]
    return frame[frame.domain == domain] if domain else frame


def network(target: str, seed: int, args: argparse.Namespace) -> TransferTextClassifier:
    chinese = target.startswith("zh_")
    words = {"tokenizer": "characters"} if chinese else {"vectors": "glove-6b-50d"}
    return TransferTextClassifier(
        TextCNN(**words),
        freeze="full",
        max_length=args.max_length,
        max_epochs=args.max_epochs,
        random_state=seed,
    )


def tfidf(target: str) -> Any:
    reading = {"analyzer": "char", "ngram_range": (1, 2)} if target.startswith("zh_") else {}
    return make_pipeline(TfidfVectorizer(**reading), LogisticRegression(max_iter=1000))


def run_pair(source: str, target: str, seed: int, record: Record, args: argparse.Namespace) -> None:
    train, test = part(target, "train"), part(target, "test")
    X_test, y_test = test.text.tolist(), test.label.to_numpy()
    pair = f"{source}->{target}"
    fitted: list[TransferTextClassifier] = []

    def source_model() -> TransferTextClassifier:
        if not fitted:
            rows = part(source, "train")
            rows = rows.sample(min(len(rows), args.source_rows), random_state=seed)
            clf = network(target, seed, args).set_params(max_epochs=args.source_epochs)
            fitted.append(clf.fit(rows.text.tolist(), rows.label.to_numpy()))
        return fitted[0]

    def score(fit: Callable[[], Any]) -> dict[str, float]:
        start = time.perf_counter()
        accuracy = float(fit().score(X_test, y_test))
        return {"accuracy": accuracy, "seconds": round(time.perf_counter() - start, 1)}

    if set(train.label) == set(part(source, "train").label):
        record.run((pair, "source_only", 0, seed), lambda: score(source_model))
    for size in SIZES:
        index = shots(train.label.to_numpy(), size, seed)
        X, y = train.text.to_numpy()[index].tolist(), train.label.to_numpy()[index]

        def then_target(X=X, y=y):
            clf = copy.deepcopy(source_model()).set_params(max_epochs=args.max_epochs)
            return clf.partial_fit(X, y, classes=np.unique(y))

        ways = {
            "tfidf": lambda X=X, y=y: tfidf(target).fit(X, y),
            "target_only": lambda X=X, y=y: network(target, seed, args).fit(X, y),
            "source_then_target": then_target,
        }
        for method, fit in ways.items():
            record.run((pair, method, size, seed), lambda f=fit: score(f))


def summary(record: Record, seeds: int) -> str:
    rows = [["source -> target", "a class", *METHODS, "gain", "beyond 2 SE"]]
    runs = record.content["runs"]
    for source, target in PAIRS:
        pair = f"{source}->{target}"
        for size in SIZES:
            found = {}
            for method in METHODS:
                own = 0 if method == "source_only" else size
                keys = [f"{pair}/{method}/{own}/{seed}" for seed in range(seeds)]
                found[method] = [100 * runs[k]["accuracy"] for k in keys if k in runs]
            if len(found["source_then_target"]) < 2:
                continue
            cells = [
                "{:.1f} ± {:.1f}".format(*mean_se(v)) if len(v) > 1 else "-" for v in found.values()
            ]
            # Against the better of the two: a gain counts only beyond both.
            best = max(("tfidf", "target_only"), key=lambda m: np.mean(found[m]))
            gain, error = mean_se(list(np.subtract(found["source_then_target"], found[best])))
            verdict = "helps" if gain > 2 * error else "hurts" if gain < -2 * error else "no"
            rows.append([pair, str(size), *cells, f"{gain:+.1f} ± {error:.1f} on {best}", verdict])
    return table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--source-rows", type=int, default=6000)
    parser.add_argument("--source-epochs", type=int, default=4)
    parser.add_argument("--max-epochs", type=int, default=12)
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--json", help="Where to keep the results; runs that are there are kept.")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    record = Record(args.json, {k: v for k, v in vars(args).items() if k not in ("json", "seeds")})
    for seed in range(args.seeds):
        for source, target in PAIRS:
            run_pair(source, target, seed, record, args)
    print(summary(record, args.seeds))


if __name__ == "__main__":
    main()
