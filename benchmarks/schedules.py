r"""Ways to train at 64 labels a class, with what they reach and cost (decision record 0028).

MiniLM, trained in a few ways on the same draws; seconds are those that the CPU worked for the fit.
`freeze="full"` with 10 epochs is what the default was.

    SKTRANSFER_DATA=... python benchmarks/schedules.py --json benchmarks/results/schedules.json
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np
from _data import read, shots
from _record import Record, table

from sktransfer import TransferTextClassifier
from sktransfer.freezing.strategies import TopLayers

SETS = ("cr", "sst2", "trec", "sms_spam", "ag_news", "sst5")
TEST_ROWS = 1000
WAYS: dict[str, dict[str, Any]] = {
    "everything, 10 epochs": {"freeze": "full", "max_epochs": 10},
    "everything, 5 epochs": {"freeze": "full", "max_epochs": 5},
    "everything, 5 epochs, mean of weights": {
        "freeze": "full",
        "max_epochs": 5,
        "lr": 1.5e-4,
        "average": "ema",
    },
    "head, then 5 epochs": {"freeze": "lp_ft", "max_epochs": 6},
    "head, then 4 epochs": {"freeze": "lp_ft", "max_epochs": 5},
    "head, then 3 epochs": {"freeze": "lp_ft", "max_epochs": 4},
    "top 3 blocks, 10 epochs, twice the rate": {
        "freeze": TopLayers(k=3),
        "max_epochs": 10,
        "lr": 2e-4,
    },
    "top 4 blocks, 7 epochs, 1.5 times the rate": {
        "freeze": TopLayers(k=4),
        "max_epochs": 7,
        "lr": 1.5e-4,
    },
}


def run(name: str, seed: int, params: dict[str, Any]) -> dict[str, float]:
    """Train on a draw, and score on the test part."""
    frame = read(name)
    train = frame[frame.split == "train"].reset_index(drop=True)
    test = frame[frame.split == "test"]
    test = test.sample(min(TEST_ROWS, len(test)), random_state=0)
    rows = shots(train.label.to_numpy(), 64, seed)
    clf = TransferTextClassifier("minilm", random_state=seed, **params)
    start = time.process_time()
    clf.fit(train.text.iloc[rows].tolist(), train.label.iloc[rows].to_numpy())
    seconds = time.process_time() - start
    return {"accuracy": 100 * clf.score(test.text.tolist(), test.label), "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    TransferTextClassifier("minilm", freeze="full", max_epochs=1).fit(["warm", "up"], ["a", "b"])
    record = Record(args.json, {"labels": 64})
    for seed in range(args.draws):
        for name in args.sets:
            for way in args.ways:
                key = (way, name, seed)
                record.run(key, lambda k=key: run(k[1], k[2], WAYS[k[0]]))
    runs = record.content["runs"]
    rows = [["", *SETS, "share of the seconds"]]
    first = next(iter(WAYS))
    for way in WAYS:
        cells, shares = [], []
        for name in SETS:
            own = {k.split("/")[-1]: v for k, v in runs.items() if k.startswith(f"{way}/{name}/")}
            mean = np.mean([of["accuracy"] for of in own.values()]) if own else None
            cells.append("-" if mean is None else f"{mean:.1f} ({len(own)})")
            for seed, of in own.items():
                if (before := runs.get(f"{first}/{name}/{seed}")) is not None:
                    shares.append(of["seconds"] / before["seconds"])
        rows.append([way, *cells, f"{np.median(shares):.2f}" if shares else "-"])
    print(table(rows))


if __name__ == "__main__":
    main()
