"""The backbones are held to the contract; what they are made of, and how they are trained."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sktransfer_vision import VGG16, EfficientNetLite
from sktransfer_vision.networks import EfficientNetLiteNetwork, InvertedResidual, VGG16Network

from sktransfer import TransferTextClassifier
from sktransfer.plugins import available, resolve
from sktransfer.testing import contract_checks, parametrize_with_contracts


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


def test_blocks_hold_all_statistics_too(tiny):
    encoder = load(tiny)
    for name in encoder.module.state_dict():
        assert sum(name.startswith(f"{block}.") for block in encoder.blocks) == 1, name


def test_features_of_drawn_weights_are_of_ordinary_size(tiny):
    found = features(load(clone(tiny).set_params(width=None, image_size=64)), pictures(4))
    assert 1e-3 < found.std() < 10


def test_pooling_is_the_mean_or_the_maximum():
    encoder = load(VGG16(weights=None, width=0.1, image_size=64))
    batch = encoder.collate(encoder.prepare(pictures(3)))
    maps = encoder.module.run(encoder.module.scaled(batch["pixels"]), encoder.module.steps)
    assert maps.shape == (3, 51, 2, 2)
    torch.testing.assert_close(encoder.forward(batch), maps.mean((2, 3)))
    other = load(VGG16(weights=None, width=0.1, image_size=64, pooling="max"))
    torch.testing.assert_close(other.forward(batch), maps.amax((2, 3)))
    mine, others = encoder.fingerprint, other.fingerprint
    assert mine[0] == others[0]
    assert mine[1] != others[1]


def test_another_size_is_other_preprocessing_of_the_same_weights(tiny):
    mine, other = load(tiny), load(clone(tiny).set_params(image_size=70))
    assert mine.fingerprint != other.fingerprint
    assert mine.fingerprint.weights == other.fingerprint.weights


def test_what_is_only_trained_with_changes_no_fingerprint(tiny):
    if isinstance(tiny, EfficientNetLite):
        other = clone(tiny).set_params(dropout=0.4, drop_connect=0.0)
        assert load(other).fingerprint == load(tiny).fingerprint


def test_half_precision_comes_close(tiny):
    encoder = load(tiny)
    X = pictures(3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = features(encoder, X)
    assert half.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(half, features(encoder, X)).min() > 0.98


# --- weights ------------------------------------------------------------------------------------


@pytest.fixture
def stored(tiny, tmp_path):
    """A backbone whose weights are a file."""
    drawn = clone(tiny)
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
    other = EfficientNetLite if isinstance(stored, VGG16) else VGG16
    with pytest.raises(ValueError, match=r"is not there, expected of shape"):
        load(other(weights=stored.weights, width=0.1))


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
