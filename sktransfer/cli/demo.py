"""``sktransfer demo``: does training on another task first help? Measured here and now."""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from sktransfer import __version__
from sktransfer.cli import options
from sktransfer.cli._demo_tasks import (
    SOURCES,
    Estimate,
    Score,
    Sizes,
    load_tasks,
    measure,
    n_steps,
    verdict,
)
from sktransfer.cli.console import results, status
from sktransfer.cli.output import check_free, write_file

__all__ = ["demo"]

_QUICK = Sizes(seeds=1, test=200, bbc=160, movie=160)
_ROWS = [
    ("tfidf", "", "TF-IDF + LogisticRegression"),
    ("target", "", "target only"),
    ("source", "movie", "source only"),
    ("transfer", "bbc", "source then target"),
    ("transfer", "movie", "source then target"),
]
_NEXT = """\
from sktransfer import TransferTextClassifier
clf = TransferTextClassifier(random_state=0)
clf.fit(source_texts, source_labels)
clf.partial_fit(texts, labels, classes=["negative", "positive"])
clf.predict(new_texts)"""


def demo(
    seeds: Annotated[int | None, typer.Option(min=1, help="Repetitions; 3 by default.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="One seed and fewer texts.")] = False,
    as_json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the numbers, too.")
    ] = None,
    force: options.Force = False,
) -> None:
    """Measure on real texts whether transfer helps; takes a few minutes on two cores.

    Target: sentiment of Amazon reviews, 16 labelled texts a class. Sources: topics of BBC news,
    whose labels are others, and sentiment of movie reviews.
    """
    if as_json is not None:
        check_free(as_json, force=force)
    sizes = _QUICK if quick else Sizes()
    if seeds is not None:
        sizes = replace(sizes, seeds=seeds)
    started = time.perf_counter()
    scores = _run(sizes)
    seconds = time.perf_counter() - started
    transfer = {source: _accuracies(scores, "transfer", source) for source in SOURCES}
    others = [_accuracies(scores, method) for method in ("target", "tfidf")]
    verdicts = {source: verdict(SOURCES[source], transfer[source], *others) for source in SOURCES}
    console = results()
    console.print(_table(scores, sizes))
    console.print(_footer(sizes))
    for sentence in verdicts.values():
        console.print(f"\n{sentence}")
    console.print(
        f"\nThis is one pair of domains, drawn {sizes.seeds} time{'s' if sizes.seeds > 1 else ''}; "
        "the README has twelve pairs, drawn five times."
    )
    console.print(f"\nTook {seconds:.0f} seconds in all. With texts of your own:\n")
    console.print("\n".join(f"    {line}" for line in _NEXT.splitlines()))
    if as_json is not None:
        _write_json(as_json, sizes, scores, verdicts, seconds)


def _run(sizes: Sizes) -> list[Score]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=status(), transient=True) as progress:
        task = progress.add_task("fetching texts", total=n_steps(sizes))
        steps = itertools.count()

        def announce(words: str) -> None:
            done = next(steps)
            progress.update(task, completed=done, description=words)
            if not progress.console.is_terminal:
                progress.console.print(f"{done} of {n_steps(sizes)} steps done; {words}")

        return list(measure(load_tasks(), sizes, announce))


def _accuracies(scores: Iterable[Score], method: str, source: str = "") -> list[float]:
    return [each.accuracy for each in scores if (each.method, each.source) == (method, source)]


def _table(scores: list[Score], sizes: Sizes) -> Table:
    table = Table(
        "method",
        "source",
        title=f"Sentiment of {sizes.test} Amazon reviews, from {sizes.shots} labelled ones a class",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("accuracy" if sizes.seeds == 1 else "accuracy ± s.e.", justify="right")
    table.add_column("seconds", justify="right")
    for method, source, words in _ROWS:
        seconds = [s.seconds for s in scores if (s.method, s.source) == (method, source)]
        table.add_row(
            words,
            SOURCES.get(source, "–"),
            _plus_minus(Estimate.of(_accuracies(scores, method, source))),
            f"{Estimate.of(seconds).mean:.1f}",
        )
    return table


def _plus_minus(value: Estimate) -> str:
    return f"{value.mean:.3f}" + ("" if math.isnan(value.error) else f" ± {value.error:.3f}")


def _footer(sizes: Sizes) -> str:
    return (
        f"To be quick: {sizes.seeds} seed{'s' if sizes.seeds > 1 else ''}, {sizes.bbc} articles, "
        f"{sizes.movie} snippets, {sizes.source_epochs} source epoch, {sizes.max_length} tokens.\n"
        "All rows but the first start from a pretrained encoder; a source comes on top."
    )


def _write_json(
    path: Path, sizes: Sizes, scores: list[Score], verdicts: dict[str, str], seconds: float
) -> None:
    content: dict[str, Any] = {
        "sktransfer": __version__,
        "sizes": asdict(sizes),
        "seconds": round(seconds, 1),
        "scores": [score._asdict() for score in scores],
        "verdicts": verdicts,
    }
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    with write_file(path) as file:
        file.write(text.encode())
