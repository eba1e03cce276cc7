"""A backbone that knows English alone, and texts in other scripts."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sktransfer import TransferTextClassifier, TransferTextEncoder, TransferTextRegressor
from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.backbones.transformer import TransformerBackbone
from sktransfer.modalities.text.validation import share_not_latin
from sktransfer.plugins import Backbone, available, resolve

CHINESE = ["酒店房间干净又安静，服务员很热情。", "等了两个小时，饭菜都凉了。"]
RUSSIAN = ["Очень хороший фильм, советую всем.", "Скучно, ушли через полчаса."]
ACCENTED = [
    "Łódź żyje: świetne śniadanie i przemiła obsługa!",
    "Phòng sạch sẽ, nhân viên rất thân thiện.",
    "Šťastný kôň; ça n'a pas été très agréable.",
]
ENGLISH = ["A lovely film.", "Dull from start to end."]
WARNING = "of the letters of the training texts are not Latin.*backbone='multilingual'"


class English(HashingBackbone):
    english_only = True


class Pairs(English):
    reads_pairs = True

    def load(self, **options):
        encoder = super().load(**options)
        read = encoder.prepare
        encoder.prepare = lambda X: read([" ".join(x) if isinstance(x, tuple) else x for x in X])
        return encoder


def fitted(texts, backbone=None, cls=TransferTextClassifier, y=None):
    """Fit on the texts in turn; give the warnings about scripts."""
    X = texts * 8
    y = np.arange(len(X)) % 2 if y is None else y
    estimator = cls(English() if backbone is None else backbone, freeze="frozen", random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(X, y)
    return [each for each in caught if "not Latin" in str(each.message)]


@pytest.mark.parametrize(
    "cls", [TransferTextClassifier, TransferTextRegressor, TransferTextEncoder]
)
@pytest.mark.parametrize("texts", [CHINESE, RUSSIAN], ids=["Chinese", "Russian"])
def test_texts_in_another_script_warn_once_and_name_the_backbone_that_reads_them(cls, texts):
    (caught,) = fitted(texts, cls=cls)
    assert caught.category is UserWarning
    assert caught.filename == __file__
    assert str(caught.message) == (
        "100% of the letters of the training texts are not Latin, but the backbone was trained on "
        "English alone: backbone='multilingual' reads 100 languages."
    )


@pytest.mark.parametrize(
    "texts",
    [
        ENGLISH,
        ACCENTED,
        ["🎉🎉 👍🏽", "12:30, 5 %"],
        ["ＦＵＬＬ ｗｉｄｔｈ", "𝐛𝐨𝐥𝐝"],
        [*ENGLISH, "да"],
    ],
    ids=["English", "accented", "no letters", "forms of letters", "few letters"],
)
def test_latin_letters_and_none_at_all_do_not_warn(texts):
    assert fitted(texts) == []


def test_a_backbone_of_several_languages_does_not_warn():
    assert fitted(CHINESE, HashingBackbone()) == []


def test_partial_fit_warns_of_its_own_texts_and_prediction_does_not():
    clf = TransferTextClassifier(English(), freeze="frozen", random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf.fit(ENGLISH * 4, [0, 1] * 4)
    with pytest.warns(UserWarning, match=WARNING) as caught:
        clf.partial_fit(CHINESE * 4, [0, 1] * 4)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf.predict(CHINESE)


def test_pairs_warn_once_for_both_sides():
    frame = pd.DataFrame({"question": ENGLISH * 4, "answer": CHINESE * 4})
    clf = TransferTextClassifier(Pairs(), freeze="frozen", random_state=0, pairs=True)
    with pytest.warns(UserWarning, match=WARNING) as caught:
        clf.fit(frame.assign(question=RUSSIAN * 4), [0, 1] * 4)
    assert len([each for each in caught if "not Latin" in str(each.message)]) == 1


def test_a_clone_in_a_pipeline_warns_once():
    pipe = make_pipeline(TransferTextClassifier(English(), freeze="frozen", random_state=0))
    with pytest.warns(UserWarning, match=WARNING) as caught:
        clone(pipe).fit(RUSSIAN * 4, [0, 1] * 4)
    assert len(caught) == 1


def test_a_bounded_sample_is_read_from_all_over_the_texts():
    class Watched(list):
        def __getitem__(self, index):
            found = super().__getitem__(index)
            read.append(len(found))
            return found

    read: list[int] = []
    texts = Watched(["english"] * 5_000 + ["русский"] * 20_000)
    assert 0.75 < share_not_latin(texts) < 0.85
    assert sum(read) <= 200
    assert share_not_latin(["да" * 10**6 + "english" * 10**6]) == 1
    assert share_not_latin([("english", "русский")]) == 0.5


@pytest.mark.parametrize(
    ("name", "english"),
    [
        ("minilm", True),
        ("bert-base-cased", True),
        ("bert-base-uncased", True),
        ("distilbert-base-uncased", True),
        ("roberta-base", True),
        ("google-bert/bert-base-uncased", True),
        ("FacebookAI/roberta-base", True),
        ("xlm-roberta-base", False),
        ("multilingual", False),
        ("hashing", False),
        ("owner/unknown", False),
    ],
)
def test_which_backbones_know_english_alone(name, english):
    assert resolve("backbone", name, modality="text").english_only is english


def test_a_model_in_a_folder_may_know_anything(tiny_model):
    assert not TransformerBackbone(tiny_model).english_only
    assert not Backbone().english_only
    names = {info.name for info in available("backbone") if info.distribution == "sktransfer"}
    assert "multilingual" in names


@pytest.mark.weights("minilm")
def test_signs_that_the_backbone_cannot_tell_apart_warn_and_name_one_that_can():
    texts = [f"my order {sign}" for sign in "😍👍🎉😡💔🤮"] * 4
    clf = TransferTextClassifier(freeze="frozen", random_state=0)
    message = r"33% of .* tokens.*unknown to the backbone.*backbone='multilingual'"
    with pytest.warns(UserWarning, match=message) as caught:
        clf.fit(texts, [1, 1, 1, 0, 0, 0] * 4)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf.fit(["my order is lovely", "my order broke"] * 4, [1, 0] * 4)
        clf.predict(texts)


@pytest.mark.weights("minilm")
def test_another_script_warns_once_although_its_tokens_are_unknown():
    clf = TransferTextClassifier(freeze="frozen", random_state=0)
    with pytest.warns(UserWarning, match="not Latin") as caught:
        clf.fit(["好电影", "坏电影"] * 8, [0, 1] * 8)
    assert len(caught) == 1
