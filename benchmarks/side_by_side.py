r"""Two checkouts of the library against each other: what a change costs, and what is noise.

Each round runs the earlier checkout, the later one and the earlier one again, each in a process of
its own and in an order that rotates; a process does every task once, after a warm-up, and takes the
seconds that the CPU worked for it. The second run of the earlier checkout shows the noise. A ratio
is the earlier median by the later one, so that more is better for the later one.

    SKTRANSFER_DATA=... python benchmarks/side_by_side.py --rounds 9
    SKTRANSFER_DATA=... python benchmarks/side_by_side.py --old main --new ../other-checkout
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from _data import draw
from _record import table

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "side_by_side.json"
ENOUGH = 0.95
STRENGTHS = [0.01, 0.1, 1.0, 10.0]
LENGTH = 128


def measure(name: str, rows: int, calls: int) -> dict[str, float]:
    """Do every task once by the library that is imported; give its CPU seconds."""
    from sklearn.model_selection import GridSearchCV

    from sktransfer import TransferTextClassifier, TransferTextEncoder
    from sktransfer.heads.linear import LinearHead

    X, y = draw(name, rows)
    shared: dict[str, Any] = {"max_length": LENGTH, "device": "cpu", "random_state": 0}
    frozen = TransferTextClassifier("minilm", freeze="frozen", **shared)
    full = TransferTextClassifier("minilm", freeze="full", max_epochs=1, **shared)
    cached = TransferTextClassifier("minilm", freeze="frozen", cache="memory", **shared)
    search = GridSearchCV(cached, {"head": [LinearHead(C=C) for C in STRENGTHS]}, cv=3)
    encoder = TransferTextEncoder("minilm", freeze="frozen", **shared)
    warm_up = [(text, label) for label in sorted(set(y)) for text in X[:4]]
    for model in (frozen, full):
        model.fit(*map(list, zip(*warm_up, strict=True))).predict(X[:4])
    encoder.fit(X[:4])

    seconds = {
        "fit, frozen": cpu_seconds(lambda: frozen.fit(X, y)),
        "predict, frozen": cpu_seconds(lambda: frozen.predict_proba(X)),
        "fit, full": cpu_seconds(lambda: full.fit(X, y)),
        "predict, full": cpu_seconds(lambda: full.predict_proba(X)),
        "encode": cpu_seconds(lambda: encoder.transform(X)),
        "search over heads": cpu_seconds(lambda: search.fit(X, y)),
    }
    single = [cpu_seconds(lambda text=text: frozen.predict([text])) for text in X[:calls]]
    return seconds | {"one text, p50": statistics.median(single)}


def cpu_seconds(function: Callable[[], Any]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


@contextlib.contextmanager
def checked_out(spec: str) -> Iterator[Path]:
    """Give the folder of a checkout, or unpack a revision into one that is removed in the end."""
    if Path(spec, "sktransfer").is_dir():
        yield Path(spec).resolve()
        return
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", spec, "sktransfer"], capture_output=True
    )
    if archive.returncode:
        sys.exit(f"{spec} is neither a checkout nor a revision: {archive.stderr.decode().strip()}")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder)


def run(checkout: Path, args: argparse.Namespace) -> dict[str, float]:
    """Measure a checkout in a process of its own."""
    threads = str(args.threads)
    asked = {"measure": checkout, "data": args.data, "rows": args.rows, "calls": args.calls}
    done = subprocess.run(
        [sys.executable, __file__, *(f"--{name}={value}" for name, value in asked.items())],
        env=os.environ
        | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def summary(rounds: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, Any]]:
    """Give medians, ratios, and whether the later checkout is as fast, of each task."""
    results = {}
    for task in rounds[0]["old"]:
        old, again, new = (
            statistics.median(one[way][task] for one in rounds) for way in ("old", "again", "new")
        )
        noise = abs(1 - old / again)
        results[task] = {
            "old_seconds": old,
            "new_seconds": new,
            "ratio": old / new,
            "noise": noise,
            "as_fast": old / new >= min(ENOUGH, 1 - noise),
        }
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--old", default="ec7436b", help="A folder or a revision.")
    parser.add_argument("--new", default=str(ROOT), help="A folder or a revision.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", default="sst2", help="A data set below SKTRANSFER_DATA.")
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--calls", type=int, default=200, help="Of predict with one text.")
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure is not None:
        import sktransfer

        if not Path(sktransfer.__file__).is_relative_to(args.measure):
            sys.exit(f"{sktransfer.__file__} was imported instead of what lies in {args.measure}.")
        print(json.dumps(measure(args.data, args.rows, args.calls)))
        return
    rounds: list[dict[str, dict[str, float]]] = []
    with checked_out(args.old) as old, checked_out(args.new) as new:
        ways = [("old", old), ("new", new), ("again", old)]
        for number in range(args.rounds):
            turn = ways[number % 3 :] + ways[: number % 3]
            rounds.append({way: run(checkout, args) for way, checkout in turn})
            print(f"round {number + 1} of {args.rounds}", flush=True)
            results = summary(rounds)
            settings = {k: str(v) for k, v in vars(args).items() if k not in ("json", "measure")}
            content = {"settings": settings, "results": results, "rounds": rounds}
            args.json.write_text(json.dumps(content, indent=1) + "\n")
    rows = [["task", "old, s", "new, s", "old / new", "noise", "as fast"]]
    for task, found in results.items():
        numbers = [f"{found[key]:.4g}" for key in ("old_seconds", "new_seconds")]
        numbers += [f"{found['ratio']:.2f}", f"± {found['noise']:.2f}"]
        rows.append([task, *numbers, "yes" if found["as_fast"] else "NO"])
    print(table(rows))


if __name__ == "__main__":
    main()
