r"""How long the first prediction of a saved model takes in a new process, beyond the imports.

Each round is a process of its own, which imports torch, scikit-learn and transformers with its
model class and tokenizers, then loads a saved model and predicts one text.

    python benchmarks/cold_start.py --rounds 5
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from _record import table

ROUND = """
import json, sys, time
start = time.perf_counter(), time.process_time()
import sklearn.base, torch
from transformers import BertModel, PreTrainedTokenizerFast
imported = time.perf_counter(), time.process_time()
import sktransfer
sktransfer.load(sys.argv[1]).predict(["a fine phone"])
done = time.perf_counter(), time.process_time()
spans = (start, imported), (imported, done)
print(json.dumps([[b - a for a, b in zip(*span)] for span in spans]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    from sktransfer import TransferTextClassifier

    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            clf = TransferTextClassifier("minilm", freeze="full", max_epochs=1, random_state=0)
            clf.fit(["a good phone", "a bad phone"] * 4, [1, 0] * 4).save(model)
        rounds = [
            json.loads(
                subprocess.run(
                    [sys.executable, "-W", "ignore", "-c", ROUND, str(model)],
                    check=True,
                    stdout=subprocess.PIPE,
                    text=True,
                ).stdout.splitlines()[-1]
            )
            for _ in range(args.rounds)
        ]
    names = ("imports", "load and first prediction")
    found = {
        name: {
            kind: statistics.median(one[i][k] for one in rounds)
            for k, kind in enumerate(("wall", "cpu"))
        }
        for i, name in enumerate(names)
    }
    if args.json is not None:
        args.json.write_text(json.dumps({"seconds": found, "rounds": rounds}, indent=1) + "\n")
    rows = [["median seconds", "wall", "CPU"]]
    rows += [[name, f"{of['wall']:.2f}", f"{of['cpu']:.2f}"] for name, of in found.items()]
    print(table(rows))


if __name__ == "__main__":
    main()
