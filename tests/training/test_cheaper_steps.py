"""What makes a step of the optimizer cheaper must not change what is learned."""

from __future__ import annotations

import contextlib
import pickle

import numpy as np
import pytest
import torch
from sklearn.callback import ScoringMonitor
from skorch.callbacks import Callback, Freezer
from torch import nn

import sktransfer.training.stage as stage
from sktransfer import TransferTextClassifier
from sktransfer.backbones._transformer_encoder import TransformerEncoder
from sktransfer.backbones.hashing import HashingBackbone, HashingEncoder
from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.features.precision import copy_in_bf16
from sktransfer.heads.linear import LinearHead
from sktransfer.training import loop as loop_module
from sktransfer.training.cheaper_steps import HalfCopy, _Dropout, only_entries, through_half
from sktransfer.training.module import TransferModule

TEXTS = ["a good film", "it was not very good, and the movie is dull"]
LONG = " ".join(["the movie was not very good , and it is a dull film"] * 12)


def build(backbone, precision="fp32"):
    encoder = backbone.load(device="cpu", random_state=0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TransferModule(encoder, LinearHead().build(encoder.dim, 2), precision)


def set_budget(monkeypatch, budget):
    for cls in (TransformerEncoder, HashingEncoder):
        monkeypatch.setattr(cls, "training_budget", lambda self: budget)


def fit(backbone, data, **params):
    shared = {"freeze": "full", "max_epochs": 2, "lr": 1e-3, "precision": "fp32", "random_state": 0}
    return TransferTextClassifier(backbone, **shared | params).fit(*data)


@pytest.fixture(scope="module")
def data(movie):
    return movie[0][:60], movie[1][:60]


@pytest.fixture(params=["hashing", "transformer"])
def backbone(request, tiny_model):
    if request.param == "hashing":
        return HashingBackbone(dim=16, n_buckets=4096)
    return TransformerBackbone(tiny_model)


def table_name(clf):
    module = clf.net_.module_
    table = module.encoder.table()
    return next(name for name, value in module.body.named_parameters() if value is table.weight)


# --- only the entries that are looked up --------------------------------------------------------


@pytest.mark.parametrize("early_stopping", [False, True])
def test_entries_alone_learn_what_the_whole_table_does(backbone, data, monkeypatch, early_stopping):
    params = {"weight_decay": 0.0, "early_stopping": early_stopping, "average": "ema"}
    few = fit(backbone, data, **params)
    monkeypatch.setattr(stage, "only_entries", lambda *args: contextlib.nullcontext())
    whole = fit(backbone, data, **params)
    for name, value in whole.net_.state.body.items():
        torch.testing.assert_close(few.net_.state.body[name], value, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        few.predict_proba(data[0]), whole.predict_proba(data[0]), rtol=1e-4, atol=1e-6
    )


def test_what_no_text_looks_up_stays_even_with_weight_decay(backbone, data):
    clf = fit(backbone, data, weight_decay=0.1)
    name, encoder = table_name(clf), clf.net_.module_.encoder
    used = torch.tensor(sorted(encoder.entries(encoder.prepare(data[0]))))
    before = backbone.load(device="cpu", random_state=clf.net_.state.backbone_seed)
    old, new = before.table().weight, clf.net_.state.body[name]
    assert old.shape == new.shape
    same = (old == new).all(dim=1)
    unused = torch.ones(len(old), dtype=torch.bool)
    unused[used] = False
    assert unused.any()
    assert same[unused].all()
    # The padding's entry has no gradient and is zero where it decays.
    assert (~same[used]).sum() >= len(used) - 1


def test_the_optimizer_moves_no_more_than_what_is_looked_up(tiny_model, data):
    counted = []

    class Count(loop_module.TransferNet):
        def initialize_optimizer(self, *args):
            counted.extend(p.numel() for group in self.groups for p in group["params"])
            return super().initialize_optimizer(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "TransferNet", Count)
        clf = fit(TransformerBackbone(tiny_model), (["a good film", "bad"] * 4, [1, 0] * 4))
    all_of_it = sum(p.numel() for p in clf.net_.module_.body.parameters())
    entries = len({"[PAD]", "[CLS]", "[SEP]", "a", "good", "film", "bad"})
    n_tokens, width = clf.net_.module_.encoder.table().weight.shape
    head = 2 * width + 2
    assert sum(counted) == all_of_it + head - (n_tokens - entries) * width
    assert clf.n_parameters_ == {"trained": all_of_it, "frozen": 0}


def test_other_texts_are_read_in_the_middle_of_a_training(backbone, data, movie):
    monitor = ScoringMonitor(scoring="accuracy")
    clf = TransferTextClassifier(backbone, freeze="full", max_epochs=2, random_state=0)
    clf.set_callbacks(monitor).fit(*data)
    assert len(monitor.get_logs().data) >= 2
    assert clf.predict(movie[0][100:200]).shape == (100,)


def test_callbacks_predict_any_text_and_count_all_parameters(backbone, data, movie):
    found = {"predicted": 0, "sizes": set()}

    class Look(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            if training:
                found["predicted"] += len(net.module_.features(movie[0][200:230]))
                sizes = [p.numel() for _, p in net.module_.named_body_parameters()]
                found["sizes"].add(sum(sizes))
                pickle.dumps(net.module_.body)

    clf = fit(backbone, data, callbacks=[Look])
    plain = fit(backbone, data)
    assert found["predicted"] >= 120
    assert found["sizes"] == {sum(clf.n_parameters_.values())}
    # Looking changed nothing of what was learned.
    np.testing.assert_allclose(
        clf.predict_proba(data[0]), plain.predict_proba(data[0]), rtol=1e-5, atol=1e-6
    )


def test_an_architecture_without_a_word_table_is_trained_whole(tiny_model, data, monkeypatch):
    def refuse(self):
        raise NotImplementedError("no such table")

    monkeypatch.setattr("transformers.BertModel.get_input_embeddings", refuse)
    for precision in ("fp32", "bf16"):
        clf = fit(TransformerBackbone(tiny_model), data, precision=precision)
        assert np.isfinite(clf.predict_proba(data[0])).all()


def test_the_table_is_whole_again_after_an_error(backbone):
    module = build(backbone)
    rows = module.encoder.prepare(TEXTS)
    table = module.encoder.table()
    full, padding, size = table.weight, table.padding_idx, len(table.weight)
    names = [name for name, _ in module.body.named_parameters()]

    def interrupted():
        with only_entries(module, names, rows):
            assert len(table.weight) < size
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert table.weight is full
    assert table.padding_idx == padding
    assert not module.expand_table
    module.encoder.forward(module.encoder.collate(module.encoder.prepare(["other words"])))


@pytest.mark.parametrize("names", [[], ["something.else"]])
def test_a_frozen_table_is_left_alone(tiny_model, names):
    module = build(TransformerBackbone(tiny_model))
    table = module.encoder.table()
    full = table.weight
    with only_entries(module, names, module.encoder.prepare(TEXTS)):
        assert table.weight is full


# --- gradients part by part ---------------------------------------------------------------------


@pytest.mark.parametrize("budget", [1, 40, 300])
def test_parts_of_a_batch_learn_what_the_whole_does(backbone, data, monkeypatch, budget):
    # Dropout draws other numbers for other shapes.
    monkeypatch.setattr(nn.Dropout, "forward", lambda self, x: x)
    monkeypatch.setattr(
        "torch.nn.functional.scaled_dot_product_attention",
        _without_dropout(nn.functional.scaled_dot_product_attention),
    )
    weights = np.linspace(0.5, 2.0, len(data[0]))

    def trained(limit):
        set_budget(monkeypatch, limit)
        clf = TransferTextClassifier(
            backbone, freeze="full", max_epochs=2, lr=1e-3, precision="fp32", random_state=0
        ).fit(*data, sample_weight=weights)
        return clf

    parts, whole = trained(budget), trained(10**9)
    np.testing.assert_allclose(
        [row["train_loss"] for row in parts.history_],
        [row["train_loss"] for row in whole.history_],
        rtol=1e-4,
    )
    np.testing.assert_allclose(
        parts.predict_proba(data[0]), whole.predict_proba(data[0]), rtol=1e-2, atol=1e-3
    )


def _without_dropout(real):
    return lambda *args, dropout_p=0.0, **kwargs: real(*args, dropout_p=0.0, **kwargs)


def test_no_part_costs_more_than_the_budget_unless_a_row_does(tiny_model, data, monkeypatch):
    sizes = []
    real = TransferModule.features_and_outputs

    def forward(self, batch):
        if self.training:
            sizes.append(batch["input_ids"].shape)
        return real(self, batch)

    monkeypatch.setattr(TransferModule, "features_and_outputs", forward)
    set_budget(monkeypatch, 100)
    clf = fit(TransformerBackbone(tiny_model), data, max_epochs=1, batch_size=16)
    assert sum(n for n, _ in sizes) == 60
    assert all(n == 1 or n * length <= 100 for n, length in sizes)
    assert len(sizes) > 4
    # An optimizer's step is still one of 16 rows.
    assert clf.history_[0]["train_loss"] > 0


def test_a_batch_in_parts_can_be_looked_at_like_any_other(tiny_model, data, monkeypatch):
    seen = []

    class Look(Callback):
        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            if training:
                ids = batch[0].inputs[0]["input_ids"]
                assert all("attention_mask" in part for part in batch[0].inputs)
                seen.append((len(ids), len(batch[1]), len(batch[0])))

    set_budget(monkeypatch, 100)
    fit(TransformerBackbone(tiny_model), data, max_epochs=1, callbacks=[Look])
    assert len(seen) == 4
    assert all(first < whole == n for first, whole, n in seen)


def test_a_prefix_is_not_tried_on_texts_of_several_windows(tiny_model):
    X, y = ["good", "bad film"] * 4 + [LONG, f"not {LONG}"] * 4, [1, 0] * 8
    clf = TransferTextClassifier(
        tiny_model,
        freeze="top_layers",
        long_text="window_mean",
        max_length=16,
        max_epochs=1,
        precision="fp32",
        random_state=0,
    ).fit(X, y)
    assert "several windows" in clf.decision_["frozen_prefix"]


def test_windows_of_a_long_text_have_the_same_gradients_in_parts(tiny_model, monkeypatch):
    backbone = TransformerBackbone(tiny_model, long_text="window_mean", max_length=16)

    def gradients(budget):
        module = build(backbone).eval()
        module.set_trainable([name for name, _ in module.body.named_parameters()])
        encoder = module.encoder
        monkeypatch.setattr(type(encoder), "training_budget", lambda self: budget)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            module(encoder.collate(encoder.prepare([LONG, "short"]))).square().sum().backward()
        return {name: p.grad for name, p in module.named_parameters()}

    whole = gradients(10**6)
    for name, value in gradients(32).items():
        torch.testing.assert_close(value, whole[name], rtol=1e-3, atol=1e-5)


def test_windows_with_gradients_are_run_a_few_at_a_time(tiny_model, monkeypatch):
    module = build(TransformerBackbone(tiny_model, long_text="window_mean", max_length=16))
    module.set_trainable([name for name, _ in module.body.named_parameters()])
    encoder, sizes = module.encoder, []
    monkeypatch.setattr(type(encoder), "training_budget", lambda self: 48)
    module.body.register_forward_pre_hook(
        lambda _, args, kwargs: sizes.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    module(encoder.collate(encoder.prepare([LONG]))).sum().backward()
    assert max(sizes) == 3
    # Each is run a second time for its gradients.
    assert len(sizes) % 2 == 0
    assert sum(sizes) > 20


# --- a half-precision copy ----------------------------------------------------------------------


def test_gradients_of_the_copy_are_those_of_the_original(tiny_model):
    wanted = {}
    for precision in ("fp32", "bf16"):
        module = build(TransformerBackbone(tiny_model), precision)
        batch = module.encoder.collate(module.encoder.prepare(TEXTS))
        names = [n for n, _ in module.body.named_parameters() if n.startswith("encoder.layer.2")]
        with through_half(module, precision == "bf16"):
            module.set_trainable(names)
            module.train()
            for part in module.modules():
                part.p = 0.0
            for part in (
                [] if module.half_copy is None else module.half_copy.encoder.module.modules()
            ):
                part.p = 0.0
            module(batch).square().sum().backward()
            if module.half_copy is not None:
                module.half_copy.pass_gradients()
        found = {n: p.grad for n, p in module.body.named_parameters() if p.grad is not None}
        assert sorted(found) == sorted(names)
        wanted[precision] = torch.cat([found[name].flatten() for name in sorted(found)])
    assert wanted["bf16"].dtype == torch.float32
    cosine = nn.functional.cosine_similarity(wanted["bf16"], wanted["fp32"], dim=0)
    # The attention's own dropout is left in.
    assert cosine > 0.9


def test_a_callback_that_freezes_a_layer_is_obeyed(tiny_model, data):
    before = TransformerBackbone(tiny_model).load(device="cpu", random_state=0).module.state_dict()
    name = "encoder.layer.0.output.dense.weight"
    for precision in ("fp32", "bf16"):
        freezer = Freezer(["body.encoder.layer.0.*"])
        clf = fit(tiny_model, data, precision=precision, callbacks=[freezer], max_epochs=1)
        kept = clf.net_.module_.body.state_dict()
        assert torch.equal(kept[name], before[name])
        above = name.replace("layer.0", "layer.1")
        assert not torch.equal(kept[above], before[above])


def test_epochs_that_train_nothing_of_the_copy_are_possible(tiny_model):
    copy = HalfCopy(TransformerBackbone(tiny_model).load(device="cpu", random_state=0))
    copy.set_trainable([])
    copy.pass_gradients()
    copy.follow()


def test_an_architecture_that_needs_autocast_gets_it_with_a_warning(tiny_model, data, monkeypatch):
    real = TransformerEncoder.in_bf16

    def failing(self):
        copy = real(self)
        copy.forward = lambda batch: (_ for _ in ()).throw(RuntimeError("Unsupported dtype"))
        return copy

    monkeypatch.setattr(TransformerEncoder, "in_bf16", failing)
    with pytest.warns(UserWarning, match=r"BertModel does not compute in bfloat16 .*Unsupported"):
        clf = fit(tiny_model, data, precision="bf16")
    assert clf.history_[-1]["train_loss"] < 2
    with pytest.warns(UserWarning, match="runs by autocast instead"):
        features = clf.net_.module_.features([f"film {i}" for i in range(300)])
    assert torch.isfinite(features).all()


def test_a_copy_with_other_features_is_not_used(tiny_model, monkeypatch):
    encoder = TransformerBackbone(tiny_model).load(device="cpu", random_state=0)
    rows = encoder.prepare(TEXTS)
    assert copy_in_bf16(encoder, rows) is not None
    real = TransformerEncoder.in_bf16

    def wrong(self):
        copy = real(self)
        for value in copy.module.encoder.parameters():
            value.data = torch.randn(value.shape).bfloat16()
        return copy

    monkeypatch.setattr(TransformerEncoder, "in_bf16", wrong)
    with pytest.warns(UserWarning, match="features of cosine"):
        assert copy_in_bf16(encoder, rows) is None


def test_the_copy_shares_buffers_in_their_own_precision(tiny_model):
    encoder = TransformerBackbone(tiny_model).load(device="cpu", random_state=0)
    encoder.module.register_buffer("angles", torch.arange(3.0))
    copy = encoder.in_bf16()
    for name, value in encoder.module.named_buffers():
        assert copy.module.get_buffer(name) is value
    assert copy.module.angles.dtype == torch.float32


def test_gradients_add_up_until_they_are_cleared(tiny_model):
    module = build(TransformerBackbone(tiny_model), "bf16")
    names = [name for name, _ in module.body.named_parameters()]
    name = "encoder.layer.0.output.dense.weight"
    copy = HalfCopy(module.encoder)
    copy.set_trainable(names)
    for times in (1, 2):
        dict(copy.encoder.module.named_parameters())[name].grad = torch.ones(
            dict(module.body.named_parameters())[name].shape, dtype=torch.bfloat16
        )
        copy.pass_gradients()
        assert (dict(module.body.named_parameters())[name].grad == times).all()


def test_steps_too_small_for_half_precision_are_not_lost(tiny_model, data):
    clf = fit(tiny_model, data, precision="bf16", lr=1e-6, max_epochs=3)
    before = TransformerBackbone(tiny_model).load(device="cpu", random_state=0).module.state_dict()
    name = "encoder.layer.1.output.dense.weight"
    moved = (clf.net_.state.body[name] - before[name]).abs()
    assert clf.net_.state.body[name].dtype == torch.float32
    assert 0 < moved.max() < 1e-4
    assert (moved > 0).float().mean() > 0.9
    # In bfloat16 alone hardly any weight would have moved.
    halves = before[name].bfloat16() != clf.net_.state.body[name].bfloat16()
    assert halves.float().mean() < 0.2


def test_the_copy_follows_the_steps(tiny_model, data, monkeypatch):
    checked = []
    real = HalfCopy.follow

    def follow(self):
        real(self)
        for name in self._names:
            torch.testing.assert_close(
                self._copies[name], self._masters[name].bfloat16(), rtol=0, atol=0
            )
        checked.append(len(self._names))

    monkeypatch.setattr(HalfCopy, "follow", follow)
    clf = fit(tiny_model, data, precision="bf16", freeze="gradual", max_epochs=6)
    assert len(set(checked)) > 1  # blocks were opened one after the other
    assert clf.net_.module_.half_copy is None


def test_precisions_learn_alike(tiny_model, movie):
    data = (movie[0][:200], movie[1][:200])
    losses = {
        precision: fit(tiny_model, data, precision=precision, max_epochs=3).history_[-1][
            "train_loss"
        ]
        for precision in ("fp32", "bf16")
    }
    assert losses["bf16"] == pytest.approx(losses["fp32"], abs=0.03)


def test_a_callback_that_looks_at_features_does_not_end_dropout(tiny_model, data):
    modes = []

    class Look(Callback):
        def on_batch_begin(self, net, training=False, **kwargs):
            if training:
                net.module_.features(["a good film"])

        def on_grad_computed(self, net, **kwargs):
            modes.append(net.module_.body.training)

    fit(tiny_model, data, callbacks=[Look])
    assert modes
    assert all(modes)


def test_an_encoder_without_a_copy_trains_as_it_is(data):
    clf = fit(HashingBackbone(dim=16, n_buckets=512), data, precision="bf16")
    assert clf.decision_["precision"] == "bf16"


# --- dropout ------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("shape", [(64, 513), (3, 5, 7)])
def test_dropout_drops_as_many_as_it_says_and_keeps_the_mean(p, shape):
    torch.manual_seed(0)
    x = torch.ones(shape, requires_grad=True)
    layer = _Dropout(p)
    found = torch.cat([layer(x).flatten() for _ in range(200)])
    kept = np.float32(1 / (1 - p)).item()
    assert set(found.unique().tolist()) <= {0.0, kept}
    error = 4 * (p * (1 - p) / len(found)) ** 0.5
    assert abs((found == 0).float().mean() - p) <= error
    layer(x).sum().backward()
    assert set(x.grad.unique().tolist()) <= {0.0, kept}


def test_dropout_is_drawn_from_torchs_generator_and_not_when_evaluating():
    layer, x = _Dropout(0.3), torch.ones(1000)
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        drawn.append(layer(x))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert layer.eval()(x) is x


def test_the_copy_shares_the_word_table_and_nothing_else(tiny_model):
    encoder = TransformerBackbone(tiny_model).load(device="cpu", random_state=0)
    copy = encoder.in_bf16()
    assert copy.table().weight is encoder.table().weight
    for name, value in copy.module.named_parameters():
        shared = value is dict(encoder.module.named_parameters())[name]
        assert shared == (value is copy.table().weight)
        assert value.dtype == (torch.float32 if shared else torch.bfloat16)
    batch = encoder.collate(encoder.prepare(TEXTS))
    with torch.inference_mode():
        close = nn.functional.cosine_similarity(copy.forward(batch), encoder.forward(batch))
    assert close.min() > 0.999
