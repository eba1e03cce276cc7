"""The measurements of the demo; prints nothing."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any, Literal, NamedTuple

__all__ = ["SOURCES", "Estimate", "Score", "Sizes", "Task", "load_tasks", "measure", "verdict"]

SOURCES = {"bbc": "BBC news topics", "movie": "movie reviews"}
Method = Literal["tfidf", "target", "source", "transfer"]


@dataclass(frozen=True)
class Sizes:
    """The sizes of the demo, chosen by the time that it may take, not by its outcome.

    Attributes
    ----------
    seeds : int
        Repetitions. Each draws other labelled target texts and source texts, and seeds training.
    shots : int
        Labelled target texts a class.
    test : int
        Target texts that accuracy is measured on; the same for all seeds and methods.
    bbc, movie : int
        Labelled source texts.
    source_epochs : int
        Passes over the source texts.
    max_length : int
        Tokens of a text that are read.
    """

    seeds: int = 3
    shots: int = 16
    test: int = 500
    bbc: int = 400
    movie: int = 1000
    source_epochs: int = 1
    max_length: int = 64


class Task(NamedTuple):
    """Texts with labels, none twice."""

    texts: list[str]
    labels: list[str]

    def rows(self, index: Any) -> Task:
        """Give some of the rows."""
        return Task([self.texts[i] for i in index], [self.labels[i] for i in index])


class Score(NamedTuple):
    """The accuracy of one method with one seed.

    Attributes
    ----------
    method : {"tfidf", "target", "source", "transfer"}
        What was trained on what.
    source : str
        Key of ``SOURCES``; empty where no source is used.
    seed : int
        Equal seeds share the labelled target texts, so their scores are paired.
    accuracy : float
        On the held-out target texts.
    seconds : float
        All training and prediction that led to it, that on the source included.
    """

    method: Method
    source: str
    seed: int
    accuracy: float
    seconds: float


class Estimate(NamedTuple):
    """A mean over seeds and its standard error, which is NaN for one seed."""

    mean: float
    error: float
    n: int

    @classmethod
    def of(cls, values: list[float]) -> Estimate:
        """Estimate from one value a seed."""
        error = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
        return cls(mean(values), error, len(values))

    @property
    def sign(self) -> int:
        """1 or -1 if the mean's interval of 95 % confidence leaves out 0, else 0."""
        # The standard error of three seeds is itself uncertain: Student's t asks for 4.3, not 2.
        # Comparisons with NaN are False, so one seed never shows anything.
        from scipy.stats import t

        limit = t.ppf(0.975, max(1, self.n - 1)) * self.error
        return int(self.mean > limit) - int(self.mean < -limit)


def load_tasks() -> dict[str, Task]:
    """Fetch the texts, and make sure that the pretrained weights are there.

    Returns
    -------
    tasks : dict of str to Task
        ``"bbc"``, ``"movie"`` and the target, ``"amazon"``.

    Raises
    ------
    OSError
        If something is not on this machine and cannot be downloaded.
    """
    from sktransfer.datasets import fetch_bbc_news, fetch_review_snippets
    from sktransfer.weights import find_weights

    find_weights("minilm")
    texts, topics = fetch_bbc_news(return_X_y=True)
    # Some articles occur twice; the second copy is dropped.
    news = {text: str(topic) for text, topic in reversed(list(zip(texts, topics, strict=True)))}
    tasks = {"bbc": Task(list(news), list(news.values()))}
    for domain in ("movie", "amazon"):
        snippets, signs = fetch_review_snippets(domain, return_X_y=True)
        tasks[domain] = Task(list(snippets), signs.tolist())
    return tasks


def n_steps(sizes: Sizes) -> int:
    """Count what `measure` announces."""
    return sizes.seeds * (2 + 2 * len(SOURCES))


def measure(
    tasks: dict[str, Task], sizes: Sizes, announce: Callable[[str], None]
) -> Iterator[Score]:
    """Run all methods with all seeds.

    Parameters
    ----------
    tasks : dict of str to Task
        What `load_tasks` gave.
    sizes : Sizes
        How much of it is used.
    announce : callable
        Called with a few words before each step.

    Yields
    ------
    score : Score
    """
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    target = tasks["amazon"]
    # The same seed in all repetitions, so that all are tested on the same texts.
    order = np.random.default_rng(0).permutation(len(target.texts))
    test, pool = target.rows(order[: sizes.test]), target.rows(order[sizes.test :])
    for seed in range(sizes.seeds):
        rng = np.random.default_rng(seed)
        shots = _draw_shots(pool, sizes.shots, rng)
        announce(f"seed {seed}: TF-IDF")
        started = time.perf_counter()
        tfidf = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(*shots)
        yield Score("tfidf", "", seed, tfidf.score(*test), time.perf_counter() - started)
        announce(f"seed {seed}: target only")
        started = time.perf_counter()
        accuracy = _classifier(sizes, seed).fit(*shots).score(*test)
        yield Score("target", "", seed, accuracy, time.perf_counter() - started)
        for source in SOURCES:
            task = tasks[source]
            chosen = task.rows(rng.permutation(len(task.texts))[: getattr(sizes, source)])
            yield from _with_source(source, chosen, shots, test, sizes, seed, announce)


def verdict(source: str, transfer: list[float], target: list[float], tfidf: list[float]) -> str:
    """Say whether a source helped, and where that leaves us against TF-IDF.

    Parameters
    ----------
    source : str
        What the source is called.
    transfer, target, tfidf : list of float
        Accuracies of source then target, of target only, and of TF-IDF; one a seed, in the same
        order.

    Returns
    -------
    sentence : str
        "Helped" and "hurt" are for differences whose interval of 95 % confidence, paired over
        seeds, leaves out 0.

    Examples
    --------
    >>> from sktransfer.cli._demo_tasks import verdict
    >>> print(verdict("news", [0.80, 0.82, 0.81], [0.70, 0.71, 0.71], [0.6] * 3))
    From news to Amazon reviews: this source helped (accuracy +0.103 ± 0.003 against target only),
    and the result is better than TF-IDF (+0.210 ± 0.006).
    """
    gain = Estimate.of([a - b for a, b in zip(transfer, target, strict=True)])
    lead = Estimate.of([a - b for a, b in zip(transfer, tfidf, strict=True)])
    # One seed has no standard error, so it can show neither effect.
    cannot = f"cannot be shown{' with one seed' if len(transfer) == 1 else ''}"
    helped = (f"an effect of this source {cannot}", "this source helped", "this source hurt")
    better = (
        f"a difference from TF-IDF {cannot}",
        *(f"the result is {word} than TF-IDF" for word in ("better", "worse")),
    )
    # A sign of -1 picks the last of the three.
    return (
        f"From {source} to Amazon reviews: {helped[gain.sign]} (accuracy {_signed(gain)} against "
        f"target only), and {better[lead.sign]} ({_signed(lead)})."
    )


def _signed(difference: Estimate) -> str:
    error = "" if math.isnan(difference.error) else f" ± {difference.error:.3f}"
    return f"{difference.mean:+.3f}{error}"


def _draw_shots(pool: Task, shots: int, rng: Any) -> Task:
    order = rng.permutation(len(pool.texts))
    index = [
        i
        for label in sorted(set(pool.labels))
        for i in [j for j in order if pool.labels[j] == label][:shots]
    ]
    return pool.rows(index)


def _with_source(
    name: str,
    source: Task,
    shots: Task,
    test: Task,
    sizes: Sizes,
    seed: int,
    announce: Callable[[str], None],
) -> Iterator[Score]:
    announce(f"seed {seed}: {SOURCES[name]}")
    started = time.perf_counter()
    # In one epoch the default would fit the head alone.
    clf = _classifier(sizes, seed).set_params(freeze="full", max_epochs=sizes.source_epochs)
    with warnings.catch_warnings():
        # Texts are cut on purpose, and the footer says so.
        warnings.filterwarnings("ignore", ".*tokens are cut off")
        clf.fit(*source)
    trained = time.perf_counter() - started
    labels = sorted(set(shots.labels))
    if clf.classes_.tolist() == labels:
        accuracy = clf.score(*test)
        yield Score("source", name, seed, accuracy, time.perf_counter() - started)
    announce(f"seed {seed}: {SOURCES[name]}, then target")
    started = time.perf_counter()
    clf.set_params(freeze="auto", max_epochs="auto").partial_fit(*shots, classes=labels)
    accuracy = clf.score(*test)
    yield Score("transfer", name, seed, accuracy, trained + time.perf_counter() - started)


def _classifier(sizes: Sizes, seed: int) -> Any:
    from sktransfer import TransferTextClassifier

    return TransferTextClassifier(max_length=sizes.max_length, random_state=seed)
