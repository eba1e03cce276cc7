r"""Chinese reviews, and labels learned in English and asked for in other languages.

All rows of two sets of Chinese reviews: characters and TF-IDF with a linear SVM, word networks,
and the multilingual transformer, frozen on all rows and fine-tuned on some. Then topics
(sib200) and sentiment of tweets (xlmt_sentiment): fitted on English alone, and scored in every
language, beside the same with characters and TF-IDF.

    SKTRANSFER_DATA=... python benchmarks/multilingual.py --seeds 5 \
        --json benchmarks/results/multilingual.json
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
from _data import read, shots
from _record import Record, mean_se, table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sktransfer_wordvectors import FastText, TextCNN

from sktransfer import TransferTextClassifier

CHINESE = ("zh_waimai", "zh_shopping_a")
CROSS = {"sib200": "eng_Latn", "xlmt_sentiment": "english"}
# Languages of sib200 that are also asked with labels of their own.
OWN_LABELS = ("por_Latn", "spa_Latn")
# What has nothing drawn runs once.
ONCE = ("characters", "multilingual")


def characters() -> Any:
    return make_pipeline(TfidfVectorizer(analyzer="char", ngram_range=(1, 3)), LinearSVC())


def transformer(seed: int, **params: Any) -> TransferTextClassifier:
    return TransferTextClassifier("multilingual", max_length=128, random_state=seed, **params)


def networks(seed: int) -> dict[str, Any]:
    shared = {"freeze": "full", "max_epochs": 6, "early_stopping": True, "random_state": seed}
    return {
        "textcnn": TransferTextClassifier(TextCNN(tokenizer="characters", dim=100), **shared),
        "textcnn, jieba": TransferTextClassifier(TextCNN(tokenizer="jieba", dim=100), **shared),
        "fasttext": TransferTextClassifier(
            FastText(tokenizer="characters", word_ngrams=3, dim=50, n_buckets=2**17), **shared
        ),
    }


def parts(frame: pd.DataFrame) -> tuple[list[str], np.ndarray]:
    return frame.text.tolist(), frame.label.to_numpy()


def score(clf: Any, train: pd.DataFrame, test: pd.DataFrame) -> dict[str, Any]:
    start = time.perf_counter()
    accuracy = float(clf.fit(*parts(train)).score(*parts(test)))
    return {"accuracy": accuracy, "seconds": round(time.perf_counter() - start, 1)}


def chinese(name: str, record: Record, args: argparse.Namespace) -> None:
    frame = read(name)
    train, test = frame[frame.split == "train"], frame[frame.split == "test"]
    record.run((name, "characters", 0), lambda: score(characters(), train, test))
    for seed in range(args.seeds):
        for method, clf in networks(seed).items():
            record.run((name, method, seed), lambda c=clf: score(c, train, test))
    frozen = transformer(0, freeze="frozen")
    record.run((name, "multilingual", 0), lambda c=frozen: score(c, train, test))
    if name in args.tuned_on_all:
        whole = transformer(0, freeze="full", max_epochs=2, lr=5e-5)
        record.run((name, "multilingual, tuned", 0), lambda c=whole: score(c, train, test))
    for seed in range(args.tuned_seeds):
        rows = train.iloc[shots(train.label.to_numpy(), args.tuned, seed)]
        ways = {
            "characters": characters(),
            "multilingual": transformer(seed, freeze="frozen"),
            "multilingual, tuned": transformer(seed, freeze="lp_ft", max_epochs=3),
        }
        for method, clf in ways.items():
            record.run(
                (name, f"{method}, {args.tuned} a class", seed),
                lambda c=clf, r=rows: score(c, r, test),
            )


def cross(record: Record) -> None:
    for name, english in CROSS.items():
        frame = read(name)
        train = frame[(frame.domain == english) & (frame.split == "train")]
        ways = {"characters": characters(), "multilingual": transformer(0, freeze="frozen")}
        for method, clf in ways.items():

            def languages(clf=clf, train=train, frame=frame):
                clf.fit(*parts(train))
                test = frame[frame.split == "test"]
                return {
                    domain: float(clf.score(*parts(own))) for domain, own in test.groupby("domain")
                }

            record.run((name, method), languages)


def own_labels(record: Record) -> None:
    frame = read("sib200")
    for language in OWN_LABELS:
        train, test = (
            frame[(frame.domain == language) & (frame.split == split)]
            for split in ("train", "test")
        )
        clf = transformer(0, freeze="frozen")
        record.run(
            ("sib200", "multilingual, own labels", language),
            lambda c=clf, a=train, b=test: score(c, a, b),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tuned", type=int, default=256, help="Rows a class to fine-tune on.")
    parser.add_argument("--tuned-seeds", type=int, default=3)
    parser.add_argument("--tuned-on-all", nargs="*", default=["zh_waimai"], choices=CHINESE)
    parser.add_argument("--json", help="Where to keep the results; runs that are there are kept.")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    record = Record(args.json, {"tuned": args.tuned})
    cross(record)
    own_labels(record)
    for name in CHINESE:
        chinese(name, record, args)
    runs = record.content["runs"]
    methods = list(dict.fromkeys(k.split("/")[1] for k in runs if k.startswith(CHINESE)))
    rows = [["", *CHINESE]]
    for method in methods:
        cells = []
        for name in CHINESE:
            own = [
                100 * v["accuracy"] for k, v in runs.items() if k.startswith(f"{name}/{method}/")
            ]
            cells.append(
                "-"
                if not own
                else "{:.1f} ± {:.1f}".format(*mean_se(own))
                if len(own) > 1
                else f"{own[0]:.1f}"
            )
        rows.append([method, *cells])
    print(table(rows))
    for name, english in CROSS.items():
        found = {method: runs[f"{name}/{method}"] for method in ONCE}
        others = [domain for domain in found["characters"] if domain != english]
        rows = [["", english, "mean of others", *others]]
        for method, own in found.items():
            mean = 100 * np.mean([own[domain] for domain in others])
            cells = [f"{100 * own[domain]:.1f}" for domain in others]
            rows.append([method, f"{100 * own[english]:.1f}", f"{mean:.1f}", *cells])
        print(f"\n{name}, fitted on {english}\n{table(rows)}")
    for language in OWN_LABELS:
        own = runs[f"sib200/multilingual, own labels/{language}"]["accuracy"]
        print(f"sib200, fitted on {language} and asked in it: {100 * own:.1f}")


if __name__ == "__main__":
    main()
