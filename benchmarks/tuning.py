r"""Score against seconds: TransferSearchCV, RandomizedSearchCV and OptunaSearchCV on one space.

Three tasks with 64 labelled texts a class: trec, cr, and reviews of kitchen things after a source
of book reviews. All three searches are given the same estimator, whose features are cached, the
space that it declares, the same folds and the same number of trials, in one process. A curve is
the best mean score of the folds so far; for each new best one the estimator is fitted on all rows
and scored on the test part, outside of the clock.

    SKTRANSFER_DATA=... python benchmarks/tuning.py --seeds 5 \
        --json benchmarks/results/tuning.json --picture docs/tuning.png
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np
from _data import read, shots
from _record import Record, mean_se, table
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import RandomizedSearchCV, StratifiedKFold

from sktransfer import TransferSearchCV, TransferTextClassifier
from sktransfer.features.store import MemoryStore
from sktransfer.tuning import search_space

TASKS = ("trec", "cr", "books>kitchen")
SEARCHES = ("randomized", "optuna", "transfer")
SHOTS = 64


def task(name: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Draw the rows of a task, and make the estimator."""
    clf = TransferTextClassifier(max_epochs=args.max_epochs, max_length=96, random_state=seed)
    frame = read(name if ">" not in name else "amazon_blitzer")
    if ">" in name:
        source, target = name.split(">")
        frame = frame[frame.label != ""]
        rows = frame[(frame.domain == source) & (frame.split == "train")]
        fitted = clone(clf).set_params(freeze="lp_ft").fit(rows.text.tolist(), rows.label)
        clf.set_params(source=FrozenEstimator(fitted))
        frame = frame[frame.domain == target]
    train, test = frame[frame.split == "train"], frame[frame.split == "test"]
    drawn = shots(train.label.to_numpy(), SHOTS, seed)
    return {
        "clf": clf,
        "X": train.text.to_numpy()[drawn].tolist(),
        "y": train.label.to_numpy()[drawn],
        "X_test": test.text.tolist(),
        "y_test": test.label.to_numpy(),
    }


def for_scipy(distribution: Any) -> Any:
    """Turn one of Optuna's distributions into what RandomizedSearchCV draws from."""
    from scipy.stats import loguniform, randint, uniform

    if hasattr(distribution, "choices"):
        return list(distribution.choices)
    low, high = distribution.low, distribution.high
    if isinstance(low, int):
        return randint(low, high + 1)
    return loguniform(low, high) if distribution.log else uniform(low, high - low)


def curve_of_study(study: Any, start: float) -> list[tuple[float, float, dict[str, Any]]]:
    ended = [t for t in study.get_trials() if t.state.name == "COMPLETE"]
    return [(t.datetime_complete.timestamp() - start, t.value, t.params) for t in ended]


def search(name: str, data: dict[str, Any], seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Run one search; give its curve, and the test score of each new best."""
    # Each begins with nothing computed.
    clf = clone(data["clf"]).set_params(cache=MemoryStore())
    space = search_space(clf)
    cv = StratifiedKFold(args.folds, shuffle=True, random_state=seed)
    shared = {"cv": cv, "refit": False, "random_state": seed, "n_jobs": 1}
    start = time.time()
    if name == "randomized":
        drawn = {key: for_scipy(value) for key, value in space.items()}
        found = RandomizedSearchCV(clf, drawn, n_iter=args.trials, **shared)
        found.fit(data["X"], data["y"])
        results = found.cv_results_
        seconds = (results["mean_fit_time"] + results["mean_score_time"]) * args.folds
        points = list(
            zip(np.cumsum(seconds), results["mean_test_score"], results["params"], strict=True)
        )
    elif name == "optuna":
        import optuna
        from optuna_integration import OptunaSearchCV

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        found = OptunaSearchCV(clf, space, n_trials=args.trials, **shared)
        found.fit(data["X"], data["y"])
        points = curve_of_study(found.study_, start)
    else:
        # Features are shared by itself; a cache of one's own would be left as it is.
        found = TransferSearchCV(clone(clf).set_params(cache=None), n_trials=args.trials, **shared)
        found.fit(data["X"], data["y"])
        points = curve_of_study(found.study_, start)
    total = time.time() - start
    curve, best = [], -np.inf
    for seconds, score, params in points:
        if score > best:
            best = score
            fitted = clone(clf).set_params(**params).fit(data["X"], data["y"])
            test = fitted.score(data["X_test"], data["y_test"])
            curve.append([round(float(seconds), 2), float(score), float(test), str(params)])
    return {"seconds": round(total, 2), "curve": curve}


def seconds_to(curve: list[list[Any]], score: float) -> float:
    """Give the seconds after which a score was reached; infinite if it never was."""
    return next((point[0] for point in curve if point[1] >= score), np.inf)


def rows_of(runs: dict[str, Any], seeds: int) -> list[list[str]]:
    rows = [
        [
            "task",
            "peer",
            "its score, test",
            "our score, test",
            "share of its time until its score",
            "until less one standard error",
            "reached",
        ]
    ]
    for name in TASKS:
        for peer in SEARCHES[:-1]:
            pairs = [
                (runs[f"{name}/{seed}/{peer}"], runs[f"{name}/{seed}/transfer"])
                for seed in range(seeds)
                if f"{name}/{seed}/transfer" in runs
            ]
            if len(pairs) < 2:
                continue
            finals = [(a["curve"][-1], b["curve"][-1]) for a, b in pairs]
            mean, se = zip(*(mean_se([p[i][1] for p in finals]) for i in (0, 1)), strict=True)
            tests = [mean_se([p[i][2] for p in finals]) for i in (0, 1)]
            shares = [seconds_to(b["curve"], a["curve"][-1][1]) / a["seconds"] for a, b in pairs]
            near = [
                seconds_to(b["curve"], a["curve"][-1][1] - se[0]) / a["seconds"] for a, b in pairs
            ]
            rows.append(
                [
                    name,
                    peer,
                    *(
                        f"{100 * m:.1f}, {100 * t[0]:.1f} ± {100 * t[1]:.1f}"
                        for m, t in zip(mean, tests, strict=True)
                    ),
                    f"{np.median(shares):.2f}",
                    f"{np.median(near):.2f}",
                    f"{np.isfinite(shares).sum()} of {len(shares)}",
                ]
            )
    return rows


def picture(runs: dict[str, Any], seeds: int, path: str) -> None:
    """Draw the mean of the best scores so far against seconds."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(TASKS), figsize=(4 * len(TASKS), 6), sharex="col")
    for column, name in enumerate(TASKS):
        for peer in SEARCHES:
            own = [runs.get(f"{name}/{seed}/{peer}") for seed in range(seeds)]
            curves = [run["curve"] for run in own if run]
            if not curves:
                continue
            # Before every search has a first result there is no mean of them.
            start = max(curve[0][0] for curve in curves)
            end = max(run["seconds"] for run in own if run)
            at = np.linspace(start, end, 300)
            for row, kind in enumerate(("mean of the folds", "test")):
                means = [
                    np.mean([[p for p in c if p[0] <= t][-1][1 + row] for c in curves]) for t in at
                ]
                axes[row, column].step(at, means, where="post", label=peer)
                axes[row, 0].set_ylabel(f"accuracy, {kind}")
        axes[0, column].set_title(name)
        axes[1, column].set_xlabel("seconds")
    axes[0, 0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--max-epochs", type=int, default=4)
    parser.add_argument("--json", help="Where to keep the results; runs that are there are kept.")
    parser.add_argument("--picture", help="Where to draw the curves.")
    args = parser.parse_args()
    warnings.simplefilter("ignore")  # of strategies that 4 epochs are few for
    record = Record(
        args.json, {k: v for k, v in vars(args).items() if k not in ("json", "picture")}
    )
    for seed in range(args.seeds):
        for i, name in enumerate(TASKS):
            # No search is always the first on a machine that changes its pace.
            order = [SEARCHES[(seed + i + j) % len(SEARCHES)] for j in range(len(SEARCHES))]
            keys = [f"{name}/{seed}/{peer}" for peer in order]
            if all(key in record.content["runs"] for key in keys):
                continue
            data = task(name, seed, args)
            for peer in order:
                record.run((name, seed, peer), lambda p=peer, d=data, s=seed: search(p, d, s, args))
    runs = record.content["runs"]
    print(table(rows_of(runs, args.seeds)))
    if args.picture:
        picture(runs, args.seeds, args.picture)


if __name__ == "__main__":
    main()
