"""TextCNN beside the same network in a bare loop of PyTorch: seconds of training and prediction.

Both split texts by the same function, have a row for each training word, and train everything by
AdamW for the same epochs in batches of 50, as Kim (2014) does. The loop pads each shuffled batch to
its longest text.

    SKTRANSFER_DATA=... python benchmarks/textcnn_speed.py --rounds 5 \
        --json benchmarks/results/textcnn_speed.json
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from _data import read
from _pairs import arguments, report, seconds, summary, write
from sktransfer_wordvectors import TextCNN
from sktransfer_wordvectors.words import words
from torch import nn

from sktransfer import TransferTextClassifier

DIM, WIDTHS, FILTERS, BATCH = 50, (3, 4, 5), 100, 50
# The loop's seconds over ours.
ASKED = {"training": 1 / 1.1}


class Network(nn.Module):
    def __init__(self, n_words: int, n_classes: int) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(n_words, DIM, padding_idx=0)
        self.filters = nn.ModuleList(
            nn.Conv1d(DIM, FILTERS, width, padding=width - 1) for width in WIDTHS
        )
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(len(WIDTHS) * FILTERS, n_classes)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embeddings(ids).transpose(1, 2)
        features = [torch.relu(conv(x)).amax(dim=2) for conv in self.filters]
        return self.output(self.dropout(torch.cat(features, dim=1)))


class Peer:
    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def ids(self, texts: list[str]) -> list[list[int]]:
        return [[self.rows.get(word, 1) for word in words(text)[:256]] for text in texts]

    def batch(self, rows: list[list[int]]) -> torch.Tensor:
        ids = torch.zeros(len(rows), max(1, *map(len, rows)), dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
        return ids

    def fit(self, texts: list[str], labels: np.ndarray) -> None:
        self.classes, codes = np.unique(labels, return_inverse=True)
        names = sorted({word for text in texts for word in words(text)})
        self.rows = {word: 2 + i for i, word in enumerate(names)}
        ids, codes = self.ids(texts), torch.from_numpy(codes)
        self.network = Network(2 + len(names), len(self.classes)).train()
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=2e-3)
        for _ in range(self.epochs):
            for index in torch.randperm(len(ids)).split(BATCH):
                optimizer.zero_grad()
                outputs = self.network(self.batch([ids[i] for i in index]))
                nn.functional.cross_entropy(outputs, codes[index]).backward()
                optimizer.step()

    def predict(self, texts: list[str]) -> np.ndarray:
        ids = self.ids(texts)
        self.network.eval()
        with torch.inference_mode():
            found = [
                self.network(self.batch(ids[i : i + 256])).argmax(dim=1)
                for i in range(0, len(ids), 256)
            ]
        return self.classes[torch.cat(found).numpy()]


def ours(epochs: int, seed: int, precision: str) -> TransferTextClassifier:
    return TransferTextClassifier(
        TextCNN(dim=DIM, widths=WIDTHS, n_filters=FILTERS),
        freeze="full",
        max_epochs=epochs,
        batch_size=BATCH,
        precision=precision,
        random_state=seed,
    )


def main() -> None:
    parser = arguments(__doc__, rounds=5)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--texts", type=int, default=20_000, help="To predict, drawn repeatedly.")
    parser.add_argument("--data", nargs="*", default=["mr", "trec"])
    parser.add_argument("--precision", nargs="*", default=["auto", "fp32"])
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    results = {}
    for name in args.data:
        frame = read(name)
        train, test = (frame[frame.split == split] for split in ("train", "test"))
        X, y = train.text.tolist(), train.label.to_numpy()
        # Each text once: what repeats would be computed once.
        new = [
            f"{text} {i}"
            for i, text in enumerate(test.text.sample(args.texts, replace=True, random_state=0))
        ]
        runs: dict[str, list[dict[str, float]]] = {way: [] for way in ("peer", *args.precision)}
        for seed in range(args.rounds):
            torch.manual_seed(seed)
            for way in runs:
                model: Any = Peer(args.epochs) if way == "peer" else ours(args.epochs, seed, way)
                fit = seconds(lambda m=model, X=X, y=y: m.fit(X, y))
                model.predict(new[:100])
                predict = seconds(lambda m=model, new=new: m.predict(new))
                accuracy = float(np.mean(model.predict(test.text.tolist()) == test.label))
                runs[way].append(
                    {
                        "seconds": fit,
                        "predict_seconds": predict,
                        "texts_per_second": args.texts / predict,
                        "accuracy": accuracy,
                    }
                )
                print(name, way, seed, runs[way][-1], flush=True)
        for precision in args.precision:
            pairs = list(zip(runs["peer"], runs[precision], strict=True))
            for what, key in (("training", "seconds"), ("prediction", "predict_seconds")):
                measured = summary([(a[key], b[key]) for a, b in pairs])
                report(f"{name}, {precision}, {what}", measured, ASKED.get(what))
                results[f"{name}, {precision}, {what}"] = measured
            rates = [round(b["texts_per_second"]) for _, b in pairs]
            results[f"{name}, {precision}"] = {
                "epochs": args.epochs,
                "texts_per_second": rates,
                "peer_accuracy": [round(a["accuracy"], 4) for a, _ in pairs],
                "our_accuracy": [round(b["accuracy"], 4) for _, b in pairs],
            }
            print(f"{name}, {precision}: {np.median(rates):,.0f} texts a second (wanted 20,000)")
        write(args.json, results)


if __name__ == "__main__":
    main()
