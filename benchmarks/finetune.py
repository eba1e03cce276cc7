"""Fine-tuning everything, beside transformers' Trainer with its default settings.

Both have the same rows, epochs, batch size and learning rate (Trainer's own defaults: batches of 8,
5e-5), read up to 128 tokens, and start from the same weights with a new linear head.

    SKTRANSFER_DATA=... python benchmarks/finetune.py --json benchmarks/results/finetune.json
"""

from __future__ import annotations

import logging
import tempfile
from typing import Any

import numpy as np
import torch
import transformers
from _data import read
from _pairs import arguments, report, seconds, summary, write
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer
from transformers import TrainingArguments as Arguments

from sktransfer import TransferTextClassifier
from sktransfer.weights import find_weights

MAX_LENGTH = 128


class Encoded(torch.utils.data.Dataset):
    """Tokenized texts and codes of labels, as Trainer reads them."""

    def __init__(self, tokenizer: Any, texts: list[str], codes: np.ndarray) -> None:
        self.encodings = tokenizer(texts, truncation=True, max_length=MAX_LENGTH)
        self.codes = codes

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, i: int) -> dict[str, Any]:
        row = {name: values[i] for name, values in self.encodings.items()}
        return {**row, "labels": int(self.codes[i])}


class Peer:
    def __init__(self, epochs: int, seed: int) -> None:
        self.epochs, self.seed = epochs, seed

    def fit(self, texts: list[str], labels: np.ndarray) -> None:
        self.classes, codes = np.unique(labels, return_inverse=True)
        path = str(find_weights("minilm"))
        self.tokenizer = AutoTokenizer.from_pretrained(path)
        transformers.set_seed(self.seed)
        model = AutoModelForSequenceClassification.from_pretrained(
            path, num_labels=len(self.classes), dtype=torch.float32
        )
        with tempfile.TemporaryDirectory() as folder:
            settings = Arguments(
                output_dir=folder,
                num_train_epochs=self.epochs,
                seed=self.seed,
                # Neither changes what is learned; both would cost the peer time.
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
            )
            self.trainer = Trainer(
                model,
                settings,
                train_dataset=Encoded(self.tokenizer, texts, codes),
                processing_class=self.tokenizer,
            )
            self.trainer.train()

    def score(self, texts: list[str], labels: np.ndarray) -> float:
        rows = Encoded(self.tokenizer, texts, np.searchsorted(self.classes, labels))
        outputs = self.trainer.predict(rows).predictions
        return float(np.mean(self.classes[outputs.argmax(axis=1)] == labels))


def ours(epochs: int, seed: int, precision: str) -> TransferTextClassifier:
    return TransferTextClassifier(
        freeze="full",
        max_epochs=epochs,
        batch_size=8,
        lr=5e-5,
        max_length=MAX_LENGTH,
        precision=precision,
        random_state=seed,
    )


def main() -> None:
    parser = arguments(__doc__, rounds=5)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--data", nargs="*", default=["sst2", "trec"])
    parser.add_argument("--precision", nargs="*", default=["auto", "fp32"])
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    logging.disable(logging.WARNING)
    transformers.utils.logging.disable_progress_bar()
    results = {}
    for name in args.data:
        frame = read(name)
        train, test = (frame[frame.split == split] for split in ("train", "test"))
        test = test.sample(min(len(test), 1000), random_state=0)
        X_test, y_test = test.text.tolist(), test.label.to_numpy()
        runs: dict[str, list[dict[str, float]]] = {"peer": [], **{p: [] for p in args.precision}}
        for seed in range(args.rounds):
            rows = train.sample(args.rows, random_state=seed)
            X, y = rows.text.tolist(), rows.label.to_numpy()
            for way in runs:
                model = Peer(args.epochs, seed) if way == "peer" else ours(args.epochs, seed, way)
                took = seconds(lambda m=model, X=X, y=y: m.fit(X, y))
                accuracy = float(model.score(X_test, y_test))
                runs[way].append({"seconds": took, "accuracy": accuracy})
                print(name, way, seed, runs[way][-1], flush=True)
        for precision in args.precision:
            key = f"{name}, {precision}"
            pairs = list(zip(runs["peer"], runs[precision], strict=True))
            measured = summary([(a["seconds"], b["seconds"]) for a, b in pairs])
            gains = [b["accuracy"] - a["accuracy"] for a, b in pairs]
            error = float(np.std(gains, ddof=1) / len(gains) ** 0.5) if len(gains) > 1 else None
            measured |= {
                "peer_accuracy": [a["accuracy"] for a, _ in pairs],
                "our_accuracy": [b["accuracy"] for _, b in pairs],
                "accuracy_gain": float(np.mean(gains)),
                "accuracy_gain_se": error,
                "rows": args.rows,
                "epochs": args.epochs,
            }
            results[key] = measured
            report(key, measured, 3.0)
            print(f"  accuracy, ours - theirs: {np.mean(gains):+.4f}, standard error {error}")
        write(args.json, results, ("accelerate",))


if __name__ == "__main__":
    main()
