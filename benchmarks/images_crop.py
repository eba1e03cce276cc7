r"""How much of a picture a pretrained network should read: the default of `crop`.

Logistic regression on features of EfficientNet-Lite0, of which the training rows alone are used:
five folds of ants and bees, of CIFAR-10 and of PACS, and each style of PACS with a model of the
three others. Nothing is drawn but the folds, which are the same for all crops.

    SKTRANSFER_DATA=... python benchmarks/images_crop.py --json benchmarks/results/images_crop.json
"""

from __future__ import annotations

import argparse
import tempfile
from typing import Any

import numpy as np
from _images import unpack
from _record import Record, table
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sktransfer_vision import EfficientNetLite

from sktransfer import TransferImageEncoder

CROPS = (0.875, 0.93, 1.0)
DATA = ("img_hymenoptera", "img_cifar10_3k", "img_pacs")


def run(frame: Any, crop: float) -> dict[str, float]:
    encoder = TransferImageEncoder(EfficientNetLite(crop=crop), precision="fp32")
    X, y = encoder.fit_transform(frame.path.tolist()), frame.label.to_numpy()
    model = LogisticRegression(max_iter=2000)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    found = {"folds": float(np.mean(cross_val_score(model, X, y, cv=folds)))}
    if "domain" in frame:
        for style in np.unique(frame.domain):
            own = (frame.domain == style).to_numpy()
            found[style] = float(model.fit(X[~own], y[~own]).score(X[own], y[own]))
    return found


def summary(record: Record) -> str:
    runs = record.content["runs"]
    names = [(n, part) for n in DATA for part in runs.get(f"{n}/{CROPS[0]}", {})]
    rows = [["crop", *(f"{n.removeprefix('img_')}, {part}" for n, part in names), "mean"]]
    for crop in CROPS:
        found = [100 * runs[f"{n}/{crop}"][part] for n, part in names]
        rows.append([str(crop), *(f"{v:.1f}" for v in found), f"{np.mean(found):.1f}"])
    return table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", help="Where to keep the results; runs that are there are kept.")
    args = parser.parse_args()
    record = Record(args.json, {"crops": CROPS})
    with tempfile.TemporaryDirectory() as folder:
        for name in DATA:
            frame = unpack(name, folder)
            frame = frame[frame.split == "train"]
            for crop in CROPS:
                record.run((name, crop), lambda f=frame, c=crop: run(f, c))
    print(summary(record))


if __name__ == "__main__":
    main()
