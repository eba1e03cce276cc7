r"""Training the top two of six layers from stored activations, beside training everything.

Three ways: everything (``full``), the top two layers with all of the encoder run in each epoch, and
the top two layers from activations that are computed once. Seconds are those of an epoch after the
first, which holds what is done once.

    SKTRANSFER_DATA=... python benchmarks/frozen_prefix.py \
        --json benchmarks/results/frozen_prefix.json
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from _data import draw
from _pairs import arguments, write
from skorch.callbacks import Callback

from sktransfer import TransferTextClassifier
from sktransfer.training import frozen_prefix as training_start


class Clock(Callback):
    times: list[float] = []

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self._start = time.perf_counter()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        Clock.times.append(time.perf_counter() - self._start)


def run(freeze: str, split: bool, X, y, X_test, y_test, epochs: int, seed: int) -> dict[str, Any]:
    real, Clock.times = training_start.why_not_split, []
    if not split:
        training_start.why_not_split = lambda *args: "switched off"
    try:
        start = time.perf_counter()
        clf = TransferTextClassifier(
            freeze=freeze,
            max_epochs=epochs,
            max_length=128,
            lr=1e-4,
            device="cpu",
            random_state=seed,
            callbacks=[Clock],
        ).fit(X, y)
        total = time.perf_counter() - start
    finally:
        training_start.why_not_split = real
    return {
        "epoch": float(np.median(Clock.times)),
        "fit": total,
        "accuracy": float(clf.score(X_test, y_test)),
        "prefix": clf.decision_["frozen_prefix"],
    }


def main() -> None:
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=4)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    data = (*draw("sst2", args.rows), *draw("sst2", 500, split="test"))
    ways = {
        "full": ("full", True),
        "uncached": ("top_layers", False),
        "prefix": ("top_layers", True),
    }
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for seed in range(args.rounds):
        for way, (freeze, split) in ways.items():
            runs[way].append(run(freeze, split, *data, args.epochs, seed))
            print(way, runs[way][-1], flush=True)
    results: dict[str, Any] = {"runs": runs}
    for other, wanted in (("full", 2.5), ("uncached", None)):
        for what in ("epoch", "fit"):
            ratios = sorted(
                a[what] / b[what] for a, b in zip(runs[other], runs["prefix"], strict=True)
            )
            results[f"{other} / prefix, {what}"] = {
                "ratio": float(np.median(ratios)),
                "lowest": ratios[0],
                "highest": ratios[-1],
            }
            asked = f"  (wanted {wanted})" if wanted and what == "epoch" else ""
            print(
                f"{other} / prefix, seconds of a {what}: {np.median(ratios):.2f}x, from "
                f"{ratios[0]:.2f} to {ratios[-1]:.2f}{asked}"
            )
    same = [
        a["accuracy"] - b["accuracy"] for a, b in zip(runs["uncached"], runs["prefix"], strict=True)
    ]
    results["accuracy, uncached - prefix"] = same
    print("accuracy, uncached - prefix:", same)
    write(args.json, results)


if __name__ == "__main__":
    main()
