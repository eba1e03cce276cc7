r"""A search over settings of the head, beside skorch with its HuggingfacePretrainedTokenizer.

Six settings, five folds, 1,000 texts. The peer is a pipeline as in skorch's documentation, with the
encoder frozen, three epochs, and everything else as skorch has it. Cold is with an empty store of
features, warm with the one that the first search left. All three refit on all rows in the end.

    SKTRANSFER_DATA=... python benchmarks/grid_search.py \
        --json benchmarks/results/grid_search.json
"""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
import torch
from _data import draw
from _pairs import arguments, report, seconds, summary, write
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from skorch import NeuralNetClassifier
from skorch.hf import HuggingfacePretrainedTokenizer
from torch import nn
from transformers import AutoModel

from sktransfer import TransferTextClassifier
from sktransfer.features import encode
from sktransfer.heads.linear import LinearHead
from sktransfer.training import frozen_prefix as start
from sktransfer.weights import find_weights

PATH = str(find_weights("minilm"))
MAX_LENGTH = 128
DECAYS = [0.0, 1e-4, 1e-3, 1e-2, 3e-2, 0.1]
STRENGTHS = [0.01, 0.1, 1.0, 10.0, 100.0, 1000.0]


class Frozen(nn.Module):
    """A frozen encoder, mean pooling and a linear head."""

    def __init__(self, n_labels: int = 2) -> None:
        super().__init__()
        self.body = AutoModel.from_pretrained(PATH, dtype=torch.float32, add_pooling_layer=False)
        for parameter in self.body.parameters():
            parameter.requires_grad_(False)
        self.head = nn.Linear(self.body.config.hidden_size, n_labels)

    def forward(self, **batch: torch.Tensor) -> torch.Tensor:
        states = self.body(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        features = (states * mask).sum(1) / mask.sum(1)
        return self.head(nn.functional.normalize(features, dim=1))


def peer(X: list[str], y: np.ndarray) -> GridSearchCV:
    net = NeuralNetClassifier(
        Frozen,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        lr=1e-2,
        max_epochs=3,
        batch_size=16,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
    )
    tokenizer = HuggingfacePretrainedTokenizer(PATH, max_length=MAX_LENGTH)
    model = Pipeline([("tokenizer", tokenizer), ("net", net)])
    return GridSearchCV(model, {"net__optimizer__weight_decay": DECAYS}, cv=5).fit(X, y)


def ours(X: list[str], y: np.ndarray, folder: str) -> GridSearchCV:
    clf = TransferTextClassifier(
        freeze="frozen", max_length=MAX_LENGTH, cache=folder, device="cpu", random_state=0
    )
    heads = [LinearHead(C=C) for C in STRENGTHS]
    return GridSearchCV(clf, {"head": heads}, cv=5).fit(X, y)


def main() -> None:
    parser = arguments(__doc__, rounds=1)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument(
        "--peer-seconds", type=float, help="Of an earlier run, instead of half an hour of another."
    )
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    X, labels = draw("sst2", args.rows)
    y = (labels == "positive").astype(np.int64)

    encoded: list[int] = []
    real = encode.encode_rows

    def counting(encoder: Any, rows: Any, *more: Any, **how: Any) -> torch.Tensor:
        encoded.append(len(rows))
        return real(encoder, rows, *more, **how)

    encode.encode_rows = start.encode_rows = counting  # type: ignore[attr-defined]
    pairs: dict[str, list[tuple[float, float]]] = {"cold": [], "warm": []}
    counts: dict[str, list[int]] = {"cold": [], "warm": []}
    found: dict[str, GridSearchCV] = {}
    for _ in range(args.rounds):
        theirs = args.peer_seconds or seconds(lambda: found.update(peer=peer(X, y)))
        print(f"peer: {theirs:.1f} s", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            for state in ("cold", "warm"):
                encoded.clear()
                took = seconds(lambda folder=folder: found.update(ours=ours(X, y, folder)))
                pairs[state].append((theirs, took))
                counts[state].append(sum(encoded))
    distinct = len(set(X))
    results: dict[str, Any] = {}
    for state, wanted in (("cold", 20), ("warm", 100)):
        results[state] = summary(pairs[state]) | {
            "texts_encoded": counts[state],
            "distinct_texts": distinct,
            "peer_best_score": found["peer"].best_score_ if "peer" in found else None,
            "our_best_score": found["ours"].best_score_,
        }
        report(state, results[state], wanted)
        print(f"  texts encoded: {counts[state]}, of {distinct} distinct ones")
    for way, search in found.items():
        print(f"best cross-validated accuracy, {way}: {search.best_score_:.3f}")
    write(args.json, results, ("skorch",))


if __name__ == "__main__":
    main()
