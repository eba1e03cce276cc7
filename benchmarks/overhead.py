"""Fine-tuning, beside a bare PyTorch loop with the same batches, schedule and precision.

SKTRANSFER_DATA=... python benchmarks/overhead.py --json benchmarks/results/overhead.json
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from _data import draw
from _pairs import alternate, arguments, report, write
from torch import nn
from transformers import AutoModel, AutoTokenizer

from sktransfer import TransferTextClassifier
from sktransfer.features.batches import shuffled_batches
from sktransfer.features.precision import autocast, resolve_precision
from sktransfer.weights import find_weights

MAX_LENGTH, BATCH_SIZE, LR = 128, 16, 5e-5


def bare_loop(X: list[str], y: np.ndarray, epochs: int, precision: str, seed: int = 0) -> None:
    """Train all of the encoder and a linear head, with what one would write by hand."""
    torch.manual_seed(seed)
    path = str(find_weights("minilm"))
    tokenizer = AutoTokenizer.from_pretrained(path)
    body = AutoModel.from_pretrained(path, dtype=torch.float32, add_pooling_layer=False)
    classes, codes = np.unique(y, return_inverse=True)
    head = nn.Linear(body.config.hidden_size, len(classes))
    module = nn.ModuleList([body, head])
    rows = tokenizer(X, truncation=True, max_length=MAX_LENGTH)["input_ids"]
    parameters = list(module.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=LR, weight_decay=0.01, fused=True)
    n_steps = epochs * -(-len(rows) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda i: min((i + 1) / (0.1 * n_steps), (n_steps - i) / (0.9 * n_steps))
    )
    rng = np.random.default_rng(seed)
    module.train()
    for _ in range(epochs):
        for batch in shuffled_batches(rows, BATCH_SIZE, rng):
            encoded = tokenizer.pad({"input_ids": [rows[i] for i in batch]}, return_tensors="pt")
            with autocast(precision, "cpu"):
                states = body(**encoded).last_hidden_state
            mask = encoded["attention_mask"].unsqueeze(-1)
            features = (states.float() * mask).sum(1) / mask.sum(1)
            features = nn.functional.normalize(features, dim=1)
            loss = nn.functional.cross_entropy(head(features), torch.as_tensor(codes[batch]))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()


def main() -> None:
    parser = arguments(__doc__, rounds=5)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=2)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    X, y = draw("sst2", args.rows)
    results: dict[str, Any] = {}
    for precision in dict.fromkeys([resolve_precision("auto", "cpu"), "fp32"]):

        def ours(precision: str = precision) -> None:
            TransferTextClassifier(
                freeze="full",
                max_epochs=args.epochs,
                batch_size=BATCH_SIZE,
                lr=LR,
                max_length=MAX_LENGTH,
                precision=precision,
                device="cpu",
                random_state=0,
            ).fit(X, y)

        def bare(precision: str = precision) -> None:
            bare_loop(X, y, args.epochs, precision)

        measured = alternate(ours, bare, args.rounds)
        # Here the ratio is ours to theirs: what is added.
        measured["our_seconds"], measured["peer_seconds"] = (
            measured["peer_seconds"],
            measured["our_seconds"],
        )
        results[precision] = measured | {"rows": args.rows, "epochs": args.epochs}
        report(f"ours / bare loop, {precision}", measured, 1.05)
        write(args.json, results)


if __name__ == "__main__":
    main()
