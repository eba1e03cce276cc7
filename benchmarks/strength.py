r"""Rules that choose the penalty of a head on frozen features (decision record 0028).

Features of MiniLM, scikit-learn's logistic regression with C of 0.1, 1, 10 and 100, and rules that
choose one of them: always 1, the least log loss of three folds, the most hits of the folds, and the
most hits if they are more than those of C=1 by one or two standard errors of the paired difference.

    SKTRANSFER_DATA=... python benchmarks/strength.py --json benchmarks/results/strength.json
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import numpy as np
from _data import read, shots
from _record import Record, table
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from sktransfer import TransferTextEncoder

SETS = ("cr", "trec", "sst5", "sms_spam", "ag_news", "banking77", "bbc_news", "newsgroups20")
STRENGTHS = (0.1, 1.0, 10.0, 100.0)
START = STRENGTHS.index(1.0)
MOST_ROWS, TEST_ROWS = 2000, 1000


def chosen(X: np.ndarray, y: np.ndarray) -> dict[str, int]:
    """Give the position of the strength that each rule chooses."""
    losses, hits = (np.zeros((len(STRENGTHS), len(X))) for _ in range(2))
    for train, test in StratifiedKFold(3, shuffle=True, random_state=0).split(X, y):
        for j, C in enumerate(STRENGTHS):
            model = LogisticRegression(C=C, max_iter=200, tol=1e-3).fit(X[train], y[train])
            proba = model.predict_proba(X[test])
            codes = np.searchsorted(model.classes_, y[test])
            losses[j, test] = -np.log(proba[np.arange(len(test)), codes])
            hits[j, test] = proba.argmax(axis=1) == codes

    def beyond(n_errors: float) -> int:
        best = START
        for j in range(len(STRENGTHS)):
            gain = hits[j] - hits[best]
            if gain.mean() > n_errors * gain.std(ddof=1) / len(gain) ** 0.5:
                best = j
        return best

    return {
        "C=1": START,
        "least log loss": int(losses.mean(axis=1).argmin()),
        "most hits": int(hits.mean(axis=1).argmax()),
        "by 1 standard error": beyond(1.0),
        "by 2 standard errors": beyond(2.0),
    }


def accuracies(X: np.ndarray, y: np.ndarray, X_test: Any, y_test: Any) -> dict[str, float]:
    """Give the accuracy in per cent that each rule reaches, and that of the best strength."""
    scores = [
        100 * LogisticRegression(C=C, max_iter=2000).fit(X, y).score(X_test, y_test)
        for C in STRENGTHS
    ]
    return {rule: scores[j] for rule, j in chosen(X, y).items()} | {"hindsight": max(scores)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json")
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    record = Record(args.json, {"strengths": list(STRENGTHS)})
    draws = [("8", 3), ("64", 3), ("all", 1)]
    for name in args.sets:
        frame = read(name)
        train = frame[frame.split == "train"].reset_index(drop=True)
        test = frame[frame.split == "test"]
        test = test.sample(min(TEST_ROWS, len(test)), random_state=0)
        encoder = TransferTextEncoder("minilm", cache="memory").fit(train.text[:2].tolist())
        for size, n_draws in draws:
            for seed in range(n_draws):
                labels = train.label.to_numpy()
                if size == "all":
                    rows = np.random.RandomState(seed).permutation(len(train))[:MOST_ROWS]
                else:
                    rows = shots(labels, int(size), seed)
                if len(rows) > MOST_ROWS:
                    continue
                record.run(
                    (name, size, seed),
                    lambda rows=rows, labels=labels, train=train, encoder=encoder, test=test: (
                        accuracies(
                            encoder.transform(train.text.iloc[rows].tolist()),
                            labels[rows],
                            encoder.transform(test.text.tolist()),
                            test.label.to_numpy(),
                        )
                    ),
                )
    runs = record.content["runs"]
    rules = list(next(iter(runs.values())))
    rows = [["mean of the sets", *(size for size, _ in draws)]]
    for rule in rules:
        cells = []
        for size, _ in draws:
            sets = {key.split("/")[0] for key in runs if key.split("/")[1] == size}
            means = [
                np.mean([of[rule] for key, of in runs.items() if key.startswith(f"{s}/{size}/")])
                for s in sets
            ]
            cells.append(f"{np.mean(means):.1f}")
        rows.append([rule, *cells])
    print(table(rows))


if __name__ == "__main__":
    main()
