r"""Trials that a search makes within three minutes: heads on frozen features, and trainings.

128 texts of cr, 64 a class, with MiniLM and one thread. A trial is made if one of its folds was
scored, or if it was pruned before; it is complete if all folds were, and unfinished where the time
was over. The goal is ten trials of heads and three trainings. Other programs of the machine take
time from the search: its clock counts the seconds that the CPU worked for it, or all seconds with
--wall, and the share of a core that it had stands beside them.

    SKTRANSFER_DATA=... OMP_NUM_THREADS=1 python benchmarks/search_minutes.py --folds 3 5 \
        --json benchmarks/results/search_minutes.json
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np
import torch
from _data import read, shots
from _record import Record, table

from sktransfer import TransferSearchCV, TransferTextClassifier

SHOTS = 64
STATES = ("complete", "pruned", "unfinished")


def search(folds: int, args: argparse.Namespace) -> dict[str, Any]:
    """Search until time is over; count the trials by what they fit and how they ended."""
    frame = read("cr")
    frame = frame[frame.split == "train"]
    drawn = shots(frame.label.to_numpy(), SHOTS, args.seed)
    X, y = frame.text.to_numpy()[drawn].tolist(), frame.label.to_numpy()[drawn]
    clf = TransferTextClassifier("minilm", random_state=args.seed)
    found = TransferSearchCV(
        clf, cv=folds, timeout=args.timeout, refit=False, random_state=args.seed
    )
    if not args.wall:
        time.time = time.process_time  # type: ignore[assignment]  # by which the timeout goes
    wall, cpu = time.perf_counter(), time.process_time()
    found.fit(X, y)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    results = found.cv_results_
    scores = np.array([results[f"split{i}_test_score"] for i in range(folds)])
    made = np.isfinite(scores).any(axis=0) | (results["trial_state"] == "pruned")
    kinds = np.array(
        ["head" if params["freeze"] == "frozen" else "training" for params in results["params"]]
    )
    counts = {
        kind: {
            s: int(((kinds == kind) & (results["trial_state"] == s) & made).sum()) for s in STATES
        }
        for kind in ("head", "training")
    }
    best = {
        kind: float(np.nanmax(means))
        for kind in counts
        if np.isfinite(means := results["mean_test_score"][kinds == kind]).any()
    }
    trainings = [
        {
            "freeze": results["params"][i]["freeze"],
            "state": str(results["trial_state"][i]),
            "folds": int(np.isfinite(scores[:, i]).sum()),
        }
        for i in np.flatnonzero(kinds == "training")
    ]
    return {
        "seconds": round(wall if args.wall else cpu, 1),
        "core_share": round(cpu / wall, 2),
        "counts": counts,
        "best": best,
        "trainings": trainings,
        "stop_reason": found.stop_reason_,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folds", type=int, nargs="+", default=[3, 5])
    parser.add_argument("--timeout", type=float, default=180.0)
    parser.add_argument("--wall", action="store_true", help="Count the seconds of the clock.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", help="Where to keep the results; runs that are there are kept.")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    settings = {k: v for k, v in vars(args).items() if k not in ("json", "folds")}
    record = Record(args.json, settings)
    rows = [["folds", "seconds", "share of a core", "heads", "trainings", "best head, training"]]
    for folds in args.folds:
        run = record.run((folds,), lambda f=folds: search(f, args))
        cells = [
            ", ".join(f"{n} {state}" for state, n in run["counts"][kind].items() if n)
            for kind in ("head", "training")
        ]
        best = ", ".join(f"{100 * score:.1f}" for score in run["best"].values())
        rows.append([str(folds), f"{run['seconds']:.0f}", f"{run['core_share']:.2f}", *cells, best])
    print(table(rows))


if __name__ == "__main__":
    main()
