"""The fingerprint of an encoder survives every way in which a model is kept."""

from __future__ import annotations

import pickle

import pytest

from sktransfer import TransferTextClassifier, load
from sktransfer.contracts import Fingerprint, registry
from sktransfer.plugins import BackboneWrapper, EncoderWrapper, register

X, Y = ["good film", "bad film", "fine", "poor"] * 3, [1, 0, 1, 0] * 3
PLUS = Fingerprint("conv3+conv5", "words+2")


class Plus(BackboneWrapper):
    modality = "text"

    def __init__(self, backbone="hashing"):
        self.backbone = backbone

    def wrap(self, encoder, *, random_state):
        wrapped = EncoderWrapper(encoder)
        wrapped.fingerprint = PLUS
        return wrapped


@pytest.fixture
def plus(monkeypatch):
    monkeypatch.setattr(registry, "_RUNTIME", {})
    register("backbone", "plus", Plus)
    return TransferTextClassifier(Plus(), freeze="frozen", random_state=0).fit(X, Y)


def test_weights_with_a_plus_sign_are_loaded_and_predict_the_same(plus, tmp_path):
    plus.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert loaded.net_.state.fingerprint == PLUS
    assert loaded.predict_proba(X).tolist() == plus.predict_proba(X).tolist()


def test_weights_with_a_plus_sign_survive_a_pickle(plus):
    loaded = pickle.loads(pickle.dumps(plus))
    assert loaded.net_.state.fingerprint == PLUS
    assert loaded.predict(X).tolist() == plus.predict(X).tolist()


def test_a_fingerprint_of_one_string_as_earlier_versions_wrote_it_loads(
    forge, manifest_of, tmp_path
):
    clf = TransferTextClassifier("hashing", freeze="frozen", random_state=0).fit(X, Y)
    clf.save(tmp_path / "model")
    weights, preprocessing = manifest_of(tmp_path / "model")["model"]["fingerprint"]
    assert preprocessing == ""
    forge(tmp_path / "model", lambda m: m["model"].update(fingerprint=weights))
    assert load(tmp_path / "model").predict(X).tolist() == clf.predict(X).tolist()


@pytest.mark.parametrize("value", [None, 3, ["a"], ["a", 1], ["a", "b", "c"]], ids=repr)
def test_a_fingerprint_of_another_form_is_refused_by_name(forge, tmp_path, value):
    clf = TransferTextClassifier("hashing", freeze="frozen", random_state=0).fit(X, Y)
    clf.save(tmp_path / "model")
    forge(tmp_path / "model", lambda m: m["model"].update(fingerprint=value))
    with pytest.raises(ValueError, match=r"manifest\.json cannot be read.*fingerprint"):
        load(tmp_path / "model")
