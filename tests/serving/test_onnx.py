"""A model as an ONNX file: the same predictions, and never those of another model."""

from __future__ import annotations

import copy
import pickle
import sys

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline

from sktransfer import TransferTextClassifier, TransferTextEncoder, TransferTextRegressor, load
from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.plugins import available
from sktransfer.serving import onnx as module
from sktransfer.serving import with_onnx

LONG = " ".join(["it was not a very good film , and the movie is dull"] * 30)


@pytest.fixture(scope="module")
def data(movie):
    return movie[0][:40], movie[1][:40]


def quick(backbone, kind=TransferTextClassifier, **params):
    settings = {"freeze": "frozen", "precision": "fp32", "random_state": 0}
    return kind(backbone, **settings | params)


@pytest.fixture(scope="module")
def fitted(tiny_model, data):
    return quick(tiny_model).fit(*data)


@pytest.fixture(scope="module")
def file(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    fitted.export_onnx(path)
    return path


@pytest.mark.parametrize("n", [1, 2, 7, 70])
def test_predictions_are_the_same_for_any_number_of_texts(fitted, file, movie, n):
    served = with_onnx(fitted, file)
    texts = [LONG, "", *movie[0]][:n]
    for method in ("predict_proba", "decision_function"):
        found, wanted = getattr(served, method)(texts), getattr(fitted, method)(texts)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(served.predict(texts), fitted.predict(texts))
    np.testing.assert_array_equal(served.predict(iter(texts)), fitted.predict(texts))


def test_the_file_is_valid_and_has_axes_of_any_length(file):
    model = onnx.load(file)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    inputs = {entry.name: entry.shape for entry in session.get_inputs()}
    assert sorted(inputs) == ["attention_mask", "input_ids"]
    assert all(isinstance(axis, str) for shape in inputs.values() for axis in shape)
    assert [entry.name for entry in session.get_outputs()] == ["outputs"]


@pytest.mark.parametrize("long_text", ["head_tail", "window_mean", "window_max"])
def test_long_texts_are_read_as_they_were_trained_on(tiny_model, data, tmp_path, long_text):
    clf = quick(tiny_model, long_text=long_text, max_length=16).fit(*data)
    clf.export_onnx(tmp_path / "model.onnx")
    served = with_onnx(clf, tmp_path / "model.onnx")
    for texts in ([LONG], ["good"], ["good", LONG, "", "dull film"]):
        np.testing.assert_allclose(
            served.predict_proba(texts), clf.predict_proba(texts), rtol=1e-4, atol=1e-5
        )


def test_pairs_several_labels_numbers_and_features(tiny_model, data, tmp_path):
    X, y = data
    pairs = pd.DataFrame({"a": X, "b": X[::-1]})
    several = np.column_stack([y == "positive", ["the" in x for x in X]]).astype(int)
    cases = {
        "pairs": (quick(tiny_model, pairs=True).fit(pairs, y), pairs, "predict_proba"),
        "labels": (quick(tiny_model, threshold=0.3).fit(X, several), X, "predict"),
        "tuned": (quick(tiny_model, freeze="full", max_epochs=1).fit(X, y), X, "predict_proba"),
        "numbers": (
            quick(tiny_model, TransferTextRegressor).fit(X, [1000.0 + len(x) for x in X]),
            X,
            "predict",
        ),
        "features": (quick(tiny_model, TransferTextEncoder).fit(X), X, "transform"),
        "hashing": (quick("hashing").fit(X, y), X, "predict_proba"),
    }
    for name, (estimator, inputs, method) in cases.items():
        path = tmp_path / f"{name}.onnx"
        estimator.export_onnx(path)
        found = getattr(with_onnx(estimator, path), method)(inputs)
        wanted = getattr(estimator, method)(inputs)
        assert found.dtype == wanted.dtype, name
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_saved_model_is_served_by_the_file_of_the_original(fitted, file, data, tmp_path):
    fitted.save(tmp_path / "model")
    again = with_onnx(load(tmp_path / "model"), file)
    np.testing.assert_allclose(
        again.predict_proba(data[0]), fitted.predict_proba(data[0]), rtol=1e-4, atol=1e-5
    )


def test_exporting_and_serving_leave_the_estimator_as_it_was(tiny_model, data, tmp_path):
    clf = quick(tiny_model, precision="bf16").fit(*data)
    before = clf.predict_proba(data[0])
    clf.export_onnx(tmp_path / "model.onnx")
    with_onnx(clf, tmp_path / "model.onnx").predict(data[0])
    np.testing.assert_array_equal(clf.predict_proba(data[0]), before)
    assert clf.partial_fit(*data).stages_[-1]["stage"] == "target"


def test_a_served_estimator_can_be_pickled_saved_and_trained_on(fitted, file, data, tmp_path):
    served = with_onnx(fitted, file)
    wanted = fitted.predict_proba(data[0])
    for again in (pickle.loads(pickle.dumps(served)), copy.deepcopy(served)):
        np.testing.assert_allclose(again.predict_proba(data[0]), wanted, rtol=1e-4, atol=1e-5)
    served.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").predict_proba(data[0]), wanted)
    served.export_onnx(tmp_path / "again.onnx")
    np.testing.assert_allclose(served.encoder_.transform(data[0][:3]).shape, (3, 32))
    served.partial_fit(*data)
    assert len(served.stages_) == 2
    assert len(fitted.stages_) == 1


def test_windows_are_exported_whatever_their_length_is(tiny_model, data, tmp_path):
    clf = quick(TransformerBackbone(tiny_model, long_text="window_mean", max_length=64)).fit(*data)
    clf.export_onnx(tmp_path / "model.onnx")
    texts = [LONG, "good"]
    np.testing.assert_allclose(
        with_onnx(clf, tmp_path / "model.onnx").predict_proba(texts),
        clf.predict_proba(texts),
        rtol=1e-4,
        atol=1e-5,
    )


def test_a_path_that_cannot_be_written_is_refused_at_once(fitted, tmp_path):
    for path in (tmp_path, tmp_path / "none" / "model.onnx"):
        with pytest.raises(ValueError, match="has to be a file in an existing folder"):
            fitted.export_onnx(path)


def test_the_file_of_another_model_is_refused(fitted, file, tiny_model, data, tmp_path):
    other = quick(tiny_model).fit(data[0], data[1][::-1])
    with pytest.raises(ValueError, match="was exported from another model"):
        with_onnx(other, file)
    cut = quick(tiny_model, max_length=8).fit(*data)
    with pytest.raises(ValueError, match="was exported from another model"):
        with_onnx(cut, file)


def test_what_is_no_model_is_refused(fitted, tmp_path):
    with pytest.raises(FileNotFoundError, match="export_onnx"):
        with_onnx(fitted, tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="is no ONNX model"):
        with_onnx(fitted, tmp_path / "bad.onnx")


def test_another_estimator_is_refused_with_what_to_type(fitted, file, data):
    pipe = Pipeline([("clf", fitted)])
    with pytest.raises(TypeError, match="exchange the step"):
        with_onnx(pipe, file)
    pipe.set_params(clf=with_onnx(pipe["clf"], file))
    np.testing.assert_array_equal(pipe.predict(data[0]), fitted.predict(data[0]))


def test_an_unfitted_estimator_is_refused(tiny_model, tmp_path):
    with pytest.raises(NotFittedError):
        quick(tiny_model).export_onnx(tmp_path / "model.onnx")
    with pytest.raises(NotFittedError):
        with_onnx(quick(tiny_model), tmp_path / "model.onnx")


@pytest.mark.parametrize("wrong", [1e-3, float("nan")])
def test_a_file_with_other_outputs_is_not_written(fitted, tmp_path, monkeypatch, wrong):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"an earlier file")
    real = module._OnnxEncoder.forward
    monkeypatch.setattr(module._OnnxEncoder, "forward", lambda self, b: real(self, b) + wrong)
    with pytest.raises(ValueError, match="It was not written"):
        fitted.export_onnx(path)
    assert path.read_bytes() == b"an earlier file"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_exported_says_so(fitted, tmp_path, monkeypatch):
    def forward(self, *tensors):
        raise RuntimeError("this layer is unknown\nto ONNX")

    monkeypatch.setattr(module._Whole, "forward", forward)
    with pytest.raises(ValueError, match="cannot be exported to ONNX"):
        fitted.export_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named_with_what_to_type(fitted, tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"needs {package}.*'sktransfer\[onnx\]'"):
        fitted.export_onnx(tmp_path / "model.onnx")


@pytest.mark.parametrize("name", ["textcnn", "conv1d", "fasttext"])
def test_word_networks_read_texts_of_known_words_and_of_none(name, data, tmp_path):
    if name not in {info.name for info in available("backbone")}:
        pytest.skip("pip install ./plugins/sktransfer-wordvectors")
    clf = quick(name, freeze="full", max_epochs=1).fit(*data)
    clf.export_onnx(tmp_path / "model.onnx")
    served = with_onnx(clf, tmp_path / "model.onnx")
    texts = [*data[0][:3], "", "of", "🙂", "unheardof wordlets, othernesses"]
    for batch in [*([text] for text in texts), texts]:
        expected = clf.predict_proba(batch)
        np.testing.assert_allclose(served.predict_proba(batch), expected, atol=1e-5)
