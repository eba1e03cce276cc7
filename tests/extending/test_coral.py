"""An alignment of somebody else's is trained, saved, searched over and held to the kit."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from coral import Coral
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import sktransfer
from sktransfer import TransferSearchCV, TransferTextClassifier
from sktransfer.contracts import registry
from sktransfer.plugins import Regulariser, register, resolve
from sktransfer.testing import parametrize_with_contracts

SOURCE = ["great", "lovely", "fine", "bad", "dull", "poor"]
TARGET = ["superb", "charming", "neat", "grim", "tedious", "weak"]


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setattr(registry, "_RUNTIME", {})
    register("alignment", "coral", Coral)


def domains(n, rng):
    """Give reviews of two shops: the second adds the same phrase to all of its reviews."""
    texts, labels, domain = [], [], []
    for i in range(n):
        words = rng.choice(SOURCE, 4)
        good = i % 2
        kind = SOURCE[:3] if good else SOURCE[3:]
        words = [*rng.choice(kind, 3), *words[:1]]
        of_target = i % 4 >= 2
        if of_target:
            words += ["delivered", "by", "the", "courier", "on", "monday"] * 2
        texts.append(" ".join(words))
        labels.append(good)
        domain.append(-1 if of_target else 0)
    return texts, np.array(labels), np.array(domain)


def quick(**params):
    shared = {
        "freeze": "full",
        "max_epochs": 4,
        "batch_size": 16,
        "precision": "fp32",
        "random_state": 0,
    }
    return TransferTextClassifier("hashing", **shared | params)


@pytest.fixture(scope="module")
def data():
    X, y, d = domains(160, np.random.default_rng(0))
    unlabelled = y.copy()
    unlabelled[d < 0] = -1
    return X, unlabelled, d


def gap(clf, X, d):
    features = torch.as_tensor(clf.encoder_.transform(X))
    source, target = features[d >= 0], features[d < 0]
    spread = torch.cat([source - source.mean(0), target - target.mean(0)]).square().sum(1).mean()
    return float((source.mean(0) - target.mean(0)).square().sum() / spread)


@parametrize_with_contracts([Coral(), Coral(weight=10.0)])
def test_contract(plugin, check):
    check(plugin)


def test_the_alignment_halves_a_planted_gap(data):
    X, y, d = data
    source = [x for x, t in zip(X, d, strict=True) if t >= 0]
    alone = quick().fit(source, y[d >= 0])
    same_steps = quick(alignment=Coral(weight=0.0)).fit(X, y, sample_domain=d)
    aligned = quick(alignment=Coral()).fit(X, y, sample_domain=d)
    assert gap(aligned, X, d) < 0.5 * min(gap(alone, X, d), gap(same_steps, X, d))
    assert aligned.score(source, y[d >= 0]) > 0.9


def test_gradients_reach_the_encoder_from_rows_without_a_label(data):
    X, y, d = data
    without = quick(alignment=Coral(weight=0.0), max_epochs=1).fit(X, y, sample_domain=d)
    with_it = quick(alignment=Coral(weight=5.0), max_epochs=1).fit(X, y, sample_domain=d)
    assert not np.allclose(without.encoder_.transform(X), with_it.encoder_.transform(X))
    assert all("train_alignment_loss" in epoch for epoch in with_it.history_)
    assert without.history_[0]["train_alignment_loss"] == 0.0
    assert with_it.history_[-1]["train_alignment_loss"] > 0.0


def test_each_batch_holds_as_many_rows_of_both_sides(data):
    X, y, d = data
    seen = []

    class Look(Coral):
        def loss(self, source, target, progress, module=None):
            seen.append((len(source), len(target), progress, source.labelled.all().item()))
            assert not target.labelled.any()
            return super().loss(source, target, progress, module)

    few = np.flatnonzero(d < 0)[:12]
    kept = np.sort([*np.flatnonzero(d >= 0), *few])
    clf = quick(alignment=Look(), max_epochs=2)
    clf.fit([X[i] for i in kept], y[kept], sample_domain=d[kept])
    assert {(n, m) for n, m, *_ in seen} == {(8, 8)}
    assert len(seen) == 2 * 80 // 8
    progress = [p for *_, p, _ in seen]
    assert progress == sorted(progress)
    assert progress[0] == 0.0
    assert 0.9 < progress[-1] < 1.0
    assert all(labelled for *_, labelled in seen)


def test_a_side_that_a_batch_lacks_warns_once_and_never_gives_nan(data):
    X, y, d = data
    clf = quick(alignment=Coral(), batch_size=1, max_epochs=1)
    with pytest.warns(UserWarning, match=r"without a target row.*batch_size") as caught:
        clf.fit(X, y, sample_domain=d)
    assert len([w for w in caught if "target row" in str(w.message)]) == 1
    assert np.isfinite(clf.predict_proba(X)).all()
    assert np.isfinite(clf.history_[0]["train_loss"])


def test_clone_search_and_pipelines_know_it(data):
    X, y, d = data
    clf = quick(alignment=Coral(3.0))
    assert clone(clf).alignment.weight == 3.0
    assert resolve("alignment", "coral").weight == 1.0
    assert "alignment__weight" in clf.search_space()
    # Folds need labels in every row; all of them are of both domains.
    known = np.where(d < 0, np.arange(len(y)) % 2, y)
    grid = GridSearchCV(quick(alignment="coral", max_epochs=1), {"alignment__weight": [0.1, 1.0]})
    grid.set_params(cv=2).fit(X, known, sample_domain=d)
    assert set(grid.cv_results_["param_alignment__weight"]) == {0.1, 1.0}
    search = TransferSearchCV(
        quick(alignment="coral", max_epochs=1), n_trials=2, cv=2, random_state=0
    ).fit(X, known, sample_domain=d)
    assert all("alignment__weight" in params for params in search.cv_results_["params"])


def test_it_is_saved_and_loaded_in_a_new_process(data, tmp_path):
    X, y, d = data
    clf = quick(alignment="coral", max_epochs=1).fit(X, y, sample_domain=d)
    clf.save(tmp_path / "model")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from coral import Coral; from sktransfer import load\n"
        "from sktransfer.plugins import register\n"
        "register('alignment', 'coral', Coral)\n"
        "print(repr(load(sys.argv[2]).predict_proba(['great fine']).tolist()))"
    )
    here = str(__import__("pathlib").Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", code, here, str(tmp_path / "model")],
        capture_output=True,
        text=True,
        check=True,
    )
    expected = clf.predict_proba(["great fine"])
    np.testing.assert_allclose(eval(done.stdout), expected, atol=1e-6)


class DomainClassifier(Coral):
    """Learn to tell domains apart, with a module of its own."""

    def build(self, dim, n_outputs):
        return torch.nn.Linear(dim, 1)

    def schedule(self, progress):
        return 1.0

    def loss(self, source, target, progress, module=None):
        logits = torch.cat([module(source.features.detach()), module(target.features.detach())])
        sides = torch.cat([torch.zeros(len(source)), torch.ones(len(target))])
        loss = torch.nn.functional.binary_cross_entropy_with_logits
        return loss(logits[:, 0], sides)


def test_its_module_is_trained_saved_and_gone_on_with(data, tmp_path):
    X, y, d = data
    register("alignment", "domain_classifier", DomainClassifier)
    clf = quick(alignment="domain_classifier", max_epochs=3).fit(X, y, sample_domain=d)
    losses = [epoch["train_alignment_loss"] for epoch in clf.history_]
    assert losses[-1] < losses[0]
    weights = clf.net_.state.term_weights
    assert {name.rpartition(".")[2] for name in weights} == {"weight", "bias"}
    assert all(name.startswith("alignment.DomainClassifier.") for name in weights)
    clf.save(tmp_path / "model")
    again = sktransfer.load(tmp_path / "model")
    for name, value in again.net_.state.term_weights.items():
        torch.testing.assert_close(value, weights[name])
    again.partial_fit(X, y, sample_domain=d)
    assert again.history_[3]["train_alignment_loss"] < losses[0]


class StayNear(Regulariser):
    """Penalise how far weights move from the start of the stage (L2-SP)."""

    def __init__(self, weight=1.0):
        self.weight = weight

    def loss(self, batch, progress, change, second=None, module=None):
        moved = [(now - change.start[n]).square().sum() for n, now in change.current.items()]
        return sum(moved)


def test_a_regulariser_sees_the_weights_at_the_start_of_the_stage(data):
    X, y, d = data
    X, y = [x for x, t in zip(X, d, strict=True) if t >= 0], y[d >= 0]

    def moved(weight):
        start = quick(freeze="frozen").fit(X, y).encoder_.transform(X)
        return np.abs(quick(regulariser=StayNear(weight)).fit(X, y).encoder_.transform(X) - start)

    assert moved(1e4).max() < 0.2 * moved(0.0).max()


def test_a_second_view_has_other_dropout(tiny_model):
    seen = []

    class TwoViews(StayNear):
        second_view = True

        def loss(self, batch, progress, change, second=None, module=None):
            seen.append((batch.outputs - second.outputs).abs().max().item())
            return (batch.outputs - second.outputs).square().mean()

    clf = TransferTextClassifier(
        tiny_model, freeze="full", max_epochs=1, regulariser=TwoViews(), random_state=0
    )
    clf.fit(["good film", "bad film"] * 4, [1, 0] * 4)
    assert min(seen) > 0


def test_frozen_features_leave_an_alignment_no_effect_and_say_so(data):
    X, y, d = data
    with pytest.warns(UserWarning, match=r"alignment=Coral\(\) has no effect"):
        quick(alignment=Coral(), freeze="frozen", max_epochs="auto").fit(X, y, sample_domain=d)


# --- domains ------------------------------------------------------------------------------------


def test_an_alignment_without_domains_or_without_a_side_is_refused(data):
    X, y, _ = data
    clf = quick(alignment=Coral())
    with pytest.raises(ValueError, match="sample_domain"):
        clf.fit(X, np.abs(y))
    with pytest.raises(ValueError, match=r"160 source rows .* 0 target rows"):
        clf.fit(X, np.abs(y), sample_domain=np.zeros(160, dtype=int))


@pytest.mark.parametrize(
    ("domain", "words"),
    [([0, 1], r"\(2,\).*160 rows"), (np.full(160, 0.5), "float64.*0.5")],
)
def test_domains_that_are_none_are_refused(data, domain, words):
    with pytest.raises(ValueError, match=words):
        quick().fit(data[0], np.abs(data[1]), sample_domain=domain)


def test_without_an_alignment_rows_without_a_label_are_left_out_with_a_warning(data):
    X, y, d = data
    with pytest.warns(UserWarning, match="80 of 160 rows have no label"):
        both = quick(max_epochs=1).fit(X, y, sample_domain=d)
    alone = quick(max_epochs=1).fit([x for x, t in zip(X, d, strict=True) if t >= 0], y[d >= 0])
    np.testing.assert_array_equal(both.predict_proba(X), alone.predict_proba(X))
    assert both.classes_.tolist() == [0, 1]


@pytest.mark.parametrize("marker", [-1, None, np.nan])
def test_string_labels_carry_the_marker_in_several_ways(data, marker):
    X, y, d = data
    names = [marker if t < 0 else "good" if label else "bad" for label, t in zip(y, d, strict=True)]
    before = list(names)
    clf = quick(alignment=Coral(), max_epochs=1).fit(X, names, sample_domain=d)
    assert clf.classes_.tolist() == ["bad", "good"]
    assert names == before or marker is not None


def test_without_domains_minus_one_is_a_label(data):
    X, y, _ = data
    assert quick(max_epochs=1).fit(X, y).classes_.tolist() == [-1, 0, 1]


def test_a_source_row_with_the_marker_is_refused_with_its_index(data):
    X, y, d = data
    y = np.where(np.arange(len(y)) == 5, -1, y)
    with pytest.raises(ValueError, match=r"1 source rows .*index 5: -1"):
        quick(alignment=Coral()).fit(X, y, sample_domain=d)


def test_indicators_and_numbers_are_marked_by_rows_of_nan(data):
    X, y, d = data
    matrix = np.column_stack([y == 1, y == 0]).astype(float)
    matrix[d < 0] = np.nan
    clf = quick(alignment=Coral(), max_epochs=1).fit(X, matrix, sample_domain=d)
    assert clf.multilabel_
    numbers = np.where(d < 0, np.nan, np.where(y == 1, -1.0, 2.0))
    reg = sktransfer.TransferTextRegressor(
        "hashing", freeze="full", max_epochs=1, alignment=Coral(), random_state=0
    ).fit(X, numbers, sample_domain=d)
    assert reg.target_mean_[0] == pytest.approx(numbers[d >= 0].mean())
