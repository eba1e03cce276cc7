"""The backbones are held to the contract; what they are made of, and how they are trained."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sktransfer_vision import VGG16, EfficientNetLite, ImageTransformer
from sktransfer_vision.networks import EfficientNetLiteNetwork, InvertedResidual, VGG16Network

from sktransfer import TransferImageClassifier, TransferTextClassifier
from sktransfer.plugins import available, resolve
from sktransfer.testing import contract_checks, parametrize_with_contracts

TINY = [
    EfficientNetLite(weights=None, width=0.1, depth=0.3, image_size=48),
    VGG16(weights=None, width=0.1, image_size=33),
]
ALL = pytest.mark.parametrize("tiny", TINY, ids=lambda backbone: type(backbone).__name__)


def load(backbone, random_state=0):
    return backbone.load(device="cpu", random_state=random_state)


def pictures(n, seed=0):
    rng = np.random.RandomState(seed)
    return [rng.randint(0, 256, (50, 60, 3)).astype(np.uint8) for _ in range(n)]


def features(encoder, X):
    encoder.module.eval()
    with torch.no_grad():
        return encoder.forward(encoder.collate(encoder.prepare(X)))


@parametrize_with_contracts([EfficientNetLite, VGG16])
def test_contract(plugin, check):
    check(plugin)


# --- what they are ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "n_parameters"),
    [
        # Published for the whole networks; 1,281,000 of them are the classifier of 1000 classes.
        (lambda: EfficientNetLiteNetwork(1.0, 1.0, 0.2, 0.2), 4_652_008 - 1_281_000),
        (lambda: EfficientNetLiteNetwork(1.0, 1.1, 0.2, 0.2), 5_416_680 - 1_281_000),
        (lambda: EfficientNetLiteNetwork(1.1, 1.2, 0.3, 0.2), 6_092_072 - 1_281_000),
        (lambda: VGG16Network(1.0, "avg"), 14_714_688),
    ],
    ids=["lite0", "lite1", "lite2", "vgg16"],
)
def test_networks_have_as_many_parameters_as_published(network, n_parameters):
    with torch.device("meta"):
        assert sum(p.numel() for p in network().parameters()) == n_parameters


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("efficientnet-lite0", {"variant": 0}),
        ("efficientnet-lite1", {"variant": 1}),
        ("efficientnet-lite2", {"variant": 2}),
        ("vgg16", {}),
    ],
)
def test_names_stand_for_pretrained_networks(name, params):
    backbone = resolve("backbone", name)
    assert params.items() <= backbone.get_params().items()
    assert backbone._registered() == name
    assert (backbone.modality, backbone.pretrained) == ("image", True)
    assert not clone(backbone).set_params(weights=None).pretrained


@ALL
def test_blocks_hold_all_statistics_too(tiny):
    encoder = load(tiny)
    for name in encoder.module.state_dict():
        assert sum(name.startswith(f"{block}.") for block in encoder.blocks) == 1, name


@ALL
def test_features_of_drawn_weights_are_of_ordinary_size(tiny):
    found = features(load(clone(tiny).set_params(width=None, image_size=64)), pictures(4))
    assert 1e-3 < found.std() < 10


def test_pooling_is_the_mean_or_the_maximum():
    encoder = load(clone(TINY[1]).set_params(image_size=64))
    batch = encoder.collate(encoder.prepare(pictures(3)))
    maps = encoder.module.run(encoder.module.scaled(batch["pixels"]), encoder.module.steps)
    assert maps.shape == (3, 51, 2, 2)
    torch.testing.assert_close(encoder.forward(batch), maps.mean((2, 3)))
    other = load(clone(TINY[1]).set_params(image_size=64, pooling="max"))
    torch.testing.assert_close(other.forward(batch), maps.amax((2, 3)))
    mine, others = encoder.fingerprint, other.fingerprint
    assert mine[0] == others[0]
    assert mine[1] != others[1]


@ALL
def test_another_size_is_other_preprocessing_of_the_same_weights(tiny):
    mine, other = load(tiny), load(clone(tiny).set_params(image_size=70))
    assert mine.fingerprint != other.fingerprint
    assert mine.fingerprint.weights == other.fingerprint.weights


@ALL
def test_what_is_only_trained_with_changes_no_fingerprint(tiny):
    if isinstance(tiny, EfficientNetLite):
        other = clone(tiny).set_params(dropout=0.4, drop_connect=0.0)
        assert load(other).fingerprint == load(tiny).fingerprint


@ALL
def test_half_precision_comes_close(tiny):
    encoder = load(tiny)
    X = pictures(3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = features(encoder, X)
    assert half.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(half, features(encoder, X)).min() > 0.98


# --- weights ------------------------------------------------------------------------------------


@pytest.fixture(params=TINY, ids=lambda backbone: type(backbone).__name__)
def stored(request, tmp_path):
    """A backbone whose weights are a file."""
    drawn = clone(request.param)
    tmp_path.joinpath("made").mkdir()
    encoder = load(drawn)
    # As if pretrained: what is drawn needs no file.
    exported = clone(drawn).set_params(weights="any").export(encoder, tmp_path / "made")
    assert exported.weights == tmp_path / "made" / "weights.safetensors"
    assert load(exported).fingerprint == encoder.fingerprint
    return exported


def test_a_file_of_weights_is_held_to_the_contract_as_well(stored):
    assert stored.pretrained
    about_weights = {
        "check_load_is_reproducible",
        "check_loads_share_no_memory",
        "check_load_keeps_random_state",
        "check_parameters_are_float32",
        "check_export_loads_the_same",
        "check_use_stores_nothing",
    }
    checks = {check.__name__: check for check in contract_checks(stored)}
    for name in about_weights:
        checks[name](stored)


def test_a_path_is_found_from_wherever_it_is_loaded(stored, monkeypatch):
    monkeypatch.chdir(stored.weights.parent)
    near = clone(stored).set_params(weights="weights.safetensors")
    learned = near.learned_from([])
    monkeypatch.chdir("/")
    assert load(learned).fingerprint == load(stored).fingerprint
    assert stored.learned_from([]) is stored


def test_weights_of_another_network_are_refused(stored):
    with pytest.raises(ValueError, match=r"not hold .* is of shape \(.*\), expected of shape \("):
        load(clone(stored).set_params(width=0.2))
    other = next(each for each in TINY if type(each) is not type(stored))
    with pytest.raises(ValueError, match=r"is not there, expected of shape"):
        load(clone(other).set_params(weights=stored.weights))


def test_a_file_that_is_missing_or_damaged_is_named(stored):
    path = stored.weights
    whole = path.read_bytes()
    for content in (b"", b"no weights at all", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"weights\.safetensors is no safetensors file"):
            load(stored)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"no file .*weights\.safetensors"):
        load(stored)


@pytest.mark.parametrize("weights", ["vgg61", "efficientnet-lite9"])
def test_a_name_that_nothing_has_is_answered_with_those_that_are_there(weights):
    with pytest.raises(ValueError, match=r"Known: .*efficientnet-lite0.*vgg16"):
        load(VGG16(weights=weights))


@pytest.mark.parametrize(
    "backbone",
    [
        EfficientNetLite(variant=3, weights=None),
        EfficientNetLite(dropout=1.0, weights=None),
        EfficientNetLite(drop_connect=-0.1, weights=None),
        EfficientNetLite(width=0.0, weights=None),
        EfficientNetLite(depth=0, weights=None),
        EfficientNetLite(image_size=32, weights=None),
        VGG16(pooling="mean", weights=None),
        VGG16(weights=3),
    ],
)
def test_bad_parameters_are_refused(backbone):
    with pytest.raises(ValueError, match=r"The '\w+' parameter of (EfficientNetLite|VGG16)"):
        load(backbone)


# --- training -----------------------------------------------------------------------------------


def test_a_skipped_block_gives_what_it_was_given():
    torch.manual_seed(0)
    block = InvertedResidual(8, 8, 3, 1, 6, drop=0.5)
    maps = torch.randn(64, 8, 4, 4)
    with torch.no_grad():
        kept = 2 * (block.eval()(maps) - maps) + maps
        for norm in (block.train().expand.norm, block.depthwise.norm, block.project.norm):
            norm.eval()
        trained = block(maps)
    is_kept = [torch.allclose(a, b, atol=1e-5) for a, b in zip(trained, kept, strict=True)]
    is_skipped = [torch.equal(a, b) for a, b in zip(trained, maps, strict=True)]
    assert all(a != b for a, b in zip(is_kept, is_skipped, strict=True))
    assert 16 < sum(is_kept) < 48


class _Painted:
    """An encoder that is given words, and reads pictures of those colours."""

    def __init__(self, encoder):
        self._encoder = encoder

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._encoder, name)

    def prepare(self, X):
        colours = {"red": 0, "green": 1, "blue": 2}
        painted = []
        for i, text in enumerate(X):
            (picture,) = pictures(1, seed=len(text))
            picture //= 2
            picture[:, :, colours[text.split()[0]]] += 120 + i % 3
            painted.append(picture)
        return self._encoder.prepare(painted)


class PaintedLite(EfficientNetLite):
    """Reads names of colours, so that estimators of texts train it."""

    modality = "text"

    def load(self, *, device, random_state):
        return _Painted(super().load(device=device, random_state=random_state))


WORDS = [f"{colour} {'o' * i}" for i in range(5) for colour in ("red", "green", "blue")]
COLOURS = [text.split()[0] for text in WORDS]


@pytest.mark.parametrize("freeze", [info.name for info in available("freeze")])
def test_every_strategy_trains_blocks_with_their_statistics(freeze):
    backbone = PaintedLite(weights=None, width=0.1, depth=0.3, image_size=33, dropout=0.0)
    clf = TransferTextClassifier(
        backbone, freeze=freeze, lr=0.003, batch_size=5, random_state=0, device="cpu"
    )
    clf.fit(WORDS, COLOURS)
    found = clf.predict_proba(WORDS)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(clf)).predict_proba(WORDS), found)
    trained = {block for stage in clf.stages_ for block in stage["blocks"]}
    loaded = backbone.load(device="cpu", random_state=clf.net_.state.backbone_seed)
    before = loaded.module.state_dict()
    after = clf.net_.module_.encoder.module.state_dict()
    for block in loaded.blocks:
        names = [n for n in before if n.startswith(f"{block}.") and n.endswith("running_mean")]
        same = all(torch.equal(before[name], after[name].cpu()) for name in names)
        assert same == (block not in trained), block


def test_pretrained_statistics_are_kept_where_all_else_trains(tmp_path):
    backbone = PaintedLite(weights=None, width=0.1, depth=0.3, image_size=33)
    whole = clone(backbone).set_params(weights="any").export(load(backbone), tmp_path)
    clf = TransferTextClassifier(whole, freeze="full", max_epochs=2, random_state=0, device="cpu")
    clf.fit(WORDS, COLOURS)
    before = load(whole).module.state_dict()
    changed = {n for n, v in clf.net_.state.body.items() if not torch.equal(v, before[n])}
    assert {n for n in changed if "running" in n or "batches" in n} == set()
    assert {n for n in changed if n.endswith((".conv.weight", ".norm.bias"))}
    # Dropout is not kept from training.
    module = clf.net_.module_.encoder.module.train()
    assert module.dropout.training
    assert not module.stem.norm.training


def test_what_lies_below_is_computed_once():
    backbone = PaintedLite(weights=None, width=0.1, depth=0.3, image_size=33)
    clf = TransferTextClassifier(
        backbone, freeze="top_layers", max_epochs=2, random_state=0, device="cpu"
    )
    clf.fit(WORDS, COLOURS)
    assert clf.decision_["frozen_prefix"].startswith("below ")


def test_no_more_pictures_are_computed_together_than_fit(monkeypatch):
    given = []
    scaled = EfficientNetLiteNetwork.scaled
    monkeypatch.setattr(
        EfficientNetLiteNetwork,
        "scaled",
        lambda self, pixels: given.append(len(pixels)) or scaled(self, pixels),
    )
    backbone = PaintedLite(weights=None, width=0.1, depth=0.3, image_size=33)
    clf = TransferTextClassifier(
        backbone, freeze="top_layers", max_epochs=1, random_state=0, device="cpu"
    )
    clf.fit(WORDS * 3, COLOURS * 3)
    assert max(given) == 16


@pytest.mark.parametrize("name", ["vgg16", "efficientnet-lite2"])
def test_an_estimator_of_texts_says_what_such_a_backbone_reads(name):
    with pytest.raises(ValueError, match=f"backbone='{name}' reads images, not texts"):
        TransferTextClassifier(name).fit(["a", "b"], [0, 1])


@ALL
def test_features_are_the_same_folded_in_half_precision_and_as_the_network_stands(tiny):
    encoder = load(tiny)
    encoder.module.eval()
    rng = torch.Generator().manual_seed(0)
    for name, buffer in encoder.module.named_buffers():
        if "running" in name:
            buffer.copy_(torch.rand(buffer.shape, generator=rng) + 0.5)
    batch = encoder.collate(encoder.prepare(pictures(4)))
    wanted = encoder.forward(batch).detach()
    with torch.no_grad():
        found = encoder.forward(batch)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
        half = encoder.in_bf16()
        assert half.module.dtype == torch.bfloat16
        close = torch.nn.functional.cosine_similarity(half.forward(batch), wanted)
    assert close.min() > 0.999


@ALL
def test_what_is_folded_follows_the_weights(tiny):
    encoder = load(tiny)
    encoder.module.eval()
    batch = encoder.collate(encoder.prepare(pictures(2)))
    with torch.no_grad():
        before = encoder.forward(batch)
        next(p for p in encoder.module.parameters() if p.ndim == 4).mul_(1.5)
        after = encoder.forward(batch)
    assert not torch.allclose(before, after, rtol=1e-3)
    torch.testing.assert_close(after, encoder.forward(batch).detach(), rtol=1e-4, atol=1e-5)


@ALL
def test_what_is_folded_follows_a_training_by_a_fused_optimizer(tiny):
    encoder = load(tiny)
    encoder.module.keeps_statistics = True  # or their buffers would tell
    batch = encoder.collate(encoder.prepare(pictures(4)))
    with torch.no_grad():
        before = encoder.module.eval() and encoder.forward(batch)
    encoder.module.train()
    optimizer = torch.optim.AdamW(encoder.module.parameters(), lr=0.01, fused=True)
    encoder.forward(batch).sum().backward()
    optimizer.step()
    encoder.module.eval()
    with torch.no_grad():
        after = encoder.forward(batch)
    assert not torch.allclose(before, after, rtol=1e-3)
    torch.testing.assert_close(after, encoder.forward(batch).detach(), rtol=1e-4, atol=1e-5)


def test_a_copy_in_half_precision_learns_statistics_for_the_original():
    encoder = load(TINY[0])
    half = encoder.in_bf16()
    before = encoder.module.stem.norm.running_mean.clone()
    half.module.train()
    half.forward(encoder.collate(encoder.prepare(pictures(4))))
    assert not torch.equal(before, encoder.module.stem.norm.running_mean)
    assert encoder.module.stem.norm.running_mean.dtype == torch.float32


def test_what_is_folded_follows_a_training_with_frozen_statistics():
    encoder = load(TINY[0])
    encoder.module.eval()
    batch = encoder.collate(encoder.prepare(pictures(4)))
    with torch.no_grad():
        encoder.forward(batch)
    optimizer = torch.optim.AdamW(encoder.module.parameters(), lr=0.01, fused=True)
    encoder.forward(batch).sum().backward()
    optimizer.step()
    with torch.no_grad():
        found = encoder.forward(batch)
    torch.testing.assert_close(found, encoder.forward(batch).detach(), rtol=1e-4, atol=1e-5)


def test_a_drawn_network_knows_the_statistics_of_a_short_training():
    encoder = load(TINY[0])
    encoder.module.train()
    batch = encoder.collate(encoder.prepare(pictures(8)))
    for _ in range(40):
        encoder.module(batch["pixels"])
    maps = encoder.module.stem.conv(
        torch.nn.functional.pad(encoder.module.scaled(batch["pixels"]), [0, 1, 0, 1])
    )
    wanted = maps.mean(dim=(0, 2, 3))
    found = encoder.module.stem.norm.running_mean
    torch.testing.assert_close(found, wanted, rtol=0.05, atol=0.02)


RESNET = {"model_type": "resnet", "embedding_size": 8, "hidden_sizes": [8, 8, 8, 16]}
RESNET |= {"depths": [1, 1, 1, 1], "layer_type": "basic"}


@pytest.mark.parametrize(
    ("backbone", "freeze"),
    [
        (TINY[0], "full"),
        (TINY[0], "top_layers"),
        (ImageTransformer(RESNET, image_size=32), "full"),
        (ImageTransformer(RESNET, image_size=32), "top_layers"),
    ],
    ids=["lite full", "lite top", "resnet full", "resnet top"],
)
def test_a_row_that_is_alone_in_a_batch_is_normalised_by_what_was_learned(backbone, freeze):
    # Nine rows in batches of eight; the last maps of 32 pixels are a single one.
    clf = TransferImageClassifier(backbone, freeze=freeze, batch_size=8, max_epochs=2)
    clf.set_params(random_state=0, image_size=33 if backbone is TINY[0] else 32)
    clf.fit(pictures(9), ["a", "b", "c"] * 3)
    module = clf.net_.module_.encoder.module
    states = {n: v for n, v in module.state_dict().items() if n.endswith("running_var")}
    assert all(torch.isfinite(value).all() for value in states.values())
    # One update an epoch, of eight rows, where the block trains: the one row leaves no trace.
    counts = [int(v) for n, v in module.state_dict().items() if n.endswith("num_batches_tracked")]
    assert set(counts) == ({2} if freeze == "full" else {0, 2})
    assert not module.training
