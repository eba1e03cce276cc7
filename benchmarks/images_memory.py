r"""Memory that predictions and trainings take beyond the process, over more and more files.

JPEG files of 96 x 96 pixels lie in a temporary folder; the network is a tiny one from random
weights. Each row is a process of its own: the largest resident size while it predicts, fits a head
on features, or trains everything for an epoch, above that before; a small call goes before it, so
that what torch sets up once does not count. Paths are made before. Pages of files do not count.

    python benchmarks/images_memory.py --json benchmarks/results/images_memory.json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from _record import Record, table
from memory import MB, Peak
from PIL import Image
from sktransfer_vision import EfficientNetLite

from sktransfer import TransferImageClassifier

WHATS = ("predict", "predict, iterator", "fit, frozen", "fit, full")


def draw_files(n: int, folder: Path) -> None:
    """Write different pictures, a thousand to a folder."""
    rng = np.random.default_rng(0)
    for i in range(n):
        path = _path(i, folder)
        if i % 1000 == 0:
            path.parent.mkdir()
        coarse = rng.integers(0, 256, (6, 6, 3)).astype(np.uint8)
        Image.fromarray(coarse).resize((96, 96)).save(path, quality=85)


def _path(i: int, folder: Path) -> Path:
    return folder / f"{i // 1000:03d}" / f"{i % 1000:03d}.jpg"


def measure(what: str, n: int, folder: str, threads: int) -> dict[str, float]:
    torch.set_num_threads(threads)
    warnings.simplefilter("ignore")
    X = [str(_path(i, Path(folder))) for i in range(n)]
    y = np.arange(n) % 2
    tiny = EfficientNetLite(weights=None, width=0.1, depth=0.3, image_size=33)
    clf = TransferImageClassifier(
        tiny, freeze="frozen", max_epochs=1, precision="fp32", device="cpu", random_state=0
    )
    clf.set_params(freeze="full" if what.endswith("full") else "frozen")
    clf.fit(X[:300], y[:300])
    clf.predict(X[:300])
    with Peak() as peak:
        start = time.perf_counter()
        if what.startswith("predict"):
            clf.predict(iter(X) if what.endswith("iterator") else X)
        else:
            clf.fit(X, y)
        took = time.perf_counter() - start
    return {"MB": round(peak.bytes / MB, 1), "pictures_per_second": round(n / took)}


def run(what: str, n: int, folder: str, threads: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--what", what, "--n", str(n), "--folder", folder]
    command += ["--threads", str(threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def summary(record: Record, sizes: list[int]) -> str:
    rows = [["", *(f"{n:,} pictures" for n in sizes)]]
    for what in WHATS:
        found = [record.content["runs"].get(f"{what}/{n}") for n in sizes]
        rows.append([what, *("-" if f is None else f"{f['MB']:.0f} MB" for f in found)])
    return table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000, 10_000, 50_000])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", help="Where to keep the results; runs that are there are kept.")
    parser.add_argument("--what", help="What a process that this one starts is to do.")
    parser.add_argument("--n", type=int)
    parser.add_argument("--folder")
    args = parser.parse_args()
    if args.what:
        print(json.dumps(measure(args.what, args.n, args.folder, args.threads)))
        return
    record = Record(args.json, {"sizes": args.sizes, "threads": args.threads})
    with tempfile.TemporaryDirectory() as folder:
        draw_files(max(args.sizes), Path(folder))
        for what in WHATS:
            for n in args.sizes:
                record.run((what, n), lambda w=what, n=n: run(w, n, folder, args.threads))
    print(summary(record, args.sizes))


if __name__ == "__main__":
    main()
