r"""Up to how many rows a class the features of a backbone are as good as a training of it.

For each data set, size and draw: the head alone, and the head, then everything. A backbone's
``frozen_below`` follows from the sizes at which training gains nothing.

    SKTRANSFER_DATA=... python benchmarks/frozen_below.py --backbone multilingual \
        --json benchmarks/results/frozen_below.json
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np
import torch
from _data import read, shots
from _record import Record, mean_se, table

from sktransfer import TransferTextClassifier

SETS = ("zh_waimai", "zh_shopping_a", "xlmt_sentiment", "cr", "trec")
WAYS = ("frozen", "lp_ft")
TEST_ROWS = 1000


def score(args: argparse.Namespace, name: str, size: int, draw: int, way: str) -> dict[str, Any]:
    """Fit on a draw, and score on at most a thousand rows of the test part."""
    frame = read(name)
    train = frame[frame.split == "train"].reset_index(drop=True)
    test = frame[frame.split == "test"]
    test = test.sample(min(TEST_ROWS, len(test)), random_state=0)
    drawn = train.loc[shots(train.label.to_numpy(), size, draw)]
    clf = TransferTextClassifier(args.backbone, freeze=way, device="cpu", random_state=draw)
    cpu = time.process_time()
    clf.fit(drawn.text.tolist(), drawn.label.to_numpy())
    cpu = time.process_time() - cpu
    return {
        "accuracy": 100 * float(clf.score(test.text.tolist(), test.label.to_numpy())),
        "seconds": round(cpu, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--backbone", default="multilingual")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 64, 256])
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--json", help="Where to keep the results; runs that are there are kept.")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    record = Record(args.json, {"backbone": args.backbone, "test_rows": TEST_ROWS})
    rows = [["rows a class", "set", *WAYS, "training - head alone", "seconds of both"]]
    for size in args.sizes:
        gains = []
        for name in args.sets:
            runs = {
                way: [
                    record.run(
                        (args.backbone, name, size, draw, way),
                        lambda d=draw, w=way: score(args, name, size, d, w),  # noqa: B023
                    )
                    for draw in range(args.draws)
                ]
                for way in WAYS
            }
            found = {way: [run["accuracy"] for run in runs[way]] for way in WAYS}
            gain = np.subtract(found["lp_ft"], found["frozen"])
            gains.extend(gain)
            seconds = [np.mean([run["seconds"] for run in runs[way]]) for way in WAYS]
            means = [f"{np.mean(found[way]):.1f}" for way in WAYS]
            both = ", ".join(f"{s:.0f}" for s in seconds)
            rows.append([str(size), name, *means, f"{np.mean(gain):+.1f}", both])
        mean, error = mean_se(gains)
        rows.append([str(size), "all", "", "", f"{mean:+.1f} ± {error:.1f}", ""])
    print(table(rows))


if __name__ == "__main__":
    main()
