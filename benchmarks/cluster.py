r"""One process beside two, of joblib, dask or one's own: a search, and batch prediction.

All of them compute with one thread a process. Processes of one's own share a study, and begin with
importing everything. The cluster is dask's LocalCluster, so that what is measured is the price of
dask, not of a network. The search is over trec with 32 texts a class; its results have to be the
same to the last bit. Predictions are of the texts of ag_news, by the
estimator itself, by `datasets.map` and by `dask.dataframe`; labels have to be the same.

    SKTRANSFER_DATA=... python benchmarks/cluster.py --json benchmarks/results/cluster.json
"""

from __future__ import annotations

import os

# Of this process, and of the workers that inherit it; read when torch is imported.
os.environ["OMP_NUM_THREADS"] = "1"

import contextlib
import multiprocessing
import pickle
import tempfile
import time
import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any

import joblib
import numpy as np
from _data import read, shots
from _pairs import arguments, seconds, write

from sktransfer import TransferSearchCV, TransferTextClassifier

N_TEXTS = 4000
WAYS = ("one process", "n_jobs=2", "dask")
PACKAGES = ("joblib", "distributed", "datasets", "optuna")


@contextlib.contextmanager
def cluster() -> Iterator[Any]:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as running,
        Client(running) as client,
    ):
        yield client


def a_search(**settings: Any) -> tuple[TransferSearchCV, list[str], np.ndarray]:
    train = read("trec")
    train = train[train.split == "train"]
    rows = shots(train.label.to_numpy(), 32, 0)
    clf = TransferTextClassifier(max_epochs=2, max_length=64, device="cpu", random_state=0)
    space = {
        "freeze": ["lp_ft", "full", "top_layers"],
        "freeze__k": [2, 4],
        "head__lr_scale": [10.0, 30.0, 100.0],
    }
    settings = {"n_trials": 6, "cv": 4, "random_state": 0, "refit": False, **settings}
    X = train.text.to_numpy()[rows].tolist()
    return TransferSearchCV(clf, space, **settings), X, train.label.to_numpy()[rows]


def share(study: str) -> None:
    """Be one of the processes that share a study."""
    warnings.simplefilter("ignore")
    own, X, y = a_search(storage=study)
    own.fit(X, y)


def in_two_processes() -> int:
    """Let two fresh processes search together; give the number of trials."""
    import optuna

    with tempfile.TemporaryDirectory() as folder:
        study = f"{folder}/study.db"
        context = multiprocessing.get_context("spawn")
        both = [context.Process(target=share, args=(study,)) for _ in range(2)]
        for process in both:
            process.start()
        for process in both:
            process.join()
        url = f"sqlite:///{study}"
        return len(optuna.load_study(study_name="search", storage=url).trials)


def search(rounds: int) -> dict[str, Any]:
    """Time the same search in each way, in turn."""
    found: dict[str, Any] = {way: {"seconds": [], "scores": None} for way in WAYS}
    shared: dict[str, Any] = {"seconds": [], "trials": []}
    with cluster():
        for _ in range(rounds):
            for way in WAYS:
                # One trial after the other leaves a second worker idle while one fold is fitted.
                own, X, y = a_search(batch_size=2, n_jobs=2 if way == WAYS[1] else 1)
                if way == "dask":
                    own.set_params(n_jobs=None)
                with joblib.parallel_config("dask") if way == "dask" else contextlib.nullcontext():
                    found[way]["seconds"].append(round(seconds(partial(own.fit, X, y)), 2))
                found[way]["scores"] = own.cv_results_["mean_test_score"]
                print(way, found[way]["seconds"], flush=True)
            start = time.perf_counter()
            shared["trials"].append(in_two_processes())
            shared["seconds"].append(round(time.perf_counter() - start, 2))
            print("shared study", shared, flush=True)
    first = found[WAYS[0]]
    shared["faster"] = ratio(first["seconds"], shared["seconds"])
    return {
        way: {
            "seconds": values["seconds"],
            "faster": ratio(first["seconds"], values["seconds"]),
            "same_to_the_last_bit": bool(
                np.array_equal(values["scores"], first["scores"], equal_nan=True)
            ),
        }
        for way, values in found.items()
    } | {"two processes that share a study": shared}


def ratio(base: list[float], other: list[float]) -> float:
    return round(float(np.median([a / b for a, b in zip(base, other, strict=True)])), 2)


def predictions(rounds: int) -> dict[str, Any]:
    """Time predictions of a table in each way, in turn."""
    import dask.dataframe
    import pandas
    from datasets import Dataset, disable_caching, disable_progress_bars

    disable_caching()
    disable_progress_bars()
    frame = read("ag_news")
    train, texts = frame[frame.split == "train"], frame.text.tolist()[:N_TEXTS]
    rows = shots(train.label.to_numpy(), 64, 0)
    clf = TransferTextClassifier(freeze="frozen", max_length=128, device="cpu", random_state=0)
    clf.fit(train.text.to_numpy()[rows].tolist(), train.label.to_numpy()[rows])
    table = pandas.DataFrame({"text": texts})
    rows_of = Dataset.from_dict({"text": texts})

    def in_one() -> list[str]:
        return clf.predict(texts).tolist()

    def mapped() -> list[str]:
        def add(batch: dict[str, list[str]]) -> dict[str, list[str]]:
            return {"prediction": clf.predict(batch["text"]).tolist()}

        return rows_of.map(add, batched=True, batch_size=500, num_proc=2)["prediction"][:]

    def partitioned() -> list[str]:
        parts = dask.dataframe.from_pandas(table, npartitions=8)
        meta = table.assign(prediction="")
        return parts.map_partitions(predicted, clf, meta=meta).compute().prediction.tolist()

    found: dict[str, Any] = {}
    ways = {"one process": in_one, "datasets.map": mapped, "dask.dataframe": partitioned}
    with cluster():
        for _ in range(rounds):
            for way, function in ways.items():
                own = found.setdefault(way, {"seconds": [], "labels": None})
                own["seconds"].append(
                    round(seconds(lambda f=function, o=own: o.update(labels=f())), 2)
                )
                print(way, own["seconds"], flush=True)
    first = found["one process"]
    return {
        way: {
            "seconds": own["seconds"],
            "faster": ratio(first["seconds"], own["seconds"]),
            "same_labels": float(np.mean(np.array(own["labels"]) == first["labels"])),
        }
        for way, own in found.items()
    }


def predicted(part: Any, clf: Any) -> Any:
    return part.assign(prediction=clf.predict(part["text"].tolist()).astype(object))


def shipped() -> dict[str, int]:
    """Count the bytes of an estimator on its way to a worker."""
    X, y = ["good thing", "bad thing"] * 20, [1, 0] * 20
    found = {"not fitted": len(pickle.dumps(TransferTextClassifier()))}
    for freeze in ("frozen", "bias_only", "top_layers", "full"):
        clf = TransferTextClassifier(freeze=freeze, max_epochs=1, device="cpu", random_state=0)
        found[freeze] = len(pickle.dumps(clf.fit(X, y)))
    return found


def main() -> None:
    args = arguments(__doc__ or "", rounds=3).parse_args()
    warnings.simplefilter("ignore")
    results = {
        "bytes": shipped(),
        "search": search(args.rounds),
        "predictions": predictions(args.rounds),
    }
    for name, found in results.items():
        print(name, found)
    write(args.json, results, PACKAGES)


if __name__ == "__main__":
    main()
