r"""What compile=True costs and saves in computing features: from how many texts on it pays.

SKTRANSFER_DATA=... python benchmarks/compiled.py --threads 1 \
    --json benchmarks/results/compiled.json
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from _data import read
from _pairs import alternate, arguments, report, seconds, write

from sktransfer import TransferTextEncoder
from sktransfer.features.precision import resolve_precision


def main() -> None:
    parser = arguments(__doc__, rounds=5)
    parser.add_argument("--rows", type=int, default=1000)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    texts = read("sst2").text.sample(args.rows, random_state=0).tolist()
    results: dict[str, Any] = {}
    for precision in dict.fromkeys(["fp32", resolve_precision("auto", "cpu")]):
        settings: dict[str, Any] = {"precision": precision, "max_length": 128, "device": "cpu"}
        plain = TransferTextEncoder(**settings).fit(texts[:2])
        fast = TransferTextEncoder(compile=True, **settings).fit(texts[:2])
        first = seconds(lambda e=fast: e.transform(texts))
        measured = alternate(
            lambda e=plain: e.transform(texts), lambda e=fast: e.transform(texts), args.rounds
        )
        saved = np.median(measured["peer_seconds"]) - np.median(measured["our_seconds"])
        cost = first - float(np.median(measured["our_seconds"]))
        pays = args.rows * cost / saved if saved > 0 else None
        results[precision] = measured | {"seconds_to_compile": cost, "pays_from_texts": pays}
        report(f"plain / compiled, {precision}", measured)
        print(
            f"  compiling took {cost:.0f} s; it pays from "
            + ("no number of texts on" if pays is None else f"{pays:,.0f} texts on")
        )
        write(args.json, results)


if __name__ == "__main__":
    main()
