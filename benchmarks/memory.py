"""Memory: private copies of the weights in the workers of a search, and predictions of many texts.

Of a worker's weights, what the kernel shares with other processes because it is the file on disk
does not count; what lies elsewhere does, and pages of the file that were written to.

    SKTRANSFER_DATA=... python benchmarks/memory.py --json benchmarks/results/memory.json
"""

from __future__ import annotations

import gc
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _data import draw, read
from _pairs import arguments, write
from sklearn.model_selection import GridSearchCV

from sktransfer import TransferTextClassifier
from sktransfer.features import encode
from sktransfer.heads.linear import LinearHead

MB = 2**20


def private_bytes(module: torch.nn.Module) -> int:
    """Give the bytes of a module's weights that no other process shares."""
    maps, current = [], None
    for line in Path("/proc/self/smaps").read_text().splitlines():
        header = re.match(r"([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ (\d+)", line)
        if header:
            start, end = (int(header[i], 16) for i in (1, 2))
            current = {"start": start, "end": end, "file": int(header[3]) != 0, "dirty": 0}
            maps.append(current)
        elif line.startswith("Private_Dirty:") and current is not None:
            current["dirty"] = 1024 * int(line.split()[1])
    files, total = {}, 0
    for parameter in module.parameters():
        address = parameter.data_ptr()
        area = next(a for a in maps if a["start"] <= address < a["end"])
        if area["file"]:
            files[area["start"]] = area["dirty"]
        else:
            total += parameter.numel() * parameter.element_size()
    return total + sum(files.values())


def watching(estimator: Any, X: Any, y: Any) -> dict[str, float]:
    """Score, and say what the worker holds while it encodes and afterwards."""
    module = estimator.net_.module_
    seen = []
    real = encode.autocast

    def looking(*args: Any) -> Any:
        # Where an encoder is about to run, its copy in half precision is at hand.
        for item in gc.get_objects():
            if type(item) is type(module.body) and item is not module.body:
                own = {id(p) for p in module.body.parameters()}
                seen.append(
                    sum(p.numel() * p.element_size() for p in item.parameters() if id(p) not in own)
                )
        return real(*args)

    encode.autocast = looking
    try:
        accuracy = float(np.mean(estimator.predict(X) == y))
    finally:
        encode.autocast = real
    weights = private_bytes(module.body) / MB
    copies = max(seen, default=0) / MB
    return {"accuracy": accuracy, "kept": weights, "while_encoding": weights + copies}


class Peak:
    """The largest resident size of this process while inside, above that at the beginning."""

    def __enter__(self) -> Peak:
        gc.collect()
        self._start, self.bytes, self._over = _resident(), 0, False
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._over:
            self.bytes = max(self.bytes, _resident() - self._start)
            time.sleep(0.02)

    def __exit__(self, *error: Any) -> None:
        self._over = True
        self._thread.join()


def _resident() -> int:
    # Pages of the weights' file are the kernel's, and go when others need the room.
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"RssAnon:\s+(\d+)", status)[1])  # type: ignore[index]


def texts(n: int) -> Iterator[str]:
    """Give n different short texts without holding them."""
    words = [w for t in read("sst2").text[:2000] for w in t.split()]
    for i in range(n):
        start = (7 * i) % (len(words) - 8)
        yield " ".join(words[start : start + 6]) + f" {i}"


def main() -> None:
    parser = arguments(__doc__, rounds=1)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--texts", type=int, nargs=2, default=[20_000, 200_000])
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    X, y = draw("sst2", args.rows)
    clf = TransferTextClassifier(freeze="frozen", max_length=64, device="cpu", random_state=0)
    results: dict[str, Any] = {}

    search = GridSearchCV(
        clf,
        {"head": [LinearHead(C=C) for C in (0.1, 1.0, 10.0)]},
        cv=3,
        n_jobs=2,
        scoring=watching,
        refit=False,
    ).fit(X, y)
    for when in ("kept", "while_encoding"):
        most = max(float(np.max(search.cv_results_[f"split{i}_test_{when}"])) for i in range(3))
        results[f"private weights of a worker, {when}"] = {"MB": most}
        print(f"private weights of a worker, {when.replace('_', ' ')}: {most:.1f} MB (wanted 25)")

    clf.fit(X, y)
    clf.predict(X)
    for kind in ("iterator", "list"):
        peaks = []
        for n in args.texts:
            given: Any = texts(n) if kind == "iterator" else list(texts(n))
            with Peak() as peak:
                start = time.perf_counter()
                clf.predict(given)
                took = time.perf_counter() - start
            peaks.append({"texts": n, "MB": peak.bytes / MB, "texts_per_second": n / took})
            print(f"predict on {n} texts of an {kind}: {peak.bytes / MB:.0f} MB more", flush=True)
        results[f"predict, {kind}"] = peaks
    write(args.json, results)


if __name__ == "__main__":
    main()
