"""A search in a process of its own, which a test may kill: storage, out, n_trials, slowness."""

from __future__ import annotations

import json
import sys
import time

from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from sktransfer import TransferSearchCV


class Slow(LogisticRegression):
    """Takes a while, and notes each fit."""

    def fit(self, X, y):
        time.sleep(float(sys.argv[4]))
        return super().fit(X, y)


def main():
    from optuna.distributions import FloatDistribution

    storage, out, n_trials = sys.argv[1], sys.argv[2], int(sys.argv[3])
    X, y = make_classification(90, 6, random_state=0)
    space = {"C": FloatDistribution(1e-3, 1e3, log=True), "tol": FloatDistribution(1e-6, 1e-2)}
    search = TransferSearchCV(
        Slow(), space, n_trials=n_trials, cv=3, random_state=0, storage=storage
    ).fit(X, y)
    with open(out, "w") as file:
        json.dump(
            {
                "params": search.cv_results_["params"],
                "scores": search.cv_results_["mean_test_score"].tolist(),
                "best": search.best_params_,
            },
            file,
        )


if __name__ == "__main__":
    main()
