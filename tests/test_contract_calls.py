"""What a contract asks for is called by the core, as a trace of the flows that use it shows."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from sklearn.utils import get_tags
from skorch.callbacks import EpochScoring

import sktransfer
from sktransfer import TransferTextClassifier, TransferTextEncoder
from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.contracts import Task, registry
from sktransfer.plugins import (
    Alignment,
    BackboneWrapper,
    Encoder,
    EncoderWrapper,
    Modality,
    Regulariser,
    register,
)
from sktransfer.testing import contract_checks

sys.path.insert(0, str(Path(__file__).parent / "extending"))
from tags import SentenceModality, TransferTagger, WordBackbone

PACKAGE = Path(sktransfer.__file__).parent
CONTRACTS = {
    Alignment: {"build", "loss", "schedule", "weight"},
    Regulariser: {"build", "loss", "schedule", "second_view", "weight"},
    Modality: {
        *("backbone_params", "check_like_fitted", "check_options", "examples", "report"),
        *("samples", "odd_samples", "set_tags", "unreadable", "validate", "validate_fit"),
        "variation",
    },
    Task: {
        *("attributes", "calibrate", "carry_over", "check_trainable", "decide", "decode"),
        *("encode", "from_attributes", "is_marker", "loss", "penalty", "predict"),
        *("predict_proba", "row_weights", "rows_each", "strata", "unlabelled_values"),
    },
    Encoder: {
        *("budget", "code_version", "collate", "entries", "forward", "forward_until"),
        *("in_bf16", "never_train", "pool", "prepare", "states", "states_from", "table"),
        *("training_budget", "truncation"),
    },
}
CORE = {"estimators", "features", "persistence", "serving", "training", "tuning"}
# Who else may be the caller: defaults of the contract itself, and the kit.
OTHERS = {"pool": "contracts", "states_from": "contracts"}
OTHERS |= dict.fromkeys(("samples", "odd_samples"), "testing")


class Trace:
    """Note which methods of contracts are called, and from which rooms."""

    def __init__(self):
        self.found = {contract: set() for contract in CONTRACTS}

    def __enter__(self):
        self._before = sys.getprofile()
        sys.setprofile(self._note)
        threading.setprofile(self._note)
        return self

    def __exit__(self, *error):
        sys.setprofile(self._before)
        threading.setprofile(None)

    def _note(self, frame, event, arg):
        name, caller = frame.f_code.co_name, frame.f_back
        if event != "call" or name not in NAMES or caller is None:
            return
        file = Path(caller.f_code.co_filename)
        if not file.is_relative_to(PACKAGE):
            return
        room = file.relative_to(PACKAGE).parts[0]
        if room not in CORE and room != OTHERS.get(name):
            return
        first = frame.f_locals.get(next(iter(frame.f_code.co_varnames), ""))
        cls = first if isinstance(first, type) else type(first)
        for contract, names in self.found.items():
            if issubclass(cls, contract):
                names.add(name)


NAMES = set().union(*CONTRACTS.values())


class Gap(Alignment):
    """What is an attribute elsewhere is a property here, so that a trace sees it."""

    @property
    def weight(self):
        return 1.0

    def loss(self, source, target, progress, module=None):
        return (source.features.mean(dim=0) - target.features.mean(dim=0)).square().sum()


class Agree(Regulariser):
    @property
    def weight(self):
        return 1.0

    @property
    def second_view(self):
        return True

    def loss(self, batch, progress, change, second=None, module=None):
        return (batch.outputs - second.outputs).square().mean()


class Seen(EncoderWrapper):
    @property
    def never_train(self):
        return frozenset()

    @never_train.setter
    def never_train(self, value):
        pass


class Wrapped(BackboneWrapper):
    modality = "text"

    def __init__(self, backbone="hashing"):
        self.backbone = backbone

    def wrap(self, encoder, *, random_state):
        return Seen(encoder)


X = [f"{words} {n}" for n in range(6) for words in ("good film", "bad film", "fine", "dull")]
Y = np.array([1, 0, 1, 0] * 6)
DOMAIN = np.repeat([0, -1], 12)


def run_all(tiny_model, folder):
    """Go through the flows in which the core uses its contracts."""
    by_epochs = TransferTextClassifier(
        Wrapped(),
        freeze="full",
        max_epochs=1,
        alignment=Gap(),
        regulariser=Agree(),
        early_stopping=True,
        scoring="f1_macro",
        validation_fraction=0.25,
        calibrate="temperature",
        callbacks=[EpochScoring("accuracy", name="own")],
        random_state=0,
    )
    get_tags(by_epochs)
    by_epochs.fit(X, np.where(DOMAIN < 0, -1, Y), sample_domain=DOMAIN)
    by_epochs.partial_fit(X, Y, sample_domain=DOMAIN).predict_proba(X[:2])
    shared = {"random_state": 0, "max_epochs": 1, "cache": "memory"}
    frozen = TransferTextClassifier(tiny_model, freeze="frozen", precision="bf16", **shared)
    frozen.fit(X, Y).predict(X[:2])
    frozen.save(folder / "model")
    sktransfer.load(folder / "model").predict(X[:2])
    frozen.export_onnx(folder / "model.onnx")
    TransferTextClassifier(tiny_model, freeze="top_layers", **shared).fit(X, Y)
    TransferTextEncoder("hashing").fit(X).transform(X[:2])
    words, tags = [x.split() for x in X], [["O"] * len(x.split()) for x in X]
    tags[0][0] = "P"
    TransferTagger(
        WordBackbone(TransformerBackbone(tiny_model)), freeze="full", max_epochs=1, random_state=0
    ).fit(words, tags)
    for check in contract_checks(registry.modality_class("text")()):
        check(registry.modality_class("text")())


@pytest.fixture(scope="module")
def called(tiny_model, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_RUNTIME", {})
        patch.setattr("sktransfer.serving.onnx.export_onnx", lambda *args: None)
        register("modality", "sentence", SentenceModality)
        register("backbone", "words", WordBackbone)
        with Trace() as trace:
            run_all(tiny_model, tmp_path_factory.mktemp("calls"))
    return trace.found


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
def test_what_a_contract_asks_for_is_called_by_the_core(contract, called):
    assert CONTRACTS[contract] - called[contract] == set()


def test_calls_that_are_not_of_the_core_are_not_counted():
    gap = Gap()
    with Trace() as trace:
        gap.schedule(0.5)
        gap.build(2, 2)
        assert gap.weight == 1.0
    assert trace.found[Alignment] == set()
