"""What is refused, with which words, in which time, and what is left afterwards."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from sktransfer import TransferTextClassifier, TransferTextEncoder, TransferTextRegressor
from sktransfer.backbones.hashing import HashingBackbone

X = ["a good film", "a dull film", "great fun", "boring"]
Y = ["good", "bad", "good", "bad"]


def clf(**params):
    return TransferTextClassifier(
        **{"backbone": "hashing", "max_epochs": 1, "random_state": 0} | params
    )


@pytest.fixture(scope="module", autouse=True)
def _warm():
    clf().fit(X, Y)


BAD_TEXTS = [
    ("one text", ValueError, r"X has to be a collection of texts, got one str.*pass \[text\]"),
    (b"bytes", ValueError, r"got one bytes"),
    ([], ValueError, r"X is empty: found 0 texts"),
    (
        ["", " ", "\t", ""],
        ValueError,
        r"X has no text: all 4 are empty or blank \(first at index 0\)",
    ),
    (
        ["a", None, "b", None],
        ValueError,
        r"X has 2 missing value\(s\) among 4 texts \(first at index 1",
    ),
    (["a", "b", float("nan"), "c"], ValueError, r"1 missing value\(s\) .* index 2: nan"),
    (["a", "b", "c", b"d"], TypeError, r"1 of 4 are not \(first at index 3: bytes\).*decode"),
    (
        ["a", 1, 2, "d"],
        TypeError,
        r"2 of 4 are not \(first at index 1: int\).*\[str\(x\) for x in X\]",
    ),
    (["a", ["b", "c"], "c", "d"], TypeError, r"first at index 1: list"),
    (np.array([X, X]).T, ValueError, r"shape \(4, 2\), but one text"),
    (np.arange(4), TypeError, r"4 of 4 are not \(first at index 0: int\)"),
    ({"text": X}, TypeError, r"got dict"),
    (None, TypeError, r"got NoneType"),
    (7, TypeError, r"got int"),
]


@pytest.mark.parametrize(("texts", "error", "message"), BAD_TEXTS)
def test_bad_texts_are_refused_in_fit_and_leave_the_estimator_as_it_was(texts, error, message):
    fitted = clf().fit(X, Y)
    before, state = fitted.predict_proba(X), dict(vars(fitted))
    start = time.perf_counter()
    with pytest.raises(error, match=message):
        fitted.fit(texts, Y)
    assert time.perf_counter() - start < 1.0
    assert vars(fitted) == state
    np.testing.assert_array_equal(fitted.predict_proba(X), before)


@pytest.mark.parametrize(
    ("texts", "error", "message"), [c for c in BAD_TEXTS if "no text" not in c[2]]
)
def test_bad_texts_are_refused_in_predict(texts, error, message):
    with pytest.raises(error, match=message):
        clf().fit(X, Y).predict(texts)


def test_missing_values_of_pandas_are_refused():
    import pandas as pd

    for missing in (pd.NA, pd.NaT, None, np.nan):
        with pytest.raises(
            ValueError, match=r"1 missing value\(s\) among 4 texts \(first at index 1"
        ):
            clf().fit(pd.Series(["a", missing, "c", "d"], dtype=object), Y)
        with pytest.raises(ValueError, match=r"missing"):
            clf().fit(pd.Series(["a", None, "c", "d"]), Y)


def test_frame_of_three_columns_names_them():
    import pandas as pd

    with pytest.raises(ValueError, match=r"X has 3 columns \(title, body, more\)"):
        clf().fit(pd.DataFrame({"title": X, "body": X, "more": X}), Y)


def test_sparse_matrix_is_refused():
    from scipy.sparse import csr_matrix

    with pytest.raises(TypeError, match="csr_matrix"):
        clf().fit(csr_matrix((4, 4)), Y)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (["a"] * 4, ValueError, "contains only one class: 'a'"),
        (["a", "b"], ValueError, "4 inputs, 2 targets"),
        (["a", None, "b", "a"], ValueError, r"1 of 4 labels are missing \(first at index 1\)"),
        (["a", float("nan"), "b", "a"], ValueError, "contains NaN.*index 1"),
        ([0.0, float("nan"), 1.0, 0.0], ValueError, "contains NaN"),
        ([0.1, 0.2, 0.35, 0.4], ValueError, "Unknown label type: continuous"),
        (["a", 1, "b", 2], TypeError, "mixes labels of the types"),
        (np.full((4, 2), [1, 2]), ValueError, "first at row 0, column 1: 2"),
        (np.arange(8).reshape(4, 2), ValueError, r"shape \(4, 2\).*MultiOutputClassifier"),
        (np.zeros((4, 2)), ValueError, "its 4 rows are all the same"),
        (np.eye(3, dtype=int), ValueError, "4 inputs, 3 targets"),
        (None, ValueError, "requires y to be passed, but the target y is None"),
    ],
)
def test_bad_labels_are_refused(labels, error, message):
    with pytest.raises(error, match=message):
        clf().fit(X, labels)


def test_one_row_is_refused():
    with pytest.raises(ValueError, match="only one class"):
        clf().fit(["a"], ["b"])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2], "sample_weight"),
        ([1, 1, 1, -1], "[Nn]egative"),
        ([0, 0, 0, 0], "zero"),
        ([1, np.nan, 1, 1], "NaN"),
    ],
)
def test_bad_sample_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        clf().fit(X, Y, sample_weight=weights)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_prediction_before_fit_is_refused(method):
    with pytest.raises(NotFittedError):
        getattr(clf(), method)(X)


def test_save_before_fit_is_refused(tmp_path):
    with pytest.raises(NotFittedError):
        clf().save(tmp_path / "model")


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"backbone": "minlim"}, ValueError, "Did you mean 'minilm'"),
        ({"backbone": "../../etc"}, ValueError, "not a backbone"),
        ({"freeze": "frosen"}, ValueError, "Did you mean 'frozen'"),
        ({"head": "lineer"}, ValueError, "Did you mean 'linear'"),
        ({"max_epochs": 0}, ValueError, "The 'max_epochs' parameter"),
        ({"lr": -1.0}, ValueError, "The 'lr' parameter"),
        ({"batch_size": 0}, ValueError, "The 'batch_size' parameter"),
        ({"validation_fraction": 1.5}, ValueError, "The 'validation_fraction' parameter"),
        ({"scoring": "acuracy"}, ValueError, "The 'scoring' parameter"),
        ({"precision": "int3"}, ValueError, "The 'precision' parameter"),
        ({"device": "cuda:99"}, ValueError, "device='cuda:99' is not available"),
        ({"device": "toaster"}, ValueError, "device='toaster' is not available"),
        ({"max_length": 10}, ValueError, "HashingBackbone has no such parameter"),
        (
            {"class_weight": {"good": -1.0}},
            ValueError,
            r"has to be finite .* \['good'\]",
        ),
        ({"class_weight": {"good": 0, "bad": 0}}, ValueError, "leave every row at weight zero"),
        ({"class_weight": {"nice": 2.0}}, ValueError, r"class_weight names \['nice'\]"),
        ({"device": "meta"}, ValueError, "device='meta' holds no numbers"),
        ({"class_weight": "even"}, ValueError, "The 'class_weight' parameter"),
        ({"random_state": "one"}, ValueError, "The 'random_state' parameter"),
    ],
)
def test_bad_parameters_are_refused(params, error, message):
    start = time.perf_counter()
    with pytest.raises(error, match=message):
        clf(**params).fit(X, Y)
    assert time.perf_counter() - start < 1.0


class Untouchable:
    def __iter__(self):
        raise AssertionError("touched")


def test_a_wrong_scorer_is_answered_with_all_of_them_in_order():
    with pytest.raises(ValueError, match="Got 'acc' instead") as caught:
        clf(scoring="acc").fit(X, Y)
    names = str(caught.value).partition("{")[2].partition("}")[0].split(", ")
    assert len(names) > 20
    assert names == sorted(names)


def test_wrong_name_fails_before_data_is_touched():
    with pytest.raises(ValueError, match="There is no freeze named"):
        clf(freeze="nothing").fit(Untouchable(), Untouchable())


class Pictures(HashingBackbone):
    modality = "image"


class Words(HashingBackbone):
    modality = "tokens"


@pytest.mark.parametrize(
    "estimator", [TransferTextClassifier, TransferTextEncoder, TransferTextRegressor]
)
@pytest.mark.parametrize(("backbone", "reads"), [(Pictures(dim=8), "images"), (Words(), "tokens")])
def test_a_backbone_of_other_inputs_is_refused_before_data_is_touched(estimator, backbone, reads):
    name = estimator.__name__
    said = rf"{name} is for texts, but backbone={type(backbone).__name__}\(.*\) reads {reads}, not"
    with pytest.raises(ValueError, match=said):
        estimator(backbone).fit(Untouchable(), Untouchable())


def test_wrong_name_fails_before_torch_is_imported():
    import subprocess
    import sys

    code = (
        "import sys; from sktransfer import TransferTextClassifier\n"
        "try: TransferTextClassifier('nothing').fit(['a'], ['b'])\n"
        "except ValueError: assert 'torch' not in sys.modules, 'torch was imported'\n"
        "else: raise SystemExit('no error')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


ODD_TEXTS = {
    "empty": "",
    "blank": " \t\n",
    "a million words": "word " * 1_000_000,
    "a word of a million characters": "x" * 1_000_000,
    "lone surrogate": "bad \ud800 text \udfff",
    "NUL": "a\x00b",
    "zero width": "a\u200bb\u200d",
    "right to left": "\u202eשלום עולם",
    "emoji sequence": "👩‍👩‍👧‍👦 🏳️‍🌈",
    "special token": "[SEP] [CLS] [PAD] </s>",
    "Chinese": "酒店 很 好",
    "combining": "e" + "\u0301" * 1000,
}


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
@pytest.mark.parametrize("backbone", ["hashing", "tiny"])
def test_odd_text_gets_a_finite_prediction_in_bounded_time(text, backbone, tiny_model, request):
    fitted = _fitted(backbone, tiny_model)
    fitted.predict_proba(["warm"])
    start = time.perf_counter()
    proba = fitted.predict_proba([text, "an ordinary text"])
    # Ten times what it takes, and less than reading a million words to their end does.
    assert time.perf_counter() - start < 1.5
    assert np.isfinite(proba).all()
    alone = fitted.predict_proba(["an ordinary text"])
    np.testing.assert_allclose(proba[1], alone[0], atol=1e-5)


_FITTED = {}


def _fitted(backbone, tiny_model):
    if backbone not in _FITTED:
        name = tiny_model if backbone == "tiny" else backbone
        _FITTED[backbone] = clf(backbone=name, freeze="frozen", precision="fp32").fit(X, Y)
    return _FITTED[backbone]


def test_odd_texts_can_be_trained_on():
    texts = [*ODD_TEXTS.values(), *X]
    with pytest.warns(
        UserWarning, match=r"2 of 16 texts in X are empty or blank \(first at index 0\)"
    ):
        fitted = clf().fit(texts, (["a", "b"] * 8))
    assert np.isfinite(fitted.predict_proba(texts)).all()
