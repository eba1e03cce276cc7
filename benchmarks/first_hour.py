r"""The first hour with the library: how long a fit takes, and whether the default is worth it.

Two parts. `seconds` times fits on 100, 1,000 and 10,000 short and long texts, frozen and
fine-tuned; where a fit would take more than a quarter of an hour, an epoch on fewer texts is timed
and multiplied, and marked with "~". `scores` fits, on eight data sets at 8 and 64 labels a class
and at all labels (2,000 rows at most), the default, `freeze="frozen"` and TF-IDF with a logistic
regression, by this checkout and by an earlier one in turn: each is a process that is asked for one
fit after another. Seconds are those that the CPU worked, which other programs disturb least.
A run is kept as it ends, so that a script that was stopped goes on.

    SKTRANSFER_DATA=... python benchmarks/first_hour.py seconds
    SKTRANSFER_DATA=... python benchmarks/first_hour.py scores --old ec7436b
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from _data import read, shots
from _record import Record, mean_se, table
from side_by_side import checked_out

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
SETS = ("cr", "subj", "sst5", "trec", "ag_news", "sms_spam", "banking77", "bbc_news")
SIZES = ("8", "64", "all")
MOST_ROWS, TEST_ROWS = 2000, 1000
SHORT, LONG = "sst2", "newsgroups20"
LONGEST = 900.0


def fitted(way: str, seed: int) -> Any:
    """Make an estimator."""
    if way == "tfidf":
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        return make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    from sktransfer import TransferTextClassifier

    given = {} if way == "default" else {"freeze": way}
    return TransferTextClassifier("minilm", device="cpu", random_state=seed, **given)


def score(way: str, name: str, size: str, draw: int) -> dict[str, Any]:
    """Fit on a draw of a data set, and score on its test part."""
    from sklearn.metrics import f1_score

    frame = read(name)
    train = frame[frame.split == "train"].reset_index(drop=True)
    test = frame[frame.split == "test"]
    test = test.sample(min(TEST_ROWS, len(test)), random_state=0)
    if size == "all":
        rows = np.random.RandomState(draw).permutation(len(train))[:MOST_ROWS]
    else:
        rows = shots(train.label.to_numpy(), int(size), draw)
    X, y = train.text.iloc[rows].tolist(), train.label.iloc[rows].to_numpy()
    clf = fitted(way, draw)
    cpu, wall = time.process_time(), time.perf_counter()
    clf.fit(X, y)
    seconds = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    found = clf.predict(test.text.tolist())
    decision = getattr(clf, "decision_", {})
    return {
        "accuracy": 100 * float(np.mean(found == test.label.to_numpy())),
        "macro_f1": 100 * float(f1_score(test.label, found, average="macro", zero_division=0)),
        "seconds": seconds,
        "rows": len(X),
        "freeze": decision.get("freeze"),
        "epochs": decision.get("max_epochs"),
        "C": decision.get("C"),
    }


def seconds_of(way: str, length: str, rows: int) -> dict[str, Any]:
    """Time one fit; of one that is long, an epoch on a tenth of the texts."""
    frame = read(SHORT if length == "short" else LONG)
    frame = frame[frame.split == "train"]
    frame = frame.sample(rows, random_state=0, replace=rows > len(frame))
    X, y = frame.text.tolist(), frame.label.to_numpy()
    times, given = 1.0, {}
    guess = {"short": 0.02, "long": 0.2}[length] * rows * (10 if rows < 1000 else 5)
    if way == "full" and guess > LONGEST:
        from sktransfer.training.schedule import default_epochs

        times = default_epochs(rows, pretrained=True) * rows / (rows // 10)
        X, y, given = X[: rows // 10], y[: rows // 10], {"max_epochs": 1}
    clf = fitted(way, 0).set_params(**given)
    cpu, wall = time.process_time(), time.perf_counter()
    clf.fit(X, y)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"cpu": cpu * times, "wall": wall * times, "estimated": times > 1}


def work() -> None:
    """Answer questions from the standard input, one a line, until it ends."""
    warnings.simplefilter("ignore")
    fitted("full", 0).set_params(max_epochs=1).fit(["warm", "up"], ["a", "b"])
    print("ready", flush=True)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        answer = {"score": score, "seconds": seconds_of}[name](*arguments)
        print(json.dumps(answer), flush=True)


class Worker:
    """A process that fits by one checkout."""

    def __init__(self, checkout: Path, threads: int) -> None:
        self.checkout, self.threads = checkout, str(threads)
        self.process: subprocess.Popen[str] | None = None

    def ask(self, *question: Any) -> dict[str, Any]:
        """Start the process if there is none, and wait for its answer."""
        if self.process is None:
            threads = {"OMP_NUM_THREADS": self.threads, "MKL_NUM_THREADS": self.threads}
            self.process = subprocess.Popen(
                [sys.executable, __file__, "work"],
                env=os.environ | {"PYTHONPATH": str(self.checkout)} | threads,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self._line()
        assert self.process.stdin is not None
        print(json.dumps(question), file=self.process.stdin, flush=True)
        return json.loads(self._line())

    def _line(self) -> str:
        assert self.process is not None
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"The process of {self.checkout} ended.")
        return line

    def end(self) -> None:
        """Let the process end."""
        if self.process is not None:
            self.process.communicate()


def scores(args: argparse.Namespace) -> None:
    """Compare the default with an earlier one, with frozen features and with TF-IDF."""
    record = Record(args.json or str(RESULTS / "first_hour.json"), {"old": args.old})
    with checked_out(args.old) as old:
        workers = {"new": Worker(ROOT, args.threads), "old": Worker(old, args.threads)}
        for size in args.sizes:
            for draw in range(1 if size == "all" else args.draws):
                for number, name in enumerate(args.sets):
                    turn = ("new", "old") if (number + draw) % 2 else ("old", "new")
                    for side in turn:
                        for way in ("default", "frozen"):
                            key = (name, size, draw, side, way)
                            record.run(key, lambda k=key: workers[k[3]].ask("score", k[4], *k[:3]))
                    key = (name, size, draw, "new", "tfidf")
                    record.run(key, lambda k=key: workers["new"].ask("score", k[4], *k[:3]))
        for worker in workers.values():
            worker.end()
    print_scores(record.content["runs"])


def print_scores(runs: dict[str, Any]) -> None:
    """Print means of each set and size, and paired differences of the defaults."""
    ways = [("new", "default"), ("old", "default"), ("new", "frozen"), ("old", "frozen")]
    ways.append(("new", "tfidf"))
    head = ["set", "labels", *(f"{way}, {side}" for side, way in ways), "seconds, old / new"]
    rows, differences, seconds = [head], [], []
    for size in SIZES:
        for name in SETS:
            draws = sorted({k.split("/")[2] for k in runs if k.startswith(f"{name}/{size}/")})
            of = {w: [runs.get("/".join((name, size, draw, *w))) for draw in draws] for w in ways}
            if not draws or any(run is None for one in of.values() for run in one):
                continue
            cells = []
            for one in of.values():
                scores = [np.mean([run[key] for run in one]) for key in ("accuracy", "macro_f1")]
                taken = np.mean([run["seconds"]["cpu"] for run in one])
                cells.append(f"{scores[0]:.1f} / {scores[1]:.1f} in {taken:.1f} s")
            new, earlier = of["new", "default"], of["old", "default"]
            pairs = list(zip(new, earlier, strict=True))
            ratio = statistics.median(e["seconds"]["cpu"] / n["seconds"]["cpu"] for n, e in pairs)
            rows.append([name, size, *cells, f"{ratio:.2f}"])
            for n, e in pairs:
                differences.append((size, name, n["accuracy"] - e["accuracy"]))
                seconds.append((size, n["seconds"]["cpu"], e["seconds"]["cpu"]))
    print("accuracy / macro F1 in CPU seconds of the fit")
    print(table(rows))
    for size in SIZES:
        found = [d for s, _, d in differences if s == size]
        if len(found) < 2:
            continue
        mean, error = mean_se(found)
        new, earlier = np.mean([(n, o) for s, n, o in seconds if s == size], axis=0)
        print(
            f"{size} labels: default new - old {mean:+.2f} points, standard error {error:.2f}, "
            f"{len(found)} pairs; mean seconds {new:.1f} and {earlier:.1f}, {earlier / new:.2f} "
            "times as fast"
        )
        for name in SETS:
            own = [d for s, n, d in differences if (s, n) == (size, name)]
            if len(own) > 1 and (se := mean_se(own))[0] < -max(2.0, 2 * se[1]):
                print(f"  {name} loses {-se[0]:.1f} points, standard error {se[1]:.1f}")
            elif len(own) == 1 and own[0] < -2.0:
                print(f"  {name} loses {-own[0]:.1f} points in one training")


def seconds(args: argparse.Namespace) -> None:
    """Time fits by the number and the length of the texts."""
    record = Record(
        args.json or str(RESULTS / "first_hour_seconds.json"), {"threads": args.threads}
    )
    worker = Worker(ROOT, args.threads)
    rows = [["texts", *(f"{n}, {w}" for n in ("short", "long") for w in ("frozen", "full"))]]
    for n_rows in (100, 1000, 10_000):
        cells = []
        for length in ("short", "long"):
            for way in ("frozen", "full"):
                key = (n_rows, length, way)
                found = record.run(key, lambda k=key: worker.ask("seconds", k[2], k[1], k[0]))
                cells.append(f"{'~' if found['estimated'] else ''}{found['wall']:.3g} s")
        rows.append([f"{n_rows:,}", *cells])
    worker.end()
    print(table(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=("seconds", "scores", "work"))
    parser.add_argument("--old", default="ec7436b", help="A folder or a revision.")
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--sizes", nargs="+", default=SIZES, choices=SIZES)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", help="Where runs are kept.")
    args = parser.parse_args()
    if args.part == "work":
        work()
    else:
        {"scores": scores, "seconds": seconds}[args.part](args)


if __name__ == "__main__":
    main()
