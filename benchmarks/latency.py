"""One text at a time, beside a bare transformers call: tokenize, encode, pool, multiply, choose.

SKTRANSFER_DATA=... python benchmarks/latency.py --json benchmarks/results/latency.json
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _data import read
from _pairs import arguments, write
from transformers import AutoModel, AutoTokenizer

from sktransfer import TransferTextClassifier
from sktransfer.serving import with_onnx
from sktransfer.weights import find_weights


def bare_call(clf: Any, max_length: int) -> Callable[[str], Any]:
    path = str(find_weights("minilm"))
    tokenizer = AutoTokenizer.from_pretrained(path)
    body = AutoModel.from_pretrained(path, dtype=torch.float32, add_pooling_layer=False).eval()
    head = clf.net_.module_.head.eval()

    def predict(text: str) -> Any:
        encoded = tokenizer(text, truncation=True, max_length=max_length, return_tensors="pt")
        with torch.inference_mode():
            states = body(**encoded).last_hidden_state
            mask = encoded["attention_mask"].unsqueeze(-1)
            features = (states * mask).sum(1) / mask.sum(1)
            features = torch.nn.functional.normalize(features, dim=1)
            return clf.classes_[int(head(features).argmax())]

    return predict


def timed(
    ways: dict[str, Callable[[str], Any]], texts: list[str], rounds: int
) -> dict[str, list[list[float]]]:
    """Time call by call, so that what else the machine does meets all ways alike."""
    seconds: dict[str, list[list[float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for own in seconds.values():
            own.append([])
        for text in texts:
            for way, predict in ways.items():
                start = time.perf_counter()
                predict(text)
                seconds[way][-1].append(time.perf_counter() - start)
    return seconds


def main() -> None:
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--calls", type=int, default=400)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    frame = read("sst2")
    frame = frame[frame.text.str.strip() != ""]
    train, texts = frame[:400], frame.text.sample(args.calls, random_state=0).tolist()
    clf = TransferTextClassifier(
        freeze="frozen", max_length=128, precision="fp32", device="cpu", random_state=0
    ).fit(train.text.tolist(), train.label)
    half = TransferTextClassifier(**clf.get_params() | {"precision": "auto"})
    half.fit(train.text.tolist(), train.label)
    ways: dict[str, Callable[[str], Any]] = {
        "bare": bare_call(clf, 128),
        "fp32": lambda text: clf.predict([text])[0],
        "auto": lambda text: half.predict([text])[0],
    }
    same = np.mean([ways["bare"](text) == ways["fp32"](text) for text in texts])
    results: dict[str, Any] = {"same_labels_as_bare": float(same)}
    seconds = timed(ways, texts, args.rounds)
    with tempfile.TemporaryDirectory() as folder:
        clf.export_onnx(Path(folder) / "model.onnx")
        served = with_onnx(clf, Path(folder) / "model.onnx")
        # By itself: onnxruntime's threads spin for a while, to the cost of who comes next.
        ways["onnx"] = lambda text: served.predict([text])[0]
        seconds["onnx"] = timed({"onnx": ways["onnx"]}, texts, args.rounds)["onnx"]
    for way in ways:
        entry = {}
        for q in (50, 99):
            ratios = sorted(
                float(np.percentile(own, q) / np.percentile(bare, q))
                for own, bare in zip(seconds[way], seconds["bare"], strict=True)
            )
            entry[f"p{q}"] = {
                "milliseconds": 1000
                * float(np.median([np.percentile(s, q) for s in seconds[way]])),
                "ratio": float(np.median(ratios)),
                "lowest": ratios[0],
                "highest": ratios[-1],
            }
            asked = "  (wanted at most 1.15)" if way == "fp32" else ""
            print(
                f"{way} / bare, p{q}: {entry[f'p{q}']['ratio']:.2f}, from {ratios[0]:.2f} to "
                f"{ratios[-1]:.2f}; {entry[f'p{q}']['milliseconds']:.1f} ms{asked}",
                flush=True,
            )
        results[way] = entry
    print(f"labels as by the bare call: {same:.1%}")
    write(args.json, results)


if __name__ == "__main__":
    main()
