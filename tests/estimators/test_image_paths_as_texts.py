"""Paths of images that are given to estimators of texts."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from sktransfer import TransferTextClassifier, TransferTextEncoder, TransferTextRegressor
from sktransfer.backbones.hashing import HashingBackbone
from sktransfer.modalities.text.validation import warn_of_paths

PATHS = [f"photos/{name}/{i}.jpg" for name in ("ants", "bees") for i in range(4)]
TEXTS = ["a lovely film", "dull from start to end", "see photo.png", "not at all"] * 2


def warned(estimator, X, y=None):
    """Fit; give the warnings about paths."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(X, np.arange(len(X)) % 2 if y is None else y)
    return [each for each in caught if "looks like paths" in str(each.message)]


@pytest.mark.parametrize(
    "cls", [TransferTextClassifier, TransferTextRegressor, TransferTextEncoder]
)
def test_fitting_on_paths_of_images_warns_once_and_names_what_reads_them(cls):
    (caught,) = warned(cls(HashingBackbone(), freeze="frozen"), PATHS)
    assert caught.category is UserWarning
    assert caught.filename == __file__
    said = str(caught.message)
    assert "photos/ants/0.jpg" in said
    assert "such as TransferImage" in said
    assert "--image COLUMN" in said


def test_partial_fit_warns_and_prediction_does_not():
    clf = TransferTextClassifier(HashingBackbone(), freeze="frozen")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf.fit(TEXTS, [0, 1] * 4).predict(PATHS)
    with pytest.warns(UserWarning, match="paths of images"):
        clf.partial_fit(PATHS, [0, 1] * 4)


@pytest.mark.parametrize(
    "texts",
    [
        ["IMG_1.JPG", "IMG 2.heic ", r"C:\photos\3.png"],
        [*PATHS, "not there", "unknown"],
        pd.DataFrame({"path": PATHS})["path"].tolist(),
        [("photos/1.jpg", "a title"), ("photos/2.jpg", "another title")],
    ],
    ids=["names", "most of them", "a column", "one side of pairs"],
)
def test_what_looks_like_paths_warns(texts):
    with pytest.warns(UserWarning, match="looks like paths"):
        warn_of_paths(texts)


@pytest.mark.parametrize(
    "texts",
    [
        TEXTS,
        ["see photo.png", "no"],
        ["fix logo.png", "resize banner.jpg", "crop photo.jpeg", "rename scan.tif"],
        ["https://example.org/1.jpg", "https://example.org/2.jpg"],
        ["the first line\nand photo.png"] * 4,
        ["a text of many words, " * 100 + "and photo.png"] * 4,
        ["report.txt", "mail.csv"],
        ["", "."],
        [("a title", "a text"), ("a title", "photo.png")],
    ],
    ids=[
        "once",
        "half",
        "commands",
        "addresses",
        "several lines",
        "long",
        "other files",
        "hardly anything",
        "once in pairs",
    ],
)
def test_ordinary_texts_do_not_warn(texts):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_paths(texts)


def test_a_few_dozen_texts_are_looked_at_from_all_over_the_data():
    read = []

    class Watched(str):
        def strip(self):
            read.append(self)
            return super().strip()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_paths([Watched("a.png")] * 4_000 + [Watched("a text")] * 6_000)
    assert len(read) <= 100
    with pytest.warns(UserWarning, match="looks like paths"):
        warn_of_paths(["a text"] * 4_000 + ["a.png"] * 6_000)
