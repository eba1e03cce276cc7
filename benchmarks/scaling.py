r"""Seconds and bytes against the number of texts, for fitting a frozen classifier and predicting.

Each size has a process of its own, whose peak of memory it is.

    SKTRANSFER_DATA=... python benchmarks/scaling.py --json benchmarks/results/scaling.json \
        --picture docs/scaling.png
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np
from _pairs import arguments, write

SIZES = [1000, 3000, 10_000, 30_000, 100_000]


def one_size(n: int, threads: int | None) -> dict[str, float]:
    """Fit and predict n texts; give seconds and the peak of memory."""
    import torch
    from memory import texts

    from sktransfer import TransferTextClassifier

    if threads:
        torch.set_num_threads(threads)
    few = list(texts(200))
    clf = TransferTextClassifier(freeze="frozen", max_length=64, device="cpu", random_state=0)
    clf.fit(few, [len(t) % 2 for t in few]).predict(few)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    X = list(texts(n))
    # A label that the first words decide, as far as a frozen encoder can tell.
    y = [int(text[0] < "m") for text in X]
    start = time.perf_counter()
    clf.fit(X, y)
    fitted = time.perf_counter()
    clf.predict(X)
    ended = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "texts": n,
        "fit_seconds": fitted - start,
        "predict_seconds": ended - fitted,
        "more_MB": (peak - before) / 1024,
    }


def slope(n: np.ndarray, value: np.ndarray) -> float:
    """Give the exponent of growth: 1 is linear."""
    return float(np.polyfit(np.log(n), np.log(value), 1)[0])


def picture(rows: list[dict[str, float]], path: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    n = [row["texts"] for row in rows]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for key, name in (("fit_seconds", "fit"), ("predict_seconds", "predict")):
        left.loglog(n, [row[key] for row in rows], "o-", label=name)
    first = rows[0]
    left.loglog(
        n,
        [first["fit_seconds"] * m / n[0] for m in n],
        color="0.6",
        linestyle=":",
        label="linear",
    )
    left.set(xlabel="texts", ylabel="seconds")
    left.legend()
    right.plot(n, [row["more_MB"] for row in rows], "o-", color="C2")
    right.set(xlabel="texts", ylabel="memory above that of 200 texts (MB)", ylim=(0, None))
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = arguments(__doc__, rounds=1)
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[1000, 3000, 10_000, 30_000, 100_000]
    )
    parser.add_argument("--one", type=int, help="Run this size alone, in this process.")
    parser.add_argument("--picture", help="PNG to draw.")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one_size(args.one, args.threads)))
        return
    rows: list[dict[str, float]] = []
    for n in args.sizes:
        more = [] if args.threads is None else ["--threads", str(args.threads)]
        done = subprocess.run(
            [sys.executable, __file__, "--one", str(n), *more],
            check=True,
            capture_output=True,
            text=True,
        )
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    sizes = np.array([row["texts"] for row in rows])
    results: dict[str, Any] = {"sizes": rows}
    for key in ("fit_seconds", "predict_seconds"):
        results[f"exponent of {key}"] = slope(sizes, np.array([row[key] for row in rows]))
        print(f"{key} grow with the texts to the power of {results[f'exponent of {key}']:.2f}")
    each = np.polyfit(sizes, [row["more_MB"] for row in rows], 1)[0] * 2**20
    results["bytes a text"] = float(each)
    print(f"memory grows by {each:.0f} bytes a text")
    write(args.json, results)
    if args.picture:
        picture(rows, args.picture)


if __name__ == "__main__":
    main()
