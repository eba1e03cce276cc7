r"""What a user gets by changing one line: accuracy on three data sets, three sizes, three seeds.

Beside the default estimator stand its two extremes (``frozen``, ``full``), the plain floor that it
replaces (TF-IDF + logistic regression), and a bare PyTorch loop with the settings of ``full``,
which ours has to equal within one standard error.

    SKTRANSFER_DATA=... python benchmarks/first_look.py --json benchmarks/results/first_look.json

More seeds of a part are added to the same file, and the table takes what there is:

    SKTRANSFER_DATA=... python benchmarks/first_look.py --seeds 5 --sizes 64 --data ag_news \
        --json benchmarks/results/first_look.json
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import Any

import numpy as np
import torch
from _data import read, shots
from _record import Record, mean_se, table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import nn
from transformers import AutoModel, AutoTokenizer

from sktransfer import TransferTextClassifier
from sktransfer.features.precision import resolve_precision
from sktransfer.plugins import resolve
from sktransfer.training.schedule import default_epochs
from sktransfer.weights import find_weights

DATA = ("cr", "ag_news", "sst2")
SIZES = (8, 64, 0)  # rows a class; 0 is all
METHODS = ("tfidf_lr", "frozen", "full", "bare_loop", "default")
MAX_LENGTH = 128


def bare_loop(X, y, X_test, *, seed, lr=1e-4, head_lr=1e-2, batch_size=16):
    """Fine-tune as one would by hand: plain shuffled batches, no library of ours in the loop."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    folder = find_weights("minilm")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    body = AutoModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False)
    classes, codes = np.unique(y, return_inverse=True)
    head = nn.Linear(body.config.hidden_size, len(classes))
    bf16 = resolve_precision("auto", "cpu") == "bf16"

    def features(texts):
        batch = tokenizer(
            texts, truncation=True, max_length=MAX_LENGTH, padding=True, return_tensors="pt"
        )
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            states = body(**batch).last_hidden_state.float()
        mask = batch["attention_mask"].unsqueeze(-1)
        return nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1)

    parameters = [(p, lr) for p in body.parameters()] + [(p, head_lr) for p in head.parameters()]
    groups = [
        {"params": [p], "lr": rate, "weight_decay": 0.01 if p.ndim > 1 else 0.0}
        for p, rate in parameters
    ]
    optimizer = torch.optim.AdamW(groups, fused=True)
    epochs = default_epochs(len(X), pretrained=True)
    n_steps = epochs * -(-len(X) // batch_size)
    n_warm = max(1, round(0.1 * n_steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda s: (s + 1) / n_warm if s < n_warm else (n_steps - s) / max(1, n_steps - n_warm),
    )
    target = torch.as_tensor(codes)
    body.train()
    for _ in range(epochs):
        order = rng.permutation(len(X))
        for i in range(0, len(X), batch_size):
            batch = order[i : i + batch_size]
            loss = nn.functional.cross_entropy(head(features([X[j] for j in batch])), target[batch])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_([p for p, _ in parameters], 1.0)
            optimizer.step()
            schedule.step()
    body.eval()
    predicted = np.empty(len(X_test), dtype=classes.dtype)
    # Sorted by length for speed alone: what is compared is what the training learned.
    order = np.argsort([len(text) for text in X_test])
    with torch.no_grad():
        for i in range(0, len(X_test), 64):
            batch = order[i : i + 64]
            scores = head(features([X_test[j] for j in batch]))
            predicted[batch] = classes[scores.argmax(1).numpy()]
    return predicted


def estimator(method: str, seed: int) -> Any:
    if method == "tfidf_lr":
        return make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    freeze = "auto" if method == "default" else method
    return TransferTextClassifier(freeze=freeze, max_length=MAX_LENGTH, random_state=seed)


def evaluate(method, X, y, X_test, y_test, seed) -> dict[str, Any]:
    start = time.perf_counter()
    if method == "bare_loop":
        predicted = bare_loop(X, y, X_test, seed=seed)
    else:
        fitted = estimator(method, seed).fit(X, y)
        predicted = fitted.predict(X_test)
    result = {
        "accuracy": float(np.mean(predicted == y_test)),
        "seconds": round(time.perf_counter() - start, 1),
    }
    if method == "default":
        result["decision"] = fitted.decision_["freeze"]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", nargs="*", default=DATA)
    parser.add_argument("--sizes", nargs="*", type=int, default=SIZES)
    args = parser.parse_args()
    record = Record(args.json, {"seeds": args.seeds, "max_length": MAX_LENGTH})
    for size in args.sizes:
        for seed in range(args.seeds):
            for name in args.data:
                run_cell(record, name, size, seed)
    rows = [["data", "rows a class", "seeds", *METHODS, "full - bare loop", "equal within 1 SE"]]
    rows += [summary(record, n, s or "all", args.seeds) for s in args.sizes for n in args.data]
    print(table(rows))


def run_cell(record: Record, name: str, size: int, seed: int) -> None:
    """Run all methods on one draw of one data set."""
    frame = read(name)
    train, test = frame[frame.split == "train"], frame[frame.split == "test"]
    y, X_test, y_test = train.label.to_numpy(), test.text.tolist(), test.label.to_numpy()
    index = shots(y, size, seed) if size else np.arange(len(y))
    X, y = train.text.to_numpy()[index].tolist(), y[index]
    decision = resolve("freeze", "auto").decide(
        rows=len(y) / len(np.unique(y)), per="class", pretrained=True, stage="source"
    )
    for method in METHODS:
        key = (name, size or "all", method, seed)
        if method == "default" and repr(decision.strategy) == repr(resolve("freeze", "full")):
            # The same settings and seed give the same bits: no need to train twice.
            full = record.content["runs"][f"{name}/{size or 'all'}/full/{seed}"]
            same = {**full, "decision": repr(decision.strategy)}
            record.run(key, lambda same=same: same)
        else:
            record.run(key, partial(evaluate, method, X, y, X_test, y_test, seed))


def summary(record: Record, name: str, size: int | str, seeds: int) -> list[str]:
    """Give a row of the table, from the seeds that are there."""
    runs = record.content["runs"]
    done = [s for s in range(seeds) if all(f"{name}/{size}/{m}/{s}" in runs for m in METHODS)]
    values = {m: [100 * runs[f"{name}/{size}/{m}/{s}"]["accuracy"] for s in done] for m in METHODS}
    if not done:
        return [name, str(size), "0", *("-" * len(METHODS)), "-", "-"]
    if len(done) == 1:
        # One training has no standard error, and shows nothing about equality.
        return [name, str(size), "1", *(f"{values[m][0]:.1f}" for m in METHODS), "-", "-"]
    results = {m: mean_se(values[m]) for m in METHODS}
    difference = results["full"][0] - results["bare_loop"][0]
    error = float(np.hypot(results["full"][1], results["bare_loop"][1]))
    return [
        name,
        str(size),
        str(len(done)),
        *("{:.1f} ± {:.1f}".format(*results[m]) for m in METHODS),
        f"{difference:+.1f} ± {error:.1f}",
        "yes" if abs(difference) <= error else "no",
    ]


if __name__ == "__main__":
    main()
