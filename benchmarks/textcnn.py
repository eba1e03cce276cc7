r"""TextCNN as in Kim (2014): drawn, static and non-static vectors, on his data sets.

His settings: filters of 3, 4 and 5 words, 100 of each, dropout 0.5, weight vectors of the output
not longer than 3, batches of 50; "rand" with 300 numbers a word. What differs: GloVe vectors of 50
numbers in place of word2vec's 300; AdamW in place of Adadelta; one split into training and test
rows in place of ten folds for mr, subj and cr; sst2 without its phrases. A tenth of the training
rows ends the training. Beside them TF-IDF with logistic regression, and frozen MiniLM.

    SKTRANSFER_DATA=... python benchmarks/textcnn.py --seeds 5 \
        --json benchmarks/results/textcnn.json
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np
from _data import read
from _record import Record, mean_se, table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sktransfer_wordvectors import TextCNN

from sktransfer import TransferTextClassifier
from sktransfer.freezing.strategies import TopLayers
from sktransfer.heads.linear import LinearHead

DATA = ("mr", "sst2", "trec", "subj", "cr")
# With word2vec of 300 numbers; sst2 with phrases; mr, subj and cr by ten folds.
KIM = {
    "rand": {"mr": 76.1, "sst2": 82.7, "trec": 91.2, "subj": 89.6, "cr": 79.8},
    "static": {"mr": 81.0, "sst2": 86.8, "trec": 92.8, "subj": 93.0, "cr": 84.7},
    "non-static": {"mr": 81.5, "sst2": 87.2, "trec": 93.6, "subj": 93.4, "cr": 84.3},
}
METHODS = ("tfidf", "minilm", *KIM, "multichannel")


def made(method: str, seed: int, args: argparse.Namespace) -> Any:
    if method == "tfidf":
        return make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    if method == "minilm":
        return TransferTextClassifier(freeze="frozen", random_state=seed)
    words: dict[str, Any] = {"dim": args.dim} if method == "rand" else {"vectors": "glove-6b-50d"}
    return TransferTextClassifier(
        TextCNN(multichannel=method == "multichannel", **words),
        head=LinearHead(max_norm=3.0),
        freeze=TopLayers(k=1) if method == "static" else "full",
        batch_size=50,
        max_epochs=args.max_epochs,
        early_stopping=True,
        n_iter_no_change=3,
        random_state=seed,
    )


def run(name: str, method: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    frame = read(name)
    train, test = frame[frame.split == "train"], frame[frame.split == "test"]
    start = time.perf_counter()
    clf = made(method, seed, args).fit(train.text.tolist(), train.label.to_numpy())
    accuracy = float(clf.score(test.text.tolist(), test.label.to_numpy()))
    return {"accuracy": accuracy, "seconds": round(time.perf_counter() - start, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--dim", type=int, default=300, help="Of drawn vectors.")
    parser.add_argument("--max-epochs", type=int, default=12)
    parser.add_argument("--data", nargs="*", default=list(DATA))
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    parser.add_argument("--json", help="Where to keep the results; runs that are there are kept.")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    settings = {"dim": args.dim, "max_epochs": args.max_epochs}
    record = Record(args.json, settings)
    for seed in range(args.seeds):
        for method in args.methods:
            if method in ("tfidf", "minilm") and seed:
                continue  # nothing in them is drawn
            for name in args.data:
                record.run(
                    (name, method, seed),
                    lambda n=name, m=method, s=seed: run(n, m, s, args),
                )
    rows = [["", *DATA, "mean"]]
    for method in METHODS:
        found = {
            name: [
                100 * value["accuracy"]
                for key, value in record.content["runs"].items()
                if key.startswith(f"{name}/{method}/")
            ]
            for name in DATA
        }
        if not all(found.values()):
            continue
        cells = [
            "{:.1f} ± {:.1f}".format(*mean_se(v)) if len(v) > 1 else f"{v[0]:.1f}"
            for v in found.values()
        ]
        mean = np.mean([np.mean(v) for v in found.values()])
        rows.append([method, *cells, f"{mean:.1f}"])
        if method in KIM:
            own = [KIM[method][name] for name in DATA]
            rows.append(["Kim (2014)", *(f"{v:.1f}" for v in own), f"{np.mean(own):.1f}"])
    print(table(rows))


if __name__ == "__main__":
    main()
