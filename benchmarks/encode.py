"""Encoding texts, beside sentence-transformers as its users run it: default settings.

SKTRANSFER_DATA=... python benchmarks/encode.py --json benchmarks/results/encode.json

The results of one data set are added to those of the others in that file.
"""

from __future__ import annotations

import numpy as np
import torch
from _data import read
from _pairs import alternate, arguments, report, write
from sentence_transformers import SentenceTransformer

from sktransfer import TransferTextEncoder
from sktransfer.weights import find_weights


def main() -> None:
    parser = arguments(__doc__, rounds=5)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--data", nargs="*", default=["sst2", "newsgroups20"])
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    peer = SentenceTransformer(str(find_weights("minilm")), device="cpu")
    results = {}
    for name in args.data:
        frame = read(name)
        texts = frame[frame.text.str.strip() != ""].text.sample(args.rows, random_state=0).tolist()
        for precision, wanted in (("bf16", 3.0), ("fp32", 1.2)):
            ours = TransferTextEncoder(precision=precision, device="cpu").fit(texts[:2])
            theirs, own = peer.encode(texts[:64]), ours.transform(texts[:64])
            cosine = float(np.min(np.sum(theirs * own, axis=1)))
            measured = alternate(
                lambda t=texts: peer.encode(t),
                lambda t=texts, o=ours: o.transform(t),
                args.rounds,
            )
            rate = args.rows / float(np.median(measured["our_seconds"]))
            results[f"{name}, {precision}"] = measured | {
                "lowest_cosine": cosine,
                "texts": args.rows,
                "our_texts_per_second": rate,
            }
            report(f"{name}, {precision}", measured, wanted)
            print(f"  lowest cosine of 64 texts with theirs: {cosine:.5f}; {rate:.0f} texts/s")
            write(args.json, results, ("sentence-transformers",))


if __name__ == "__main__":
    main()
