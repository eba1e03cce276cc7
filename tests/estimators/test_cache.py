"""Features kept between fits, and training from a frozen prefix: the same, computed once."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from sktransfer import TransferTextClassifier, TransferTextEncoder, load
from sktransfer.features import encode
from sktransfer.features.store import MemoryStore
from sktransfer.heads.linear import LinearHead

pytest.importorskip("lmdb")


@pytest.fixture(scope="module")
def data(movie):
    return movie[0][:60], movie[1][:60]


@pytest.fixture
def counted(monkeypatch):
    """Count the rows that go through an encoder for their features."""
    rows = []
    real = encode.encode_rows

    def encode_rows(encoder, these, precision, **how):
        rows.extend(these)
        return real(encoder, these, precision, **how)

    monkeypatch.setattr(encode, "encode_rows", encode_rows)
    monkeypatch.setattr("sktransfer.training.frozen_prefix.encode_rows", encode_rows)
    monkeypatch.setattr("sktransfer.features.store._MEMORY", MemoryStore())
    return rows


@pytest.fixture(params=["memory", "folder"])
def cache(request, tmp_path):
    return "memory" if request.param == "memory" else str(tmp_path / "store")


def quick(model, **params):
    params = {"freeze": "frozen", "random_state": 0, "precision": "fp32"} | params
    return TransferTextClassifier(model, **params)


def test_a_search_encodes_each_distinct_text_once(data, tiny_model, counted, cache):
    clf = quick(tiny_model, head=LinearHead(), cache=cache)
    grid = {"head__C": [0.1, 1.0, 10.0]}
    search = GridSearchCV(clf, grid, cv=3).fit(*data)
    assert len(counted) == len(set(data[0]))
    plain = GridSearchCV(clone(clf).set_params(cache=None), grid, cv=3).fit(*data)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"]
    )
    np.testing.assert_allclose(
        search.predict_proba(data[0]), plain.predict_proba(data[0]), atol=1e-5
    )


def test_a_tuned_encoder_does_not_take_the_features_of_the_untuned_one(data, tiny_model, cache):
    frozen = quick(tiny_model, cache=cache).fit(*data)
    frozen.predict(data[0])
    tuned = quick(tiny_model, cache=cache, freeze="full", max_epochs=2).fit(*data)
    again = clone(tuned).set_params(cache=None).fit(*data)
    np.testing.assert_allclose(
        tuned.predict_proba(data[0]), again.predict_proba(data[0]), atol=1e-5
    )
    np.testing.assert_allclose(
        tuned.predict_proba(data[0]), again.predict_proba(data[0]), atol=1e-5
    )


def test_settings_of_an_encoder_share_nothing(data, tiny_model, counted, cache):
    for params in ({}, {"max_length": 8}, {"long_text": "window_mean", "max_length": 8}):
        found = TransferTextEncoder(
            tiny_model, cache=cache, precision="fp32", **params
        ).fit_transform(data[0])
        plain = TransferTextEncoder(tiny_model, precision="fp32", **params).fit_transform(data[0])
        np.testing.assert_allclose(found, plain, atol=1e-5)


def test_workers_share_a_folder(data, tiny_model, tmp_path, counted):
    clf = quick(tiny_model, cache=tmp_path / "store")
    first = cross_val_score(clf, *data, cv=3, n_jobs=2)
    second = cross_val_score(clf, *data, cv=3)
    assert counted == []  # all that is asked for here was computed by the workers
    np.testing.assert_allclose(first, second)


# --- the frozen prefix --------------------------------------------------------------------------


def unsplit(*args):
    return "switched off"


@pytest.mark.parametrize("early_stopping", [False, True])
def test_training_from_a_prefix_gives_what_training_of_everything_gives(
    data, tiny_model, monkeypatch, early_stopping
):
    clf = quick(
        tiny_model,
        freeze="top_layers",
        max_epochs=3,
        early_stopping=early_stopping,
        validation_fraction=0.3,
    )
    split = clone(clf).fit(*data)
    assert split.decision_["frozen_prefix"] == "below layer.1"
    monkeypatch.setattr("sktransfer.training.frozen_prefix.why_not_split", unsplit)
    whole = clone(clf).fit(*data)
    assert whole.decision_["frozen_prefix"] == "none: switched off"
    np.testing.assert_allclose(
        split.predict_proba(data[0]), whole.predict_proba(data[0]), atol=1e-4
    )
    losses = [[epoch["train_loss"] for epoch in c.history_] for c in (split, whole)]
    np.testing.assert_allclose(*losses, atol=1e-4)


def test_the_prefix_is_run_once_and_not_in_each_epoch(data, tiny_model, monkeypatch):
    from sktransfer.backbones._transformer_encoder import TransformerEncoder

    rows = []
    real = TransformerEncoder.forward_until

    def forward_until(self, batch, block):
        rows.append(len(batch["input_ids"]))
        return real(self, batch, block)

    monkeypatch.setattr(TransformerEncoder, "forward_until", forward_until)
    quick(tiny_model, freeze="top_layers", max_epochs=4).fit(*data)
    checked = rows[0]
    assert checked <= 4
    assert sum(rows[1:]) == len(data[0])


def test_an_encoder_that_cannot_be_split_exactly_is_trained_whole(data, tiny_model, monkeypatch):
    from sktransfer.backbones._transformer_encoder import TransformerEncoder

    real = TransformerEncoder.forward_from
    monkeypatch.setattr(TransformerEncoder, "forward_from", lambda *args: real(*args) + 0.01)
    clf = quick(tiny_model, freeze="top_layers", max_epochs=1).fit(*data)
    assert clf.decision_["frozen_prefix"].startswith("none: the encoder gives other features")


def test_why_there_is_no_prefix_is_written_down(data, tiny_model):
    reasons = {
        "full": "none: the lowest block trains",
        "frozen": "nothing was trained by epochs",
    }
    for freeze, reason in reasons.items():
        clf = quick(tiny_model, freeze=freeze, max_epochs=1).fit(*data)
        assert clf.decision_["frozen_prefix"] == reason
    windows = quick(
        tiny_model, freeze="top_layers", max_epochs=1, max_length=8, long_text="window_mean"
    )
    assert "windows" in windows.fit(*data).decision_["frozen_prefix"]


def test_pairs_are_trained_from_a_prefix_with_their_types(data, tiny_model, monkeypatch):
    import pandas as pd

    frame = pd.DataFrame({"a": data[0], "b": data[0][::-1]})
    clf = quick(tiny_model, freeze="top_layers", max_epochs=2, pairs=True)
    split = clone(clf).fit(frame, data[1])
    assert split.decision_["frozen_prefix"] == "below layer.1"
    monkeypatch.setattr("sktransfer.training.frozen_prefix.why_not_split", unsplit)
    whole = clone(clf).fit(frame, data[1])
    np.testing.assert_allclose(split.predict_proba(frame), whole.predict_proba(frame), atol=1e-4)


def test_a_cache_that_cannot_be_used_stops_a_fit_and_not_a_prediction(data, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="cannot be a folder of features"):
        quick("hashing", cache=tmp_path / "file").fit(*data)
    clf = quick("hashing").fit(*data).set_params(cache=tmp_path / "file")
    with pytest.warns(UserWarning, match="is not used"):
        clf.predict(data[0][:2])


def test_a_saved_model_does_not_name_a_folder_of_this_machine(data, tmp_path):
    quick("hashing", cache=tmp_path / "store").fit(*data).save(tmp_path / "model")
    assert load(tmp_path / "model").cache is None


def test_a_model_in_a_folder_does_not_change_when_its_file_is_written_over(
    data, tiny_model, tmp_path
):
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    encoder = TransferTextEncoder(folder, precision="fp32").fit(data[0])
    before = encoder.transform(data[0])
    with open(folder / "model.safetensors", "r+b") as file:
        file.seek(-20_000, os.SEEK_END)
        file.write(b"\x3f" * 20_000)
    np.testing.assert_array_equal(encoder.transform(data[0]), before)
