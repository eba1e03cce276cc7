"""Several labels a text, numbers, and long texts: what the family gives, beside the plain floor.

Four parts, each with three seeds that draw the training rows anew:

- ``labels``: emotions of Reddit comments (goemotions) and of English film subtitles (xed), any
  number of them a text; macro and micro F1 with ``threshold="auto"``.
- ``numbers``: stars of film reviews (sst5) as a regression.
- ``long``: topics of newsgroup posts and sentiment of product reviews, with the four ways to read
  what is longer than ``max_length``; accuracy, and seconds of fit and prediction.

    SKTRANSFER_DATA=... python benchmarks/family.py --json benchmarks/results/family.json
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from _data import read
from _record import Record, mean_se, table
from scipy.stats import spearmanr
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, mean_absolute_error
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.svm import LinearSVC

from sktransfer import TransferTextClassifier, TransferTextRegressor

STARS = {"very negative": 1, "negative": 2, "neutral": 3, "positive": 4, "very positive": 5}
WAYS = ("truncate", "head_tail", "window_mean", "window_max")
# TF-IDF with a linear SVM, or with a logistic regression of balanced weights, for each label.
PLAIN = ("svc", "balanced")


# Several labels a text, and the domain that is read; None is all.
LABELS = {"goemotions": None, "xed": "en"}


def draw(frame: Any, rows: int, seed: int) -> Any:
    return frame.sample(min(rows, len(frame)), random_state=seed)


def timed(function: Any) -> dict[str, Any]:
    start = time.perf_counter()
    found = function()
    return {**found, "seconds": round(time.perf_counter() - start, 1)}


def labels_part(record: Record, args: argparse.Namespace) -> list[list[str]]:
    rows = [["data", "method", "training rows", "macro F1", "micro F1"]]
    for name in args.labels:
        keep = LABELS[name]
        frame = read(name)
        frame = frame if keep is None else frame[frame.domain == keep]
        frame = frame[frame.label != ""]
        coder = MultiLabelBinarizer().fit(frame.label.str.split("|"))
        test = draw(frame[frame.split == "test"], args.test_rows, 0)
        Y_test = coder.transform(test.label.str.split("|"))
        sizes: dict[str, int | None] = dict.fromkeys(args.methods if "all" in args.sizes else ())
        if "few" in args.sizes:
            sizes |= {f"{method}, few": args.rows for method in args.methods}
        for method, size in sizes.items():
            scores = []
            for seed in range(args.seeds):
                train = frame[frame.split == "train"]
                train = draw(train, len(train) if size is None else size, seed)
                X, Y = train.text.tolist(), coder.transform(train.label.str.split("|"))

                def fit(method=method, X=X, Y=Y, seed=seed, test=test, Y_test=Y_test):
                    if method.startswith("svc"):
                        clf = make_pipeline(TfidfVectorizer(), OneVsRestClassifier(LinearSVC()))
                    elif method.startswith("balanced"):
                        linear = LogisticRegression(class_weight="balanced", max_iter=1000)
                        clf = make_pipeline(TfidfVectorizer(), OneVsRestClassifier(linear))
                    elif method.startswith("default"):
                        clf = TransferTextClassifier(random_state=seed)
                    else:
                        clf = TransferTextClassifier(
                            freeze=method.partition(",")[0],
                            threshold="auto",
                            max_length=64,
                            batch_size=32,
                            random_state=seed,
                        )
                    predicted = clf.fit(X, Y).predict(test.text.tolist())
                    return {
                        how: float(f1_score(Y_test, predicted, average=how, zero_division=0))
                        for how in ("macro", "micro")
                    }

                # Without a draw, a method that is not random gives the same every time.
                drawn = size is not None or method not in PLAIN
                key = ("labels", name, method, seed if drawn else 0)
                scores.append(record.run(key, lambda fit=fit: timed(fit)))
            cells = [plus_minus([100 * s[how] for s in scores]) for how in ("macro", "micro")]
            rows.append([name, method, str(size or "all"), *cells])
    return rows


def numbers_part(record: Record, args: argparse.Namespace) -> list[list[str]]:
    frame = read("sst5")
    test = frame[frame.split == "test"]
    y_test = test.label.map(STARS).to_numpy(float)
    rows = [["method", "training rows", "mean absolute error", "Spearman", "accuracy if rounded"]]
    for method in ("tfidf_ridge", "frozen", "full", "full, as labels"):
        scores = []
        for seed in range(args.seeds):
            train = draw(frame[frame.split == "train"], args.rows, seed)
            X, y = train.text.tolist(), train.label.map(STARS).to_numpy(float)

            def fit(method=method, X=X, y=y, seed=seed):
                shared = {"max_length": 64, "batch_size": 32, "random_state": seed}
                if method == "tfidf_ridge":
                    model = make_pipeline(TfidfVectorizer(), Ridge())
                elif method == "full, as labels":
                    model = TransferTextClassifier(freeze="full", **shared)
                else:
                    model = TransferTextRegressor(freeze=method, **shared)
                predicted = model.fit(X, y).predict(test.text.tolist())
                return {
                    "mae": float(mean_absolute_error(y_test, predicted)),
                    "spearman": float(spearmanr(y_test, predicted).statistic),
                    "rounded": float(np.mean(np.clip(np.rint(predicted), 1, 5) == y_test)),
                }

            scores.append(record.run(("numbers", method, seed), lambda fit=fit: timed(fit)))
        rows.append(
            [
                method,
                str(args.rows),
                plus_minus([s["mae"] for s in scores], 3),
                plus_minus([s["spearman"] for s in scores], 3),
                plus_minus([100 * s["rounded"] for s in scores]),
            ]
        )
    return rows


def long_part(record: Record, args: argparse.Namespace) -> list[list[str]]:
    rows = [["data", "read", "max_length", "tokens cut", "accuracy", "seconds"]]
    for name, length in (("newsgroups20", 128), ("amazon_blitzer", 64)):
        frame = read(name)
        frame = frame[(frame.label != "") & (frame.text.str.strip() != "")]
        test = draw(frame[frame.split == "test"], args.long_rows, 0)
        for way in ("tfidf", *WAYS):
            scores = []
            for seed in range(args.seeds):
                train = draw(frame[frame.split == "train"], args.long_rows, seed)

                def fit(way=way, train=train, seed=seed, length=length, test=test):
                    if way == "tfidf":
                        clf = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
                    else:
                        clf = TransferTextClassifier(
                            freeze="frozen", max_length=length, long_text=way, random_state=seed
                        )
                    clf.fit(train.text.tolist(), train.label.to_numpy())
                    report = getattr(clf, "truncation_report_", {"tokens": 1, "tokens_cut": 0})
                    return {
                        "accuracy": float(clf.score(test.text.tolist(), test.label.to_numpy())),
                        "cut": report["tokens_cut"] / report["tokens"],
                    }

                scores.append(record.run(("long", name, way, seed), lambda fit=fit: timed(fit)))
            rows.append(
                [
                    name,
                    way,
                    "-" if way == "tfidf" else str(length),
                    f"{100 * np.mean([s['cut'] for s in scores]):.0f} %",
                    plus_minus([100 * s["accuracy"] for s in scores]),
                    f"{np.median([s['seconds'] for s in scores]):.0f}",
                ]
            )
    return rows


def plus_minus(values: list[float], digits: int = 1) -> str:
    mean, error = mean_se(values) if len(values) > 1 else (values[0], float("nan"))
    return f"{mean:.{digits}f} ± {error:.{digits}f}"


PARTS = {"labels": labels_part, "numbers": numbers_part, "long": long_part}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=4000, help="training rows of fine-tuning")
    parser.add_argument("--test-rows", type=int, default=5000)
    parser.add_argument("--long-rows", type=int, default=1500, help="training rows, and test rows")
    parser.add_argument("--labels", nargs="*", choices=LABELS, default=list(LABELS))
    methods = (*PLAIN, "frozen", "full", "default")
    parser.add_argument("--methods", nargs="*", choices=methods, default=list(methods[:-1]))
    parser.add_argument("--sizes", nargs="*", choices=("all", "few"), default=["all", "few"])
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS))
    args = parser.parse_args()
    settings = {
        name: value
        for name, value in vars(args).items()
        if name not in ("json", "parts", "methods", "sizes")
    }
    record = Record(args.json, settings)
    for part in args.parts:
        print(table(PARTS[part](record, args)), "\n", flush=True)


if __name__ == "__main__":
    main()
