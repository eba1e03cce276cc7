"""A search in a process of its own, which may kill itself at a named fit."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from optuna.distributions import FloatDistribution
from optuna.pruners import NopPruner
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from sktransfer import TransferSearchCV

SETTINGS = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}


class Lethal(LogisticRegression):
    """Notes each fit; waits for other processes at the first, and dies at the one named."""

    n_fits = 0

    def fit(self, X, y):
        n, folder = Lethal.n_fits, Path(SETTINGS["folder"])
        Lethal.n_fits += 1
        (folder / f"{os.getpid()}-{n}").touch()
        end = time.monotonic() + 120
        while n == 0 and len(list(folder.glob("*-0"))) < SETTINGS["n_processes"]:
            assert time.monotonic() < end, "the other processes have not begun"
            time.sleep(0.02)
        if n == SETTINGS["kill_at_fit"]:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)


def main():
    X, y = make_classification(90, 6, random_state=0)
    space = {"C": FloatDistribution(1e-3, 1e3, log=True), "tol": FloatDistribution(1e-6, 1e-2)}
    TransferSearchCV(
        Lethal(),
        space,
        n_trials=SETTINGS["n_trials"],
        cv=3,
        random_state=0,
        pruner=NopPruner(),
        storage=SETTINGS["storage"],
        refit=False,
    ).fit(X, y)


if __name__ == "__main__":
    main()
