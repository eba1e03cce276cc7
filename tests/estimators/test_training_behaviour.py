"""Seeds, early stopping, weights, interruption, divergence and silence of a fit."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from sklearn.frozen import FrozenEstimator
from skorch.callbacks import Callback, EarlyStopping

from sktransfer import TrainingDivergedError, TransferTextClassifier
from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.training.execution import draw_seed
from sktransfer.training.holdout import hold_out


@pytest.fixture(scope="module")
def data(movie):
    return movie[0][:200], movie[1][:200]


def quick(**params):
    return TransferTextClassifier(
        **{"backbone": "hashing", "max_epochs": 3, "random_state": 0} | params
    )


def test_same_seed_gives_the_same_bits_and_another_seed_does_not(data, tiny_model):
    for backbone in ("hashing", tiny_model):
        a, b, c = (
            quick(backbone=backbone, freeze="full", random_state=seed)
            .fit(*data)
            .predict_proba(data[0])
            for seed in (3, 3, 4)
        )
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)


def test_same_seed_gives_the_same_bits_in_another_process_with_another_hash_seed(data, tmp_path):
    import pickle

    (tmp_path / "data.pkl").write_bytes(pickle.dumps(data))
    code = (
        "import pickle, numpy as np, torch; torch.set_num_threads(1)\n"
        "from sktransfer import TransferTextClassifier\n"
        f"X, y = pickle.load(open({str(tmp_path / 'data.pkl')!r}, 'rb'))\n"
        "clf = TransferTextClassifier('hashing', max_epochs=3, random_state=0).fit(X, y)\n"
        f"np.save({str(tmp_path / 'proba.npy')!r}, clf.predict_proba(X))"
    )
    env = {**os.environ, "PYTHONHASHSEED": "123"}
    subprocess.run([sys.executable, "-c", code], check=True, env=env, timeout=120)
    expected = quick().fit(*data).predict_proba(data[0])
    np.testing.assert_array_equal(np.load(tmp_path / "proba.npy"), expected)


@pytest.mark.parametrize("random_state", [0, None])
def test_the_callers_random_state_is_untouched(data, random_state):
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    quick(random_state=random_state).fit(*data).partial_fit(*data).predict(data[0])
    assert random.getstate() == before[0]
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])
    assert torch.equal(torch.get_rng_state(), before[2])


def test_fit_is_silent_and_writes_no_files(data, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quick().fit(*data)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_verbose_prints_a_short_line_for_each_epoch(data, capsys):
    clf = quick(verbose=2, freeze="full", max_epochs=3).fit(*data)
    head, _, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["epoch", "train_loss", "blocks", "dur"]
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]
    n_blocks = len(clf.history_[0]["blocks"])
    assert {line.split()[2] for line in lines} == {str(n_blocks)}


def test_verbose_1_shows_one_line_with_the_epoch_and_the_time_left(data, capsys):
    quick(verbose=1, freeze="full", max_epochs=3).fit(*data)
    out, err = capsys.readouterr()
    last = err.split("\r")[-1]
    assert out == ""
    assert "Training for 3 epochs: 100%" in last
    assert "epoch 3, loss" in last
    assert "<00:00" in last


def test_verbose_1_shows_how_far_features_and_predictions_are(data, capsys):
    clf = quick(verbose=1, freeze="frozen").fit(*data)
    assert f"Computing features of {len(data[0])} inputs: 100%" in capsys.readouterr().err
    clf.predict(data[0][:10])
    assert "Computing features of 10 inputs: 100%" in capsys.readouterr().err
    clf.set_params(verbose=0).predict(data[0][:10])
    assert capsys.readouterr() == ("", "")


def test_verbose_colours_the_best_epoch_on_a_terminal_alone(data, capsys, monkeypatch):
    settings = {"verbose": 2, "freeze": "full", "max_epochs": 2}
    quick(**settings).fit(*data)
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    quick(**settings).fit(*data)
    assert "\x1b[" in capsys.readouterr().out


def test_early_stopping_restores_the_best_weights_by_the_scorer_asked_for(data):
    clf = quick(
        freeze="full",
        early_stopping=True,
        validation_fraction=0.3,
        scoring="neg_log_loss",
        max_epochs=30,
        n_iter_no_change=2,
        lr=0.02,
    ).fit(*data)
    scores = [epoch["valid_score"] for epoch in clf.history_]
    assert len(scores) < 30
    assert len(scores) - 1 - int(np.argmax(scores)) == 2
    assert clf.stages_[0]["rows_held_out"] == 60
    stopped_at_best = quick(
        freeze="full",
        early_stopping=True,
        validation_fraction=0.3,
        scoring="neg_log_loss",
        max_epochs=30,
        n_iter_no_change=1000,
        lr=0.02,
    ).fit(*data)
    best = max(epoch["valid_score"] for epoch in stopped_at_best.history_)
    assert best == max(scores)
    np.testing.assert_array_equal(
        clf.net_.state.head_weights["weight"], stopped_at_best.net_.state.head_weights["weight"]
    )


def test_early_stopping_scores_are_those_of_scikit_learn(data):
    from sklearn.metrics import f1_score

    from sktransfer.estimators._scoring import output_scorer
    from sktransfer.heads.linear import LinearHead
    from sktransfer.tasks.multiclass import MulticlassTask

    rng = np.random.RandomState(0)
    outputs, codes = torch.tensor(rng.randn(50, 3)), rng.randint(3, size=50)
    classes = np.array(["a", "b", "c"])
    score = output_scorer("f1_macro", MulticlassTask(classes), LinearHead())
    expected = f1_score(classes[codes], classes[outputs.argmax(1).numpy()], average="macro")
    assert score(outputs, codes) == pytest.approx(expected)


def test_held_out_rows_that_cannot_be_stratified_warn(data):
    labels = [*data[1][:20]]
    labels[0] = "rare"
    with pytest.warns(UserWarning, match="cannot be stratified"):
        quick(early_stopping=True, validation_fraction=0.2).fit(data[0][:20], labels)


def test_early_stopping_is_without_effect_where_only_the_head_is_fitted(data):
    clf = quick(freeze="frozen", early_stopping=True).fit(*data)
    assert clf.stages_[0]["rows_held_out"] == 0
    assert clf.stages_[0]["rows"] == 200


@pytest.mark.parametrize("freeze", ["frozen", "full"])
def test_class_weight_moves_predictions_to_the_heavier_class(data, freeze):
    X, y = data
    keep = [i for i, label in enumerate(y) if label == "positive" or i % 8 == 0]
    X, y = [X[i] for i in keep], y[keep]

    def share_of_negative(**params):
        clf = quick(freeze=freeze, max_epochs=5, **params).fit(X, y)
        return clf.predict_proba(data[0])[:, 0].mean()

    plain = share_of_negative()
    assert share_of_negative(class_weight="balanced") > plain + 0.05
    assert share_of_negative(class_weight={"negative": 8.0}) > plain + 0.05


@pytest.mark.parametrize("freeze", ["frozen", "full"])
def test_rows_of_weight_zero_are_as_if_they_were_not_there(data, freeze):
    X, y = data
    weights = np.r_[np.ones(150), np.zeros(50)]
    weighted = quick(freeze=freeze).fit(X, y, sample_weight=weights).predict_proba(X)
    np.testing.assert_array_equal(
        weighted, quick(freeze=freeze).fit(X[:150], y[:150]).predict_proba(X)
    )


def test_ctrl_c_reaches_the_caller_and_leaves_the_estimator_as_it_was(data):
    class Press(Callback):
        def on_batch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    clf = quick()
    with pytest.raises(KeyboardInterrupt):
        clf.set_params(callbacks=[Press()]).fit(*data)
    assert not hasattr(clf, "net_")


def test_ctrl_c_between_epochs_reaches_the_caller_too(data):
    class Press(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quick(callbacks=[Press()]).fit(*data)


class InterruptInEpoch(Callback):
    def __init__(self, number):
        self.number = number

    def on_batch_begin(self, net, training=False, **kwargs):
        if training and len(net.history) == self.number and len(net.history[-1]["batches"]) > 1:
            raise KeyboardInterrupt


@pytest.mark.parametrize("average", [None, "ema"])
@pytest.mark.parametrize("freeze", ["full", "lp_ft"])
def test_with_verbose_ctrl_c_raises_and_keeps_the_epochs_that_were_done(data, freeze, average):
    class Stop(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.stop_requested = len(net.history) == 2

    given = {"freeze": freeze, "average": average, "max_epochs": 6, "verbose": 1}
    clf = quick(**given, callbacks=[InterruptInEpoch(3)])
    with pytest.raises(KeyboardInterrupt, match=f"after epoch {2 + (freeze == 'lp_ft')} of 6"):
        clf.fit(*data)
    stopped = quick(**given, callbacks=[Stop()]).fit(*data)
    assert clf.n_iter_ == 2
    assert [e["train_loss"] for e in clf.history_] == [e["train_loss"] for e in stopped.history_]
    np.testing.assert_array_equal(clf.predict_proba(data[0]), stopped.predict_proba(data[0]))


def test_ctrl_c_in_the_first_epoch_keeps_a_head_that_was_fitted_and_nothing_else(data):
    head = quick(freeze="frozen").fit(*data).predict_proba(data[0])
    given = {"max_epochs": 6, "verbose": 1, "callbacks": [InterruptInEpoch(1)]}
    clf = quick(freeze="lp_ft", **given)
    with pytest.raises(KeyboardInterrupt, match="after epoch 1 of 6"):
        clf.fit(*data)
    np.testing.assert_array_equal(clf.predict_proba(data[0]), head)
    clf = quick(freeze="full", **given)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(*data)
    assert not hasattr(clf, "net_")


def test_ctrl_c_keeps_the_best_epoch_where_rows_are_held_out(data):
    given = {"max_epochs": 8, "verbose": 1, "early_stopping": True, "n_iter_no_change": 8}
    clf = quick(**given, callbacks=[InterruptInEpoch(4)])
    with pytest.raises(KeyboardInterrupt, match="after epoch 3 of 8"):
        clf.fit(*data)
    assert [e["epoch"] for e in clf.history_] == [1, 2, 3]
    assert clf.predict(data[0]).shape == (200,)


def test_a_training_that_was_interrupted_goes_on_by_partial_fit(data):
    clf = quick(max_epochs=6, verbose=1, callbacks=[InterruptInEpoch(3)])
    with pytest.raises(KeyboardInterrupt):
        clf.fit(*data)
    clf.set_params(callbacks=None, max_epochs=2).partial_fit(*data)
    assert [stage["epochs"] for stage in clf.stages_] == [2, 2]


def test_skorchs_own_early_stopping_ends_the_fit_normally(data):
    stop = EarlyStopping(monitor="train_loss", patience=2, threshold=10.0, sink=lambda *a: None)
    clf = quick(callbacks=[stop], max_epochs=20).fit(*data)
    assert clf.n_iter_ < 20


def test_callbacks_are_copied_and_see_every_epoch(data):
    seen = []

    class Watch(Callback):
        def __init__(self):
            self.epochs = 0

        def on_epoch_end(self, net, **kwargs):
            self.epochs += 1
            seen.append(self.epochs)

    watch = Watch()
    quick(callbacks=[watch]).fit(*data)
    assert seen == [1, 2, 3]
    assert watch.epochs == 0


def test_exploding_loss_stops_the_fit_and_says_where(data):
    clf = quick(freeze="full", lr=1e20)
    with pytest.raises(
        TrainingDivergedError, match=r"stage 'source', epoch \d+, batch \d+. Lower lr"
    ):
        clf.fit(*data)
    assert not hasattr(clf, "net_")


@pytest.mark.parametrize("freeze", ["frozen", "full"])
def test_nan_in_the_weights_stops_the_fit(data, tiny_model, tmp_path, freeze):
    import shutil

    from safetensors.torch import load_file, save_file

    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["embeddings.word_embeddings.weight"][:] = float("nan")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TrainingDivergedError):
        quick(backbone=folder, freeze=freeze).fit(*data)


def test_history_has_one_entry_for_each_epoch_with_the_blocks_that_trained(data, tiny_model):
    clf = quick(backbone=tiny_model, freeze="gradual", max_epochs=6).fit(*data)
    assert [len(epoch["blocks"]) for epoch in clf.history_] == [0, 1, 2, 3, 4, 4]
    assert [epoch["epoch"] for epoch in clf.history_] == list(range(1, len(clf.history_) + 1))
    assert clf.history_[1]["blocks"] == ["layer.2"]


def test_auto_decides_by_rows_per_class_and_says_why(data, tiny_model):
    few = quick(backbone=tiny_model).fit(data[0][:20], data[1][:20])
    assert few.decision_["freeze"] == "LinearProbeFineTune()"
    assert "10 labelled rows per class" in few.decision_["reason"]
    assert "no pretrained weights" in quick().fit(*data).decision_["reason"]


class AsItIs(TransformerBackbone):
    """One whose features were found to do better below so many rows."""

    frozen_below = 11


def test_auto_trains_the_head_alone_below_what_the_backbone_says(data, tiny_model):
    few = quick(backbone=AsItIs(tiny_model)).fit(data[0][:20], data[1][:20])
    more = quick(backbone=AsItIs(tiny_model)).fit(data[0][:22], data[1][:22])
    assert few.decision_["freeze"] == "Frozen()"
    assert "10 labelled rows per class on average, fewer than 11" in few.decision_["reason"]
    assert more.decision_["freeze"] == "LinearProbeFineTune()"


def test_auto_asks_a_backbone_for_its_own_features_alone(data, tiny_model):
    texts, labels = data[0][:20], data[1][:20]
    others = np.where(labels == labels[0], "yes", "no")
    trained = quick(backbone=AsItIs(tiny_model), freeze="full", max_epochs=1).fit(*data)
    frozen = quick(backbone=AsItIs(tiny_model), freeze="frozen").fit(*data)
    for source, strategy in [(trained, "LinearProbeFineTune()"), (frozen, "Frozen()")]:
        found = quick(backbone=AsItIs(tiny_model), source=FrozenEstimator(source))
        assert found.fit(texts, others).decision_["freeze"] == strategy


@pytest.mark.parametrize("n", [20, 80])
def test_after_a_source_of_the_same_labels_auto_adjusts_the_head_to_few_rows(data, tiny_model, n):
    texts, labels = data[0][:n], data[1][:n]
    source = quick(backbone=tiny_model, freeze="full", max_epochs=1).fit(*data)
    strategy = "Frozen()" if n == 20 else "LinearProbeFineTune()"
    found = quick(backbone=tiny_model, source=FrozenEstimator(source), max_epochs="auto")
    assert found.fit(texts, labels).decision_["freeze"] == strategy
    source.set_params(freeze="auto", max_epochs="auto").partial_fit(texts, labels)
    assert source.decision_["freeze"] == strategy
    one_more = np.r_[labels[:-1], [7]].tolist()
    source.partial_fit(texts, one_more, classes=np.unique(one_more))
    assert source.decision_["freeze"] == "LinearProbeFineTune()"


def test_auto_warns_of_parameters_that_a_head_alone_has_no_use_for(data, tiny_model):
    texts, labels = data[0][:20], data[1][:20]
    clf = quick(backbone=AsItIs(tiny_model), max_epochs=5, early_stopping=True)
    said = r"10 labelled rows .*, so that max_epochs=5 and early_stopping=True have no effect"
    with pytest.warns(UserWarning, match=said):
        clf.fit(texts, labels)
    assert clf.decision_["max_epochs"] == 0
    with pytest.warns(UserWarning, match=r"max_epochs=5 has no effect"):
        clf.set_params(early_stopping=False).fit(texts, labels)
    # Who asks for it by name may search over strategies, with one number of epochs for all.
    for params in ({"max_epochs": "auto"}, {"freeze": "frozen"}, {"freeze": "lp_ft"}):
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*no effect")
            clf.set_params(freeze="auto").set_params(max_epochs=5).set_params(**params)
            clf.fit(texts, labels)


@pytest.mark.parametrize(
    ("freeze", "trained"),
    [
        ("frozen", lambda name: False),
        ("full", lambda name: True),
        ("top_layers", lambda name: "layer.1." in name or "layer.2." in name),
        ("bottom_layers", lambda name: "embeddings" in name or "layer.0." in name),
        ("bias_only", lambda name: name.endswith(".bias")),
    ],
)
def test_only_the_parameters_that_the_strategy_names_change(data, tiny_model, freeze, trained):
    clf = quick(backbone=tiny_model, freeze=freeze, max_epochs=2, lr=1e-3).fit(*data)
    before = TransformerBackbone(tiny_model).load(device="cpu", random_state=0).module
    after = dict(clf.net_.module_.body.named_parameters())
    for name, value in before.named_parameters():
        # The key's bias adds the same to every score of a softmax: its gradient is zero.
        if name.endswith("key.bias"):
            continue
        changed = not torch.equal(value, after[name])
        assert changed == trained(name), name
    assert set(clf.net_.state.body) == {name for name in after if trained(name)}


def test_batches_are_bucketed_by_length_and_cover_all_rows(data):
    lengths = []

    class Watch(Callback):
        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            if training:
                lengths.append((batch[0].inputs[0]["buckets"] != 0).sum(1).tolist())

    quick(callbacks=[Watch()], max_epochs=1, batch_size=16).fit(*data)
    assert sum(map(len, lengths)) == 200
    spread = np.mean([max(batch) - min(batch) for batch in lengths])
    everything = [n for batch in lengths for n in batch]
    assert spread < 0.35 * (max(everything) - min(everything))


def test_early_stopping_keeps_the_probe_where_nothing_later_is_better(data, tiny_model):
    params = {"backbone": tiny_model, "validation_fraction": 0.3, "early_stopping": True}
    params["scoring"] = "neg_log_loss"
    clf = quick(freeze="lp_ft", lr=0.5, max_epochs=6, **params).fit(*data)
    scores = [epoch["valid_score"] for epoch in clf.history_]
    assert scores[0] == max(scores)
    probe = quick(freeze="lp_ft", lr=1e-12, max_epochs=2, **params).fit(*data)
    np.testing.assert_allclose(clf.predict_proba(data[0]), probe.predict_proba(data[0]), atol=1e-4)


def test_probe_is_regularised_by_the_rows_that_it_sees(data):
    """Rows that are held out for early stopping do not count as training weight."""
    params = {"freeze": "lp_ft", "max_epochs": 2, "lr": 1e-12}
    held = quick(early_stopping=True, validation_fraction=0.5, **params).fit(*data)
    codes = (data[1] == "positive").astype(int)
    train, _ = hold_out(len(codes), codes, 0.5, draw_seed(0))
    alone = quick(**params).fit([data[0][i] for i in train], data[1][train])
    np.testing.assert_allclose(
        held.net_.state.head_weights["weight"], alone.net_.state.head_weights["weight"], atol=1e-3
    )


def test_fits_in_threads_give_the_bits_of_fits_in_turn_and_leave_the_random_state(data):
    from joblib import Parallel, delayed

    def fit(seed):
        return quick(head="mlp", random_state=seed).fit(*data).predict_proba(data[0])

    one_by_one = [fit(seed) for seed in range(4)]
    torch.manual_seed(1)
    before = torch.get_rng_state()
    together = Parallel(n_jobs=4, backend="threading")(delayed(fit)(seed) for seed in range(4))
    assert torch.equal(torch.get_rng_state(), before)
    for a, b in zip(one_by_one, together, strict=True):
        np.testing.assert_array_equal(a, b)


def test_ctrl_c_while_skorch_prints_reaches_the_caller(data, monkeypatch):
    from skorch.callbacks import PrintLog

    def press(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(PrintLog, "format_row", press)
    with pytest.raises(KeyboardInterrupt):
        quick(verbose=2).fit(*data)


def test_skorchs_scoring_callback_sees_labels(data):
    from skorch.callbacks import EpochScoring

    seen = []

    class Watch(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append((net.history[-1]["train_accuracy"], net.history[-1]["valid_accuracy"]))

    scorings = [
        EpochScoring("accuracy", on_train=True, name="train_accuracy"),
        EpochScoring("accuracy", name="valid_accuracy", lower_is_better=False),
        Watch(),
    ]
    clf = quick(callbacks=scorings, early_stopping=True, validation_fraction=0.2).fit(*data)
    assert len(seen) == clf.n_iter_
    assert seen[-1][1] == clf.history_[-1]["valid_score"]


def test_a_last_step_that_ruins_the_weights_is_an_error(data):
    with pytest.raises(TrainingDivergedError, match="last step of stage 'source'"):
        quick(freeze="full", lr=1e30, max_epochs=1, batch_size=200).fit(*data)


def test_each_stage_draws_other_batches(data):
    order = []

    class Watch(Callback):
        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            order[-1].append(batch[0].inputs[0]["buckets"].sum().item())

    clf = quick(freeze="full", callbacks=[Watch()], max_epochs=1)
    for step in range(3):
        order.append([])
        clf.partial_fit(*data, classes=["negative", "positive"])
        assert len(clf.stages_) == step + 1
    assert order[0] != order[1]
    assert order[1] != order[2]


def test_too_few_epochs_for_a_strategy_warn(data):
    said = r"max_epochs=1 ends before LinearProbeFineTune\(\) .* 1 for the head and 1 for the enc"
    with pytest.warns(UserWarning, match=said):
        clf = quick(freeze="lp_ft", max_epochs=1).fit(*data)
    assert clf.stages_[0]["blocks"] == []
    n = len(clf.net_.module_.encoder.blocks)
    said = rf"needs {n + 2} epochs, 1 for the head and {n + 1} for the encoder's {n} blocks\."
    with pytest.warns(UserWarning, match=said):
        quick(freeze="chain_thaw", max_epochs=1).fit(*data)


def test_warnings_name_the_line_of_the_caller(data):
    labels = [*data[1][:20]]
    labels[0] = "rare"
    for early in (False, True):  # texts are checked near the surface, rows are held out deep inside
        with pytest.warns(UserWarning, match="blank|stratified") as caught:
            quick(early_stopping=early, validation_fraction=0.2).fit(["", *data[0][1:20]], labels)
        assert {warning.filename for warning in caught} == {__file__}


def test_a_model_predicts_while_another_one_is_fitted(data):
    import threading

    other = quick(freeze="frozen").fit(*data)
    expected = other.predict(data[0][:3]).tolist()
    found = []

    class Predict(Callback):
        def on_epoch_begin(self, net, **kwargs):
            thread = threading.Thread(target=lambda: found.append(other.predict(data[0][:3])))
            thread.start()
            thread.join(timeout=20)

    quick(freeze="full", max_epochs=1, callbacks=[Predict]).fit(*data)
    assert [labels.tolist() for labels in found] == [expected]


def test_nothing_is_kept_twice_after_fit_and_predict(data):
    clf = quick(freeze="full").fit(*data)
    clf.predict(data[0][:3])
    assert all(p.grad is None for p in clf.net_.module_.parameters())
    assert clf.net_._state is None
    import pickle

    loaded = pickle.loads(pickle.dumps(clf))
    loaded.predict(data[0][:3])
    assert loaded.net_._state is None


def test_class_weights_may_name_labels_that_these_rows_lack(data):
    quick(class_weight={"negative": 1.0, "positive": 2.0, "mixed": 3.0}).fit(*data)
    with pytest.raises(ValueError, match=r"class_weight names \['mixed'\]"):
        quick(class_weight={"negative": 1.0, "mixed": 3.0}).fit(*data)


def test_copies_of_a_row_are_held_out_together(movie):
    X = [*(movie[0][:6] * 10), *movie[0][6:66]]
    y = [0] * 60 + [1] * 60
    clf = TransferTextClassifier(
        HashingBackbone(dim=8), freeze="full", max_epochs=1, early_stopping=True, random_state=0
    ).fit(X, y)
    _, valid = hold_out(120, np.array(y), 0.1, draw_seed(0), X)
    held_out = {X[i] for i in valid}
    assert clf.stages_[0]["rows_held_out"] == len(valid)
    assert not held_out & {X[i] for i in range(120) if i not in set(valid)}
    assert held_out & set(X[:60])
    assert held_out & set(X[60:])
